"""The words of the program in each language, and how that language writes numbers, sizes, days and times."""

import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

LANGUAGES = ("en", "de")
ROOT = Path(__file__).parent / "locale"
PLURALS = {"zero", "one", "two", "few", "many", "other"}
SEPARATORS = {"en": (",", "."), "de": (".", ",")}       # thousands, decimals
# babel patterns: the weekday of the last six days; a day of this year; a day of another year; a deadline; a whole date
PATTERNS = {
    "en": {"near": "EEE", "year": "d MMM", "far": "d MMM y", "day": "EEE, d MMM", "full": "EEEE, d MMMM y"},
    "de": {"near": "EEE", "year": "d. MMM", "far": "d. MMM y", "day": "EEE, d. MMM", "full": "EEEE, d. MMMM y"},
}

Template = str | dict[str, str]


@lru_cache
def load(lang: str) -> dict[str, Template]:
    """{key: template} of every catalogue file of a language; a plural table stays a dict of its forms."""
    words: dict[str, Template] = {}
    for path in sorted((ROOT / lang).glob("*.toml")):
        for key, template in _flat(tomllib.loads(path.read_text("utf-8")), ""):
            if key in words:
                raise ValueError(f"{path.name}: {key} is written twice")
            words[key] = template
    return words


def t(lang: str, key: str, /, **params: Any) -> str:
    """The words behind a key.  `count` picks the plural form and is written the way the language writes numbers.

    A missing key raises KeyError, so that a forgotten translation is seen by a test and not by a reader.
    """
    template = load(lang)[key]
    if "count" in params:
        count = params["count"]
        if isinstance(template, dict):
            template = template.get(_locale(lang).plural_form(count), template["other"])
        params["count"] = number(lang, count)
    elif isinstance(template, dict):
        template = template["other"]
    return template.format(**params) if params else template.format()


def negotiate(header: str | None) -> str:
    """The best language for an Accept-Language header (RFC 9110 §12.5.4); English when it names none of ours."""
    best, best_weight = LANGUAGES[0], 0.0
    for item in (header or "").split(",")[:20]:
        tag, _, rest = item.partition(";")
        found = re.fullmatch(r"\s*q=(\d(?:\.\d{0,3})?)\s*", rest)
        weight = float(found[1]) if found else 1.0
        lang = tag.strip().lower().split("-")[0]
        if lang in LANGUAGES and weight > best_weight:
            best, best_weight = lang, weight
    return best


def number(lang: str, n: int) -> str:
    """6046 → 6,046 or 6.046."""
    text = f"{n:,}"
    return text if lang == "en" else text.replace(",", SEPARATORS[lang][0])


def amount(lang: str, value: float) -> str:
    """Money of whatever currency: 1,234.50 or 1.234,50."""
    whole, _, parts = f"{value:.2f}".partition(".")
    return f"{number(lang, int(whole))}{SEPARATORS[lang][1]}{parts}"


def size(lang: str, count: int) -> str:
    """Bytes as people read them: 812 B, 214 kB, 1.2 MB (powers of 1000)."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            break
        value /= 1000
    text = f"{value:.1f}" if unit in ("MB", "GB") and value < 9.95 else f"{value:.0f}"
    return f"{text.replace('.', SEPARATORS[lang][1])} {unit}"


@lru_cache(4096)
def when(lang: str, at: datetime, tz: str, today: date) -> str:
    """A short time for a list, `at` naive UTC, `today` the reader's day: 09:12 · yesterday · Fri · 12 Nov · 12 Nov 2025."""
    here = local(at, tz)
    if here.date() == today:
        return f"{here.hour:02d}:{here.minute:02d}"
    return _near(lang, here.date(), today)


def full(lang: str, at: datetime, tz: str) -> str:
    """A whole time for the mail page: Friday, 20 November 2026, 09:12."""
    here = local(at, tz)
    return f"{_date(lang, 'full', here.date())}, {here.hour:02d}:{here.minute:02d}"


def day(lang: str, value: date | str, today: date | None = None) -> str:
    """A day, given as date or ISO text, for reasons and deadlines: Fri, 27 Nov · 27 Nov 2025 when not of this year."""
    at = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return _date(lang, "day" if at.year == (today or datetime.now(UTC).date()).year else "far", at)


def _flat(table: dict[str, Any], prefix: str) -> list[tuple[str, Template]]:
    found: list[tuple[str, Template]] = []
    for name, value in table.items():
        if isinstance(value, dict) and not ("other" in value and value.keys() <= PLURALS):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, value))
    return found


@lru_cache
def _locale(lang: str) -> Locale:
    return Locale.parse(lang)


@lru_cache(64)
def zone(tz: str) -> ZoneInfo:
    """The time zone of a name; UTC when this machine does not know it."""
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def local(at: datetime, tz: str) -> datetime:
    """A naive UTC time on the clock of a time zone."""
    return at.replace(tzinfo=UTC).astimezone(zone(tz))


@lru_cache(4096)        # babel takes 30 µs a date, a list has fifty of them and few different days
def _near(lang: str, at: date, today: date) -> str:
    if at == today - timedelta(1):
        return t(lang, "time.yesterday")
    if timedelta(0) < today - at < timedelta(7):
        return _date(lang, "near", at)
    return _date(lang, "year" if at.year == today.year else "far", at)


@lru_cache(4096)
def _date(lang: str, pattern: str, at: date) -> str:
    return format_date(at, PATTERNS[lang][pattern], locale=_locale(lang))
