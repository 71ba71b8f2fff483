"""Newsletters: by sender, how often they are read, and the way off their lists."""

from typing import Any

from mailhelper import compose, drafts, newsletters, unsubscribing
from mailhelper.errors import Conflict, sentence
from mailhelper.models import Farewell, Mail
from mailhelper.newsletters import Newsletter
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other


def index(scope: Scope) -> str:
    return page("newsletters/index", items=[_item(one) for one in newsletters.listed(scope)])


def show(scope: Scope, id: int) -> str:
    """The ways off the list of one mail."""
    mail = scope.get(Mail, id)
    name, address = mail.head["from"]
    return page("newsletters/show", id=id, sender=name or address, address=address, ways=newsletters.ways(scope, id)._asdict())


def leave(scope: Scope, id: int) -> Any:
    done = newsletters.leave(scope, id)
    session.toast("unsubscribed" if done.state == newsletters.DONE else "not_unsubscribed")
    return see_other("/newsletters")


def write(scope: Scope, id: int) -> Any:
    """A mail that asks to be taken off the list, for its owner to send."""
    mail = scope.get(Mail, id)
    to, subject, text = unsubscribing.letter(newsletters.ways(scope, id).mailto)
    if not to:
        raise Conflict("unsubscribe_by_hand")
    draft = compose.blank(scope, mail.account_id)     # type: ignore[attr-defined]
    drafts.change(scope, draft.id, {"to": drafts.typed(to), "subject": subject, **({"text": text} if text else {})})     # type: ignore[attr-defined]
    return see_other(f"/drafts/{draft.id}")     # type: ignore[attr-defined]


def api_list(scope: Scope) -> dict[str, Any]:
    form.refuse_unknown(form.query(), ())
    items = [_item(one) for one in newsletters.listed(scope)]
    return {"items": items, "next": None, "total": len(items)}


def api_show(scope: Scope, id: int) -> dict[str, Any]:
    return newsletters.ways(scope, id)._asdict()


def api_leave(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Mail, id)
    form.body(())
    return _farewell(newsletters.leave(scope, id))


def _item(one: Newsletter) -> dict[str, Any]:
    return {"email_id": one.mail_id, "name": one.name, "address": one.address, "count": one.total, "read": one.seen, "month": one.month,
            "last": one.last, "unsubscribed": _farewell(one.farewell) if one.farewell else None, "since": one.since}


def _farewell(one: Farewell) -> dict[str, Any]:
    return {"at": one.at, "state": one.state, "error": {"code": one.error, "message": sentence(lang(), one.error)} if one.error else None}


