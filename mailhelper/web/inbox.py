"""The list of mails with its filters, and search."""

from typing import Any
from urllib.parse import urlencode

from mailhelper import mails, senders, tags
from mailhelper.errors import Invalid
from mailhelper.language import t
from mailhelper.mails import Page
from mailhelper.scope import Scope
from mailhelper.web import form
from mailhelper.web.render import page, view
from mailhelper.web.routing import lang

YES_NO = ("unread", "flagged", "answered", "needs_reply", "done")


def index(scope: Scope) -> str:
    asked = form.query()
    boxes = view.get().accounts
    account = asked.get("account") or (str(boxes[0]["id"]) if len(boxes) == 1 else "")
    folders: list[dict[str, Any]] = next((one["folders"] for one in boxes if str(one["id"]) == account), [])
    try:
        found = mails.page(scope, asked, lang())
        wrong = None
    except Invalid as error:
        found, wrong = Page([], None, 0), " ".join(error.field_sentences(lang()).values())
    following = _url({**asked, "cursor": found.next}) if found.next else None
    return page("inbox/index", list=found._asdict(), filters=_typed(asked), sorts=tuple(mails.SORTS), folders=folders, accounts=boxes,
                chips=_chips(scope, asked, boxes, folders), next_url=following, prev_url=_url(_without(asked, "cursor"))
                if "cursor" in asked else None, error=wrong)


def search(scope: Scope) -> str:
    q = form.text("q")
    found, wrong = Page([], None, 0), None
    if q:
        try:
            found = mails.find(scope, q, 100, lang())
        except Invalid as error:
            wrong = error.sentence(lang())
    return page("search/index", q=q, list=found._asdict(), error=wrong)


def api_list(scope: Scope) -> dict[str, Any]:
    return mails.page(scope, form.query(), lang())._asdict()


def api_search(scope: Scope) -> dict[str, Any]:
    asked = form.query()
    form.refuse_unknown(asked, {"q", "limit"})
    limit = asked.get("limit", "50")
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= mails.MOST:
        raise Invalid(fields={"limit": ("out_of_range", {"low": 1, "high": mails.MOST})})
    return mails.find(scope, asked.get("q", ""), int(limit), lang())._asdict()


def _typed(asked: dict[str, str]) -> dict[str, Any]:
    """The active filters as the template compares them."""
    return {name: value in ("1", "true") if name in YES_NO else value for name, value in asked.items() if name not in ("cursor", "limit")}


def _chips(scope: Scope, asked: dict[str, str], boxes: list[dict[str, Any]], folders: list[dict[str, Any]]) -> list[dict[str, str]]:
    names = {"account": {str(one["id"]): one["name"] for one in boxes}, "folder": {str(one["id"]): one["name"] for one in folders}}
    chips = []
    for name, value in asked.items():
        if name in ("cursor", "sort", "limit"):
            continue
        if name == "tag":
            label = t(lang(), "chip.tag", name=tags.name_of(scope, value))
        elif name == "sender":
            label = t(lang(), "chip.sender", name=senders.address_of(scope, value))
        elif name in names:
            label = names[name].get(value, value)
        elif name in YES_NO:
            label = t(lang(), f"chip.{name}.{'yes' if value in ('1', 'true') else 'no'}")
        elif name in ("urgency", "importance", "category", "kind"):
            label = _word(name, value)
        else:
            label = t(lang(), f"chip.{name}", value=value) if name in ("since", "before") else value
        chips.append({"label": label, "url_without": _url(_without(asked, name, "cursor"))})
    return chips


def _word(name: str, value: str) -> str:
    try:
        return t(lang(), f"{name}.{value}")
    except KeyError:
        return value


def _without(asked: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in asked.items() if name not in names}


def _url(asked: dict[str, Any]) -> str:
    return f"/inbox?{urlencode(asked)}" if asked else "/inbox"
