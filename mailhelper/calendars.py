"""Reads the calendar part of a mail (iCalendar RFC 5545, as RFC 5546 sends it around): what, when, who; never raises.

The library does not get to see the names of time zones: it keeps zones by name across calendars, so that what one mail
says of "My zone" would be believed of the next, and fails at some names.
"""

import datetime as dt
import logging
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from icalendar import Calendar, Component, Event, vCalAddress
from icalendar.timezone import tzp
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

log = logging.getLogger(__name__)
LARGEST = 500_000           # bytes
MOST_PEOPLE = 100
MOST_TIMES = 60             # occurrences of a series that are looked at
LONGEST_TEXT = 4_000        # characters
METHODS = ("REQUEST", "REPLY", "CANCEL", "PUBLISH", "COUNTER", "DECLINECOUNTER", "ADD", "REFRESH")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ZONE = re.compile(rb";TZID=", re.I)
STEPS = {"DAILY": dt.timedelta(days=1), "WEEKLY": dt.timedelta(weeks=1)}

When = dt.datetime | dt.date


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of an invitation; answer: needs-action, accepted, declined, tentative, delegated."""
    name: str
    address: str
    answer: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """One event.  Times are naive UTC; of an all-day event dates, the end excluded; floating: on whatever clock the reader has.

    unclear: "" or why there is no time: no_time, zone (a zone that nobody knows; `wall` is then what was written there).
    repeats: "" or daily, weekly, monthly, yearly, other.  times: (start, end) of what lies in a series, as far as it is understood.
    """
    method: str
    uid: str
    recurrence_id: str
    sequence: int
    stamp: dt.datetime | None
    cancelled: bool
    summary: str
    location: str
    description: str
    organizer: Person | None
    attendees: tuple[Person, ...]
    start: When | None
    end: When | None
    all_day: bool
    floating: bool
    unclear: str
    wall: str
    zone: str
    repeats: str
    times: tuple[tuple[dt.datetime, dt.datetime], ...]


def parse(data: bytes) -> Invitation | None:
    """The first event of a calendar, with the method it was sent by; None where there is none."""
    try:
        return _read(data) if len(data) <= LARGEST else None
    except Exception as error:      # whatever a calendar breaks in the library, the mail is read without it
        log.warning("a calendar could not be read: %s", type(error).__name__)
        return None
    finally:
        tzp.use_zoneinfo()      # forgets the zones that the library kept


def reply(data: bytes, address: str, name: str, answer: str, at: dt.datetime) -> str:
    """The answer of somebody to an invitation (RFC 5546 §3.2.3), `at` being naive UTC.  Raises ValueError for what is no invitation."""
    event = _event(Calendar.from_ical(data))
    answered = Event()
    for field in ("UID", "RECURRENCE-ID", "SEQUENCE", "ORGANIZER", "SUMMARY"):
        if field in event:
            answered[field] = event[field]
    answered.add("DTSTAMP", at.replace(tzinfo=dt.UTC))
    person = vCalAddress(f"mailto:{address}")
    person.params["PARTSTAT"] = answer.upper()
    if name:
        person.params["CN"] = name
    answered.add("ATTENDEE", person, encode=False)
    calendar = Calendar()
    for field, value in (("PRODID", "-//mailhelper//EN"), ("VERSION", "2.0"), ("METHOD", "REPLY")):
        calendar.add(field, value)
    calendar.add_component(answered)
    return str(calendar.to_ical().decode())


def _event(calendar: Component) -> Component:
    """A series comes first as a whole, then with what differs of single occurrences.  Raises ValueError without any."""
    events = calendar.walk("VEVENT")
    if not events:
        raise ValueError("VEVENT")
    return next((one for one in events if "RECURRENCE-ID" not in one), events[0])


def _read(data: bytes) -> Invitation | None:
    calendar = next(iter(Calendar.from_ical(ZONE.sub(b";X-TZID=", data), multiple=True)), None)
    if calendar is None or not calendar.walk("VEVENT"):
        return None
    event = _event(calendar)
    method = str(calendar.get("METHOD", "")).upper()
    zones = {str(zone.get("TZID")): zone for zone in calendar.walk("VTIMEZONE")}
    time = _Times(event, zones)
    return Invitation(
        method=method.lower() if method in METHODS else "publish", uid=_text(event, "UID")[:500], recurrence_id=_recurrence(event),
        sequence=_whole(event.get("SEQUENCE")), stamp=_utc(event.get("DTSTAMP")),
        cancelled=method == "CANCEL" or _text(event, "STATUS") == "CANCELLED",
        summary=_text(event, "SUMMARY")[:500], location=_text(event, "LOCATION")[:500], description=_text(event, "DESCRIPTION"),
        organizer=next(_people(event, "ORGANIZER"), None), attendees=tuple(_people(event, "ATTENDEE")),
        start=time.start, end=time.end, all_day=time.all_day, floating=time.floating, unclear=time.unclear, wall=time.wall, zone=time.zone_name,
        repeats=time.repeats, times=tuple(time.all()))


class _Times:
    """When an event is."""

    def __init__(self, event: Component, zones: dict[str, Component]) -> None:
        self.event, self.zones = event, zones
        self.start: When | None = None
        self.end: When | None = None
        self.all_day = self.floating = False
        self.unclear, self.wall, self.zone_name = "", "", ""
        self.zone: dt.tzinfo | None = None
        self.repeats = self._repeats()
        self._read()

    def _read(self) -> None:
        begin = self.event.get("DTSTART")
        at = _value(begin)
        if not isinstance(at, dt.date):
            self.unclear = "no_time"
            return
        self.all_day = not isinstance(at, dt.datetime)
        length = self._length(at)
        if self.all_day:
            self.start, self.end = at, at + (length or dt.timedelta(days=1))
            return
        local, self.zone = self._local(begin)
        self.floating = self.zone is None and not self.unclear
        self.wall = local.isoformat(" ", "minutes")
        if not self.unclear:
            self.start = _naive(local, self.zone)
            self.end = self._end(local, length)

    def _end(self, local: dt.datetime, length: dt.timedelta | None) -> dt.datetime | None:
        finish = self.event.get("DTEND")
        if not isinstance(_value(finish), dt.datetime):
            return _naive(local, self.zone) + (length or dt.timedelta())
        end, zone = self._local(finish)
        if self.unclear or self.floating != (zone is None):
            self.unclear = ""
            return None
        return max(_naive(end, zone), _naive(local, self.zone))

    def _length(self, start: When) -> dt.timedelta | None:
        """Of DURATION, or of two days."""
        duration, finish = _value(self.event.get("DURATION")), _value(self.event.get("DTEND"))
        if isinstance(duration, dt.timedelta):
            return max(duration, dt.timedelta())
        if self.all_day and type(finish) is type(start):
            return max(finish - start, dt.timedelta(days=1))      # type: ignore[no-any-return]
        return None

    def _local(self, value: Any) -> tuple[dt.datetime, dt.tzinfo | None]:
        """The wall clock as written, and its zone; None: floating.  Sets `unclear` for a zone that nobody knows."""
        at, name = value.dt, str(value.params.get("X-TZID", ""))
        if not name:
            return at.replace(tzinfo=None), dt.UTC if at.tzinfo else None
        self.zone_name = name[:100]
        zone = self._zone(name)
        if zone is None:
            self.unclear = "zone"
        return at.replace(tzinfo=None), zone

    def _zone(self, name: str) -> dt.tzinfo | None:
        """An IANA name (also at the end of a longer one, RFC 5545 §3.8.3.1), what this calendar says of the name, or a name of Windows."""
        plain = name.strip().strip("/").strip('"')
        parts = plain.split("/")
        for begin in range(len(parts)):
            if zone := _iana("/".join(parts[begin:])):
                return zone
        for known in (name, plain):
            if known in self.zones:
                return self.zones[known].to_tz(tzp, lookup_tzid=False)      # type: ignore[no-any-return, attr-defined]
        return _iana(WINDOWS_TO_OLSON.get(plain, ""))

    # ── series ──

    def _rule(self) -> dict[str, Any]:
        rule = self.event.get("RRULE")
        parts = (rule[0] if isinstance(rule, list) else rule or {}).items()
        return {str(name).upper(): value if isinstance(value, list) else [value] for name, value in parts}

    def _repeats(self) -> str:
        often = str((self._rule().get("FREQ") or [""])[0]).upper()
        known = {"DAILY": "daily", "WEEKLY": "weekly", "MONTHLY": "monthly", "YEARLY": "yearly"}
        return known.get(often, "other") if often or self.event.get("RDATE") else ""

    def all(self) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """Start and end as naive UTC of the event, or of the first occurrences of a daily or weekly series; none where the time is unclear."""
        if not isinstance(self.start, dt.datetime) or not isinstance(self.end, dt.datetime) or self.floating:
            return
        length = self.end - self.start
        first = self.start.replace(tzinfo=dt.UTC).astimezone(self.zone)
        for day in self._days(first):
            # On the clock of the zone: ten o'clock stays ten o'clock when summer begins.
            at = first.replace(tzinfo=None) + dt.timedelta(days=day)
            start = _naive(at, self.zone)
            yield start, start + length

    def _days(self, first: dt.datetime) -> Iterator[int]:
        """How many days after the first each occurrence is."""
        rule = self._rule()
        often = str((rule.get("FREQ") or [""])[0]).upper()
        known = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}
        if often not in STEPS or rule.keys() - known or self.event.get("EXDATE") or (often == "DAILY" and "BYDAY" in rule):
            yield 0
            return
        every = max(1, _whole(rule.get("INTERVAL", [1])[0])) * STEPS[often].days
        names = [str(name).upper() for name in rule.get("BYDAY", [])]
        offsets = sorted(DAYS.index(name) - first.weekday() for name in names if name in DAYS) or [0]
        left = min(MOST_TIMES, _whole(rule["COUNT"][0]) if "COUNT" in rule else MOST_TIMES)
        until = rule["UNTIL"][0] if "UNTIL" in rule else None
        for step in range(MOST_TIMES):
            for offset in offsets:
                day = step * every + offset
                if day < 0:
                    continue
                if left <= 0 or (until is not None and _after(first + dt.timedelta(days=day), until)):
                    return
                left -= 1
                yield day


def _after(at: dt.datetime, until: Any) -> bool:
    if isinstance(until, dt.datetime):
        return at > until if until.tzinfo else at.replace(tzinfo=None) > until
    return isinstance(until, dt.date) and at.date() > until


def _naive(at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """Naive UTC; a floating time stays as it is."""
    return at if zone is None else at.replace(tzinfo=zone).astimezone(dt.UTC).replace(tzinfo=None)


def _iana(name: str) -> dt.tzinfo | None:
    if not re.fullmatch(r"[A-Za-z][\w+-]*(/[\w+-]+)*", name):
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _recurrence(event: Component) -> str:
    """Which occurrence of a series is meant."""
    value = event.get("RECURRENCE-ID")
    return value.to_ical().decode("ascii", "replace")[:40] if value is not None and not isinstance(value, list) else ""


def _value(prop: Any) -> Any:
    """The date, time or duration of a property; None where there is none, or nonsense."""
    try:
        return getattr(prop, "dt", None)
    except ValueError:
        return None


def _utc(prop: Any) -> dt.datetime | None:
    at = _value(prop)
    return at.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(at, dt.datetime) and at.tzinfo else None


def _text(event: Component, name: str) -> str:
    value = event.get(name)
    return str(value[0] if isinstance(value, list) else value or "").replace("\x00", "").strip()[:LONGEST_TEXT]


def _whole(value: Any) -> int:
    try:
        return max(0, min(int(value), 2 ** 31 - 1))
    except (TypeError, ValueError):
        return 0


def _people(event: Component, name: str) -> Iterator[Person]:
    values = event.get(name)
    for value in (values if isinstance(values, list) else [values] if values is not None else [])[:MOST_PEOPLE]:
        params = getattr(value, "params", {})
        address = re.sub(r"^mailto:", "", str(value).strip(), flags=re.I)
        answer = str(params.get("PARTSTAT", "NEEDS-ACTION")).lower()[:20]
        yield Person(str(params.get("CN", ""))[:200], address.lower()[:200] if "@" in address else "", answer)
