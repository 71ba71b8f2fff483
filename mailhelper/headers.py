"""Header fields: raw bytes to names and values, and values to words, addresses, dates, ids and parameters."""
import binascii
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from mailhelper import text

Field = tuple[str, str]

MAX_HEAD = 2_000_000     # bytes of one header block
MAX_FIELDS = 2_000
MAX_VALUE = 400_000      # characters: 5,000 recipients fit
MAX_SHORT = 10_000       # characters of a subject, date, Content-Type
MAX_ADDRESSES, MAX_IDS = 10_000, 500

_FIELD = re.compile(r"^([!-9;-~]+)[ \t]*:[ \t]*(.*)\n", re.M)
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)")
# What follows a stray line must be known, or the line is where the body begins.
_KNOWN_FIELD = re.compile(rb"(?:[ \t][^\n]*\n)*(?:from|to|cc|subject|date|received|message-id|references|return-path|delivered-to"
                          rb"|reply-to|sender|mime-version|content-[a-z-]+|x-[a-z0-9-]+)[ \t]*:", re.I)
_IN_HEAD = re.compile(rb"[!-9;-~]*[ \t]*:|[ \t]+[^\s]|>?From ")
_FOLD = re.compile(r"\n[ \t]")
_CONTROLS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_ENCODED = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?(.{0,2000}?)\?=", re.S)
# The plain forms of an address; everything else goes through the tokens.
_SIMPLE = re.compile(r'[^"\\():;\[\]]*\Z')
_QUOTED_ADDRESS = re.compile(r'\s{0,9}"([^"\\<>]*)"\s{0,9}<([^\s"\\(),:;<>@\[\]]+@[^\s"\\(),:;<>@\[\]]+)>\s*\Z')
_BARE_ADDRESS = re.compile(r"([^\s<>@=]+@[^\s<>@]+)\Z")
_TOKEN = re.compile(r'\s+|=\?[^?\s]{1,80}\?[bBqQ]\?[^?]{0,2000}\?=|"[^"\\]*(?:\\.[^"\\]*)*("?)|<+([^<>]*)>*|[(),;:]|[^\s"<(),;:]+|.', re.S)
_PARENTHESIS = re.compile(r"\\.|[()]", re.S)
_COMMENT = re.compile(r"\([^()]{0,200}\)")
_QUOTED_PAIR = re.compile(r"\\(.)", re.S)
_ID = re.compile(r"<([^<>]*)>")
_DATE = re.compile(r"\s*(?:[^\W\d]+\.?,?\s*)?(\d{1,2})[\s.-]+([^\W\d]{3,10})\.?[\s-]+(\d{2,4}),?\s+(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?"
                   r"(?:[.,]\d+)?\s*(?:(?:GMT|UTC?)?\s*([+-])(\d{1,2}):?(\d\d)|\"?([A-Za-z]{1,5})\b)?")
_C_DATE = re.compile(r"\s*(?:[A-Za-z]{3,9},?\s+)?([A-Za-z]{3,9})\s+(\d{1,2}),?\s+(\d{1,2}):(\d\d):(\d\d)\s+(?:([A-Z]{1,5})\s+)?(\d{4})\b")
_ISO_DATE = re.compile(r"\s*(\d{4})[-/](\d\d?)[-/](\d\d?)[T ]\s*(\d\d?):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*"
                       r"(?:([+-])(\d\d):?(\d\d)|([A-Z]{1,5})\b)?")
_MONTHS = {name: number for number, names in enumerate((
    "jan jän gen ene", "feb fév", "mar mär mrz maa", "apr avr abr", "may mai mei mag", "jun jui giu", "jul lug", "aug aoû ago",
    "sep set", "oct okt out ott", "nov", "dec dez déc dic"), 1) for name in names.split()}
_ZONES = {"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "MET": 60, "MEZ": 60,
          "CET": 60, "CEST": 120, "MESZ": 120, "MEST": 120, "BST": 60, "EET": 120, "EEST": 180,
          "MSK": 180, "JST": 540, "KST": 540, "IST": 60}
_MIME = re.compile(r"\s*([\w!#$&^.+-]{1,80}/[\w!#$&^.+-]{1,100})")
_PARAMETER = re.compile(r';\s*([^=;\s"]{1,80})\s*=\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\Z)|([^;]*))', re.S)


class Address(NamedTuple):
    """One mailbox: the name for people, and the address in lower case ("" if none could be read)."""
    name: str
    address: str


def split(raw: bytes, start: int = 0, end: int | None = None) -> tuple[list[Field], int]:
    """The header fields from `start` on, unfolded but not decoded, and where the body begins (RFC 5322 §2.2, §4.5).

    8-bit characters are read as utf-8, then by the charset of Content-Type, then as windows-1252. A line that is no field ends the header.
    """
    end = len(raw) if end is None else end
    if raw.startswith(b"From ", start, end):
        start = raw.find(b"\n", start, end) + 1 or end
    stop, body = _head_end(raw, start, end)
    if stop - start > MAX_HEAD:
        stop = start + MAX_HEAD
    head = _unfold(raw[start:stop])
    fields = _FIELD.findall(head)
    if len(fields) != head.count("\n"):
        stop, body = _first_strange_line(raw, start, stop, body)
        head = _unfold(raw[start:stop])
        fields = _FIELD.findall(head)
    return (fields if head.isascii() else _repaired(fields))[:MAX_FIELDS], body


def decode(value: str) -> str:
    """A value for people: encoded words decoded (RFC 2047), control characters and line breaks to single spaces."""
    if "=?" in value:
        value = _decode_words(value[:MAX_VALUE])
    if not value.isprintable():
        value = text.visible(_CONTROLS.sub(" ", value))
    return value.strip()


def addresses(value: str) -> tuple[Address, ...]:
    """The mailboxes of an address list, groups opened (RFC 5322 §3.4); linear, never fails; at most 10,000."""
    if len(value) < 2_000 and _SIMPLE.match(value):
        found = [_plain_mailbox(piece) for piece in (value.split(",") if "," in value else (value,))]
        if None not in found:
            return tuple(found)  # type: ignore[arg-type]
    elif len(value) < 300 and (match := _QUOTED_ADDRESS.match(value)):
        return (Address(decode(match[1]), match[2].lower()),)
    return tuple(_mailboxes(value[:MAX_VALUE])) if value else ()


def date(value: str) -> datetime | None:
    """The moment in naive UTC (RFC 5322 §3.3 and what senders make of it), or None; an unknown zone counts as UTC."""
    value = value[:200]
    try:
        if match := _DATE.match(value):
            day, month, year, hour, minute, second, *offset = match.groups()
            return _moment(year, _MONTHS[month[:3].lower()], day, hour, minute, second, _offset(*offset))
        if match := _ISO_DATE.match(value):
            year, month, day, hour, minute, second, *offset = match.groups()
            return _moment(year, int(month), day, hour, minute, second, _offset(*offset))
        if match := _C_DATE.match(value):
            month, day, hour, minute, second, zone, year = match.groups()
            return _moment(year, _MONTHS[month[:3].lower()], day, hour, minute, second, _ZONES.get(zone or "", 0))
    except (KeyError, ValueError, OverflowError):
        pass
    return None


def ids(value: str) -> tuple[str, ...]:
    """The message ids in a References or In-Reply-To value, without "<>", each once, in order (RFC 5322 §3.6.4).

    Of more than 500 the first and the last 499 stay: those name the thread and the parents.
    """
    if "<" in value:
        found = [mid for raw in _ID.findall(value[:MAX_VALUE]) if (mid := "".join(raw.split()))]
    else:
        found = [word.strip(",;\"'") for word in value[:MAX_VALUE].split() if "@" in word]
    unique = tuple(dict.fromkeys(found))
    return unique if len(unique) <= MAX_IDS else unique[:1] + unique[1 - MAX_IDS:]


def message_id(value: str) -> str:
    """The id of a Message-ID field without "<>"; a bare one is taken as it is; "" if there is none."""
    found = ids(value) if "<" in value else ()
    return found[0] if found else "".join(value[:MAX_SHORT].split()).strip("<>")


@lru_cache(maxsize=256)
def content_type(value: str, default: str = "text/plain") -> tuple[str, dict[str, str]]:
    """The media type in lower case and its parameters (RFC 2045 §5.1); treat the result as read-only."""
    match = _MIME.match(value)
    found = parameters(value)
    return (match[1].lower() if match else default), found


def parameters(value: str) -> dict[str, str]:
    """The parameters behind the first ";": names in lower case, values decoded (RFC 2231 pieces joined, RFC 2047 tolerated)."""
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, quoted, bare in _PARAMETER.findall(value[:MAX_SHORT]):
        name = name.lower()
        value = _QUOTED_PAIR.sub(r"\1", quoted) if quoted else bare.strip().strip('"')
        if "*" in name:
            base, _, number = name.partition("*")
            extended = name.endswith("*")
            number = number.rstrip("*")
            pieces.setdefault(base, {})[int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0] = (value, extended)
        else:
            found.setdefault(name, decode(value) if "=?" in value else value)
    for base, numbered in pieces.items():
        found[base] = _joined(numbered)
    return found


def _head_end(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the header block ends and the body begins, by the first empty line."""
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return start, start + (1 if raw.startswith(b"\n", start) else 2)
    plain = raw.find(b"\n\n", start, min(end, start + 100_000))
    # The other kind of empty line is looked for only before the first one, and only where there are carriage returns.
    limit = plain + 1 if plain >= 0 else end
    wide = raw.find(b"\n\r\n", start, limit) if raw.find(b"\r", start, limit) >= 0 else -1
    if plain < 0 and wide < 0:
        plain = raw.find(b"\n\n", start, end)
    if plain < 0 and wide < 0:
        return end, end
    return (wide + 1, wide + 3) if wide >= 0 else (plain + 1, plain + 2)


def _unfold(block: bytes) -> str:
    """The block with one field a line, each line ended by a newline."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    head = block.decode("latin-1")
    if head and head[-1] != "\n":
        head += "\n"
    if "\x00" in head:
        head = head.replace("\x00", "")
    return _FOLD.sub(" ", head)


def _repaired(fields: list[Field]) -> list[Field]:
    """Fields whose characters stood for bytes, read by their charset."""
    charset = parameters(next((value for name, value in fields if name.lower() == "content-type"), "")).get("charset", "")
    return [(name, value if value.isascii() else _repair(value.encode("latin-1"), charset)) for name, value in fields]


def _repair(value: bytes, charset: str) -> str:
    decoded, honest = text.decode(value, "utf-8")
    return decoded if honest else text.decode(value, charset)[0]


def _first_strange_line(raw: bytes, start: int, stop: int, body: int) -> tuple[int, int]:
    """Where the fields end and the body begins if a line in between is no field (that line belongs to the body)."""
    for match in _LINE.finditer(raw, start, stop):
        line = match[0]
        if line.strip() and not _IN_HEAD.match(line) and not _KNOWN_FIELD.match(raw, match.end(), stop):
            return match.start(), match.start()
    return stop, body


def _decode_words(value: str) -> str:
    """RFC 2047; the bytes of neighbours with one charset are joined before decoding, as a character may be cut in two."""
    out: list[str] = []
    pending, charset, position = b"", "", 0
    for match in _ENCODED.finditer(value):
        between = value[position:match.start()]
        position = match.end()
        if pending and (between.strip() or match[1].lower() != charset):
            out.append(text.decode(pending, charset)[0])
            pending = b""
        if between.strip() or not charset:
            out.append(between)
        charset = match[1].lower()
        data = match[3].encode("utf-8", "replace")
        pending += text.debase64(data)[0] if match[2] in "bB" else binascii.a2b_qp(data, header=True)
    if pending:
        out.append(text.decode(pending, charset)[0])
    out.append(value[position:])
    return "".join(out)


def _plain_mailbox(piece: str) -> Address | None:
    """An address without quotes, comments or groups, or None if it is not that simple."""
    name, angle, address = piece.strip().partition("<")
    if not angle:
        return Address("", name.lower()) if _BARE_ADDRESS.match(name) else None
    address = address[:-1]
    if not piece.rstrip().endswith(">") or "@" in name or not _BARE_ADDRESS.match(address):
        return None
    return Address(decode(name), address.lower())


def _mailboxes(value: str) -> Iterator[Address]:
    count = 0
    words: list[str] = []
    comments: list[str] = []
    angle: str | None = None
    for kind, token in _tokens(value):
        if kind == "angle" and angle is None:
            angle = token
        elif kind == "comment":
            comments.append(token)
        elif kind == "group":
            words, comments = [], []
        elif kind == "word":
            words.append(token)
        elif kind == "end":
            if mailbox := _mailbox(words, comments, angle):
                yield mailbox
                count += 1
                if count >= MAX_ADDRESSES:
                    return
            words, comments, angle = [], [], None


def _tokens(value: str) -> Iterator[tuple[str, str]]:
    """(kind, text) with the kinds word, comment, angle, group and end; a quote or parenthesis never closed counts as a space."""
    position = 0
    while position < len(value):
        match = _TOKEN.match(value, position)
        assert match  # its last branch takes any character
        token, position = match[0], match.end()
        if token[0] == '"':
            if match[1]:
                yield "word", _QUOTED_PAIR.sub(r"\1", token[1:-1])
            else:
                value, position = token.replace('"', " "), 0
        elif token[0] == "(":
            closed = _closing(value, position)
            if closed < 0:
                value, position = value[position:].replace("(", " ").replace(")", " "), 0
            else:
                yield "comment", _QUOTED_PAIR.sub(r"\1", value[position:closed - 1])
                position = closed
        elif token[0] == "<":
            yield "angle", match[2]
        elif token in (",", ";"):
            yield "end", ""
        elif token == ":":
            yield "group", ""
        elif not token.isspace() and token != ")":
            yield "word", token
    yield "end", ""


def _closing(value: str, position: int) -> int:
    """Behind the parenthesis that closes the one before `position`, or -1 (comments nest, RFC 5322 §3.2.2)."""
    depth = 1
    for match in _PARENTHESIS.finditer(value, position):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return -1


def _mailbox(words: list[str], comments: list[str], angle: str | None) -> Address | None:
    address = ""
    if angle is not None:
        address = "".join((_COMMENT.sub("", angle) if "(" in angle else angle).split())
        if address.startswith("@") and ":" in address:  # an old source route
            address = address.rpartition(":")[2]
    elif words:
        at = max((index for index, word in enumerate(words) if "@" in word), default=-1)
        if at >= 0:
            # "user @ host" and "quoted"@host come in pieces.
            first, last = at - (at > 0 and words[at][0] == "@"), at + 1 + (words[at][-1] == "@")
            address, words = "".join(words[first:last]), words[:first] + words[last:]
        elif len(words) == 1:
            address, words = words[0], []
    name = decode(" ".join(words)) or decode(" ".join(comments))
    address = (decode(address) if "=?" in address else address).strip("\"'").lower()
    if ";" in address or ":" in address and "[" not in address:     # <undisclosed-recipients:;@host>
        name, address = name or address.partition(":")[0], ""
    return Address(name, _CONTROLS.sub("", address)) if name or address else None


def _moment(year: str, month: int, day: str, hour: str, minute: str, second: str | None, offset: int) -> datetime:
    number = int(year)
    number += 2000 if number < 50 else 1900 if number < 1000 else 0
    if not 1960 < number < 2100:
        raise ValueError
    return datetime(number, month, int(day), int(hour), int(minute), min(int(second or 0), 59)) - timedelta(minutes=offset)


def _offset(sign: str | None, hours: str | None, minutes: str | None, zone: str | None) -> int:
    """Minutes east of Greenwich."""
    if sign and hours and minutes:
        return (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
    return _ZONES.get((zone or "").upper(), 0)


def _joined(pieces: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 §3 and §4: numbered pieces in order; the first extended one names the charset for all."""
    charset, data = "", b""
    for index, number in enumerate(sorted(pieces)):
        value, extended = pieces[number]
        if extended and not index and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += unquote_to_bytes(value) if extended else value.encode("utf-8", "replace")
    joined = text.decode(data, charset or "utf-8")[0]
    return decode(joined) if "=?" in joined else joined
