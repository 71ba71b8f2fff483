"""Signing in and out, the first user, settings, sessions, tokens."""

import hmac
import ipaddress
import sys
from typing import Any

from bottle import request, response

from mailhelper import crypto, limits, users
from mailhelper.accounts import renew_background
from mailhelper.config import config
from mailhelper.errors import Denied, Error, Invalid, Limited
from mailhelper.scope import Scope, instance_key
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other


def login_page(error: str | None = None) -> Any:
    if not users.any_exist():
        return see_other("/register")
    return page("login/index", form={"name": form.text("name")}, error=error, next=session.local(form.text("next"), ""))


def login() -> Any:
    try:
        scope, secret = users.sign_in(form.text("name"), form.secret("password"), form.address(), request.get_header("User-Agent", ""))
    except Error as error:
        answer = login_page(error.sentence(lang()))
        return _with_status(answer, error)
    renew_background(scope)
    users.adopt_language(scope, lang())
    session.keep(secret)
    return see_other(session.local(form.text("next")))


def logout(scope: Scope) -> Any:
    users.sign_out(scope)
    session.forget()
    return see_other("/login")


def register_page(error: str | None = None) -> Any:
    values = {name: form.text(name) for name in ("name", "code", "timezone")}
    return page("login/first", form=values, error=error, code_needed=_code_needed(), open=_open())


def register() -> Any:
    """The first user, who becomes admin; or, where registration is open, another one."""
    try:
        if not _open():
            raise Denied("registration_closed")
        limits.hit(f"register:{limits.block(form.address())}", 20, 3600)
        first = not users.any_exist()
        if _code_needed() and not hmac.compare_digest(form.text("code").encode(), _first_code().encode()):
            raise Invalid("code_wrong")
        if form.secret("password") != form.secret("again"):
            raise Invalid("passwords_differ")
        create = users.create_first if first else users.create
        scope = create(form.text("name"), form.secret("password"))
        users.adopt_timezone(scope, form.text("timezone"))
        users.adopt_language(scope, lang())
    except Error as error:
        fields = error.field_sentences(lang()) if isinstance(error, Invalid) else {}
        return _with_status(register_page(" ".join(fields.values()) or error.sentence(lang())), error)
    session.keep(users.open_session(scope, request.get_header("User-Agent", "")))
    return see_other("/")


def _open() -> bool:
    return config.registration == "open" or not users.any_exist()


def _code_needed() -> bool:
    """Off loopback, whoever finds the page first must not become admin; nor through a proxy, or a name that leads here (DNS rebinding)."""
    here = _is_loopback(config.address[0]) and _is_loopback(form.without_port(request.get_header("Host", "")))
    return not here and not users.any_exist()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _first_code() -> str:
    """The same in every web process, and nothing that a stranger could know."""
    return crypto.derive(instance_key(), "first sign-up")[:4].hex()


def announce() -> None:
    """Print the one-time code where only who started the server sees it."""
    if not users.any_exist():
        print(f"First sign-up code: {_first_code()} (asked for unless the page is opened on this machine)", file=sys.stderr, flush=True)


def _with_status(answer: Any, error: Error) -> Any:
    response.status = error.status
    if retry_after := getattr(error, "retry_after", 0):
        response.set_header("Retry-After", str(retry_after))
    return answer


# ── settings ──

def settings_page(scope: Scope, errors: dict[str, str] | None = None) -> Any:
    user = scope.user
    values = {"language": user.language or lang(), "theme": user.theme, "density": user.density, "timezone": user.timezone,
              "idle_minutes": user.idle_minutes, "mark_read": not user.leave_unread}
    current = scope.grant.id if scope.grant else 0
    sessions = [{"id": one.id, "created_at": one.created_at, "used_at": one.used_at, "current": one.id == current}
                for one in users.grants(scope, "session")]
    return page("settings/index", form=values, sessions=sessions, errors=errors or {})


def settings(scope: Scope) -> Any:
    try:
        users.change_settings(scope, language=form.text("language"), theme=form.text("theme"), density=form.text("density"),
                              timezone=form.text("timezone"), idle_minutes=form.whole("idle_minutes") or 0,
                              leave_unread=not form.flag("mark_read"))
    except Invalid as error:
        return _with_status(settings_page(scope, error.field_sentences(lang())), error)
    session.toast("saved")
    return see_other("/settings")


def password(scope: Scope) -> Any:
    new = form.secret("new")
    try:
        if new != form.secret("again"):
            raise Invalid(fields={"again": "passwords_differ"})
        users.change_password(scope, form.secret("old"), new)
    except Limited as error:
        return _with_status(settings_page(scope, {"old": error.sentence(lang())}), error)
    except Invalid as error:
        sentences = error.field_sentences(lang())
        if "password" in sentences:
            sentences["new"] = sentences.pop("password")
        return _with_status(settings_page(scope, sentences), error)
    session.toast("password_changed")
    return see_other("/settings")


def end_session(scope: Scope, id: int) -> Any:
    users.sign_out(scope, id)
    session.toast("session_ended")
    return see_other("/settings")


# ── API ──

def me(scope: Scope) -> dict[str, Any]:
    return users.shown(scope.user)


def sessions(scope: Scope) -> dict[str, Any]:
    current = scope.grant.id if scope.grant else 0
    with scope:
        items = [{"id": one.id, "label": one.label, "created_at": one.created_at, "used_at": one.used_at, "expires_at": one.expires_at,
                  "current": one.id == current} for one in users.grants(scope, "session")]
    return {"items": items, "next": None, "total": len(items)}


def delete_session(scope: Scope) -> dict[str, Any]:
    users.sign_out(scope, form.query().get("id") or form.body({"id"}).get("id"))
    return {"deleted": True}


def tokens(scope: Scope) -> dict[str, Any]:
    items = [{"id": one.id, "label": one.label, "scope": one.scopes.split(","), "created_at": one.created_at, "used_at": one.used_at,
              "expires_at": one.expires_at} for one in users.grants(scope, "api")]
    return {"items": items, "next": None, "total": len(items)}


def create_token(scope: Scope) -> dict[str, Any]:
    """The only time that the token is shown."""
    values = form.body({"scope", "days", "label"})
    words, days = values.get("scope", ["read", "triage", "write"]), values.get("days", 90)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Invalid(fields={"scope": "not_a_list"})
    if isinstance(days, bool) or not isinstance(days, int):
        raise Invalid(fields={"days": ("out_of_range", {"low": 1, "high": 3650})})
    label = values.get("label")
    if not isinstance(label, str | None):
        raise Invalid(fields={"label": ("too_long", {"count": users.MAX_LABEL})})
    return {"token": users.token(scope, tuple(words), days, label)}


def delete_token(scope: Scope) -> dict[str, Any]:
    users.revoke_token(scope, form.query().get("id") or form.body({"id"}).get("id"))
    return {"deleted": True}
