"""Who writes: counts per address, kept under keyed hashes."""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import NamedTuple

from mailhelper import text
from mailhelper.errors import NotFound
from mailhelper.message import Address
from mailhelper.models import Mail, Sender
from mailhelper.scope import Scope

FAMILIAR = 3            # mails from somebody who is known even if one never wrote to them


class Seen(NamedTuple):
    """That an address wrote (or was written to) in one mail."""
    address: str
    at: dt.datetime
    written: bool       # by the user to them
    name: str = ""


def key(scope: Scope, address: str) -> bytes:
    return scope.vault.lookup("address", address)


def name_key(scope: Scope, name: str) -> bytes | None:
    """The key of a full name, in whatever order its words stand; None for a single word, which too many people have, or an address."""
    words = sorted(text.words(name))
    return scope.vault.lookup("name", " ".join(words)) if len(words) > 1 and "@" not in name else None


def namesakes(scope: Scope, people: Iterable[Address]) -> set[str]:
    """The addresses among these whose name is that of somebody whom the user knows by an address of another domain."""
    names: dict[bytes, list[Address]] = {}
    for one in people:
        if key := name_key(scope, one.name):
            names.setdefault(key, []).append(one)
    if not names:
        return set()
    known = scope.select(Sender, Sender.name_key, Sender.domain_key).where(
        Sender.name_key << list(names), (Sender.written > 0) | (Sender.received >= FAMILIAR)).tuples()
    domains: dict[bytes, set[bytes]] = {}
    for name, domain in known:
        domains.setdefault(bytes(name), set()).add(bytes(domain))
    return {one.address for name, theirs in domains.items() for one in names[name] if domain_key(scope, one.address) not in theirs}


def domain_key(scope: Scope, address: str) -> bytes:
    return scope.vault.lookup("domain", address.rpartition("@")[2])


def facts(scope: Scope, keys: Collection[bytes]) -> dict[bytes, tuple[int, int]]:
    """{address key: (mails received from them, mails written to them)} of those known."""
    rows = scope.select(Sender, Sender.address_key, Sender.received, Sender.written).where(Sender.address_key << list(keys)).tuples()
    return {bytes(row[0]): (row[1], row[2]) for row in rows} if keys else {}


def contacts(scope: Scope, most: int) -> list[Address]:
    """Whom the user writes to, the most frequent first."""
    with scope:
        rows = scope.select(Sender, Sender.address).where(Sender.written > 0).order_by(Sender.written.desc(), Sender.id).limit(most)
        return [Address("", row.address) for row in rows]


def address_of(scope: Scope, sender_id: object) -> str:
    """The address of a sender; "" for a foreign one.  Inside the owner's scope."""
    try:
        return str(scope.get(Sender, sender_id).address)
    except NotFound:
        return ""


def rows(scope: Scope, seen: Iterable[Seen]) -> list[dict[str, object]]:
    """What `keep` stores: one row an address, sealed and hashed; made before the transaction.

    Always in the same order, lest two syncs of one user wait for each other's rows.
    """
    merged: dict[str, list[Seen]] = {}
    for one in seen:
        if one.address:
            merged.setdefault(one.address, []).append(one)
    return sorted(({
        "address": Sender.address.seal(address), "address_key": key(scope, address),
        "domain_key": domain_key(scope, address), "name_key": next(filter(None, (name_key(scope, one.name) for one in reversed(all))), None),
        "received": sum(not one.written for one in all), "written": sum(one.written for one in all),
        "first_at": min(one.at for one in all), "last_at": max(one.at for one in all),
    } for address, all in merged.items()), key=lambda row: row["address_key"])      # type: ignore[arg-type, return-value]


def drop_unknown(scope: Scope) -> None:
    """Forget people of whom no mail is left, and whom the user did not write to; everybody when no mail is left at all."""
    written_to = (Sender.written > 0) if scope.select(Mail, Mail.id).exists() else (Sender.written < 0)
    heard_of = Sender.address_key.in_(scope.select(Mail, Mail.sender_key).where(Mail.sender_key.is_null(False)))
    scope.delete(Sender).where(~(written_to | heard_of)).execute()


def keep(scope: Scope, rows: list[dict[str, object]]) -> None:
    """Add the counts to what is known."""
    scope.add_counts(Sender, rows, "address_key", ("received", "written"), "first_at", "last_at", "name_key")
