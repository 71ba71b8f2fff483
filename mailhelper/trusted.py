"""Whom the user trusts: an address, a host, or a domain with all hosts below it; for all mailboxes or for one."""

import re
from collections.abc import Mapping
from typing import Any

from mailhelper.db import db
from mailhelper.errors import Conflict, Invalid
from mailhelper.models import Account, Trusted
from mailhelper.scope import Scope

MOST = 1000         # entries of a user
LONGEST = 254       # RFC 5321 §4.5.3.1.3

_HOST = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_](?:[\w-]{0,61}[^\W_])?"
_ENTRY = re.compile(rf"(?:[^\s@<>\",;:()\[\]]{{1,64}}@|@)?{_HOST}", re.I)


class Trust:
    """The entries that count for mail of one mailbox, ready to be asked about many mails."""

    def __init__(self, scope: Scope, account: Account | None = None) -> None:
        mine = Trusted.account.is_null() if account is None else Trusted.account.is_null() | (Trusted.account == account)
        with scope:
            self._entries = frozenset(row.entry for row in scope.select(Trusted, Trusted.entry).where(mine))

    def covers(self, address: str) -> bool:
        """Whether an address is trusted, by itself, by its host, or by a domain above: whole labels, so evil-b.example is not b.example."""
        address = address.lower()
        local, _, host = address.rpartition("@")
        if not self._entries or not local or not host:
            return False
        labels = host.split(".")
        names = {address, f"@{host}", *(".".join(labels[place:]) for place in range(len(labels)))}
        return not self._entries.isdisjoint(names)


def listed(scope: Scope) -> list[Trusted]:
    """All entries by domain; inside the owner's scope."""
    return sorted(scope.select(Trusted), key=lambda row: row.entry.rpartition("@")[::-1])


def add(scope: Scope, values: Mapping[str, Any]) -> Trusted:
    """Trust {entry, account_id?}.  Raises Invalid with the field, NotFound for a foreign mailbox, Conflict("trusted_already")."""
    entry, account_id = clean(values.get("entry")), values.get("account_id") or None
    account = scope.get(Account, account_id) if account_id else None
    key = _key(scope, entry, account.id if account else 0)      # type: ignore[attr-defined]
    with scope, db.atomic():
        if scope.select(Trusted).where(Trusted.entry_key == key).exists():
            raise Conflict("trusted_already")
        if scope.select(Trusted).count() >= MOST:
            raise Invalid(fields={"entry": ("trusted_many", {"count": MOST})})
        return scope.create(Trusted, account=account, entry=entry, entry_key=key)


def remove(scope: Scope, trusted_id: object) -> None:
    """Trust it no longer.  Raises NotFound."""
    scope.delete(Trusted).where(Trusted.id == scope.get(Trusted, trusted_id).id).execute()      # type: ignore[attr-defined]


def clean(entry: object) -> str:
    """An entry as it is kept, in small letters.  Raises Invalid with the field."""
    text = entry.strip().lower().removeprefix("*.").rstrip(".") if isinstance(entry, str) else ""
    if not text:
        raise Invalid(fields={"entry": "missing"})
    if len(text) > LONGEST or not _ENTRY.fullmatch(text):
        raise Invalid(fields={"entry": "trusted_entry"})
    return text


def _key(scope: Scope, entry: str, account_id: int) -> bytes:
    return scope.vault.lookup("trusted", f"{account_id} {entry}")
