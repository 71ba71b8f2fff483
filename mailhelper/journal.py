"""The journal of what was done to mails: each act takes effect here at once, and stays open until its server has confirmed it (acts.py).

Act.detail is {subject, from: place, to?: place, next?: UIDNEXT of the target before the move, undoes?: id of an act},
a place being {folder: id, name, uid, uidvalidity}.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from peewee import Expression

from mailhelper.db import db, now
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.models import DONE, PENDING, REFUSED, UNDONE, Account, Act, Folder, Mail
from mailhelper.scope import Scope

FLAGS = {"seen": "\\Seen", "flagged": "\\Flagged"}
MOVES = ("move", "trash")
NEVER = -(2 ** 62)                      # a UID no server gives: marks rows whose place on the server is not known
AT_ONCE = 50                            # acts a transaction
LEFT = "act_left"                       # done, but the server could not remove what it copied

Place = dict[str, Any]


class Unsettled(NamedTuple):
    """What a sync must leave as it is, since the server may not have heard of it when it was asked."""
    seen: set[int]                      # ids of mails
    flagged: set[int]
    moved: set[int]
    taken: set[tuple[int, int]]         # (folder id, uid) that are not new, though no mail here has them


# ── doing and undoing, here ──

def record(scope: Scope, mail_id: object, what: str, to: object = None, undoes: int | None = None, by: str = "user") -> Act | None:
    """Do something to a mail here; None where it is so already.  Inside the owner's scope and a transaction.

    to: the flag's value; the folder of a move, by id or name.  Raises NotFound, Conflict("no_trash"), Invalid for the folder.
    """
    mail = scope.get(Mail, mail_id)
    account, folder = scope.get(Account, mail.account_id), scope.get(Folder, mail.folder_id)        # type: ignore[attr-defined]
    origin = {"folder": folder.id, "name": folder.name, "uid": mail.uid, "uidvalidity": folder.uidvalidity}
    detail: dict[str, Any] = {"subject": mail.head["subject"], "from": origin, "undoes": undoes}
    if what in FLAGS:
        if getattr(mail, what) == bool(to):
            return None
        changes: dict[str, Any] = {what: bool(to)}
    else:
        target = _trash(scope, account) if what == "trash" else _folder(scope, account, to)
        if target.id == folder.id:
            return None
        uid = mail.uid if account.kind == "local" and not _held(scope, target.id, mail.uid) else NEVER + mail.id
        changes = {"folder": target, "uid": uid}
        detail["to"] = {"folder": target.id, "name": target.name, "uid": uid, "uidvalidity": target.uidvalidity}
    scope.update(Mail, **changes).where(Mail.id == mail.id).execute()
    settled = {"state": DONE, "done_at": now()} if account.kind == "local" else {}
    act = scope.create(Act, account=account, mail=mail, what=what, value=bool(to) if what in FLAGS else None, by=by, detail=detail, **settled)
    if undoes and settled:
        _mark_undone(scope, undoes)
    return act


def outcomes(scope: Scope, mail_ids: Sequence[object], what: str, to: object) -> dict[Any, Act | None | NotFound | Conflict | Invalid]:
    """`record` for many mails: for each id its act, None, or why not."""
    found: dict[Any, Act | None | NotFound | Conflict | Invalid] = {}
    for at in range(0, len(mail_ids), AT_ONCE):
        with db.atomic():
            for id in mail_ids[at:at + AT_ONCE]:
                try:
                    found[id] = record(scope, id, what, to)
                except (NotFound, Conflict, Invalid) as error:
                    found[id] = error
    return found


def take_back(scope: Scope, act: Act) -> Act | None:
    """Undo an act here: forget it if its server has not heard of it, else record the opposite.  Inside scope and transaction.

    Raises Conflict(undo_…) where that cannot be.
    """
    if act.state in (REFUSED, UNDONE):
        raise Conflict("undo_over")
    if act.mail_id is None:     # type: ignore[attr-defined]
        raise Conflict("undo_gone")
    if scope.update(Act, state=UNDONE, done_at=now()).where(Act.id == act.id, Act.state == PENDING, ~Act.sent).execute():
        _restore(scope, act)
        return None
    if act.what in FLAGS:
        opposite = record(scope, act.mail_id, act.what, not act.value, undoes=act.id)       # type: ignore[attr-defined]
    else:
        opposite = record(scope, act.mail_id, "move", _origin(scope, act), undoes=act.id)       # type: ignore[attr-defined]
    scope.update(Act, state=UNDONE).where(Act.id == act.id, Act.state == DONE).execute()
    return opposite


def page(scope: Scope, limit: int = 100, before: int | None = None) -> list[Act]:
    """The newest acts first, below id `before`; inside the owner's scope."""
    query = scope.select(Act).order_by(Act.id.desc()).limit(limit)
    return list(query.where(Act.id < before) if before else query)


# ── what the server said ──

def confirm(scope: Scope, act: Act, place: Place | None = None, error: str | None = None) -> None:
    """The server has done it; `place`: where the mail is now."""
    with db.atomic():
        if place:
            _settle(scope, act, place)
        scope.update(Act, state=DONE, done_at=now(), error=error).where(Act.id == act.id, Act.state == PENDING).execute()
        if undoes := act.detail["undoes"]:
            _mark_undone(scope, undoes)


def refuse(scope: Scope, act: Act, code: str) -> None:
    """The server will not do it: put back here what was before."""
    with db.atomic():
        if scope.update(Act, state=REFUSED, done_at=now(), error=code).where(Act.id == act.id, Act.state == PENDING).execute():
            _restore(scope, act)
            if undoes := act.detail["undoes"]:
                scope.update(Act, state=DONE).where(Act.id == undoes, Act.state == UNDONE).execute()


def pending(scope: Scope, account_id: int) -> list[Act]:
    """What the server of an account has not confirmed yet, in the order of the clicks."""
    return list(scope.select(Act).where(Act.account == account_id, Act.state == PENDING).order_by(Act.id))


def place_of(scope: Scope, act: Act) -> Place:
    """Where the server has the mail of an open act: sync may have learned of another place since the click."""
    place: Place = act.detail["from"]
    mail = scope.select(Mail).where(Mail.id == act.mail_id).get_or_none()       # type: ignore[attr-defined]
    if act.what in MOVES or mail is None or mail.uid < 0:
        return place
    folder = scope.get(Folder, mail.folder_id)
    return {"folder": folder.id, "name": folder.name, "uid": mail.uid, "uidvalidity": folder.uidvalidity}


def unsettled(scope: Scope, account_id: int, since: dt.datetime) -> Unsettled:
    """Acts that are open, or were until after `since`; inside the owner's scope."""
    recent: Expression = (Act.state == PENDING) | (Act.done_at >= since) | (Act.error == LEFT)
    found = Unsettled(set(), set(), set(), set())
    for act in scope.select(Act).where(Act.account == account_id, recent):
        if act.what in MOVES:
            found.moved.add(act.mail_id)
            found.taken.add((act.detail["from"]["folder"], act.detail["from"]["uid"]))
        else:
            getattr(found, act.what).add(act.mail_id)
    return found


# ── inside ──

def _restore(scope: Scope, act: Act) -> None:
    if act.what in MOVES:
        _settle(scope, act, act.detail["from"])
    else:       # unless it was changed again meanwhile
        column = getattr(Mail, act.what)
        scope.update(Mail, **{act.what: not act.value}).where(Mail.id == act.mail_id, column == act.value).execute()       # type: ignore[attr-defined]


def _settle(scope: Scope, act: Act, place: Place) -> None:
    """The mail is at this place on the server: that is where later acts find it, and if none moves it, its row here."""
    mail_id = act.mail_id       # type: ignore[attr-defined]
    if mail_id is None:
        return
    for later in list(scope.select(Act).where(Act.mail == mail_id, Act.id > act.id, Act.state == PENDING).order_by(Act.id)):
        scope.update(Act, detail={**later.detail, "from": place}).where(Act.id == later.id).execute()
        if later.what in MOVES:
            return
    folder = scope.select(Folder).where(Folder.id == place["folder"]).get_or_none()
    if folder is None:
        return
    if not folder.uidvalidity:
        scope.update(Folder, uidvalidity=place["uidvalidity"]).where(Folder.id == folder.id).execute()
    known = place["uid"] > 0 and folder.uidvalidity in (0, place["uidvalidity"])
    uid = place["uid"] if known else NEVER + mail_id
    scope.delete(Mail).where(Mail.folder == folder, Mail.uid == uid, Mail.id != mail_id).execute()      # a sync was faster: the same mail, anew
    scope.update(Mail, folder=folder, uid=uid).where(Mail.id == mail_id).execute()


def _mark_undone(scope: Scope, act_id: int) -> None:
    scope.update(Act, state=UNDONE).where(Act.id == act_id, Act.state << (PENDING, DONE)).execute()


def _origin(scope: Scope, act: Act) -> int:
    folder = scope.select(Folder, Folder.id).where(Folder.id == act.detail["from"]["folder"], Folder.gone_at.is_null()).get_or_none()
    if folder is None:
        raise Conflict("undo_gone")
    return int(folder.id)


def _trash(scope: Scope, account: Account) -> Folder:
    """Raises Conflict("no_trash") for a server that has none; imported mail gets one."""
    row: Folder | None = scope.select(Folder).where(Folder.account == account, Folder.role == "trash", Folder.gone_at.is_null()).first()
    if row is None and account.kind == "local":
        return scope.create(Folder, account=account, name="Trash", name_key=scope.vault.lookup("folder", "Trash"), role="trash")
    if row is None:
        raise Conflict("no_trash")
    return row


def _folder(scope: Scope, account: Account, to: object) -> Folder:
    """A folder of the mail's own account.  Raises NotFound for a foreign id, Invalid for what is no folder there."""
    if isinstance(to, int) and not isinstance(to, bool):
        row: Folder | None = scope.get(Folder, to)
    else:
        key = scope.vault.lookup("folder", str(to))
        row = scope.select(Folder).where(Folder.account == account, Folder.name_key == key).get_or_none()
    if row is None or row.account_id != account.id or row.gone_at:      # type: ignore[attr-defined]
        raise Invalid(fields={"folder": "no_such_folder"})
    return row


def _held(scope: Scope, folder_id: int, uid: int) -> bool:
    return bool(scope.select(Mail, Mail.id).where(Mail.folder == folder_id, Mail.uid == uid).exists())
