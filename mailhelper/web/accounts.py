"""Mailboxes: the list with live progress, the form that tests before it saves, and starting a sync."""

from typing import Any

from bottle import response

from mailhelper import accounts, mailhosts, pace, removal, status, sync
from mailhelper.errors import Invalid, sentence
from mailhelper.imap import Probe
from mailhelper.language import t
from mailhelper.models import ACTIVE, Account, Egress, Job
from mailhelper.scope import Scope
from mailhelper.web import form, session, side
from mailhelper.web.render import page
from mailhelper.web.routing import accepted, count_start, lang, listed, see_other

TYPED = ("name", "address", "mode", "judge", "signature")
SERVER_FIELDS = ("host", "security", "username", "fingerprint")


def index(scope: Scope) -> str:
    active = {job.subject: job for job in scope.select(Job).where(Job.kind == "sync_user_emails", Job.state << ACTIVE)}
    mails, folders = accounts.counts(scope), accounts.folder_counts(scope)
    rows = []
    for one in accounts.listed(scope):
        job = active.get(one.id)
        server: dict[str, Any] = one.imap or {}
        rows.append({
            "id": one.id, "name": one.name, "address": one.address, "host": server.get("host", ""), "mode": one.mode, "kind": one.kind,
            "state": side.state(one, set(active)), "last_sync": one.synced_at, "mails": mails.get(one.id, 0), "folders": folders.get(one.id, 0),
            "error": side.told(one, lang()),
            "job": side.shown(job, lang()) if job else None,
        })
    return page("accounts/index", accounts=rows)


def new(scope: Scope) -> str:
    return _form(scope, {"security": "tls", "mode": "builtin", "judge": "unsure"})


def edit(scope: Scope, id: int) -> str:
    account = scope.get(Account, id)
    server: dict[str, Any] = account.imap or {}
    values = {"name": account.name, "address": account.address, "mode": account.mode, "judge": account.judge,
              "signature": account.signature or "", "background": account.background, "interval": account.interval or pace.INTERVAL,
              **{name: server.get(name, "") for name in (*SERVER_FIELDS, "port")}}
    return _form(scope, values, account)


def add(scope: Scope) -> Any:
    return _submit(scope, None)


def save(scope: Scope, id: int) -> Any:
    return _submit(scope, scope.get(Account, id))


def renew(scope: Scope) -> Any:
    accounts.renew_background(scope)
    session.toast("renewed")
    return see_other(session.local(form.text("next"), "/accounts"))


def delete(scope: Scope, id: int) -> Any:
    removal.remove(scope, id)
    session.toast("account_removed")
    return see_other("/accounts")


def _submit(scope: Scope, account: Account | None) -> Any:
    act = form.text("act", "save")
    typed: dict[str, Any] = {name: form.text(name) for name in (*TYPED, "port", "interval", *SERVER_FIELDS)}
    typed["background"] = form.flag("background")
    if act == "propose" or (act != "propose" and typed["address"] and not typed["host"]):
        typed |= _proposed(typed)
        if act == "propose":
            return _form(scope, typed, account)
    typed["username"] = typed["username"] or typed["address"]
    try:
        values = _values(typed, account)
        if act == "test":
            return _form(scope, typed, account, test=_told(accounts.test(scope, values, account.id if account else None)))
        row = accounts.change(scope, account.id, values) if account else accounts.create(scope, values)
    except Invalid as error:
        response.status = error.status
        fields = {name.removeprefix("imap."): words for name, words in error.field_sentences(lang()).items()}
        return _form(scope, typed, account, fields)
    if account is None and row.kind == "imap":
        sync.start(scope, row.id)
        if len(accounts.listed(scope)) == 1:
            return see_other(f"/accounts/{row.id}/welcome")
    session.toast("saved")
    return see_other("/accounts")


def _proposed(typed: dict[str, Any]) -> dict[str, Any]:
    if "@" not in typed["address"]:
        return {}
    server = mailhosts.propose(typed["address"])["imap"]
    return {"host": server["host"], "port": str(server["port"]), "security": server["security"], "username": typed["username"] or typed["address"]}


def _values(typed: dict[str, Any], account: Account | None) -> dict[str, Any]:
    values: dict[str, Any] = {name: typed[name] for name in ("name", "address", "background")}
    values |= {"mode": typed["mode"] or "builtin", "judge": typed["judge"] or "unsure", "signature": typed["signature"] or None}
    if typed["interval"]:
        values["interval"] = form.whole("interval")
    if account is None or account.kind == "imap":
        values["imap"] = {name: typed[name] for name in SERVER_FIELDS}
        values["imap"] |= {"port": form.whole("port") or _default_port(typed), "password": form.secret("password")}
    return values


def _default_port(typed: dict[str, Any]) -> int:
    return int(typed["port"]) if str(typed["port"]).isdigit() else 993 if typed["security"] == "tls" else 143


def _told(probe: Probe) -> dict[str, Any]:
    """The result of a test in words; a certificate that may be pinned comes with its fingerprint."""
    words = t(lang(), "account.test_ok") if probe.ok else sentence(lang(), probe.code, probe.params)
    pinnable = probe.code.startswith("certificate_") and probe.fingerprint
    return {"ok": probe.ok, "sentence": words, "fingerprint": probe.fingerprint if pinnable else None, "folders": [one.name for one in probe.folders]}


def _form(scope: Scope, values: dict[str, Any], account: Account | None = None, errors: dict[str, str] | None = None,
          test: dict[str, Any] | None = None) -> str:
    shown = {"id": account.id, "name": account.name, "kind": account.kind} if account else None
    follows = status.of(scope, account.id, lang()) if account and account.kind == "imap" else None
    return page("accounts/form", form=values, errors=errors or {}, test=test, account=shown, modes=accounts.MODES, judges=accounts.JUDGE,
                status=follows)


# ── sync ──

def fetch(scope: Scope, id: int) -> Any:
    values = form.body({"max_emails"})
    most = values.get("max_emails")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise Invalid(fields={"max_emails": ("out_of_range", {"low": 1, "high": 1_000_000})})
    count_start(scope)
    return accepted(sync.start(scope, id, **({"max_emails": most} if most else {})), t(lang(), "job.message.queued"))


def fetch_all(scope: Scope) -> Any:
    form.body(set())
    count_start(scope)
    return accepted(sync.start_all(scope), t(lang(), "job.message.queued"))


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    mails = accounts.counts(scope)
    items = [accounts.shown(one, mails.get(one.id, 0)) for one in accounts.listed(scope)]
    return {"items": items, "next": None, "total": len(items)}


def api_create(scope: Scope) -> dict[str, Any]:
    account = accounts.create(scope, form.body())
    response.status = 201
    return accounts.shown(account, 0)


def api_show(scope: Scope, id: int) -> dict[str, Any]:
    return _shown(scope, scope.get(Account, id))


def api_change(scope: Scope, id: int) -> dict[str, Any]:
    return _shown(scope, accounts.change(scope, id, form.body()))


def _shown(scope: Scope, account: Account) -> dict[str, Any]:
    return accounts.shown(account, accounts.counts(scope, account).get(account.id, 0))


def api_delete(scope: Scope, id: int) -> dict[str, Any]:
    removal.remove(scope, id)
    return {"deleted": True}


def api_test(scope: Scope, id: int) -> dict[str, Any]:
    probe = accounts.test(scope, form.body(), id)
    error = None if probe.ok else {"code": probe.code, "message": sentence(lang(), probe.code, probe.params)}
    return {"ok": probe.ok, "error": error, "fingerprint": probe.fingerprint, "capabilities": sorted(probe.capabilities),
            "folders": [{"name": one.name, "role": one.role} for one in probe.folders]}


def api_egress(scope: Scope) -> dict[str, Any]:
    """Each outbound connection that was made or refused for this user."""
    limit, before = form.paging()
    return listed(accounts.ledger(scope, limit + 1, before), limit, _connection, scope.select(Egress).count())


def _connection(row: Egress) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "at", "host", "port", "purpose", "sent", "received", "refused", "reason")}


def api_folders(scope: Scope, id: int) -> dict[str, Any]:
    items = accounts.folders(scope, id)
    return {"items": items, "next": None, "total": len(items)}
