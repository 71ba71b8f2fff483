"""One mail: bytes to the record that everything else reads."""
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import NamedTuple

from mailhelper import errors, headers, html, text
from mailhelper.headers import Address, Field

MAX_DEPTH = 30
MAX_PARTS = 1_000
MAX_TEXT = 5_000_000     # bytes of one displayed part; the rest stays in the original
MAX_BOUNDARY = 1_000
MAX_NAME = 150
LEFT_OUT = "X-Mailhelper-Left-Out"      # field of an empty part whose content was not fetched: size and IMAP section

_EXTENSIONS = {
    "application/pdf": ".pdf", "application/zip": ".zip", "application/msword": ".doc", "application/json": ".json",
    "application/rtf": ".rtf", "application/pgp-signature": ".asc", "application/pkcs7-signature": ".p7s",
    "application/pgp-keys": ".asc", "application/xml": ".xml", "application/ms-tnef": ".dat", "message/rfc822": ".eml",
    "message/global": ".eml", "message/delivery-status": ".txt", "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics",
    "text/csv": ".csv", "text/xml": ".xml", "text/rfc822-headers": ".txt", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp",
    "image/svg+xml": ".svg", "image/tiff": ".tif", "image/bmp": ".bmp", "audio/mpeg": ".mp3", "audio/wav": ".wav", "video/mp4": ".mp4",
}
_CALENDARS = frozenset(("text/calendar", "application/ics"))
_MAILS = frozenset(("message/rfc822", "message/global"))
# Fields that count together when they come more than once, and what joins their values.
_REPEATED = {"to": ", ", "cc": ", ", "bcc": ", ", "reply-to": ", ", "from": ", ", "references": " ", "in-reply-to": " "}
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff<>:\"|?*]+")
_META_CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.I)
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file: numbered from 1 in the order of the mail, size in decoded bytes."""
    number: int
    filename: str
    mime: str
    size: int
    inline: bool
    content_id: str
    left_out: str = ""      # where it is on the server (IMAP's section), if it was not fetched; size is about then


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """What is known of a mail; ids are without "<>", `date` is naive UTC, `fields` are unfolded but not decoded; `tricks` as of text.tricks."""
    size: int
    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    date: datetime | None
    subject: str
    sender: Address
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    fields: tuple[Field, ...]
    calendar: bytes | None
    defects: tuple[str, ...]
    tricks: tuple[str, ...] = ()

    def header(self, name: str) -> str:
        """The first field of that name, decoded; "" if there is none."""
        wanted = name.lower()
        return next((headers.decode(value) for field, value in self.fields if field.lower() == wanted), "")

    def headers(self, name: str) -> tuple[str, ...]:
        """All fields of that name, decoded, from the top."""
        wanted = name.lower()
        return tuple(headers.decode(value) for field, value in self.fields if field.lower() == wanted)


class _Part(NamedTuple):
    """A leaf of the MIME tree: media type, header fields by lower-case name, where its bytes are, the outermost alternative around it."""
    mime: str
    params: dict[str, str]
    head: dict[str, str]
    start: int
    stop: int
    group: int
    root: bool


def parse(raw: bytes) -> ParsedMail:
    """The record of a mail; never raises: what cannot be read is left empty and named in `defects`."""
    try:
        return _record(raw)
    except Exception:  # whatever a mail breaks here, it must neither be lost nor stop a sync
        return _unparsable(raw)


def attachment(raw: bytes, number: int) -> tuple[Attachment, bytes]:
    """The attachment of that number with its decoded bytes.  Raises NotFound."""
    raw = _lines(raw)
    fields, body = headers.split(raw)
    parts = [part for part in _parts(raw, _index(fields), body, set()) if _is_attached(part)]
    if not 1 <= number <= len(parts):
        raise errors.NotFound()
    data = _content(raw, parts[number - 1], set())
    return _attachment(raw, parts[number - 1], number, data, ""), data


def fill_in(raw: bytes, number: int, data: bytes) -> bytes:
    """The mail with the content (encoded as in the mail) of an attachment that was left out so far."""
    fields, body = headers.split(raw)
    part = [part for part in _parts(raw, _index(fields), body, set()) if _is_attached(part)][number - 1]
    return raw[:part.start] + data + raw[part.stop:]


def _record(raw: bytes) -> ParsedMail:
    defects: set[str] = set()
    size, raw = len(raw), _lines(raw)
    fields, body = headers.split(raw)
    head = _index(fields)
    get = head.get
    parts = _parts(raw, head, body, defects)
    plain, rich, attachments, calendar = _body(raw, parts, defects)
    date = None
    if "date" in head and (date := headers.date(head["date"])) is None:
        defects.add("bad_date")
    senders = headers.addresses(get("from", "")) or headers.addresses(get("sender", ""))
    return ParsedMail(
        size=size,
        message_id=headers.message_id(get("message-id", "")),
        in_reply_to=headers.ids(get("in-reply-to", "")),
        references=headers.ids(get("references", "")),
        date=date,
        subject=headers.decode(get("subject", "")[:headers.MAX_SHORT]),
        sender=next((sender for sender in senders if sender.address), senders[0] if senders else Address("", "")),
        reply_to=headers.addresses(get("reply-to", "")),
        to=headers.addresses(get("to", "")),
        cc=headers.addresses(get("cc", "")),
        bcc=headers.addresses(get("bcc", "")),
        text=plain,
        html=rich,
        attachments=attachments,
        fields=tuple(fields),
        calendar=calendar,
        defects=tuple(sorted(defects - text.TRICKS)),
        tricks=tuple(sorted(defects & text.TRICKS)),
    )


def _unparsable(raw: bytes) -> ParsedMail:
    nobody = Address("", "")
    readable = text.visible(text.decode(raw[:MAX_TEXT])[0])
    return ParsedMail(len(raw), "", (), (), None, "", nobody, (), (), (), (), readable, "", (), (), None, ("unparsable",))


def _lines(raw: bytes) -> bytes:
    """A mail of an old Mac has only carriage returns."""
    return raw.replace(b"\r", b"\n") if b"\n" not in raw[:100_000] and b"\r" in raw[:100_000] else raw


def _index(fields: list[Field]) -> dict[str, str]:
    """Values by lower-case name: the first of each, but all of the fields that may rightly or wrongly come in several."""
    head: dict[str, str] = {}
    for name, value in fields:
        name = name.lower()
        if name not in head:
            head[name] = value
        elif name in _REPEATED:
            head[name] += _REPEATED[name] + value
    return head


def _parts(raw: bytes, head: dict[str, str], body: int, defects: set[str]) -> list[_Part]:
    """The leaves of the MIME tree in order (RFC 2046 §5.1), with an own stack: deep mails must not exhaust Python's."""
    leaves: list[_Part] = []
    stack = [(head, body, len(raw), 0, 0, "text/plain")]
    groups = 0
    while stack:
        head, start, stop, depth, group, default = stack.pop()
        mime, params = headers.content_type(head.get("content-type", ""), default)
        if mime.startswith("multipart/") and depth < MAX_DEPTH:
            room = MAX_PARTS - len(leaves) - len(stack)
            spans = _spans(raw, start, stop, params.get("boundary", ""), room, defects)
            if spans:
                if mime == "multipart/alternative" and not group:
                    groups += 1
                    group = groups
                inner = "message/rfc822" if mime == "multipart/digest" else "text/plain"
                for begin, end in reversed(spans):
                    fields, body = headers.split(raw, begin, end)
                    stack.append((_index(fields), body, end, depth + 1, group, inner))
                continue
            defects.add("no_parts")
            mime = "text/plain"
        elif mime.startswith("multipart/"):
            defects.add("too_deep")
        leaves.append(_Part(mime, params, head, start, stop, group, not depth))
    return leaves


def _spans(raw: bytes, start: int, stop: int, boundary: str, room: int, defects: set[str]) -> list[tuple[int, int]]:
    """Where the parts between the boundary lines begin and end; a missing last boundary ends with the multipart."""
    mark = b"--" + boundary.encode("latin-1", "replace").rstrip()
    if not 2 < len(mark) <= MAX_BOUNDARY:
        return []
    spans: list[tuple[int, int]] = []
    begin = -1
    found = raw.find(mark, start, stop)
    while found >= 0:
        after = found + len(mark)
        end = raw.find(b"\n", after, min(stop, after + MAX_BOUNDARY))
        end = stop if end < 0 else end
        tail = raw[after:min(end, after + MAX_BOUNDARY)].rstrip()
        if (found == start or raw[found - 1] in b"\r\n") and tail in (b"", b"--"):
            if begin >= 0:
                spans.append((begin, max(begin, _before_line_end(raw, found))))
            begin = min(end + 1, stop)
            if tail:
                return spans
            if len(spans) >= room:
                defects.add("too_many_parts")
                return spans
            after = end
        found = raw.find(mark, after, stop)
    if begin >= 0:
        spans.append((begin, stop))
    return spans


def _before_line_end(raw: bytes, position: int) -> int:
    """The line end before a boundary belongs to the boundary."""
    if raw[position - 2:position] == b"\r\n":
        return position - 2
    return position - 1


def _content(raw: bytes, part: _Part, defects: set[str]) -> bytes:
    """The bytes of a part with its transfer encoding undone (RFC 2045 §6)."""
    data = raw[part.start:part.stop]
    encoding = part.head.get("content-transfer-encoding", "")
    if not encoding:
        return data
    encoding = _NOT_LETTERS.sub("", encoding[:100].partition(";")[0].lower())
    if encoding == "base64":
        data, flawless = text.debase64(data)
        if not flawless:
            defects.add("bad_base64")
        return data
    if encoding == "quotedprintable":
        return binascii.a2b_qp(data)
    if encoding in ("xuuencode", "uuencode", "uue", "xuue"):
        return text.uudecode(data)
    return data


def _decoded(raw: bytes, part: _Part, defects: set[str]) -> str:
    data = _content(raw, part, defects)[:MAX_TEXT]
    charset = part.params.get("charset", "")
    if not charset and part.mime == "text/html" and not data.isascii() and (match := _META_CHARSET.search(data[:3000])):
        charset = match[1].decode("ascii")
    decoded, honest = text.decode(data, charset)
    defects |= text.tricks(decoded) if honest else {"bad_charset"}
    if "\r" in decoded:
        decoded = decoded.replace("\r\n", "\n").replace("\r", "\n")
    return decoded.replace("\x00", "") if "\x00" in decoded else decoded


def _is_attached(part: _Part) -> bool:
    """Whether a part is a file for the reader; the others are shown, or are another form of what is shown."""
    disposition = part.head.get("content-disposition", "")
    if part.mime not in ("text/plain", "text/html"):
        unnamed = part.group and part.mime.startswith("text/") and not disposition and "name" not in part.params
        return not (unnamed or part.root and part.mime.startswith("text/"))
    if not disposition or part.root:
        return not part.root and "name" in part.params and part.mime == "text/html"
    return disposition[:10].lower() == "attachment" or "filename" in headers.parameters(disposition)


def _body(raw: bytes, parts: list[_Part], defects: set[str]) -> tuple[str, str, tuple[Attachment, ...], bytes | None]:
    """Readable text, HTML, attachments and calendar of a mail."""
    shown: list[tuple[int, str, str]] = []
    files: list[_Part] = []
    calendar: bytes | None = None
    for part in parts:
        if calendar is None and part.mime in _CALENDARS:
            calendar = _content(raw, part, defects)
        if _is_attached(part):
            files.append(part)
        elif part.mime in ("text/plain", "text/html") or part.root:
            shown.append((part.group, "html" if part.mime == "text/html" else "plain", _decoded(raw, part, defects)))
    rich = _rich(shown)
    attachments = tuple(_attachment(raw, part, number, None, rich) for number, part in enumerate(files, 1))
    return _plain(shown), rich, attachments, calendar


def _plain(shown: list[tuple[int, str, str]]) -> str:
    """The plain parts; HTML where there is no plain form of it."""
    if len(shown) == 1 and shown[0][1] == "plain":
        return text.visible(shown[0][2])
    plain_groups = {group for group, kind, content in shown if kind == "plain" and content.strip()}
    pieces = []
    for group, kind, content in shown:
        if kind == "plain" and content.strip():
            pieces.append(text.visible(content))
        elif kind == "html" and not (group and group in plain_groups):
            pieces.append(html.text(content))
    return "\n".join(pieces)


def _rich(shown: list[tuple[int, str, str]]) -> str:
    """The HTML parts; plain parts beside them (a list's footer) are added as they are, so that nothing is lost."""
    groups = {group for group, kind, content in shown if kind == "html" and content.strip()}
    if not groups:
        return ""
    return "\n".join(content if kind == "html" else f'<div style="white-space:pre-wrap">{escape(content)}</div>'
                     for group, kind, content in shown if kind == "html" or not (group and group in groups) and content.strip())


def _attachment(raw: bytes, part: _Part, number: int, data: bytes | None, rich: str) -> Attachment:
    data = _content(raw, part, set()) if data is None else data
    content_id = headers.message_id(part.head.get("content-id", ""))
    disposition = part.head.get("content-disposition", "")
    attached = disposition[:10].lower() == "attachment"
    inline = bool(content_id) and (part.mime.startswith("image/") and not attached or f"cid:{content_id}" in rich)
    name = headers.parameters(disposition).get("filename") or part.params.get("name") or part.head.get("content-location", "")
    if not name and part.mime in _MAILS:
        fields, _ = headers.split(data)
        name = headers.decode(_index(fields).get("subject", ""))[:MAX_NAME] + ".eml"
    filename = safe_name(name) or f"part-{number}{_EXTENSIONS.get(part.mime, '.bin')}"
    size, _, section = part.head.get(LEFT_OUT.lower(), "").strip().partition(" ") if part.start == part.stop else ("", "", "")
    return Attachment(number, filename, part.mime, int(size) if size.isdecimal() else len(data), inline, content_id, section)


def safe_name(name: str) -> str:
    """A file name without path, control characters and tricks of direction, at most 150 characters; "" if nothing is left."""
    name = _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2])
    name = " ".join(name.split()).strip(". _")
    if len(name) > MAX_NAME:
        stem, dot, extension = name.rpartition(".")
        name = stem[:MAX_NAME - len(extension) - 1] + dot + extension if 0 < len(extension) <= 10 else name[:MAX_NAME]
    return name
