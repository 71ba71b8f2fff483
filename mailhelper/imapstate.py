"""What a server has, in as few words as it knows: numbers of folders, what has changed since, and what its mails are known by."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mailhelper.imapfetch import FLAGS, date, flag_names, ranges, sequence_set, unusual
from mailhelper.imapwire import Client, Wire

NUMBERS = ("MESSAGES", "UIDNEXT", "UIDVALIDITY")
STATUS = re.compile(rb'("(?:[^"\\]|\\.)*"|[^ "(]+)? ?\((.*)\)\s*', re.DOTALL)
NUMBER = re.compile(rb"([A-Z]+) (?:\(([^()]*)\)|(\d+))", re.IGNORECASE)
OPENED = re.compile(rb"\* (?:(\d+) (EXISTS)|OK \[([A-Z]+) (?:\(([^()]*)\)|(\d+))\])", re.IGNORECASE)
OBJECT_ID = re.compile(rb"\(?([A-Za-z0-9_-]{1,255})\)?")      # RFC 8474 §7
VANISHED = re.compile(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)\s*", re.IGNORECASE)

FIELDS = "MESSAGE-ID FROM SENDER"
_FACT = (rb'UID (\d+)|FLAGS \(([^()]*)\)|INTERNALDATE "([^"]*)"|RFC822\.SIZE (\d+)|EMAILID \(([^()]*)\)|X-GM-MSGID (\d+)|MODSEQ \(\d+\)')
FACTS = re.compile(rb"\* \d+ FETCH \((?:(?:" + _FACT + rb") ?)*(?:BODY\[HEADER\.FIELDS \([^)]*\)\] \{(\d+)\}|\))\r\n", re.IGNORECASE)
FACTS_END = re.compile(rb"(?: ?(?:" + _FACT + rb"))*\)\r\n", re.IGNORECASE)


class Selected(NamedTuple):
    """The numbers of a folder; 0 and "" for what the server does not tell."""
    uidvalidity: int
    uidnext: int
    exists: int
    highestmodseq: int      # RFC 7162
    mailbox_id: str = ""    # RFC 8474: what a folder keeps when it is renamed


class Changes(NamedTuple):
    """What happened in a folder since a MODSEQ."""
    selected: Selected
    flags: dict[int, tuple[str, ...]]       # of mails that are new or were changed
    vanished: list[tuple[int, int]]         # from UID, to UID: of those that are there no more, and of some that never were


class Facts(NamedTuple):
    """What a mail is known by, short of its text."""
    uid: int
    flags: tuple[str, ...]
    received: datetime | None               # INTERNALDATE, naive UTC
    size: int                               # bytes
    object_id: str                          # EMAILID (RFC 8474) or Gmail's X-GM-MSGID: the same for each copy, and after a move
    header: bytes                           # the fields FIELDS, where asked for


def status_items(capabilities: frozenset[str]) -> list[str]:
    """What to ask STATUS for."""
    # Not for MAILBOXID: Cyrus 3.6 gives bytes of no meaning then.  It comes when a folder is opened.
    return [*NUMBERS, *(["HIGHESTMODSEQ"] if "CONDSTORE" in capabilities else [])]


def object_item(capabilities: frozenset[str]) -> str:
    """What FETCH calls the id of a mail that outlives moves, "" where there is none."""
    return "EMAILID" if "OBJECTID" in capabilities else "X-GM-MSGID" if "X-GM-EXT-1" in capabilities else ""


def status(client: Client, name: str, items: Sequence[str]) -> Selected:
    """STATUS of one folder (RFC 9051 §6.3.11).  Raises ValueError for an answer that tells nothing."""
    client.wire.untagged_responses.pop("STATUS", None)
    said = client._command_and_check("status", client._normalise_folder(name), f"({' '.join(items)})", unpack=False)
    found = list(_statuses(said))
    if not found:
        raise ValueError("STATUS")
    return found[-1][1]


def listed(client: Client) -> dict[bytes, Selected]:
    """{name as the server writes it: numbers} of what came with the last LIST (RFC 5819)."""
    return dict(_statuses(client.wire.untagged_responses.pop("STATUS", [])))


def _statuses(answers: Sequence[Any]) -> Iterator[tuple[bytes, Selected]]:
    name: bytes | None = None
    for answer in answers:
        if isinstance(answer, tuple):       # the name came as a literal
            name = answer[1]
        elif answer and (match := STATUS.fullmatch(answer)):
            quoted = match[1] or b""
            plain = re.sub(rb"\\(.)", rb"\1", quoted[1:-1], flags=re.DOTALL) if quoted.startswith(b'"') else quoted
            yield (plain if name is None else name), _selected(match[2])
            name = None


def _selected(items: bytes) -> Selected:
    return numbers({key.upper(): text or number for key, text, number in NUMBER.findall(items)}, b"MESSAGES")


def numbers(values: Mapping[bytes, Any], exists: bytes) -> Selected:
    """What a server said of a folder, by the names of its answers; `exists`: what it calls the number of mails."""
    uidvalidity, uidnext, count, modseq = (int(values.get(key) or 0) for key in (b"UIDVALIDITY", b"UIDNEXT", exists, b"HIGHESTMODSEQ"))
    mailbox_id = OBJECT_ID.fullmatch(values.get(b"MAILBOXID") or b"")
    return Selected(uidvalidity, uidnext, count, modseq, mailbox_id[1].decode("ascii") if mailbox_id else "")


def resync(client: Client, name: str, uidvalidity: int, modseq: int) -> Changes:
    """EXAMINE with QRESYNC (RFC 7162 §3.2.5): everything since `modseq` in one round.  Nothing but numbers if UIDVALIDITY is another now."""
    wire: Wire = client.wire
    values: dict[bytes, bytes] = {}
    flags: dict[int, tuple[str, ...]] = {}
    vanished: list[tuple[int, int]] = []
    wire.is_readonly, wire.state = True, "AUTH"     # whatever was open is closed by this, also when it is refused
    for line in wire.answers("EXAMINE", client._normalise_folder(name), f"(QRESYNC ({uidvalidity} {modseq}))"):
        if match := VANISHED.fullmatch(line):
            vanished += ranges(match[1])
        elif match := OPENED.match(line):
            values[(match[2] or match[3]).upper()] = match[1] or match[4] or match[5] or b""
        elif match := FLAGS.fullmatch(line):
            if match[1]:
                flags[int(match[1])] = flag_names(match[2] or b"")
        else:
            for item in unusual(wire.rest(line), strict=True):
                if item.uid:
                    flags[item.uid] = item.flags or ()
    wire.state = "SELECTED"
    return Changes(numbers(values, b"EXISTS"), flags, vanished)


def survey(wire: Wire, uids: Sequence[int], object_id: str, header: bool) -> Iterator[Facts]:
    """What the given mails of the selected folder are known by; `header` asks for the fields that tell where no id does.

    What cannot be read is left out: it is fetched as if nothing were known of it.
    """
    items = ["UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", *([object_id] if object_id else []),
             *([f"BODY.PEEK[HEADER.FIELDS ({FIELDS})]"] if header else [])]
    for line in wire.answers("UID", "FETCH", sequence_set(uids), f"({' '.join(items)})"):
        if not (head := FACTS.fullmatch(line)):
            yield from _odd_facts(wire.rest(line))
            continue
        text = wire.read(int(head[7])) if head[7] else b""
        end = wire.readline() if head[7] else b")\r\n"
        if not (tail := FACTS_END.fullmatch(end)):
            yield from _odd_facts([(line.rstrip(b"\r\n"), text), *wire.rest(end)])
        elif uid := head[1] or tail[1]:
            flags, received, size, email, gmail = (head[at] if head[at] is not None else tail[at] for at in range(2, 7))
            yield Facts(int(uid), flag_names(flags or b""), date(received), int(size or 0), (email or gmail or b"").decode("ascii", "replace"), text)


def _odd_facts(parts: list[tuple[bytes, bytes] | bytes]) -> Iterator[Facts]:
    for item in unusual(parts):
        if item.uid:
            texts = [value for key, value in item.more.items() if key.startswith(b"BODY[HEADER") and isinstance(value, bytes)]
            size, email, gmail = (item.more.get(key) for key in (b"RFC822.SIZE", b"EMAILID", b"X-GM-MSGID"))
            named = email[0] if isinstance(email, tuple) and email else gmail
            text = named.decode("ascii", "replace") if isinstance(named, bytes) else str(named or "")
            yield Facts(item.uid, item.flags or (), item.received, size if isinstance(size, int) else 0, text, *(texts[:1] or [b""]))
