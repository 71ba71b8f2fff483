"""The WSGI application: database around everything, cookie or token to Scope, errors to pages or JSON, headers on every answer."""

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

from bottle import Bottle, HTTPResponse, request, response
from peewee import InterfaceError, OperationalError
from playhouse.pool import MaxConnectionsExceeded

from mailhelper import errors, language, limits
from mailhelper.config import config
from mailhelper.db import db, is_postgres
from mailhelper.errors import Busy, Denied, Error, Invalid, Nobody
from mailhelper.scope import Scope
from mailhelper.web import compress, form, session
from mailhelper.web.render import View, page, viewing
from mailhelper.web.routes import ROUTES
from mailhelper.web.routing import Route, lang, see_other, to_json
from mailhelper.web.side import side

log = logging.getLogger(__name__)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
                               "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()", "Cache-Control": "no-store",
}
WITHOUT_DATABASE = ("/static/", "/healthz")


def make_app() -> Callable[..., Iterable[bytes]]:
    """The application for a WSGI server."""
    app = Bottle()
    app.config["json.enable"] = False       # our own encoder writes the times
    for route in ROUTES:
        app.route(route.path, route.method, _guarded(route))
    app.default_error_handler = _missed
    return _with_database(app)


def _with_database(app: Bottle) -> Callable[..., Iterable[bytes]]:
    """A connection for each request: around Bottle and not in its hooks, which close before error pages render.

    A thread keeps its SQLite connection, since opening one costs as much as a query; PostgreSQL's come from a pool.
    """
    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        _make_readable(environ)
        if environ["PATH_INFO"].startswith(WITHOUT_DATABASE):
            return app(environ, start_response)      # type: ignore[no-any-return]
        if not is_postgres():
            db.connect(reuse_if_open=True)
            return app(environ, start_response)      # type: ignore[no-any-return]
        with ExitStack() as stack:
            try:
                stack.enter_context(db.connection_context())
            except (OperationalError, InterfaceError, MaxConnectionsExceeded):
                log.exception("no connection to the database")      # each query fails, and the answer is 503
            return app(environ, start_response)      # type: ignore[no-any-return]
    return wsgi


def _make_readable(environ: dict[str, Any]) -> None:
    """Bottle reads headers as UTF-8 and raises, outside of every handler, when one is not."""
    for name, value in environ.items():
        if name.startswith("HTTP_") and not value.isascii():
            environ[name] = value.encode("latin-1", "ignore").decode("utf-8", "replace").encode().decode("latin-1")


def _guarded(route: Route) -> Callable[..., Any]:
    def handler(**url: Any) -> Any:
        for name, value in HEADERS.items():
            response.set_header(name, value)
        if form.is_secure():
            response.set_header("Strict-Transport-Security", "max-age=31536000")
        request.environ["mailhelper.lang"] = language.negotiate(request.get_header("Accept-Language"))
        with viewing(View(path=_here(), lang=lang())):
            try:
                return _answer(_public(route, url) if route.access == "public" else _private(route, url))
            except HTTPResponse:
                raise
            except Error as error:
                return _failed(error)
            except (OperationalError, InterfaceError):
                log.exception("%s %s", request.method, route.path)
                return _failed(Busy("unavailable"))
            except Exception:
                log.exception("%s %s", request.method, route.path)
                return _failed(Error())
    return handler


def _public(route: Route, url: dict[str, Any]) -> Any:
    session.check_csrf(None)
    return route.handler(**url)


def _private(route: Route, url: dict[str, Any]) -> Any:
    scope = session.current()
    if scope.user.language:
        request.environ["mailhelper.lang"] = scope.user.language
    if scope.grant and scope.grant.purpose == "api":
        if not route.token:
            raise Denied()
        session.check_token_scope(scope, route.token)
    session.check_csrf(scope)
    if route.access == "admin" and not scope.user.admin:
        raise Denied()
    if config.api_rate and "/tasks/" not in route.path:
        limits.hit(f"api:{scope.user.id}", config.api_rate, 60)
    if request.method not in session.SAFE:
        session.changed()
    with scope, viewing(_view(scope, route)):
        return route.handler(scope, **url)


def _view(scope: Scope, route: Route) -> View:
    """What the page around the answer shows; a script needs none of it."""
    user = scope.user
    if route.token or request.method == "GET" and route.path.endswith("/body"):
        return View(path=_here(), lang=lang())
    said = session.take_toast() if request.method == "GET" else None
    known = said and f"toast.{said[0]}" in language.load(lang())       # a cookie says it: anything may be in there
    toast = {"text": language.t(lang(), f"toast.{said[0]}"), "undo_url": said[1] or None} if said and known else None
    return View(me={"name": user.name, "admin": user.admin}, csrf=session.csrf(), path=_here(), lang=lang(), timezone=user.timezone, theme=user.theme,
                density=user.density, toast=toast, **side(scope, lang(), session.just_changed()))


def _here() -> str:
    query = request.query_string
    return f"{request.path}?{query}" if query else str(request.path)


def _answer(value: Any) -> Any:
    if isinstance(value, dict):
        response.set_header("Content-Type", "application/json; charset=utf-8")
        value = to_json(value)
    if isinstance(value, HTTPResponse):     # a file brings its own headers in the place of ours
        for name, text in HEADERS.items():
            if name not in value.headers and name != "Cache-Control":
                value.set_header(name, text)
    return compress.text(value) if isinstance(value, str) else value


def _failed(error: Error) -> Any:
    """A failure as JSON, as a page, or as the way to the sign-in."""
    if isinstance(error, Nobody) and not form.wants_json():
        return see_other("/login" if request.method != "GET" or request.path == "/" else f"/login?next={_quoted(_here())}")
    response.status = error.status
    if retry_after := getattr(error, "retry_after", 0):
        response.set_header("Retry-After", str(retry_after))
    words = error.sentence(lang())
    if form.wants_json():
        fields = error.field_sentences(lang()) if isinstance(error, Invalid) else {}
        return _answer({"error": error.code, "message": words} | ({"fields": fields} if fields else {})
                       | {name: error.params[name] for name in ("task_id",) if name in error.params})
    title = language.t(lang(), "error_page.title")
    detail = " ".join(error.field_sentences(lang()).values()) if isinstance(error, Invalid) else ""
    return page("error", status=error.status, title=title, text=detail or words, hint="")


def _quoted(path: str) -> str:
    return quote(path, safe="")


def _missed(answer: Any) -> str:
    """What never reached a route: 404, 405, and bottle's own refusals.  Needs neither user nor database."""
    for name, value in HEADERS.items():
        answer.set_header(name, value)
    code = {405: "method", 413: "too_large", 400: "invalid"}.get(answer.status_code, "not_found" if answer.status_code == 404 else "internal")
    spoken = language.negotiate(request.get_header("Accept-Language"))
    words = errors.sentence(spoken, code)
    if form.wants_json():
        answer.set_header("Content-Type", "application/json; charset=utf-8")
        return to_json({"error": code, "message": words})
    with viewing(View(lang=spoken)):
        return page("error", status=answer.status_code, title=language.t(spoken, "error_page.title"), text=words, hint="")
