"""Deadlines: finds the days by which a mail wants something, in English and German, and resolves them against the mail's own date."""
from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from mailhelper import lists

MAX_CUES = 40           # looked at in one mail; a text of nothing but "by by by" costs no more
WINDOW = 80             # characters after a cue in which its day must stand
FARTHEST = 400          # days ahead that are still a deadline
_WORD = re.compile(r"(?<![\w.])\w+")
_MARKS = (". ", ".\n", "! ", "!\n", "? ", "?\n", "\n\n")
# One sign first, which is found fast; the dot behind a number is an end only if that is a year.
_SENTENCE_END = re.compile(r"[.!?\n](?:(?=\s)(?:(?<=[!?])|(?<=\D\.)|(?<=\d{4}\.))|(?<=\n)[ \t]*\n)")


class Deadline(NamedTuple):
    """One day that a mail names: the words as written, the day, the place of the words, how it is named, and whether it is one day
    rather than a span ("this week").

    How: "deadline" says so itself ("Frist 30.11."), "by" is one if something is asked ("by Friday"), "named" is only a day ("tomorrow"),
    "appointment" is the day of one ("your appointment on Monday").
    """

    phrase: str
    day: date
    start: int
    how: str
    exact: bool = True


class _Item(NamedTuple):
    rank: int           # the more exact sort of day wins: 3 a date, 2 a weekday or span, 1 a word such as "tomorrow", 0 an hour of the day
    day: date
    end: int
    exact: bool = True
    start: int = -1     # where it begins, if that is before its cue


def find(folded: str, text: str, words: frozenset[str], base: datetime) -> list[Deadline]:
    """All deadlines of a text, in its order. `folded` is lists.fold(text), `words` its word set, `base` the mail's local time."""
    cues = _cues()
    groups = [words & group.keys() for group in cues]
    if "in" in groups[2] and not words & _units():
        groups[2] -= {"in"}
    if not any(groups):
        return []
    found: dict[int, Deadline] = {}
    places = sorted({(start, kind, cue) for kind, hit in enumerate(groups)
                     for first in hit for cue in cues[kind][first] for start in _places(cue, folded)})
    covered = -1
    for start, kind, cue in places[:MAX_CUES]:
        if start < covered:
            continue
        item = _READERS[kind](folded, start, cue, base)
        if item and FARTHEST + (base.date() - item.day).days >= 0:
            first, covered = (item.start, start + len(cue)) if item.start >= 0 else (start, item.end)
            phrase = " ".join(text[first:covered].split()).strip(" ,.:;()")
            found[start] = Deadline(phrase[:60], item.day, start, "named" if cue == "in" else _HOW[kind], item.exact)
    return [found[start] for start in sorted(found)]


def sentence(folded: str, start: int) -> tuple[int, int]:
    """Where the sentence around a place begins and ends (at most 400 characters either way)."""
    begin = left = max(0, start - 400)
    for mark in _MARKS:
        place = folded.rfind(mark, left, start)
        while place > left and mark[0] == "." and folded[place - 1].isdigit() and not folded[place - 4:place].isdecimal():  # "30.11. 12 Uhr"
            place = folded.rfind(mark, left, place)
        if place >= 0:
            begin = max(begin, place + len(mark))
    return begin, sentence_end(folded, start)


def sentence_end(folded: str, start: int) -> int:
    """Where it ends (at most 400 characters on)."""
    match = _SENTENCE_END.search(folded, start, start + 400)
    return match.end() if match else min(len(folded), start + 400)


def _near(folded: str, start: int, cue: str, base: datetime) -> _Item | None:
    """"by Friday": the day follows at once."""
    if _is_range(folded, start):
        return None
    item = _combine(folded, start + len(cue), base, exact=True)
    return None if item and cue == "bis" and _is_goodbye(folded, start, item) else item


def _noun(folded: str, start: int, cue: str, base: datetime) -> _Item | None:
    """"Deadline for the form: 2 December": the day follows in the same sentence."""
    at = start + len(cue)
    if folded.startswith(" to ", at):
        return None
    stop = min(at + WINDOW, sentence_end(folded, at) + 12)
    for match in _WORD.finditer(folded, at, stop):
        if (match[0][0].isdigit() or match[0] in _starts()) and (item := _combine(folded, match.start(), base, exact=False)):
            return item
    return _behind(folded, start, base) if cue in lists.inner("when", "behind") else None


def _behind(folded: str, start: int, base: datetime) -> _Item | None:
    """"am 27.11. fällig": the day stands before its cue."""
    last: _Item | None = None
    for match in _WORD.finditer(folded, max(0, start - WINDOW // 2), start):
        if match[0][0].isdigit() or match[0] in _starts():
            item = _combine(folded, match.start(), base, exact=False)
            last = item._replace(start=match.start()) if item and item.rank > 1 and item.end <= start else last
    return last


def _within(folded: str, start: int, cue: str, base: datetime) -> _Item | None:
    """"within 24 hours"."""
    match = _tools().number.match(folded, start + len(cue), start + len(cue) + 40)
    return _counted(match, base) if match else None


def _bare(folded: str, start: int, cue: str, base: datetime) -> _Item | None:
    """"tomorrow", "EOD": only named."""
    if folded[max(0, start - 6):start].endswith("guten "):
        return None
    return _combine(folded, start, base, exact=True)


_READERS = (_near, _noun, _within, _bare, _noun)
_HOW = ("by", "deadline", "by", "named", "appointment")


def _combine(folded: str, at: int, base: datetime, exact: bool) -> _Item | None:
    """The days and hours that follow each other from a place on, as one: "EOD Thursday", "Freitag, 30.11., 12 Uhr"."""
    tools, stop = _tools(), min(len(folded), at + WINDOW)
    best: _Item | None = None
    for _ in range(10):
        at = _end(tools.punctuation, folded, at, stop)
        match = tools.item.match(folded, at, stop)
        if not match:
            further = _end(tools.filler, folded, at, stop)
            if further == at:
                break
            at = further
            continue
        item = _resolve(match, base, exact)
        if not item:
            break
        at = item.end
        better = best is None or item.rank > best.rank or (item.rank == best.rank == 1 and item.day > best.day)
        best = item if better or best is None else best._replace(end=at)
    return best if best and (exact or best.rank or folded[best.end - 1] == "m") else None


def _end(pattern: re.Pattern[str], folded: str, at: int, stop: int) -> int:
    match = pattern.match(folded, at, stop)
    return match.end() if match else at


def _resolve(match: re.Match[str], base: datetime, exact: bool) -> _Item | None:
    today, end, kind, value = base.date(), match.end(), match.lastgroup, match[0]
    if kind == "word":
        return _Item(1, today + timedelta(lists.inner("when", "day")[_one(value)]), end)
    if kind == "span":
        return _Item(2, _span(lists.inner("when", "span")[_one(value)], today), end, exact=False)
    if kind == "weekday":
        if len(value) <= 4 and not exact and value not in ("thur",):
            return None
        ahead = (lists.inner("when", "weekday")[value] - today.weekday()) % 7
        # Nobody writes "by Thursday" on a Thursday and means today.
        return _Item(2, today + timedelta(ahead or 7), end)
    if kind == "monthend":
        month = lists.inner("when", "month")[value.split()[-1]]
        first = _nearest(month, 1, None, today)
        return _Item(3, _span("month", first), end) if first else None
    if kind == "hour":
        return _Item(0, today, end)
    if kind == "count":
        counted = _tools().number.match(match.string, match.start() + value.find(" "))
        return _counted(counted, base) if counted else None
    day = _date(match, today)
    return _Item(3, day, end) if day else None


def _counted(match: re.Match[str], base: datetime) -> _Item:
    number = match["number"] or "1"
    count = min(int(number), 1000) if number.isdecimal() else lists.inner("when", "number")[number]
    hours = lists.inner("when", "unit")[_one(match["unit"])] * count
    return _Item(3, (base + timedelta(hours=hours)).date(), match.end())


def _date(match: re.Match[str], today: date) -> date | None:
    """A calendar date; without a year the one nearest to today."""
    group, months = match.groupdict(), lists.inner("when", "month")
    if group["iso"]:
        year, month, day = map(int, group["iso"].split("-"))
        return _safe(year, month, day)
    if group["dotted"] or group["slashed"]:
        first, second, *years = (int(part) for part in re.findall(r"\d+", group["dotted"] or group["slashed"]))
        if group["slashed"] and first <= 12:        # the American way; a first number above 12 can only be a day
            first, second = second, first
        return _nearest(second, first, years[0] if years else None, today)
    written = group["daymonth"] or group["monthday"]
    numbers = [int(part) for part in re.findall(r"\d+", written)]
    name = next(word for word in re.findall(r"[^\W\d_]+", written) if word in months)
    return _nearest(months[name], numbers[0], numbers[1] if len(numbers) > 1 else None, today)


def _nearest(month: int, day: int, year: int | None, today: date) -> date | None:
    if year is not None:
        return _safe(year + 2000 if year < 100 else year, month, day)
    days = [found for offset in (-1, 0, 1) if (found := _safe(today.year + offset, month, day))]
    return min(days, key=lambda found: abs((found - today).days), default=None)


def _safe(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _span(span: str, today: date) -> date:
    if span == "month":
        return (today.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)
    friday = today + timedelta((4 - today.weekday()) % 7)
    return friday + timedelta(7) if span == "next week" else friday


def _is_range(folded: str, start: int) -> bool:
    """"9 bis 17 Uhr", "Monday until Friday", "open until": no deadline."""
    before = folded[max(0, start - 30):start].split()
    last = before[-1].strip(".,:;()") if before else ""
    return last[:1].isdigit() or last in lists.inner("when", "weekday") or last in lists.inner("when", "not_before") \
        or last in ("uhr", "am", "pm", "mo", "di", "mi", "do", "fr", "sa", "so")


def _is_goodbye(folded: str, start: int, item: _Item) -> bool:
    """"Bis morgen!" on a line of its own."""
    line = folded.rfind("\n", 0, start) + 1
    after = folded[item.end:item.end + 20].split("\n", 1)[0]
    return item.rank < 3 and not folded[line:start].strip(" -*>") and not after.strip(" .,!;:()-")


def _places(cue: str, folded: str) -> Iterator[int]:
    start, size = folded.find(cue), len(cue)
    for _ in range(MAX_CUES):
        if start < 0:
            return
        after = folded[start + size:start + size + 1]
        if not (folded[start - 1:start].isalnum() or after.isalnum()):
            yield start
        start = folded.find(cue, start + size)


def _one(value: str) -> str:
    return " ".join(value.split())


@lru_cache(maxsize=1)
def _starts() -> frozenset[str]:
    """The words with which a day can begin."""
    entries = [entry for part in ("day", "weekday", "month", "span", "filler", "within") for entry in lists.inner("when", part)]
    return frozenset(entry.split()[0] for entry in entries)


class _Tools(NamedTuple):
    item: re.Pattern[str]
    punctuation: re.Pattern[str]
    filler: re.Pattern[str]
    number: re.Pattern[str]


@lru_cache(maxsize=1)
def _units() -> frozenset[str]:
    return frozenset(unit.split()[-1] for unit in lists.inner("when", "unit"))


@lru_cache(maxsize=1)
def _cues() -> tuple[dict[str, list[str]], ...]:
    """First word → cues, for the readers in their order."""
    groups = []
    for entries in (lists.inner("when", part) for part in ("near", "noun", "within", "day", "appointment")):
        first: dict[str, list[str]] = {}
        for cue in sorted(entries, key=len, reverse=True):
            first.setdefault(cue.split()[0], []).append(cue)
        groups.append(first)
    return tuple(groups)


@lru_cache(maxsize=1)
def _tools() -> _Tools:
    def any_of(*path: str) -> str:
        entries = sorted(lists.inner("when", *path), key=len, reverse=True)
        return "(?:" + "|".join(r"\s+".join(map(re.escape, entry.split())) for entry in entries) + ")"

    month, year = any_of("month"), r"(?:,?\s{1,3}(?:19|20)\d\d)?"
    count = (r"\s{1,3}(?:(?:von|the|next|den|der|nachsten)\s{1,3}){0,3}"
             rf"(?:(?P<number>\d{{1,3}}|{any_of('number')})\s{{1,3}})?(?P<unit>{any_of('unit')})(?!\w)")
    item = "|".join((
        r"(?P<iso>20\d\d-\d\d-\d\d)(?!\d)",
        r"(?P<dotted>\d{1,2}\.\s?\d{1,2}\.(?:\s?(?:20)?\d\d(?!\d|[:.]\d|\s?uhr))?)(?!\d)",
        r"(?P<slashed>\d{1,2}/\d{1,2}(?:/(?:20)?\d\d)?)(?!\d)",
        rf"(?P<daymonth>\d{{1,2}}(?:st|nd|rd|th|\.)?\s{{0,3}}(?:of\s+)?{month}\b\.?{year})",
        rf"(?P<monthday>{month}\.?\s{{1,3}}\d{{1,2}}(?!\d|:)(?:st|nd|rd|th)?{year})",
        rf"(?P<monthend>(?:end\s+of|ende)\s+{month})(?!\w)(?!\.?\s+\d)",
        rf"(?P<span>{any_of('span')})(?!\w)",
        rf"(?P<word>{any_of('day')})(?!\w)",
        rf"(?P<weekday>{any_of('weekday')})(?!\w)",
        rf"(?P<hour>\d{{1,2}}(?:[:.]\d\d)?\s?(?:[ap]\.?m\b\.?|uhr\b|h\b|o'clock)|\d{{1,2}}:\d\d(?!\d)"
        rf"|{any_of('clock')}\s+(?:{any_of('number')}|\d{{1,2}})(?!\w)|{any_of('hour')}(?=\s?[.,;!?])"
        r"|(?<=\bby )\d{1,2}(?=\s(?:please|today|tonight|or|so)\b|[.!]\s))",
        rf"(?P<count>(?:in|within|innerhalb|binnen|innert)(?:{count.replace('?P<number>', '').replace('?P<unit>', '')}))",
    ))
    filler = rf"{any_of('filler')}(?!\w)\.?"
    return _Tools(re.compile(item), re.compile(r"[\s:,;@*()–—-]+"), re.compile(filler), re.compile(count))
