"""The journal of what was done to mails: each act takes effect here at once, and stays open until its server has confirmed it (acts.py).

Act.detail is {subject, from: place, to?: place, next?: UIDNEXT of the target before the move, keyword?, undoes?: id of an act, why?},
a place being {folder: id, name, uid, uidvalidity}; why: the name of the rule that did it.
"""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from peewee import Expression

from mailhelper.db import db, now
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.language import zone
from mailhelper.models import DONE, PENDING, REFUSED, UNDONE, Account, Act, Folder, Mail
from mailhelper.places import MOVES, holds, target
from mailhelper.scope import Scope

FLAGS = {"seen": "\\Seen", "flagged": "\\Flagged", "answered": "\\Answered"}
WORDS = ("keyword", "unkeyword")
KEYWORD = re.compile(r"[A-Za-z0-9$_.+!#&'/:;=?@^`|~-]{1,50}")       # an atom of RFC 9051 §9, and no system flag
NEVER = -(2 ** 62)                      # a UID no server gives: marks rows whose place on the server is not known
AT_ONCE = 50                            # acts a transaction
LEFT = "act_left"                       # done, but the server could not remove what it copied

Place = dict[str, Any]


class Why(NamedTuple):
    """Who does an act in the user's name: a rule or a job, its id and its name for people."""
    by: str                             # rule, job
    id: int
    name: str = ""


class Unsettled(NamedTuple):
    """What a sync must leave as it is, since the server may not have heard of it when it was asked."""
    seen: set[int]                      # ids of mails; under the names of imapfetch.Flags
    flagged: set[int]
    answered: set[int]
    keywords: set[int]
    moved: set[int]
    taken: set[tuple[int, int]]         # (folder id, uid) that are not new, though no mail here has them


# ── doing and undoing, here ──

def record(scope: Scope, mail_id: object, what: str, to: object = None, why: Why | None = None, undoes: int | None = None,
           batch: int | None = None) -> Act | None:
    """Do something to a mail here; None where it is so already.  Inside the owner's scope and a transaction.

    to: the flag's value; the keyword; the folder of a move, by id or name.  Raises NotFound, Conflict, Invalid (places.target).
    """
    mail = scope.get(Mail, mail_id)
    account, folder = scope.get(Account, mail.account_id), scope.get(Folder, mail.folder_id)        # type: ignore[attr-defined]
    origin = {"folder": folder.id, "name": folder.name, "uid": mail.uid, "uidvalidity": folder.uidvalidity}
    detail: dict[str, Any] = {"subject": mail.head["subject"], "from": origin, "undoes": undoes, **({"why": why.name} if why and why.name else {})}
    changes, value = _changes(scope, account, mail, what, to, detail)
    if changes is None:
        return None
    scope.update(Mail, **changes).where(Mail.id == mail.id).execute()
    settled = {"state": DONE, "done_at": now()} if account.kind == "local" else {}
    act = scope.create(Act, account=account, mail=mail, what="keyword" if what in WORDS else what, value=value, by=why.by if why else "user",
                       reference=why.id if why else None, batch=batch, detail=detail, **settled)
    if undoes and settled:
        _mark_undone(scope, undoes)
    return act


def _changes(scope: Scope, account: Account, mail: Mail, what: str, to: object, detail: dict[str, Any]) -> tuple[dict[str, Any] | None, bool | None]:
    """The columns of the mail that an act sets (None: it is so already) and the act's value; adds what the server must know to `detail`."""
    if what in FLAGS:
        return (None if getattr(mail, what) == bool(to) else {what: bool(to)}), bool(to)
    if what in WORDS:
        if not isinstance(to, str) or not KEYWORD.fullmatch(to):
            raise Invalid(fields={"keyword": "bad_keyword"})
        detail["keyword"] = to
        return _keywords(mail, to, what == "keyword"), what == "keyword"
    place = target(scope, account, mail, what, to)
    if place.id == mail.folder_id:      # type: ignore[attr-defined]
        return None, None
    uid = mail.uid if account.kind == "local" and not holds(scope, place.id, mail.uid) else NEVER + mail.id
    detail["to"] = {"folder": place.id, "name": place.name, "uid": uid, "uidvalidity": place.uidvalidity}
    if what == "archive" and not place.uidvalidity:
        detail["make"] = True       # never seen on the server: maybe not there yet
    return {"folder": place, "uid": uid}, None


def _keywords(mail: Mail, keyword: str, is_set: bool) -> dict[str, Any] | None:
    """The column with one keyword more or less; None where it is so already."""
    before: Any = set(mail.keywords or ())
    after = before | {keyword} if is_set else before - {keyword}
    return None if after == before else {"keywords": sorted(after) or None}


def note_sent(scope: Scope, account: Account, mail_id: int | None, subject: str) -> Act:
    """Write down that a mail was sent; `mail_id`: the one it answers.  Nothing takes that back."""
    nowhere = {"folder": 0, "name": "", "uid": 0, "uidvalidity": 0}
    detail = {"subject": subject, "from": nowhere, "undoes": None}
    return scope.create(Act, account=account, mail=mail_id, what="sent", state=DONE, done_at=now(), detail=detail)


def outcomes(scope: Scope, mail_ids: Sequence[object], what: str, to: object, why: Why | None = None,
             batch: int | None = None) -> dict[Any, Act | None | NotFound | Conflict | Invalid]:
    """`record` for many mails, as one batch: for each id its act, None, or why not."""
    found: dict[Any, Act | None | NotFound | Conflict | Invalid] = {}
    for at in range(0, len(mail_ids), AT_ONCE):
        with db.atomic():
            for id in mail_ids[at:at + AT_ONCE]:
                try:
                    act = found[id] = record(scope, id, what, to, why, batch=batch)
                    batch = batch or (act.id if act else None)
                except (NotFound, Conflict, Invalid) as error:
                    found[id] = error
    return found


def take_back(scope: Scope, act: Act) -> Act | None:
    """Undo an act here: forget it if its server has not heard of it, else record the opposite.  Inside scope and transaction.

    Raises Conflict(undo_…) where that cannot be.
    """
    if act.what == "sent":
        raise Conflict("sent_already")
    if act.state in (REFUSED, UNDONE):
        raise Conflict("undo_over")
    if act.mail_id is None:     # type: ignore[attr-defined]
        raise Conflict("undo_gone")
    if scope.update(Act, state=UNDONE, done_at=now()).where(Act.id == act.id, Act.state == PENDING, ~Act.sent).execute():
        _restore(scope, act)
        return None
    if act.what in FLAGS:
        opposite = record(scope, act.mail_id, act.what, not act.value, undoes=act.id)       # type: ignore[attr-defined]
    elif act.what == "keyword":
        what = "unkeyword" if act.value else "keyword"
        opposite = record(scope, act.mail_id, what, act.detail["keyword"], undoes=act.id)       # type: ignore[attr-defined]
    else:
        opposite = record(scope, act.mail_id, "move", _origin(scope, act), undoes=act.id)       # type: ignore[attr-defined]
    scope.update(Act, state=UNDONE).where(Act.id == act.id, Act.state == DONE).execute()
    return opposite


def page(scope: Scope, limit: int = 100, before: int | None = None, which: Sequence[Expression] = ()) -> list[Act]:
    """The newest acts first, below id `before`; inside the owner's scope."""
    query = scope.select(Act).where(*which).order_by(Act.id.desc()).limit(limit)
    return list(query.where(Act.id < before) if before else query)


def of_rule(rule: int) -> Expression:
    """True of what a rule did."""
    return (Act.by == "rule") & (Act.reference == rule)


def of_batch(batch: int) -> Expression:
    """True of what one click did."""
    return (Act.id == batch) | (Act.batch == batch)


def of_day(scope: Scope, day: dt.date) -> Expression:
    """True of what was done on a day of the owner's calendar."""
    start, end = (dt.datetime.combine(day + dt.timedelta(days), dt.time(), zone(scope.user.timezone)).astimezone(dt.UTC).replace(tzinfo=None)
                  for days in (0, 1))
    return (Act.at >= start) & (Act.at < end)


def undoable(scope: Scope, which: Expression) -> list[Act]:
    """Of these acts the ones that can be taken back, newest first; what was itself an undo stays."""
    found = scope.select(Act).where(which, Act.state << (PENDING, DONE), Act.mail.is_null(False), Act.what != "sent").order_by(Act.id.desc())
    return [act for act in found if act.detail["undoes"] is None]


def untold(scope: Scope) -> int:
    """How many acts a server refused that their owner has not read of."""
    return int(scope.select(Act).where(Act.state == REFUSED, Act.told.is_null()).count())


def mark_told(scope: Scope) -> None:
    """The owner has read what was refused."""
    scope.update(Act, told=True).where(Act.state == REFUSED, Act.told.is_null()).execute()


def refused(scope: Scope, mail_id: int) -> Act | None:
    """The last thing done to a mail, if its server refused it and the owner has not read that."""
    last: Act | None = scope.select(Act).where(Act.mail == mail_id).order_by(Act.id.desc()).first()
    return last if last and last.state == REFUSED and not last.told else None


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
    found = Unsettled(set(), set(), set(), set(), set(), set())
    for act in scope.select(Act).where(Act.account == account_id, Act.what != "sent", recent):
        if act.what in MOVES:
            found.moved.add(act.mail_id)
            found.taken.add((act.detail["from"]["folder"], act.detail["from"]["uid"]))
        else:
            getattr(found, act.what if act.what in FLAGS else "keywords").add(act.mail_id)
    return found


# ── inside ──

def _restore(scope: Scope, act: Act) -> None:
    if act.what in MOVES:
        _settle(scope, act, act.detail["from"])
    elif act.what in FLAGS:         # unless it was changed again meanwhile
        column = getattr(Mail, act.what)
        scope.update(Mail, **{act.what: not act.value}).where(Mail.id == act.mail_id, column == act.value).execute()       # type: ignore[attr-defined]
    else:
        for mail in list(scope.select(Mail).where(Mail.id == act.mail_id)):      # type: ignore[attr-defined]
            if changes := _keywords(mail, act.detail["keyword"], not act.value):
                scope.update(Mail, **changes).where(Mail.id == mail.id).execute()


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
