"""The journal of what was done to mails, and taking it back: one act, all of a rule, of a day, of one click."""

import datetime as dt
from typing import Any

from peewee import Expression

from mailhelper import acts, journal
from mailhelper.errors import Invalid, sentence
from mailhelper.language import local, t
from mailhelper.models import DONE, PENDING, Act
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, listed, see_other

MOST = 200
SHOWN = 100         # acts a page
WORDS = {("seen", True): "read", ("seen", False): "unread", ("flagged", True): "flagged", ("flagged", False): "unflagged",
         ("answered", True): "answered", ("answered", False): "unanswered", ("keyword", True): "keyword", ("keyword", False): "unkeyword"}
UNDO = ("rule", "day", "batch")


def index(scope: Scope) -> str:
    """Query: rule, day to see only that; before, the id of an act."""
    asked = form.query()
    before = form.whole("before")
    found = journal.page(scope, SHOWN + 1, before, _which(scope, asked))
    rows = [_shown(scope, one) for one in found[:SHOWN]]
    days = [{"day": day, "acts": [row for row in rows if row["day"] == day]} for day in dict.fromkeys(row["day"] for row in rows)]
    older = f"/journal?{_query(asked)}before={found[SHOWN - 1].id}" if len(found) > SHOWN else None       # type: ignore[attr-defined]
    newer = f"/journal?{_query(asked)}".rstrip("?&") if before else None
    rule = rows[0]["why"] if rows and "rule" in asked else ""
    return page("journal/index", days=days, rule=asked.get("rule"), rule_name=rule, only_day=asked.get("day"), refused=journal.untold(scope),
                older=older, newer=newer)


def undo(scope: Scope, id: int) -> Any:
    acts.undo(scope, id)
    session.toast("act_undone")
    return see_other(session.local(form.text("next"), "/journal"))


def undo_all(scope: Scope) -> Any:
    """Form: rule, day or batch."""
    asked = {name: value for name in UNDO if (value := form.text(name))}
    _, left = acts.undo_all(scope, _one(scope, asked))
    session.toast("acts_left" if left else "acts_undone")
    return see_other(session.local(form.text("next"), "/journal"))


def told(scope: Scope) -> Any:
    journal.mark_told(scope)
    return see_other(session.local(form.text("next"), "/journal"))


def _query(asked: dict[str, str]) -> str:
    return "".join(f"{name}={value}&" for name, value in asked.items() if name in UNDO)


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    asked = form.query()
    which = _which(scope, {name: asked[name] for name in UNDO if name in asked})
    limit, before = form.paging(MOST, UNDO)
    return listed(journal.page(scope, limit + 1, before, which), limit, _item, scope.select(Act).where(*which).count())


def api_undo(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Act, id)
    form.body(())
    return _item(acts.undo(scope, id))


def api_undo_all(scope: Scope) -> dict[str, Any]:
    values = form.body(UNDO)
    undone, left = acts.undo_all(scope, _one(scope, {name: str(value) for name, value in values.items()}))
    return {"undone": undone, "left": left}


# ── inside ──

def _one(scope: Scope, asked: dict[str, str]) -> Expression:
    """Exactly one of rule, day, batch: without any it would mean everything.  Raises Invalid."""
    if len(asked) != 1:
        raise Invalid(fields=dict.fromkeys(asked or UNDO, "one_of_these"))
    return _which(scope, asked)[0]


def _which(scope: Scope, asked: dict[str, str]) -> list[Expression]:
    """The conditions of what was asked for.  Raises Invalid."""
    found, wrong = [], {}
    for name in UNDO:
        text = asked.get(name, "")
        if name == "day" and text:
            try:
                found.append(journal.of_day(scope, dt.date.fromisoformat(text)))
            except (ValueError, OverflowError):
                wrong[name] = "bad_date"
        elif text and not (text.isdecimal() and len(text) < 10):
            wrong[name] = "not_found"
        elif text:
            found.append((journal.of_rule if name == "rule" else journal.of_batch)(int(text)))
    if wrong:
        raise Invalid(fields=wrong)
    return found


def _item(act: Act) -> dict[str, Any]:
    detail: Any = act.detail
    return {
        "id": act.id, "email_id": act.mail_id, "account_id": act.account_id, "what": act.what, "value": act.value,     # type: ignore[attr-defined]
        "keyword": detail.get("keyword"), "subject": detail["subject"], "from": detail["from"]["name"],
        "to": detail["to"]["name"] if "to" in detail else None, "undoes": detail["undoes"], "state": act.state, "by": act.by,
        "reference": act.reference, "why": detail.get("why", ""), "batch": act.batch, "at": act.at, "done_at": act.done_at,
        "error": {"code": act.error, "message": sentence(lang(), act.error)} if act.error else None,
        "can_undo": act.what != "sent" and act.state in (PENDING, DONE) and act.mail_id is not None,      # type: ignore[attr-defined]
    }


def _shown(scope: Scope, act: Act) -> dict[str, Any]:
    """An act in words, and the day it belongs to for its owner."""
    item = _item(act)
    word = WORDS.get((act.what, act.value), act.what)       # type: ignore[call-overload]
    words = t(lang(), f"journal.what.{word}", folder=item["to"] or "", keyword=item["keyword"] or "")
    return {**item, "words": words, "day": local(item["at"], scope.user.timezone).date().isoformat()}
