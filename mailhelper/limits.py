"""How often something may be done: counters in the database, so that they hold across processes and restarts."""

import datetime as dt
import hashlib
import ipaddress
import math

from peewee import Case

from mailhelper.db import db, now
from mailhelper.errors import Limited
from mailhelper.models import Throttle


def hit(what: str, limit: int, seconds: int) -> None:
    """Count one use.  Raises Limited (with `retry_after`) above `limit` in a window of `seconds` that begins with the first use."""
    count, until = _count(what, seconds)
    if count > limit:
        raise Limited(retry_after=_left(until))


def attempt(what: str, limit: int, seconds: int, code: str) -> None:
    """Count one try of a secret, before its outcome is known, so that tries at the same moment cannot slip through.

    The last one that is allowed starts the wait of `seconds` anew.  Raises Limited(code) above `limit`; `clear` after success.
    """
    count, until = _count(what, seconds, limit)
    if count > limit:
        raise Limited(code, retry_after=_left(until))


def check(what: str, limit: int, code: str) -> None:
    """Raise Limited(code) when `limit` uses were counted already; counts nothing."""
    row = Throttle.get_or_none(Throttle.bucket == _bucket(what))
    if row and row.count >= limit and row.until > now():
        raise Limited(code, retry_after=_left(row.until))


def count(what: str, seconds: int) -> None:
    """Count one use, whatever the number."""
    _count(what, seconds)


def clear(what: str) -> None:
    """Forget the uses counted."""
    Throttle.delete().where(Throttle.bucket == _bucket(what)).execute()


def purge() -> None:
    """Forget windows that are over."""
    Throttle.delete().where(Throttle.until < now()).execute()


def block(address: str) -> str:
    """The network an address counts with: /24 for IPv4, /64 for IPv6, so that one household or one attacker is one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])        # fe80::1%eth0
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


def _count(what: str, seconds: int, renewing: int = 0) -> tuple[int, dt.datetime]:
    """Count one use; the `renewing`-th begins the window anew.  The number of uses, and when the window ends."""
    at = now()
    until = at + dt.timedelta(seconds=seconds)
    over = Throttle.until < at
    anew = over | (Throttle.count + 1 == renewing)
    with db.atomic():
        (Throttle.insert(bucket=_bucket(what), count=1, until=until)
         .on_conflict(conflict_target=[Throttle.bucket], update={
             Throttle.count: Case(None, [(over, 1)], Throttle.count + 1), Throttle.until: Case(None, [(anew, until)], Throttle.until)})
         .execute())
        row = Throttle.get_by_id(_bucket(what))
    return row.count, row.until


def _left(until: dt.datetime) -> int:
    return max(1, math.ceil((until - now()).total_seconds()))


def _bucket(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()
