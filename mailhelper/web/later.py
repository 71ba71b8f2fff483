"""Putting mail off, and the page of what is put off, waits for an answer, or has come back."""

from typing import Any

from mailhelper import later
from mailhelper.errors import Invalid
from mailhelper.models import Mail
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other


def index(scope: Scope) -> str:
    rows = later.listed(scope, lang())
    waits = [row for row in rows if not row["snooze"]["due"]]
    return page("later/index", due=[row for row in rows if row["snooze"]["due"]], later=[row for row in waits if not row["snooze"]["answer"]],
                awaited=[row for row in waits if row["snooze"]["answer"]])


def snooze(scope: Scope, id: int) -> Any:
    """Form: when=evening, tomorrow, week, month or at; at, a time; answer=1 to be back with an answer."""
    scope.get(Mail, id)
    when, tz = form.text("when"), scope.user.timezone
    until = later.typed(form.text("at"), tz) if when == "at" and form.text("at") else later.times(tz).get(when)
    later.snooze(scope, id, until, form.flag("answer") or when == "answer")
    session.toast("snoozed", f"/email/{id}/unsnooze")
    url = session.local(form.text("next"), "/inbox")
    return see_other("/inbox" if url == f"/email/{id}" else url)


def unsnooze(scope: Scope, id: int) -> Any:
    later.wake(scope, id)
    session.toast("unsnoozed")
    return see_other(session.local(form.text("next"), "/later"))


def api_snooze(scope: Scope, id: int) -> dict[str, Any]:
    values = form.body(("until", "answer"))
    until, answer = values.get("until"), values.get("answer", False)
    if not isinstance(until, str | None):
        raise Invalid(fields={"until": "bad_time"})
    if not isinstance(answer, bool):
        raise Invalid(fields={"answer": "not_a_boolean"})
    scope.get(Mail, id)
    later.snooze(scope, id, later.typed(until, scope.user.timezone) if until else None, answer)
    return {"id": id, "snooze": later.of_mail(scope, id)}


def api_unsnooze(scope: Scope, id: int) -> dict[str, Any]:
    later.wake(scope, id)
    return {"id": id, "snooze": None}


def api_list(scope: Scope) -> dict[str, Any]:
    items = later.listed(scope, lang())
    return {"items": items, "next": None, "total": len(items)}
