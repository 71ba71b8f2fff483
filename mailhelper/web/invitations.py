"""The card of an invitation on a mail's page, and the buttons that answer it."""

import datetime as dt
from typing import Any

from mailhelper import invitations, language, outbox, rsvp
from mailhelper.language import t
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.routing import lang, see_other


def card(scope: Scope, mail_id: int) -> dict[str, Any] | None:
    """The invitation of a mail with its times on the reader's clock, in words; None where there is none."""
    found = invitations.of_mail(scope, mail_id)
    if found is None:
        return None
    times = " – ".join(dict.fromkeys(_clock(scope, found, name) for name in ("start", "end") if found[name]))
    clashes = [{**one, "at": language.full(lang(), one["start"], scope.user.timezone)} for one in found["conflicts"]]
    return {**found, "asked": rsvp.wanted(found), "times": times, "conflicts": clashes, "title": _title(found)}


def answer(scope: Scope, id: int) -> Any:
    """Form: answer=accepted, tentative or declined."""
    row = rsvp.answer(scope, id, form.text("answer"), lang())
    session.toast("sending", f"/outbox/{row.id}/undo")      # type: ignore[attr-defined]
    return see_other(f"/email/{id}")


def api_answer(scope: Scope, id: int) -> dict[str, Any]:
    values = form.body(("answer",))
    return outbox.shown(rsvp.answer(scope, id, str(values.get("answer", "")), lang()))


def _title(event: dict[str, Any]) -> str:
    """What this mail says of the event."""
    if event["method"] == "reply":
        who = next(iter(event["attendees"]), {"name": "", "address": "", "answer": ""})
        answer = who["answer"] if who["answer"] in rsvp.ANSWERS else "other"
        return t(lang(), f"event.reply.{answer}", who=who["name"] or who["address"] or t(lang(), "row.nobody"))
    if event["cancelled"]:
        return t(lang(), "event.cancelled")
    return t(lang(), "event.update" if event["sequence"] else "event.request") if event["method"] == "request" else t(lang(), "event.event")


def _clock(scope: Scope, event: dict[str, Any], name: str) -> str:
    """A time of an event; its last day counts, though the calendar names the day after."""
    if event["all_day"]:
        return language.day(lang(), dt.date.fromisoformat(event[name]) - dt.timedelta(days=1 if name == "end" else 0))
    at = dt.datetime.fromisoformat(event[name]).replace(tzinfo=None)
    return language.full(lang(), at, "UTC" if event["floating"] else scope.user.timezone)
