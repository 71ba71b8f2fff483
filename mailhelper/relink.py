"""Mails that are no longer where they were: knows each again wherever it turns up, so that it keeps its rating, tags and corrections."""

import datetime as dt
import threading
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mailhelper import message, senders
from mailhelper.db import db
from mailhelper.imap import Facts
from mailhelper.imapfetch import Flags
from mailhelper.models import Account, Folder, Mail
from mailhelper.scope import Scope

AT_ONCE = 500       # ids a statement


class Known(NamedTuple):
    """What a mail is known by: where the server gives ids, by its id; else by Message-ID and size, or sender, size and arrival."""
    object_key: bytes
    identity: tuple[Any, ...]
    received: dt.datetime


class Found(NamedTuple):
    """A mail that is here already, at its new place."""
    id: int
    uid: int
    flags: Flags
    object_key: bytes


class Orphans:
    """Mails that left their folder, until somebody takes them.  Any thread may ask."""

    def __init__(self, mails: Iterable[tuple[int, Known]] = ()) -> None:
        self._mails = dict(mails)
        self._by: dict[object, list[int]] = {}
        self._lock = threading.Lock()
        for id, known in self._mails.items():
            for key in (known.object_key, known.identity):
                if key:
                    self._by.setdefault(key, []).append(id)
        # Without a mail here that has no id of the server, headers need not be asked for.
        self.all_have_keys = all(known.object_key for known in self._mails.values())

    def __len__(self) -> int:
        return len(self._mails)

    def take(self, known: Known) -> int | None:
        """The mail here that this is; of several alike the one that arrived at the same time.  None if it is none of them."""
        with self._lock:
            alike = [id for key in (known.object_key, known.identity) if key for id in self._by.get(key, ()) if self._fits(id, known)]
            if not alike:
                return None
            best = next((id for id in alike if self._mails[id].received == known.received), alike[0])
            mine = self._mails.pop(best)
            for key in (mine.object_key, mine.identity):
                if best in self._by.get(key, ()):
                    self._by[key].remove(best)
            return best

    def _fits(self, id: int, known: Known) -> bool:
        """Two ids of the server that differ are two mails, however alike."""
        mine = self._mails[id].object_key
        return not (mine and known.object_key) or mine == known.object_key


def identity(message_key: Any, sender_key: Any, size: int, received: dt.datetime) -> tuple[Any, ...]:
    """What a mail is known by in whatever folder it is, and under whatever UID; keys as bytes or as the database gives them."""
    return (bytes(message_key), size) if message_key else (bytes(sender_key or b""), size, received)


def object_key(scope: Scope, object_id: str) -> bytes:
    """The keyed hash of the server's id of a mail, b"" without one."""
    return scope.vault.lookup("object", object_id) if object_id else b""


def known(scope: Scope, facts: Facts) -> Known:
    """What a mail on the server is known by, before its text has come."""
    mail = message.parse(facts.header)
    message_key = scope.vault.lookup("message-id", mail.message_id) if mail.message_id else None
    sender_key = senders.key(scope, mail.sender.address) if mail.sender.address else None
    received = facts.received or dt.datetime.min
    return Known(object_key(scope, facts.object_id), identity(message_key, sender_key, facts.size, received) if facts.header else (), received)


def orphans(scope: Scope, ids: Sequence[int]) -> Orphans:
    """These mails, to be found again."""
    columns = Mail.id, Mail.object_key, Mail.message_key, Mail.sender_key, Mail.size, Mail.received
    found: list[tuple[int, Known]] = []
    for at in range(0, len(ids), AT_ONCE):
        for id, object_key, *known_by in scope.select(Mail, *columns).where(Mail.id << ids[at:at + AT_ONCE]).tuples():
            found.append((id, Known(bytes(object_key or b""), identity(*known_by), known_by[-1])))
    return Orphans(found)


def place(scope: Scope, account: Account, folder: Folder, found: Sequence[Found]) -> list[int]:
    """Give mails their new place; the ids of those that got it.  One that is there already (an act was faster) keeps it."""
    if not found:
        return []
    with db.atomic():
        held = {uid for uid, in scope.select(Mail, Mail.uid).where(Mail.folder == folder, Mail.uid << [one.uid for one in found]).tuples()}
        placed = [one for one in found if one.uid not in held]
        for one in placed:
            seen, flagged, answered, keywords = one.flags
            changes: dict[str, Any] = {"folder": folder, "uid": one.uid, "seen": seen, "flagged": flagged, "answered": answered,
                                       "keywords": list(keywords) or None}
            if one.object_key:
                changes["object_key"] = one.object_key
            scope.update(Mail, **changes).where(Mail.id == one.id, Mail.account == account).execute()
    return [one.id for one in placed]
