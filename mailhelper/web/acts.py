"""Acting on mail from page and API: read, flagged, answered, move, archive, trash and back, singly and in bulk."""

from collections.abc import Mapping, Sequence
from typing import Any

from mailhelper import acts, mails, ratings, tagging, tags
from mailhelper.db import db
from mailhelper.errors import Conflict, Error, Invalid, NotFound
from mailhelper.models import Act, Folder, Mail
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.email import CORRECTIONS
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other
from mailhelper.web.tags import known, wanted

MOST = 200          # mails of one call
FLAGS = {"read": "seen", "flagged": "flagged", "answered": "answered"}      # field of the API → what of an act
BULK = {        # action → the fields it sets, or None where the call brings them
    "flags": None, "move": None, "archive": {}, "trash": {}, "undelete": {}, "read": {"read": True}, "unread": {"read": False},
    "flag": {"flagged": True}, "unflag": {"flagged": False}, "done": {"done": True}, "undone": {"done": False},
    "tag": None, "untag": None, "correct": None,
}  # fmt: skip
FIELDS = {"flags": (*FLAGS, "done"), "move": ("folder",), "archive": ("create",), "tag": ("tags",), "untag": ("tags",),
          "correct": CORRECTIONS}       # action → fields that it may come with
SAID = {"read": "read", "unread": "unread", "flag": "flagged", "unflag": "unflagged", "archive": "archived", "trash": "trashed",
        "undelete": "undeleted", "move": "moved", "done": "done", "undone": "undone", "tag": "tagged",
        "untag": "untagged", "correct": "corrected"}      # action → toast


# ── pages ──

def read(scope: Scope, id: int) -> Any:
    """Form: read=1 or 0."""
    return _acted(id, acts.act(scope, id, "seen", form.flag("read")), "read" if form.flag("read") else "unread")


def flag(scope: Scope, id: int) -> Any:
    """Form: flagged=1 or 0."""
    return _acted(id, acts.act(scope, id, "flagged", form.flag("flagged")), "flagged" if form.flag("flagged") else "unflagged")


def answered(scope: Scope, id: int) -> Any:
    """Form: answered=1 or 0."""
    return _acted(id, acts.act(scope, id, "answered", form.flag("answered")), "answered" if form.flag("answered") else "unanswered")


def trash(scope: Scope, id: int) -> Any:
    return _acted(id, acts.act(scope, id, "trash"), "trashed")


def undelete(scope: Scope, id: int) -> Any:
    return _acted(id, acts.act(scope, id, "undelete"), "undeleted")


def move(scope: Scope, id: int) -> Any:
    """Form: folder, an id."""
    return _acted(id, acts.act(scope, scope.get(Mail, id).id, "move", _chosen(scope)), "moved")      # type: ignore[attr-defined]


def archive(scope: Scope, id: int) -> Any:
    """Form: create=1 to have the folder made where there is none; without it, that is asked first."""
    try:
        return _acted(id, acts.act(scope, id, "archive", form.flag("create")), "archived")
    except Conflict as error:
        if error.code != "no_archive":
            raise
        return page("email/archive", ids=[id], next=_next(f"/email/{id}"), action=f"/email/{id}/archive")


def bulk(scope: Scope) -> Any:
    """Form: id for each chosen row, act, and what that needs."""
    ids, action = form.several("id")[:MOST], form.text("act")
    if action not in SAID:
        raise Invalid(fields={"act": ("bad_choice", {"choices": ", ".join(SAID)})})
    if not ids:
        session.toast("none_chosen")
        return see_other(_next("/inbox"))
    values = _typed(scope, action)
    items = _each(scope, ids, action, values)
    codes = {one["error"]["code"] for one in items if one["error"]}
    if "no_archive" in codes:
        left = [one["id"] for one in items if one["error"] and one["error"]["code"] == "no_archive"]
        return page("email/archive", ids=left, next=_next("/inbox"), action="/inbox/bulk")
    done = [act for one in items if not one["error"] for act in one["acts"]]
    session.toast(SAID[action] if not codes else "bulk_partly", f"/journal/undo?batch={min(done)}" if done else "")
    return see_other(_next("/inbox"))


def _typed(scope: Scope, action: str) -> dict[str, Any]:
    """What the bar above the list brings for an action: folder; tag, a name; rating, such as 3-2."""
    if action == "move":
        return {"folder": _chosen(scope)}
    if action == "archive":
        return {"create": form.flag("create")}
    if action in ("tag", "untag"):
        return {"tags": [form.text("tag")]}
    if action == "correct":
        urgency, _, importance = form.text("rating").partition("-")
        return {name: int(level) if level.isdecimal() else level for name, level in (("urgency", urgency), ("importance", importance))}
    return {}


def _acted(id: int, act: Act | None, code: str) -> Any:
    session.toast(code, f"/journal/{act.id}/undo" if act else "")
    left = code in ("trashed", "archived", "moved")
    url = _next("/inbox" if left else f"/email/{id}")
    return see_other("/inbox" if left and url == f"/email/{id}" else url)


def _next(otherwise: str) -> str:
    return session.local(form.text("next"), otherwise)


def _chosen(scope: Scope) -> int:
    folder = form.whole("folder")
    if not folder:
        raise Invalid(fields={"folder": "missing"})
    return scope.get(Folder, folder).id     # type: ignore[no-any-return, attr-defined]


# ── API ──

def api_flags(scope: Scope, id: int) -> dict[str, Any]:
    flags = _flags(form.body((*FLAGS, "done")))
    if "done" in flags:
        mails.mark_done(scope, id, flags["done"])
    return _state(scope, id, [acts.act(scope, id, FLAGS[name], value) for name, value in flags.items() if name in FLAGS])


def api_move(scope: Scope, id: int) -> dict[str, Any]:
    return _state(scope, id, [acts.act(scope, scope.get(Mail, id).id, "move", _target(form.body(("folder",))))])      # type: ignore[attr-defined]


def api_archive(scope: Scope, id: int) -> dict[str, Any]:
    return _state(scope, id, [acts.act(scope, id, "archive", _create(form.body(("create",))))])


def api_trash(scope: Scope, id: int) -> dict[str, Any]:
    form.body(())
    return _state(scope, id, [acts.act(scope, id, "trash")])


def api_undelete(scope: Scope, id: int) -> dict[str, Any]:
    form.body(())
    return _state(scope, id, [acts.act(scope, id, "undelete")])


def api_bulk(scope: Scope) -> dict[str, Any]:
    """One action on many mails: each gets its new state, or why not."""
    values = form.body(("ids", "action", *sum(FIELDS.values(), ())))
    ids, action = _ids(values.pop("ids", None)), values.pop("action", None)
    if not isinstance(action, str) or action not in BULK:
        raise Invalid(fields={"action": ("bad_choice", {"choices": ", ".join(BULK)})})
    form.refuse_unknown(values, FIELDS.get(action, ()))
    items = _each(scope, ids, action, values)
    return {"items": items, "next": None, "total": len(items)}


# ── inside ──

def _each(scope: Scope, ids: Sequence[int], action: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Do one action to each mail, as one batch: the lines of the answer."""
    flags: Mapping[str, bool] = {}
    if action in ("move", "archive", "trash", "undelete"):
        to = _target(values) if action == "move" else _create(values) if action == "archive" else None
        found = [acts.act_on_all(scope, ids, action, to)]
    elif action in ("tag", "untag"):
        found = [_tagged(scope, ids, action, values)]
    elif action == "correct":
        found = [{id: _corrected(scope, id, values) for id in ids}]
    else:
        flags = _flags(values if BULK[action] is None else BULK[action] or {})
        found, batch = [], None
        for name, value in flags.items():
            if name in FLAGS:
                found.append(acts.act_on_all(scope, ids, FLAGS[name], value, batch=batch))
                batch = batch or min((one.id for one in found[-1].values() if isinstance(one, Act)), default=None)      # type: ignore[attr-defined]
    with db.atomic():
        return [_outcome(scope, id, [one[id] for one in found], flags.get("done")) for id in ids]


def _tagged(scope: Scope, ids: Sequence[int], action: str, values: Mapping[str, Any]) -> dict[Any, acts.Outcome]:
    own = tags.owned(scope, ids)
    if action == "tag":
        tagging.add(scope, own, wanted(scope, values.get("tags")))
    else:
        tagging.remove(scope, own, known(scope, values.get("tags")))
    return {id: None if id in own else NotFound() for id in ids}


def _corrected(scope: Scope, id: int, values: Mapping[str, Any]) -> acts.Outcome:
    try:
        ratings.correct(scope, id, values)
    except Error as error:
        return error
    return None


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


def _create(values: Mapping[str, Any]) -> bool:
    create = values.get("create", False)
    if not isinstance(create, bool):
        raise Invalid(fields={"create": "not_a_boolean"})
    return create


def _ids(value: Any) -> list[int]:
    if not isinstance(value, list) or not value or not all(isinstance(id, int) and not isinstance(id, bool) for id in value):
        raise Invalid(fields={"ids": "not_ids"})
    if len(value) > MOST:
        raise Invalid(fields={"ids": ("too_many", {"count": MOST})})
    return list(dict.fromkeys(value))


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
