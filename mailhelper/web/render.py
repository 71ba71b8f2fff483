"""Templates in, HTML out: one compiled template a page, and what every page needs to know of its reader."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any

from bottle import SimpleTemplate

from mailhelper import language

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES, STATIC = ROOT / "templates", ROOT / "static"
STAMP = "@"             # what stands before a hash in the path of a script
UNSAFE = re.compile("[&<>\"']").search
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
LINK = re.compile(r"https?://[^\s<>\"'()\[\]{}]{3,2000}(?<![.,;:!?])")
MARKS = {"red": "▲", "yellow": "■", "green": "●"}       # colour is never the only sign


@dataclass(frozen=True)
class View:
    """Who looks, from where, and how they like it.  Without any argument: a page for nobody, such as an error page.

    me: {name, admin}.  nav: counts beside the links, {inbox, reply, jobs}.  accounts: [{id, name, state: ok|busy|bad|new}] for the
    side bar.  tags: {name: colour}.  alerts: [{text, kind, url: what to do about it | ""}], shown on every page.
    job: the job under way that the side bar tells of.  toast: {text, undo_url | None}.  now: naive UTC, the real one if None.
    """

    me: dict[str, Any] | None = None
    csrf: str = ""
    path: str = "/"
    lang: str = "en"
    timezone: str = "UTC"
    theme: str = "auto"             # auto | light | dark
    density: str = "comfortable"    # comfortable | compact
    nav: dict[str, int] = field(default_factory=dict)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    job: dict[str, Any] | None = None
    toast: dict[str, Any] | None = None
    now: datetime | None = None


NOBODY = View()
view: ContextVar[View] = ContextVar("view", default=NOBODY)


@contextmanager
def viewing(seen: View) -> Iterator[View]:
    """Pages rendered inside are rendered for this reader."""
    token = view.set(seen)
    try:
        yield seen
    finally:
        view.reset(token)


def page(name: str, **values: Any) -> str:
    """The HTML of templates/<name>.html.  `name` is always a literal: it picks a file."""
    seen = view.get()
    html: str = _template(name).render(_words(seen), values)
    return html


def asset(name: str) -> str:
    """The address of a file in static/, with a hash of its content, so that browsers may keep it for ever.

    A script's hash stands in its path and is one for all of them, since what it imports from beside it has no address of ours.
    """
    return f"/static/{STAMP}{_scripts()}/{name}" if name.endswith(".js") else f"/static/{name}?v={_hash(name)}"


def escape(value: Any) -> str:
    """Anything as text that is safe for element content and quoted attributes; None is nothing."""
    if type(value) is not str:
        if type(value) is int:
            return repr(value)
        value = "" if value is None else str(value)
    return value.translate(ENTITIES) if UNSAFE(value) else value


def pieces(text: str) -> list[tuple[bool, list[list[tuple[str, str]]]]]:
    """Plain mail text for the template: runs of (quoted?, lines), a line being (words, link) with "" where there is no link."""
    runs = groupby(text.split("\n"), key=lambda line: line.startswith(">"))
    return [(quoted, [_links(line) for line in lines]) for quoted, lines in runs]


def _links(line: str) -> list[tuple[str, str]]:
    parts, at = [], 0
    for found in LINK.finditer(line):
        parts += [(line[at:found.start()], ""), (found[0], found[0])]
        at = found.end()
    return [part for part in (*parts, (line[at:], "")) if part[0]]


def _words(seen: View) -> dict[str, Any]:
    now = seen.now or datetime.now(UTC).replace(tzinfo=None)
    lang, tz = seen.lang, seen.timezone
    today = language.local(now, tz).date()
    return {
        "view": seen, "me": seen.me, "csrf": seen.csrf, "path": seen.path, "lang": lang, "nav": seen.nav,
        "t": partial(language.t, lang), "number": partial(language.number, lang), "size": partial(language.size, lang),
        "day": partial(language.day, lang), "full": lambda at: language.full(lang, at, tz),
        "when": lambda at: language.when(lang, at, tz, today),
        "asset": asset, "icons": asset("icons.svg"), "mark": MARKS, "ratings": _ratings(lang), "pieces": pieces, "spoken": _spoken(lang),
    }


class _Template(SimpleTemplate):
    def prepare(self, **options: Any) -> None:
        """SimpleTemplate with an escape that looks before it copies: most text of a page has nothing to escape."""
        super().prepare(**options)
        self._escape = escape


@lru_cache
def _template(name: str) -> _Template:
    return _Template(name=f"{name}.html", lookup=[str(TEMPLATES)])


@lru_cache
def _hash(name: str) -> str:
    return blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()


@lru_cache
def _scripts() -> str:
    return blake2b(b"".join(path.read_bytes() for path in sorted(STATIC.glob("*.js"))), digest_size=6).hexdigest()


@lru_cache
def _ratings(lang: str) -> dict[tuple[int, int], str]:
    """{(urgency, importance): words for the badge}, as every row of a list needs one."""
    t = partial(language.t, lang)
    return {(u, i): t("row.rated", score=2 * u + i, urgency=t(f"urgency.{u}"), importance=t(f"importance.{i}"))
            for u in (1, 2, 3) for i in (1, 2, 3)}


@lru_cache
def _spoken(lang: str) -> str:
    """The words that the scripts say, as JSON: catalogue keys `js.*`."""
    return json.dumps({key[3:]: value for key, value in language.load(lang).items() if key.startswith("js.")}, ensure_ascii=False)
