"""Senders: what is learned of each and from which mails, and whom the user trusts."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from bottle import response

from mailhelper import accounts, habits, jobs, mails, triage, trusted
from mailhelper.errors import Conflict, Error, Invalid
from mailhelper.language import t
from mailhelper.models import Mail, Sender, Trusted
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import accepted, lang, listed, see_other

SHOWN = 50          # senders a page
LATEST = "10"       # mails on the page of a sender
LEVELS = (1, 2, 3)
FIELDS: dict[str, Sequence[Any]] = {"urgency": LEVELS, "importance": LEVELS, "category": triage.CATEGORIES, "kind": triage.KINDS}


# ── pages ──

def index(scope: Scope) -> str:
    """Query: q, part of an address; learned=1, only those of whom something is; page, from 1."""
    q, learned, number = form.text("q").lower(), form.flag("learned"), form.whole("page") or 1
    where = [Sender.confidence.is_null(False)] if learned else []
    if q:
        where.append(Sender.id << [row.id for row in scope.select(Sender, Sender.id, Sender.address) if q in row.address])
    query = scope.select(Sender).where(*where).order_by(Sender.received.desc(), Sender.id.desc())
    found = list(query.limit(SHOWN + 1).offset(SHOWN * (number - 1)))
    trust = trusted.Trust(scope)
    return page("senders/index", senders=[_item(one, trust) for one in found[:SHOWN]], q=q, learned=learned, total=query.count(),
                statistics=habits.statistics(scope), newer=_url(q, learned, number - 1) if number > 1 else None,
                older=_url(q, learned, number + 1) if len(found) > SHOWN else None)


def show(scope: Scope, id: int, errors: Mapping[str, str] | None = None) -> str:
    one = scope.get(Sender, id)
    latest = mails.page(scope, {"sender": str(id), "limit": LATEST}, lang())
    return page("senders/show", sender=_item(one, trusted.Trust(scope)), mails=latest._asdict(), choices=FIELDS, errors=errors or {})


def save(scope: Scope, id: int) -> Any:
    """Form: urgency, importance, category, kind."""
    typed = {name: form.text(name) for name in FIELDS}
    scope.get(Sender, id)
    try:
        habits.say(scope, id, checked({name: int(value) if value in ("1", "2", "3") else value for name, value in typed.items()}))
    except Invalid as error:
        response.status = error.status
        return show(scope, id, error.field_sentences(lang()))
    session.toast("sender_saved")
    return see_other(f"/senders/{id}")


def forget(scope: Scope, id: int) -> Any:
    habits.forget(scope, id)
    session.toast("sender_forgotten")
    return see_other(f"/senders/{id}")


def scan(scope: Scope) -> Any:
    form.body(())
    return accepted(jobs.start(scope, "scan_sender_patterns"), t(lang(), "senders.scanning"))


def trusted_index(scope: Scope, errors: Mapping[str, str] | None = None, typed: Mapping[str, Any] | None = None) -> str:
    boxes = [(one.id, one.name) for one in accounts.listed(scope)]      # type: ignore[attr-defined]
    return page("senders/trusted", entries=[_entry(one) for one in trusted.listed(scope)], boxes=boxes, names=dict(boxes), form=typed or {},
                errors=errors or {})


def trust(scope: Scope) -> Any:
    """Form: entry, account_id; next."""
    typed: dict[str, Any] = {"entry": form.text("entry"), "account_id": form.whole("account_id")}
    try:
        trusted.add(scope, typed)
    except (Invalid, Conflict) as error:
        response.status = error.status
        return trusted_index(scope, _sentences(error), typed)
    session.toast("sender_trusted")
    return see_other(session.local(form.text("next"), "/trusted-senders"))


def distrust(scope: Scope, id: int) -> Any:
    trusted.remove(scope, id)
    session.toast("sender_untrusted")
    return see_other("/trusted-senders")


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    """Newest known first; learned=1: only those of whom something is."""
    limit, before = form.paging(200, ("learned",))
    where = [Sender.confidence.is_null(False)] if form.flag("learned") else []
    query = scope.select(Sender).where(*where)
    found = list((query.where(Sender.id < before) if before else query).order_by(Sender.id.desc()).limit(limit + 1))    # type: ignore[attr-defined]
    trust = trusted.Trust(scope)
    return listed(found, limit, lambda one: _item(one, trust), query.count())


def api_change(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Sender, id)
    return _item(habits.say(scope, id, checked(form.body(FIELDS.keys()))), trusted.Trust(scope))


def api_forget(scope: Scope, id: int) -> dict[str, Any]:
    habits.forget(scope, id)
    return _item(scope.get(Sender, id), trusted.Trust(scope))


def api_statistics(scope: Scope) -> dict[str, Any]:
    form.refuse_unknown(form.query(), ())
    return habits.statistics(scope)


def api_trusted(scope: Scope) -> dict[str, Any]:
    form.refuse_unknown(form.query(), ())
    items = [_entry(one) for one in trusted.listed(scope)]
    return {"items": items, "next": None, "total": len(items)}


def api_trust(scope: Scope) -> dict[str, Any]:
    entry = trusted.add(scope, form.body({"entry", "account_id"}))
    response.status = 201
    return _entry(entry)


def api_distrust(scope: Scope) -> dict[str, Any]:
    """Query: id."""
    asked = form.query()
    form.refuse_unknown(asked, {"id"})
    trusted.remove(scope, asked.get("id", ""))
    return {"deleted": True}


# ── inside ──

def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """What may be said of a sender.  Raises Invalid with the wrong fields."""
    wrong = {name: ("bad_choice", {"choices": ", ".join(map(str, FIELDS[name]))}) for name, value in values.items()
             if value not in FIELDS[name] or isinstance(value, bool)}
    if wrong or not values:
        raise Invalid(fields=wrong)
    return dict(values)


def of_mail(scope: Scope, mail_id: int) -> Sender | None:
    """Who wrote a mail, for the link on its page."""
    key = scope.select(Mail, Mail.sender_key).where(Mail.id == mail_id).scalar()
    found: Sender | None = scope.select(Sender, Sender.id).where(Sender.address_key == key).first() if key else None
    return found


def _item(one: Sender, trust: trusted.Trust) -> dict[str, Any]:
    habit = habits.of(one)
    pattern = {**habit._asdict(), "newsletter": habit.newsletter, "applied": habit.applies(one.received)} if habit else None    # type: ignore[arg-type]
    return {"id": one.id, "address": one.address, "received": one.received, "written": one.written, "first_at": one.first_at,      # type: ignore[attr-defined]
            "last_at": one.last_at, "trusted": trust.covers(str(one.address)), "pattern": pattern}


def _entry(one: Trusted) -> dict[str, Any]:
    return {"id": one.id, "entry": one.entry, "account_id": one.account_id, "created_at": one.created_at}      # type: ignore[attr-defined]


def _url(q: str, learned: bool, number: int) -> str:

    asked = {"q": q, "learned": "1" if learned else "", "page": str(number) if number > 1 else ""}
    return "/senders" + ("?" + urlencode(given) if (given := {name: value for name, value in asked.items() if value}) else "")


def _sentences(error: Error) -> dict[str, str]:
    return error.field_sentences(lang()) if isinstance(error, Invalid) and error.fields else {"entry": error.sentence(lang())}


