"""Reads the long answers, FETCH and SEARCH: one regular expression where the server is ordinary, imapclient's parser elsewhere."""

import imaplib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from imapclient.exceptions import ProtocolError
from imapclient.response_parser import parse_fetch_response

from mailhelper.imapwire import Wire

MOST_KEYWORDS, MAX_KEYWORD = 50, 100        # of one mail, and characters of one
MOST_UIDS = 5_000_000       # of one folder; a server that claims more talks nonsense, and would fill the memory
SET_UIDS, SET_CHARACTERS = 200, 900         # of one FETCH command; RFC 2683 §3.2.1.5: lines of about 1,000 octets

_ITEM = rb'UID (\d+)|FLAGS \(([^()]*)\)|INTERNALDATE "([^"]*)"|MODSEQ \(\d+\)|RFC822\.SIZE \d+'
HEAD = re.compile(rb"\* \d+ FETCH \((?:(?:" + _ITEM + rb") )*BODY\[\] \{(\d+)\}\r\n")
TAIL = re.compile(rb"(?: (?:" + _ITEM + rb"))*\)\r\n")
FLAGS = re.compile(rb"\* \d+ FETCH \((?:(?:" + _ITEM + rb") ?)*\)\r\n")
FETCH = re.compile(rb"\* (\d+) FETCH (.*)", re.IGNORECASE | re.DOTALL)
SEARCH = re.compile(rb"\* SEARCH((?: +\d+)+)", re.IGNORECASE)
ESEARCH = re.compile(rb"\* ESEARCH.* ALL ([\d:,]+)", re.IGNORECASE)
DATE = re.compile(r" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}


class Item(NamedTuple):
    """What one FETCH answer says; None where it says nothing."""
    uid: int | None
    flags: tuple[str, ...] | None
    received: datetime | None       # naive UTC
    raw: bytes | None
    more: dict[bytes, Any] = {}     # all that an unusual answer says, as imapclient reads it


class Flags(NamedTuple):
    """What the flags of a mail mean here."""
    seen: bool
    flagged: bool
    answered: bool
    keywords: tuple[str, ...]       # sorted


def fetch(wire: Wire, uids: Sequence[int]) -> Iterator[Item]:
    """FLAGS, INTERNALDATE and bytes of the given mails in the selected folder, as they arrive, without marking them read.

    May give items of other mails or without bytes (unsolicited news): the caller looks at uid and raw.
    """
    for line in wire.answers("UID", "FETCH", sequence_set(uids), "(UID FLAGS INTERNALDATE BODY.PEEK[])"):
        if not (head := HEAD.fullmatch(line)):
            yield from unusual(wire.rest(line))
            continue
        raw = wire.read(int(head[4]))
        end = wire.readline()
        if tail := TAIL.fullmatch(end):
            uid, flags, arrived = head[1] or tail[1], head[2] if head[2] is not None else tail[2], head[3] or tail[3]
            yield Item(int(uid) if uid else None, None if flags is None else flag_names(flags), date(arrived), raw)
        else:
            yield from unusual([(line.rstrip(b"\r\n"), raw), *wire.rest(end)])


def fetch_flags(wire: Wire, modifiers: str | None = None) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(UID, flags) of every mail in the selected folder; `modifiers` as in RFC 7162, "(CHANGEDSINCE 5)"."""
    for line in wire.answers("UID", "FETCH", "1:*", "(UID FLAGS)", *([modifiers] if modifiers else [])):
        if match := FLAGS.fullmatch(line):
            if match[1]:
                yield int(match[1]), flag_names(match[2] or b"")
            continue
        for item in unusual(wire.rest(line), strict=True):
            if item.uid:
                yield item.uid, item.flags or ()


def search(wire: Wire, criteria: str, extended: bool) -> list[int]:
    """The UIDs that match in the selected folder; `extended` asks for ranges (RFC 4731), which are short where a list is long."""
    found: set[int] = set()
    for line in wire.answers("UID", "SEARCH", *(["RETURN (ALL)"] if extended else []), criteria):
        answer = wire.rest(line)[0]
        if match := SEARCH.match(answer) if isinstance(answer, bytes) else None:
            found.update(int(number) for number in match[1].split())        # a long list may come in several lines
        elif match := ESEARCH.match(answer) if isinstance(answer, bytes) else None:
            pairs = ranges(match[1])
            if sum(high - low for low, high in pairs) > MOST_UIDS:
                raise wire.lost(code="protocol_error")
            found.update(*(range(low, high + 1) for low, high in pairs))
    return sorted(found)


def ranges(uid_set: bytes) -> list[tuple[int, int]]:
    """b"4,9:7" → [(4, 4), (7, 9)]"""
    ends = [part.partition(b":") for part in uid_set.split(b",") if part]
    pairs = [(int(low), int(high or low)) for low, _, high in ends]
    return [(min(pair), max(pair)) for pair in pairs]


def unusual(parts: list[tuple[bytes, bytes] | bytes], strict: bool = False) -> list[Item]:
    """The slow way for every FETCH answer that is legal but unusual; nothing for other answers.

    What cannot be read is left out, or raises where `strict`: a mail that is left out of a list of all looks deleted.
    """
    first = parts[0]
    begin = FETCH.fullmatch(first[0] if isinstance(first, tuple) else first)
    if not begin:
        return []
    text = begin[1] + b" " + begin[2]
    try:
        found = parse_fetch_response([(text, first[1]) if isinstance(first, tuple) else text, *parts[1:]], False, False)
    except (ProtocolError, ValueError, TypeError, AttributeError, AssertionError):     # the parser's ways of saying no
        if strict:
            raise imaplib.IMAP4.abort("unreadable answer") from None
        return []
    return [_item(answer) for answer in found.values()]


def _item(answer: dict[bytes, Any]) -> Item:
    flags, received, raw = answer.get(b"FLAGS"), answer.get(b"INTERNALDATE"), answer.get(b"BODY[]")
    if received is not None and received.tzinfo:
        received = received.astimezone(UTC).replace(tzinfo=None)
    if raw is not None and not isinstance(raw, bytes):      # a quoted body that looks like a number
        raw = str(raw).encode("ascii")
    names = None if flags is None else flag_names(b" ".join(flag if isinstance(flag, bytes) else b"%d" % flag for flag in flags))
    return Item(answer.get(b"UID"), names, received, raw, answer)


@lru_cache(maxsize=4096)
def flag_names(flags: bytes) -> tuple[str, ...]:
    """Names of flags, without \\Recent, which is about the session and not the mail.

    A mailbox has few different sets of flags, so nearly every call is a look-up.
    """
    return tuple(name for name in flags.decode("ascii", "replace").split() if name.lower() != "\\recent")


@lru_cache(maxsize=4096)
def flags_of(names: tuple[str, ...]) -> Flags:
    """Names of flags as what they mean here."""
    keywords = sorted({name[:MAX_KEYWORD] for name in names if not name.startswith("\\")})
    return Flags("\\Seen" in names, "\\Flagged" in names, "\\Answered" in names, tuple(keywords[:MOST_KEYWORDS]))


def date(text: bytes | None) -> datetime | None:
    """INTERNALDATE → naive UTC (RFC 9051 §2.3.3); None when it is missing or no date."""
    match = DATE.fullmatch(text.decode("ascii", "replace")) if text else None
    if not match:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        local = datetime(int(year), MONTHS[month.lower()], int(day), int(hour), int(minute), min(int(second), 59))
        return local - offset if sign == "+" else local + offset
    except (ValueError, KeyError, OverflowError):
        return None


def sequence_set(uids: Sequence[int]) -> str:
    """[1, 2, 3, 7] → "1:3,7" """
    ranges: list[list[int]] = []
    for uid in sorted(set(uids)):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in ranges)


def chunks(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    """The UIDs in portions that each fit one command."""
    start = 0
    while start < len(uids):
        size = SET_UIDS
        while size > 1 and len(sequence_set(uids[start:start + size])) > SET_CHARACTERS:
            size //= 2
        yield uids[start:start + size]
        start += size
