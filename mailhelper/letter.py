"""Writes a mail (RFC 5322): headers, flowed text, attached files piece by piece, so that a large one never lies in memory whole."""

import binascii
import datetime as dt
import re
import textwrap
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailhelper.errors import Invalid
from mailhelper.headers import Address

LINE = 72               # of flowed text (RFC 3676 §4.2 wants less than 78)
PIECE = 57 * 1024       # bytes that become whole lines of base64


@dataclass(frozen=True)
class File:
    """Something attached; `read` gives its bytes in pieces, anew at each call."""
    name: str
    mime: str
    size: int
    read: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Letter:
    """A mail to be sent.  date: aware; ids without "<>".  calendar: an answer to an invitation (RFC 6047), beside the text."""
    sender: Address
    to: Sequence[Address]
    cc: Sequence[Address]
    subject: str
    text: str
    date: dt.datetime
    message_id: str
    in_reply_to: str = ""
    references: Sequence[str] = ()
    files: Sequence[File] = ()
    calendar: str = ""
    boundary: str = field(default_factory=lambda: f"=_{uuid.uuid4().hex}")


def new_id(address: str) -> str:
    """A Message-ID that nothing else has, below the sender's own domain."""
    return f"{uuid.uuid4().hex}@{wire_address(address).rpartition('@')[2]}"


def wire_address(address: str) -> str:
    """An address as it goes over the line: the domain in IDNA.  Raises Invalid where the part before the @ would need SMTPUTF8."""
    name, _, domain = address.strip().rpartition("@")
    try:
        if not name.isascii() or not name or any(sign in name for sign in '<>\r\n '):
            raise ValueError
        return f"{name}@{domain.encode('idna').decode()}"
    except (UnicodeError, ValueError):
        raise Invalid("address_not_sendable", address=address[:200]) from None


def pieces(letter: Letter) -> Iterator[bytes]:
    """The mail in pieces of whole lines, 7-bit, ending in CRLF; the same bytes at each call."""
    head = EmailMessage(SMTP)
    for name, people in (("From", [letter.sender]), ("To", letter.to), ("Cc", letter.cc)):
        if people:
            head[name] = [_header(one) for one in people]
    head["Subject"] = letter.subject
    head["Date"] = format_datetime(letter.date)
    head["Message-ID"] = f"<{letter.message_id}>"
    if letter.in_reply_to:
        head["In-Reply-To"] = f"<{letter.in_reply_to}>"
    if letter.references:
        head["References"] = " ".join(f"<{id}>" for id in letter.references)
    fields = head.as_bytes().rstrip(b"\r\n") + b"\r\nMIME-Version: 1.0\r\n"
    body = _body(letter)
    del body["MIME-Version"]
    if not letter.files:
        yield fields + body.as_bytes()
        return
    yield fields + f'Content-Type: multipart/mixed; boundary="{letter.boundary}"\r\n\r\n'.encode()
    yield f"--{letter.boundary}\r\n".encode() + body.as_bytes()
    for one in letter.files:
        yield f"\r\n--{letter.boundary}\r\n".encode() + _file_head(one)
        yield from _encoded(one.read())
    yield f"\r\n--{letter.boundary}--\r\n".encode()


def size(letter: Letter) -> int:
    """How many bytes `pieces` gives."""
    return sum(map(len, pieces(letter)))


def flowed(text: str) -> str:
    """Text as format=flowed (RFC 3676): long lines broken behind a space, so that they flow together again; quoted lines stay as they are."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line == "-- ":
            lines.append(line)
            continue
        line = line.rstrip(" ")
        if line.startswith(">") or len(line) <= LINE:
            wrapped = [line]
        else:
            wrapped = textwrap.wrap(line, LINE, break_long_words=False, break_on_hyphens=False, drop_whitespace=False, replace_whitespace=False)
        soft = [part.rstrip(" ") + " " for part in wrapped[:-1]] + wrapped[-1:]
        stuffed = (" " + part if part.startswith((" ", "From ")) or part.startswith(">") and not line.startswith(">") else part for part in soft)
        lines += stuffed
    return "\n".join(lines)


def _body(letter: Letter) -> EmailMessage:
    body = EmailMessage(SMTP)
    text = flowed(letter.text)
    plain = text.isascii() and max(map(len, text.split("\n"))) < 900
    body.set_content(text if text.endswith("\n") else text + "\n", cte="7bit" if plain else "quoted-printable")
    body.set_param("format", "flowed")
    if letter.calendar:
        body.add_alternative(letter.calendar, subtype="calendar", params={"method": "REPLY"}, cte="quoted-printable")
        body.set_boundary(f"{letter.boundary}a")
    return body


def _header(one: Address) -> HeaderAddress:
    name, _, domain = wire_address(one.address).rpartition("@")
    return HeaderAddress("".join(char if char.isprintable() else " " for char in one.name), name, domain)


def _file_head(one: File) -> bytes:
    head = EmailMessage(SMTP)
    plain = re.fullmatch(r"(?!multipart|message)[a-z]+/[\w.+-]+", one.mime, re.ASCII)
    head["Content-Type"] = one.mime if plain else "application/octet-stream"
    head.add_header("Content-Disposition", "attachment", filename=one.name)
    head["Content-Transfer-Encoding"] = "base64"
    return head.as_bytes().rstrip(b"\r\n") + b"\r\n\r\n"


def _encoded(data: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of base64, whatever the pieces."""
    left = b""
    for piece in data:
        left += piece
        whole = len(left) - len(left) % PIECE
        for at in range(0, whole, PIECE):
            yield _lines(left[at:at + PIECE])
        left = left[whole:]
    if left:
        yield _lines(left)


def _lines(data: bytes) -> bytes:
    return b"".join(binascii.b2a_base64(data[at:at + 57], newline=False) + b"\r\n" for at in range(0, len(data), 57))
