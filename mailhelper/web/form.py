"""Reads what came with a request: form fields, query, JSON body, the address it came from."""

import ipaddress
import json
from collections.abc import Collection, Mapping
from typing import Any

from bottle import BaseRequest, request

from mailhelper.config import config
from mailhelper.errors import Invalid, TooLarge

MAX_BODY = 2_000_000
BaseRequest.MEMFILE_MAX = MAX_BODY      # bottle's 100 kB would refuse a long draft


def text(name: str, default: str = "") -> str:
    """A form field, else the same name in the query; stripped."""
    value = request.forms.getunicode(name)
    return (request.query.getunicode(name, default) if value is None else value).strip()


def given(*names: str) -> dict[str, str]:
    """The form fields of these names that the form has, as typed."""
    return {name: value for name in names if (value := request.forms.getunicode(name)) is not None}


def secret(name: str) -> str:
    """A password field: as typed."""
    return request.forms.getunicode(name) or ""


def flag(name: str) -> bool:
    """A checkbox, or 1/0."""
    return text(name) in ("1", "on", "true", "yes")


def whole(name: str) -> int | None:
    """A whole number, or None when the field is empty.  Raises Invalid with the field."""
    value = text(name)
    if not value:
        return None
    if not value.isdecimal() or len(value) > 9:
        raise Invalid(fields={name: ("out_of_range", {"low": 0, "high": 999_999_999})})
    return int(value)


def several(name: str) -> list[int]:
    """The whole numbers of a field that may come many times, each once; anything else is left out."""
    values = request.forms.getall(name)
    return list(dict.fromkeys(int(value) for value in values if value.isdecimal() and len(value) < 10))


def texts(name: str) -> list[str]:
    """A field that may come many times: as typed, in order, empty ones too."""
    values: list[str] = request.forms.decode().getall(name)
    return [value.strip() for value in values]


def query() -> dict[str, str]:
    """The query parameters; an empty one counts as left out."""
    return {name: value for name in request.query if (value := request.query.getunicode(name, "").strip())}


def body(allowed: Collection[str] | None = None) -> dict[str, Any]:
    """The JSON object of the request, or {}.  Raises Invalid for other JSON and for fields that are not `allowed`."""
    if (request.content_length or 0) > MAX_BODY:
        raise TooLarge()
    if not is_json():
        return {}
    raw = request.body.read(MAX_BODY + 1)
    try:
        values = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        raise Invalid("bad_json") from None
    if not isinstance(values, dict):
        raise Invalid("bad_json")
    refuse_unknown(values, allowed)
    return values


def refuse_unknown(values: Mapping[str, Any], allowed: Collection[str] | None) -> None:
    """Raises Invalid that names the fields that are not `allowed`."""
    unknown = [name for name in values if allowed is not None and name not in allowed]
    if unknown:
        raise Invalid(fields=dict.fromkeys(unknown, "unknown_field"))


def paging(most: int = 200, more: Collection[str] = ()) -> tuple[int, int | None]:
    """(limit, id to stay below) of a list whose newest rows come first; `more`: what it also takes.  Raises Invalid with limit or cursor."""
    asked = query()
    refuse_unknown(asked, {"limit", "cursor", *more})
    limit, cursor = asked.get("limit", "50"), asked.get("cursor", "")
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= most:
        raise Invalid(fields={"limit": ("out_of_range", {"low": 1, "high": most})})
    if cursor and not (cursor.isdecimal() and len(cursor) < 10):
        raise Invalid(fields={"cursor": "bad_cursor"})
    return int(limit), int(cursor) if cursor else None


def is_json() -> bool:
    """Whether the request's body is JSON."""
    return (request.content_type or "").split(";")[0].strip().lower() == "application/json"


def wants_json() -> bool:
    """Whether the answer should be JSON: a script's, not a form's or a page's."""
    return request.path.startswith("/api/") or not _is_browser_form() and (request.path.startswith("/tasks/") or is_json() or _asks_json())


def _asks_json() -> bool:
    accept = request.get_header("Accept", "")
    return "Authorization" in request.headers or ("application/json" in accept and "text/html" not in accept)


def _is_browser_form() -> bool:
    """A plain HTML form, which cannot say what it accepts nor carry a header."""
    kind = (request.content_type or "").split(";")[0]
    return request.method == "POST" and kind in ("application/x-www-form-urlencoded", "multipart/form-data") and not _asks_json()


def address() -> str:
    """Who asks: the peer, or what a trusted proxy says of it."""
    peer: str = request.environ.get("REMOTE_ADDR", "")
    for hop in reversed((request.get_header("X-Forwarded-For") or "").split(",")):
        if not _is_proxy(peer) or not hop.strip():
            break
        peer = without_port(hop.strip())
    return peer


def without_port(hop: str) -> str:
    """Some proxies write 192.0.2.1:4711 or [2001:db8::1]:4711; a caller's every connection must not count as another address."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def is_secure() -> bool:
    """Whether the page came over https, here or at a trusted proxy."""
    if _is_proxy(request.environ.get("REMOTE_ADDR", "")):
        return request.get_header("X-Forwarded-Proto", "") == "https"
    return bool(request.environ.get("wsgi.url_scheme") == "https")


def _is_proxy(peer: str) -> bool:
    try:
        ip = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(network, strict=False) for network in config.trusted_proxies)
