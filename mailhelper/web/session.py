"""From cookie or token to Scope, and proof that a form is ours."""

import hmac
import os

from bottle import request, response

from mailhelper import crypto
from mailhelper import scope as scopes
from mailhelper.errors import Denied, Locked, Nobody
from mailhelper.scope import SESSION_TTL, Scope
from mailhelper.web import form

COOKIE = "mailhelper"
TOAST = "toast"
CHANGED = "changed"     # for longer than side.py remembers
SAFE = ("GET", "HEAD", "OPTIONS")


def current() -> Scope:
    """The scope of whoever asks.  Raises Nobody without a cookie or token, or with one that opens nothing."""
    kind, _, token = request.get_header("Authorization", "").partition(" ")
    try:
        if kind.lower() == "bearer":
            return scopes.open_held("api", token.strip())
        if secret := request.get_cookie(COOKIE):
            return scopes.open_held("session", secret)
    except Locked as error:
        raise Nobody(error.code if error.code == "session_expired" else None) from None
    raise Nobody()


def check_token_scope(scope: Scope, word: str) -> None:
    """A personal token may do only what it was made for.  Raises Denied."""
    if scope.grant and scope.grant.purpose == "api" and word not in scope.grant.scopes.split(","):
        raise Denied("scope_missing", scope=word)


def check_csrf(scope: Scope | None) -> None:
    """A change must come from our own page: the session's token, or before sign-in the same origin.  Raises Denied("csrf")."""
    if request.method in SAFE or (scope and scope.grant and scope.grant.purpose == "api"):
        return
    if scope is None:
        if not _same_origin():
            raise Denied("csrf")
        return
    sent = request.get_header("X-CSRF-Token") or ("" if form.is_json() else request.forms.getunicode("csrf") or "")
    if not hmac.compare_digest(_unmasked(sent), _proof()):
        raise Denied("csrf")


def csrf() -> str:
    """The token that this session's forms carry: another one on each page, since a compressed page must not repeat a secret (BREACH)."""
    proof = _proof()
    pad = os.urandom(len(proof))
    return (pad + _xor(pad, proof)).hex()


def _proof() -> bytes:
    return crypto.derive((request.get_cookie(COOKIE) or "").encode(), "csrf")


def _unmasked(token: str) -> bytes:
    try:
        data = bytes.fromhex(token)
    except ValueError:
        return b""
    return _xor(data[:len(data) // 2], data[len(data) // 2:])


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def keep(secret: str) -> None:
    """Give the browser its session."""
    response.set_cookie(COOKIE, secret, path="/", httponly=True, samesite="lax", secure=form.is_secure(), maxage=SESSION_TTL)


def forget() -> None:
    response.delete_cookie(COOKIE, path="/")


def toast(code: str, undo_url: str = "") -> None:
    """Say something short on the next page: key toast.<code>."""
    response.set_cookie(TOAST, f"{code}|{undo_url}", path="/", httponly=True, samesite="lax", secure=form.is_secure(), maxage=20)


def changed() -> None:
    """What this browser sees next must not come from memory, in whichever web process it is asked for."""
    response.set_cookie(CHANGED, "1", path="/", httponly=True, samesite="lax", secure=form.is_secure(), maxage=5)


def just_changed() -> bool:
    """Whether this browser changed something a moment ago, or does so now."""
    return request.method not in SAFE or CHANGED in request.cookies


def take_toast() -> tuple[str, str] | None:
    """(code, undo address) of what the last page wanted said, once."""
    said = request.get_cookie(TOAST)
    if not said:
        return None
    response.delete_cookie(TOAST, path="/")
    code, _, undo_url = said.partition("|")
    return code, local(undo_url, "")


def local(url: str, otherwise: str = "/") -> str:
    """The address when it stays on this site: never redirect to where a stranger's link says."""
    plain = url.startswith("/") and not url.startswith("//") and "\\" not in url and url.isprintable()
    return url if plain else otherwise


def _same_origin() -> bool:
    site = request.get_header("Sec-Fetch-Site")
    if site:
        return site in ("same-origin", "none")
    origin = request.get_header("Origin")
    return origin is None or origin.partition("://")[2] == request.get_header("Host")
