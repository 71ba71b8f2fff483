"""For machines that look after this one: health, readiness, metrics; and the static files."""

import ipaddress
from typing import Any

from bottle import HTTPResponse, request, response, static_file
from peewee import fn

from mailhelper import queue
from mailhelper.config import config
from mailhelper.db import now, pending
from mailhelper.errors import Denied
from mailhelper.models import Job, Mail, User
from mailhelper.runner import LOST_AFTER
from mailhelper.scope import everyone
from mailhelper.web import compress, session
from mailhelper.web.render import STAMP, STATIC

FOR_EVER = 31_536_000
PACKED = ("text/", "application/javascript", "image/svg+xml")


def healthz() -> dict[str, Any]:
    """The process is up."""
    return {"status": "ok"}


def readyz() -> dict[str, Any]:
    """Whether database, queue and worker can be reached; 503 when one cannot.  Without a watcher, mail comes later but comes."""
    inline = config.jobs == "inline"
    states = {"database": _database(), "queue": inline or queue.reachable(), "worker": inline or queue.seen(queue.WORKER)}
    if not all(states.values()):
        response.status = 503
    words = {name: "ok" if up else "unavailable" for name, up in states.items()}
    watcher = "off" if inline else "ok" if queue.seen(queue.WATCHER) else "unavailable"
    return {"status": "ok" if all(states.values()) else "unavailable", **words, "watcher": watcher}


def _database() -> bool:
    try:
        return not pending()
    except Exception:       # whatever the driver throws: it cannot be reached
        return False


def metrics() -> str:
    """Prometheus text without anything of a mail; from loopback, or with an admin's token."""
    if not _from_here():
        scope = session.current()
        session.check_token_scope(scope, "admin")
        if not scope.user.admin:
            raise Denied()
    response.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
    jobs = everyone.select(Job, Job.kind, Job.state, fn.COUNT(Job.id)).group_by(Job.kind, Job.state).tuples()
    lost = everyone.select(Job, Job.id).where(Job.state == "running", Job.touched < now() - LOST_AFTER).count()
    lines = ["# TYPE mailhelper_users gauge", f"mailhelper_users {User.select().count()}",
             "# TYPE mailhelper_mails gauge", f"mailhelper_mails {everyone.select(Mail, Mail.id).count()}",
             "# TYPE mailhelper_jobs_silent gauge", f"mailhelper_jobs_silent {lost}", "# TYPE mailhelper_jobs gauge"]
    lines += [f'mailhelper_jobs{{kind="{kind}",state="{state}"}} {count}' for kind, state, count in jobs]
    return "\n".join(lines) + "\n"


def _from_here() -> bool:
    """Asked on this machine itself, not through a proxy on it."""
    forwarded = request.get_header("X-Forwarded-For") or request.get_header("Forwarded")
    try:
        return not forwarded and ipaddress.ip_address(request.environ.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def static(name: str) -> Any:
    """A file of static/; with a hash of the content in its address, browsers may keep it for ever."""
    stamp, _, rest = name.partition("/")
    stamped = stamp.startswith(STAMP)
    name = rest if stamped else name
    answer = static_file(name, root=str(STATIC))
    answer.set_header("X-Content-Type-Options", "nosniff")      # an answer of its own, without the headers of the others
    if answer.status_code != 200:
        return answer
    if stamped or request.query.get("v"):
        answer.set_header("Cache-Control", f"public, max-age={FOR_EVER}, immutable")
    if compress.accepted() and (answer.content_type or "").startswith(PACKED) and request.method == "GET":
        answer.body.close()
        packed = compress.file(STATIC / name)
        return HTTPResponse(packed, **{**dict(response.headers), **dict(answer.headers), "Content-Length": str(len(packed))})
    return answer
