"""What a route is, and the answers a handler may give."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bottle import HTTPResponse, request, response

from mailhelper import limits
from mailhelper.models import Job
from mailhelper.scope import Scope
from mailhelper.web import form

STARTS = 60     # jobs a minute and user


@dataclass(frozen=True)
class Route:
    """One line of the map of the app (routes.py).

    access: public · user · admin.  token: the scope a personal token needs, "" when only a session may.  query, body, example: for the
    API's own description (openapi.py); a page has none.
    """
    method: str
    path: str
    handler: Callable[..., Any]
    access: str = "user"
    token: str = ""
    summary: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    example: Any = None
    status: int = 200


def see_other(url: str) -> HTTPResponse:
    """After a form was taken: look there.  Keeps the cookies set so far."""
    answer = response.copy(cls=HTTPResponse)
    answer.status = 303
    answer.set_header("Location", url)
    answer.body = ""
    return answer


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"{value.isoformat(timespec='milliseconds')}Z"      # RFC 3339; naive UTC inside
    raise TypeError(type(value).__name__)


def listed(found: Sequence[Any], limit: int, shape: Callable[[Any], dict[str, Any]], total: int) -> dict[str, Any]:
    """The JSON of a list whose newest rows come first; `found` has one row more than `limit` when there is a next page."""
    following = str(found[limit - 1].id) if len(found) > limit else None
    return {"items": [shape(row) for row in found[:limit]], "next": following, "total": total}


def accepted(job: Job, message: str) -> dict[str, Any] | HTTPResponse:
    """What a job route answers: 202 and the task to a script, 303 to the job's page to a form."""
    if not form.wants_json():
        return see_other(f"/jobs/{job.id}")
    response.status = 202
    return {"status": "queued", "task_id": str(job.id), "task_type": "huey", "message": message}


def count_start(scope: Scope) -> None:
    """Raises Limited above the number of jobs a user may start in a minute."""
    limits.hit(f"start:{scope.user.id}", STARTS, 60)


def download(data: bytes, mime: str, filename: str) -> bytes:
    """A file to save, never to run: no type that a browser would render, no sniffing."""
    harmless = mime.split("/")[0] in ("image", "audio", "video") and "svg" not in mime
    response.set_header("Content-Type", mime if harmless else "application/octet-stream")
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in filename)
    percent = quote(filename.encode("utf-8", "replace"), safe="")
    response.set_header("Content-Disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{percent}")
    response.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
    return data


def lang() -> str:
    """The language of this request, as app.py found it."""
    return str(request.environ.get("mailhelper.lang", "en"))
