"""Writing and sending from the browser and the API: begin a mail, enclose files, send, undo, and what became of it; the server that sends."""

from collections.abc import Iterator
from typing import Any

from bottle import request, response

from mailhelper import accounts, compose, drafts, enclosures, imap, mailhosts, outbox
from mailhelper.errors import Invalid, sentence
from mailhelper.language import t
from mailhelper.models import Account, Mail, Outgoing
from mailhelper.scope import Scope
from mailhelper.web import drafts as editor
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, listed, see_other

MOST = 200
SMTP = ("host", "security", "username", "fingerprint")


# ── pages ──

def index(scope: Scope) -> str:
    return page("outbox/index", rows=[_told(row) for row in outbox.listed(scope)])


def new(scope: Scope) -> Any:
    """Form: account, to; a new mail."""
    draft = compose.blank(scope, form.whole("account"))
    if to := drafts.typed(form.text("to")):
        drafts.change(scope, draft.id, {"to": to})      # type: ignore[attr-defined]
    return see_other(f"/drafts/{draft.id}")     # type: ignore[attr-defined]


def answer(scope: Scope, id: int) -> Any:
    """Form: how=reply, all or forward."""
    scope.get(Mail, id)
    how = form.text("how", "reply")
    if how not in compose.HOW:
        raise Invalid(fields={"how": ("bad_choice", {"choices": ", ".join(compose.HOW)})})
    return see_other(f"/drafts/{compose.answer(scope, id, how, lang()).id}")        # type: ignore[attr-defined]


def send(scope: Scope, id: int) -> Any:
    """Form: the draft as it was typed, and account; kept, then sent."""
    draft = drafts.read(scope, id)
    typed = form.given(*drafts.PEOPLE, *drafts.LONGEST)
    try:
        if account := form.whole("account"):
            compose.send_from(scope, id, account)
        drafts.change(scope, id, {name: drafts.typed(text) if name in drafts.PEOPLE else text for name, text in typed.items()})
        row = outbox.send(scope, id)
    except Invalid as error:
        response.status = error.status
        return editor.again(scope, id, typed, error.field_sentences(lang()) or {"to": error.sentence(lang())})
    session.toast("sending", f"/outbox/{row.id}/undo")     # type: ignore[attr-defined]
    return see_other(f"/email/{draft['email_id']}" if draft["email_id"] else "/outbox")


def undo(scope: Scope, id: int) -> Any:
    row = outbox.undo(scope, id)
    session.toast("not_sent")
    return see_other(f"/drafts/{row.draft_id}" if row.draft_id else "/outbox")      # type: ignore[attr-defined]


def settle(scope: Scope, id: int) -> Any:
    """Form: sent=1 or 0, as its owner has found out."""
    row = outbox.settle(scope, id, form.flag("sent"))
    session.toast("saved")
    return see_other(f"/drafts/{row.draft_id}" if row.state == outbox.FAILED and row.draft_id else "/outbox")       # type: ignore[attr-defined]


def enclose(scope: Scope, id: int) -> Any:
    """Form (multipart): file, one or several."""
    drafts.read(scope, id)
    for upload in request.files.getall("file"):
        if upload.raw_filename:
            enclosures.add(scope, id, upload.raw_filename.encode("latin-1", "replace").decode("utf-8", "replace"), upload.content_type or "",
                           _chunks(upload.file))
    return see_other(f"/drafts/{id}")


def take_out(scope: Scope, id: int) -> Any:
    return see_other(f"/drafts/{enclosures.remove(scope, id)}")


def _chunks(file: Any) -> Iterator[bytes]:
    while piece := file.read(enclosures.PIECE):
        yield piece


def _told(row: Outgoing) -> dict[str, Any]:
    values = outbox.shown(row)
    return {**values, "why": sentence(lang(), row.error, row.error_params) if row.error else ""}      # type: ignore[arg-type]


# ── the server that sends ──

def sending(scope: Scope, id: int, typed: dict[str, Any] | None = None, wrong: dict[str, str] | None = None,
            test: dict[str, Any] | None = None) -> str:
    account = scope.get(Account, id)
    fetching: Any = account.imap or {}
    server: Any = account.smtp or {**mailhosts.propose(account.address)["smtp"], "username": fetching.get("username", account.address)}
    values = typed or {name: server.get(name, "") for name in (*SMTP, "port")}
    shown = {"id": account.id, "name": account.name, "stored": bool(account.smtp)}
    return page("accounts/sending", account=shown, form=values, errors=wrong or {}, test=test)


def save_sending(scope: Scope, id: int) -> Any:
    """Form: host, port, security, username, password, fingerprint; act=save or test."""
    scope.get(Account, id)
    typed: dict[str, Any] = {name: form.text(name) for name in (*SMTP, "port")}
    try:
        values = {**{name: typed[name] for name in SMTP}, "port": form.whole("port") or (465 if typed["security"] == "tls" else 587),
                  "password": form.secret("password")}
        if form.text("act") == "test":
            return sending(scope, id, typed, test=_result(accounts.test_sending(scope, values, id)))
        accounts.change(scope, id, {"smtp": values})
    except Invalid as error:
        response.status = error.status
        return sending(scope, id, typed, {name.removeprefix("smtp."): words for name, words in error.field_sentences(lang()).items()})
    session.toast("saved")
    return see_other("/accounts")


def _result(probe: imap.Probe) -> dict[str, Any]:
    words = t(lang(), "sending.test_ok") if probe.ok else sentence(lang(), probe.code, probe.params)
    return {"ok": probe.ok, "sentence": words, "fingerprint": probe.fingerprint if probe.code.startswith("certificate_") else None}


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    limit, before = form.paging(MOST)
    return listed(outbox.listed(scope, limit + 1, before), limit, _item, scope.select(Outgoing).count())


def api_send(scope: Scope, id: int) -> dict[str, Any]:
    drafts.read(scope, id)
    form.body(())
    row = outbox.send(scope, id)
    response.status = 202
    return _item(row)


def api_undo(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Outgoing, id)
    form.body(())
    return _item(outbox.undo(scope, id))


def api_settle(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Outgoing, id)
    sent = form.body(("sent",)).get("sent")
    if not isinstance(sent, bool):
        raise Invalid(fields={"sent": "not_a_boolean"})
    return _item(outbox.settle(scope, id, sent))


def api_compose(scope: Scope) -> dict[str, Any]:
    """A new draft: blank, or with email_id and how an answer."""
    values = form.body(("account_id", "email_id", "how"))
    mail, how = values.get("email_id"), values.get("how", "reply")
    if how not in compose.HOW:
        raise Invalid(fields={"how": ("bad_choice", {"choices": ", ".join(compose.HOW)})})
    draft = compose.answer(scope, mail, how, lang()) if mail is not None else compose.blank(scope, values.get("account_id"))
    response.status = 201
    return drafts.read(scope, draft.id)     # type: ignore[attr-defined]


def api_files(scope: Scope, id: int) -> dict[str, Any]:
    drafts.read(scope, id)
    items = enclosures.listed(scope, id)
    return {"items": items, "next": None, "total": len(items)}


def api_enclose(scope: Scope, id: int) -> dict[str, Any]:
    """The bytes are the body of the request; query: filename."""
    drafts.read(scope, id)
    asked = form.query()
    form.refuse_unknown(asked, {"filename"})
    if (request.content_length or 0) <= 0:
        raise Invalid(fields={"filename": "missing"})
    row = enclosures.add(scope, id, asked.get("filename", ""), request.content_type or "", _chunks(request.body))
    response.status = 201
    return {"id": row.id, "filename": row.name, "mime": row.mime, "size": row.size}     # type: ignore[attr-defined]


def api_take_out(scope: Scope, id: int) -> dict[str, Any]:
    enclosures.remove(scope, id)
    return {"deleted": True}


def api_test(scope: Scope, id: int) -> dict[str, Any]:
    values = form.body(("smtp",)).get("smtp")
    probe = accounts.test_sending(scope, values, id)
    error = None if probe.ok else {"code": probe.code, "message": sentence(lang(), probe.code, probe.params)}
    return {"ok": probe.ok, "error": error, "fingerprint": probe.fingerprint}


def _item(row: Outgoing) -> dict[str, Any]:
    return {**outbox.shown(row), "error": {"code": row.error, "message": sentence(lang(), row.error, row.error_params)} if row.error else None}      # type: ignore[arg-type]
