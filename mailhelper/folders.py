"""The folders of an account: which its server has, which of them are wanted, and the rows that stand for them here."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from peewee import fn

from mailhelper.errors import Refused, Unreachable
from mailhelper.imap import Mailbox, Selected
from mailhelper.imapfolders import Folder as Listed
from mailhelper.models import Account, Folder, Mail
from mailhelper.scope import Scope

LEFT_OUT = ("trash", "junk", "drafts", "all")           # roles not synced unless the account's filters name them
ORDER = ("inbox", "sent", "archive", "", "all")         # in which folders are fetched; others as "": what All Mail repeats is here by then


class Place(NamedTuple):
    """A folder to look at."""
    folder: Folder
    name: str
    wanted: bool                # its mails are to be fetched; else only what is here of it is followed
    numbers: Selected | None    # what the server said of it together with the list


def wanted(filters: Mapping[str, Any], name: str, role: str) -> bool:
    """Whether the filters of an account want the mails of a folder."""
    if filters.get("include"):
        return name in filters["include"]
    return role not in LEFT_OUT and name not in filters.get("exclude", [])


def criteria(filters: Mapping[str, Any]) -> list[Any]:
    """What to search for in a folder under these filters (RFC 9051 §6.4.4); [] for all mails."""
    found: list[Any] = []
    if filters.get("since"):
        found += ["SINCE", dt.date.fromisoformat(filters["since"])]
    if filters.get("unseen"):
        found += ["UNSEEN"]
    return found


def rank(name: str, role: str) -> tuple[int, str]:
    """The order in which folders are fetched, and filled up to a limit."""
    return ORDER.index(role if role in ORDER else ""), name.casefold()


def match(scope: Scope, account: Account, box: Mailbox) -> tuple[list[Place], list[Folder]]:
    """The folders to look at in the order of fetching, and rows of folders that the server has no more.

    A new folder gets a row, a renamed one keeps its own where the server tells (RFC 8474).  Raises Unreachable for a list that cannot be.
    """
    census = {one.name: (one, numbers) for one, numbers in box.census() if one.selectable}.values()      # a server may list one twice
    if not census:      # not even an inbox: a server in trouble rather than an empty mailbox
        raise Unreachable("protocol_error", host=box.host)
    rows = {bytes(row.name_key): row for row in scope.select(Folder).where(Folder.account == account)}
    keys = {one.name: scope.vault.lookup("folder", one.name) for one, _ in census}
    lost = {bytes(row.mailbox_key): row for key, row in rows.items() if row.mailbox_key and key not in keys.values()}
    held, found = _held(scope, account), []
    for one, numbers in census:
        row = rows.pop(keys[one.name], None)
        if row is None:
            row = _new(scope, account, box, one, lost)
            rows.pop(bytes(row.name_key), None)
        _follow(scope, row, one, keys[one.name])
        want = wanted(account.filters or {}, one.name, one.role)
        if want or row.id in held:      # a mail put into Trash here is followed there
            found.append(Place(row, one.name, want, numbers))
    gone = [row for row in rows.values() if row.gone_at is None]
    _doubt(box, gone)
    return sorted(found, key=lambda place: rank(place.name, place.folder.role)), gone


def _held(scope: Scope, account: Account) -> set[int]:
    """Folders of which mails are here."""
    some = fn.EXISTS(scope.select(Mail, Mail.id).where(Mail.folder == Folder.id))
    return {id for id, in scope.select(Folder, Folder.id).where(Folder.account == account, some).tuples()}


def _new(scope: Scope, account: Account, box: Mailbox, one: Listed, lost: dict[bytes, Folder]) -> Folder:
    """The row of a folder that had another name until now, or a fresh one."""
    row = None
    if lost:
        try:
            row = lost.pop(mailbox_key(scope, box.examine(one.name)), None)
        except Refused:     # reading it shows what is wrong
            row = None
    return row or scope.create(Folder, account=account, name=one.name, name_key=scope.vault.lookup("folder", one.name), role=one.role)


def mailbox_key(scope: Scope, numbers: Selected) -> bytes:
    """The keyed hash of the server's id of a folder, b"" without one."""
    return scope.vault.lookup("mailbox", numbers.mailbox_id) if numbers.mailbox_id else b""


def _follow(scope: Scope, row: Folder, one: Listed, name_key: bytes) -> None:
    """Keep the row in step with what the server lists."""
    news: dict[str, Any] = {}
    if bytes(row.name_key) != name_key:
        news |= {"name": one.name, "name_key": name_key}
    if row.role != one.role:
        news["role"] = one.role
    if row.gone_at:
        news["gone_at"] = None
    if news:
        scope.update(Folder, **news).where(Folder.id == row.id).execute()
        for name, value in news.items():
            setattr(row, name, value)


def _doubt(box: Mailbox, gone: list[Folder]) -> None:
    """A folder that is missing from the list and yet there shows a list that was broken on its way: nothing may be deleted for it."""
    for row in gone:
        try:
            box.status(row.name)
        except Refused:
            continue
        if row.uidvalidity:
            raise Unreachable("protocol_error", host=box.host)
