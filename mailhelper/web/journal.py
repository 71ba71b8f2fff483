"""Acting on mail from page and API: read, flagged, move, trash, singly and in bulk; the journal of it, and undo."""

from collections.abc import Mapping, Sequence
from typing import Any

from mailhelper import acts, journal, mails
from mailhelper.db import db
from mailhelper.errors import Error, Invalid, sentence
from mailhelper.language import t
from mailhelper.models import DONE, PENDING, Act, Folder, Mail
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, listed, see_other

MOST = 200          # mails of one call
FLAGS = {"read": "seen", "flagged": "flagged"}      # field of the API → what of an act
WORDS = {("seen", True): "read", ("seen", False): "unread", ("flagged", True): "flagged", ("flagged", False): "unflagged"}
BULK = {        # action → the fields it sets, or None where the call brings them
    "flags": None, "move": None, "trash": {}, "read": {"read": True}, "unread": {"read": False}, "flag": {"flagged": True},
    "unflag": {"flagged": False}, "done": {"done": True}, "undone": {"done": False},
}  # fmt: skip


# ── pages ──

def index(scope: Scope) -> str:
    return page("journal/index", acts=[_shown(one) for one in journal.page(scope)])


def read(scope: Scope, id: int) -> Any:
    """Form: read=1 or 0."""
    return _acted(id, acts.act(scope, id, "seen", form.flag("read")), "read" if form.flag("read") else "unread", f"/email/{id}")


def flag(scope: Scope, id: int) -> Any:
    """Form: flagged=1 or 0."""
    return _acted(id, acts.act(scope, id, "flagged", form.flag("flagged")), "flagged" if form.flag("flagged") else "unflagged", f"/email/{id}")


def trash(scope: Scope, id: int) -> Any:
    return _acted(id, acts.act(scope, id, "trash"), "trashed", "/inbox")


def undo(scope: Scope, id: int) -> Any:
    acts.undo(scope, id)
    session.toast("act_undone")
    return see_other(session.local(form.text("next"), "/journal"))


def _acted(id: int, act: Act | None, code: str, otherwise: str) -> Any:
    session.toast(code, f"/journal/{act.id}/undo" if act else "")
    url = session.local(form.text("next"), otherwise)
    return see_other(otherwise if code == "trashed" and url == f"/email/{id}" else url)


# ── API ──

def api_flags(scope: Scope, id: int) -> dict[str, Any]:
    return _state(scope, id, _set(scope, id, _flags(form.body(("read", "flagged", "done")))))


def api_move(scope: Scope, id: int) -> dict[str, Any]:
    return _state(scope, id, [acts.act(scope, scope.get(Mail, id).id, "move", _target(form.body(("folder",))))])


def api_trash(scope: Scope, id: int) -> dict[str, Any]:
    form.body(())
    return _state(scope, id, [acts.act(scope, id, "trash")])


def api_bulk(scope: Scope) -> dict[str, Any]:
    """One action on many mails: each gets its new state, or why not."""
    values = form.body(("ids", "action", "folder", *FLAGS, "done"))
    ids, action = _ids(values.pop("ids", None)), values.pop("action", None)
    if not isinstance(action, str) or action not in BULK:
        raise Invalid(fields={"action": ("bad_choice", {"choices": ", ".join(BULK)})})
    fixed = BULK[action]
    form.refuse_unknown(values, ("folder",) if action == "move" else (*FLAGS, "done") if action == "flags" else ())
    if action in ("move", "trash"):
        flags, found = {}, [acts.act_on_all(scope, ids, action, _target(values) if action == "move" else None)]
    else:
        flags = dict(_flags(values if fixed is None else fixed))
        found = [acts.act_on_all(scope, ids, FLAGS[name], value) for name, value in flags.items() if name in FLAGS]
    with db.atomic():
        items = [_outcome(scope, id, [one[id] for one in found], flags.get("done")) for id in ids]
    return {"items": items, "next": None, "total": len(items)}


def api_list(scope: Scope) -> dict[str, Any]:
    limit, before = form.paging(MOST)
    return listed(journal.page(scope, limit + 1, before), limit, _item, scope.select(Act).count())


def api_undo(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Act, id)
    form.body(())
    return _item(acts.undo(scope, id))


# ── inside ──

def _flags(values: Mapping[str, Any]) -> Mapping[str, bool]:
    """Raises Invalid where nothing is asked for, or what is no true or false."""
    wrong = {name: "not_a_boolean" for name, value in values.items() if not isinstance(value, bool)}
    if wrong or not values:
        raise Invalid(fields=wrong or {"read": "missing"})
    return values


def _target(values: Mapping[str, Any]) -> int | str:
    folder = values.get("folder")
    if isinstance(folder, bool) or not isinstance(folder, int | str) or folder == "":
        raise Invalid(fields={"folder": "missing"})
    return folder


def _ids(value: Any) -> list[int]:
    if not isinstance(value, list) or not value or not all(isinstance(id, int) and not isinstance(id, bool) for id in value):
        raise Invalid(fields={"ids": "not_ids"})
    if len(value) > MOST:
        raise Invalid(fields={"ids": ("too_many", {"count": MOST})})
    return list(dict.fromkeys(value))


def _set(scope: Scope, id: int, flags: Mapping[str, bool]) -> list[Act | None]:
    if "done" in flags:
        mails.mark_done(scope, id, flags["done"])
    return [acts.act(scope, id, FLAGS[name], value) for name, value in flags.items() if name in FLAGS]


def _outcome(scope: Scope, id: int, acted: list[acts.Outcome], done: bool | None) -> dict[str, Any]:
    """The line of one mail in the answer to a bulk call."""
    try:
        for one in acted:
            if isinstance(one, Exception):
                raise one
        if done is not None:
            mails.mark_done(scope, id, done)
        return {**_state(scope, id, [one for one in acted if isinstance(one, Act)]), "error": None}
    except Error as error:
        fields = error.field_sentences(lang()) if isinstance(error, Invalid) else {}
        return {"id": id, "error": {"code": error.code, "message": " ".join([error.sentence(lang()), *fields.values()])}}


def _state(scope: Scope, id: int, done: Sequence[Act | None]) -> dict[str, Any]:
    """What a mail is like now, and the acts that made it so."""
    mail = scope.get(Mail, id)
    folder = scope.get(Folder, mail.folder_id)      # type: ignore[attr-defined]
    return {"id": mail.id, "folder": folder.name, "flags": {"read": mail.seen, "flagged": mail.flagged, "answered": mail.answered},
            "done": mail.done_at is not None, "acts": [one.id for one in done if one]}


def _item(act: Act) -> dict[str, Any]:
    detail: Any = act.detail
    return {
        "id": act.id, "email_id": act.mail_id, "account_id": act.account_id, "what": act.what, "value": act.value,     # type: ignore[attr-defined]
        "subject": detail["subject"], "from": detail["from"]["name"], "to": detail["to"]["name"] if "to" in detail else None,
        "undoes": detail["undoes"], "state": act.state, "by": act.by, "at": act.at, "done_at": act.done_at,
        "error": {"code": act.error, "message": sentence(lang(), act.error)} if act.error else None,
        "can_undo": act.state in (PENDING, DONE) and act.mail_id is not None,      # type: ignore[attr-defined]
    }


def _shown(act: Act) -> dict[str, Any]:
    """An act in words."""
    item = _item(act)
    word = WORDS.get((act.what, act.value), act.what)       # type: ignore[call-overload]
    return {**item, "words": t(lang(), f"journal.what.{word}", folder=item["to"] or "")}
