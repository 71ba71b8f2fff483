"""When a mailbox is synced by itself: its interval, patience after failures, and a stop where trying again would do harm."""

import datetime as dt
import random
from typing import Any

from peewee import IntegrityError

from mailhelper.db import db, now
from mailhelper.errors import Error
from mailhelper.models import Account, Watch
from mailhelper.scope import everyone

INTERVAL = 15                                   # minutes between syncs, unless the owner wants it otherwise
LEAST, MOST = 1, 24 * 60
BACKOFF = (1, 2, 5, 15, 60)                     # minutes to wait after that many failures in a row
JITTER = 0.1                                    # of the interval, so that mailboxes added together do not sync together for ever
# What only the owner can put right: a password or certificate that is not accepted, a connection that is not allowed.
STOPPING = ("login_", "certificate_", "egress_", "starttls_")


def stops(code: str | None) -> bool:
    """Whether a mailbox with this error is left alone until its owner has acted: trying again might lock it."""
    return bool(code) and str(code).startswith(STOPPING)


def patience(failures: int) -> dt.timedelta:
    """How long to wait after so many failures in a row."""
    return dt.timedelta(minutes=BACKOFF[min(failures, len(BACKOFF)) - 1])


def due() -> list[Account]:
    """The mailboxes on servers whose owner opted in to syncing while signed out, and whose time has come."""
    waiting = everyone.select(Watch, Watch.account).where(Watch.due > now())
    found = everyone.select(Account).where(followed(), Account.id.not_in(waiting)).order_by(Account.id)
    return [account for account in found if not stops(account.error)]


def followed() -> Any:
    """True of the mailboxes that are to be followed while their owner is signed out."""
    return (Account.kind == "imap") & Account.background & Account.removed_at.is_null()


def begun(account: Account) -> None:
    """A sync is being started: whatever becomes of it, the next one is an interval away."""
    _set(account, due=_next(account))


def succeeded(account: Account) -> None:
    """A sync went through."""
    at = now()
    with db.atomic():
        everyone.update(Account, error=None, synced_at=at).where(Account.id == account.id).execute()
        _set(account, due=_next(account), tried_at=at, failures=0)


def failed(account: Account, error: Error) -> None:
    """A sync (or listening) failed: remember why, and wait the longer the more often it did."""
    with db.atomic():
        everyone.update(Account, error=error.code).where(Account.id == account.id).execute()
        failures = row(account).failures + 1
        wait = max(patience(failures), dt.timedelta(seconds=getattr(error, "retry_after", 0)))
        _set(account, due=now() + wait, tried_at=now(), failures=failures)


def row(account: Account) -> Watch:
    """What is known of following it; as if new where nothing is."""
    found: Watch | None = everyone.select(Watch).where(Watch.account == account.id).get_or_none()
    return found or Watch(account=account.id, user=account.user_id, due=account.created_at)      # type: ignore[attr-defined]


def interval(account: Account) -> dt.timedelta:
    return dt.timedelta(minutes=account.interval or INTERVAL)


def hurry(account: Account) -> None:
    """Its owner has changed something: what made it wait may be over."""
    _set(account, due=now(), failures=0)


def listening(account: Account, way: str) -> None:
    """Its server is being listened to (idle), or cannot tell of new mail (poll)."""
    _set(account, way=way)


def known(account: Account) -> None:
    """See to it that there is a row for it."""
    if not everyone.select(Watch, Watch.account).where(Watch.account == account.id).exists():
        _set(account, due=account.created_at)


def _next(account: Account) -> dt.datetime:
    return now() + interval(account) * random.uniform(1 - JITTER, 1 + JITTER)


def _set(account: Account, **values: Any) -> None:
    change = everyone.update(Watch, **values).where(Watch.account == account.id)
    if not change.execute():
        try:
            with db.atomic():
                everyone.create(Watch, user=account.user_id, account=account.id, **values)     # type: ignore[attr-defined]
        except IntegrityError:      # somebody else was faster
            change.execute()
