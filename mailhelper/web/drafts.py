"""A draft: its page, where it is edited and copied from, and the same for scripts."""

from typing import Any

from bottle import response

from mailhelper import compose, drafts, enclosures
from mailhelper.errors import Invalid
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other


def show(scope: Scope, id: int) -> str:
    return _page(scope, drafts.read(scope, id))


def save(scope: Scope, id: int) -> Any:
    """Form: whichever of to, cc, bcc, subject, text it has."""
    typed = form.given(*drafts.PEOPLE, *drafts.LONGEST)
    try:
        drafts.change(scope, id, {name: drafts.typed(text) if name in drafts.PEOPLE else text for name, text in typed.items()})
    except Invalid as error:
        response.status = error.status
        return _page(scope, drafts.read(scope, id), typed, error.field_sentences(lang()))
    session.toast("saved")
    return see_other(session.local(form.text("next"), f"/drafts/{id}"))


def delete(scope: Scope, id: int) -> Any:
    mail = drafts.read(scope, id)["email_id"]
    drafts.remove(scope, id)
    session.toast("draft_deleted")
    return see_other(f"/email/{mail}" if mail else "/inbox")


def again(scope: Scope, id: int, typed: dict[str, str], errors: dict[str, str]) -> str:
    """The page once more, with what was typed and what is wrong with it."""
    return _page(scope, drafts.read(scope, id), typed, errors)


def _page(scope: Scope, draft: dict[str, Any], typed: dict[str, str] | None = None, errors: dict[str, str] | None = None) -> str:
    lines = {name: ", ".join(_written(one) for one in draft[name]) for name in drafts.PEOPLE}
    values = {**lines, "subject": draft["subject"], "text": draft["text"], **(typed or {})}
    versions = drafts.of_mail(scope, draft["email_id"]) if draft["email_id"] else []
    files = enclosures.listed(scope, draft["id"])
    return page("drafts/show", senders=compose.senders(scope), files=files, draft=draft, form=values, errors=errors or {},
                versions=[one for one in versions if one["id"] != draft["id"]])


def _written(person: dict[str, str]) -> str:
    """As it stands in a header field, so that it reads back the same."""
    name = person["name"].replace("\\", "").replace('"', "'")
    return f'"{name}" <{person["address"]}>' if name else person["address"]


# ── API ──

def api_show(scope: Scope, id: int) -> dict[str, Any]:
    return drafts.read(scope, id)


def api_change(scope: Scope, id: int) -> dict[str, Any]:
    return drafts.change(scope, id, form.body())


def api_delete(scope: Scope, id: int) -> dict[str, Any]:
    drafts.remove(scope, id)
    return {"deleted": True}
