"""Threads: the list with its three views, one thread with its mails, and dealing with all of one at once."""

from typing import Any
from urllib.parse import urlencode

from mailhelper import threadlist
from mailhelper.errors import Invalid
from mailhelper.mails import Page
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other


def index(scope: Scope) -> str:
    asked = form.query()
    try:
        found, wrong = threadlist.page(scope, asked, lang()), None
    except Invalid as error:
        found, wrong = Page([], None, 0), " ".join(error.field_sentences(lang()).values())
    plain = {name: value for name, value in asked.items() if name in ("state", "limit")}
    state = asked.get("state", "")
    return page("threads/index", list=found._asdict(), state=state if state in threadlist.STATES else "", error=wrong,
                next_url=_url({**plain, "cursor": found.next}) if found.next else None, prev_url=_url(plain) if "cursor" in asked else None)


def show(scope: Scope, id: int) -> str:
    return page("threads/show", thread=threadlist.read(scope, id, lang()))


def settle(scope: Scope, id: int) -> Any:
    """Form or script."""
    form.body(())
    threadlist.settle(scope, id)
    if form.wants_json():
        return {"id": id, "done": True}
    session.toast("thread_done")
    return see_other(session.local(form.text("next"), "/threads"))


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    return threadlist.page(scope, form.query(), lang())._asdict()


def api_show(scope: Scope, id: int) -> dict[str, Any]:
    return threadlist.read(scope, id, lang())


def _url(asked: dict[str, Any]) -> str:
    return f"/threads?{urlencode(asked)}" if asked else "/threads"
