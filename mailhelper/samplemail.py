"""Writes the mails of the sample mailbox: from the texts in samples/, with days that are always near today.

A mail in a text begins with "%% mail NAME", then come fields, an empty line and the body; "%% html", "%% calendar METHOD",
"%% file NAME" and "%% inline NAME" begin its other parts.  In all of them {weekday+2}, {day-3}, {date+9w}, {dotted+1}, {month-30},
{year-365} and {stamp+3} are days counted from today; with a "w" one that falls on a weekend gives way to the next working day,
or to the last one when it is past.
"""

import datetime as dt
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date

SOURCES = Path(__file__).parent / "samples"
OWNER = "Anna Berger <anna.berger@example.org>"
FLAGS = {"seen": "\\Seen", "flagged": "\\Flagged", "answered": "\\Answered"}
DAY = re.compile(r"\{(weekday|day|date|dotted|month|year|stamp)([+-]\d+)(w?)\}")
AGO = re.compile(r"-(?:(\d+)h)?(?:(\d+)m)?")
PATTERNS = {
    "en": {"weekday": "EEEE", "day": "d MMMM", "date": "d MMMM y", "dotted": "dd/MM/y", "month": "MMMM", "year": "y", "stamp": "yMMdd"},
    "de": {"weekday": "EEEE", "day": "d. MMMM", "date": "d. MMMM y", "dotted": "dd.MM.y", "month": "MMMM", "year": "y", "stamp": "yMMdd"},
}
PICTURE = 320, 180      # pixels


@dataclass
class Part:
    """One part of a mail as the text has it: "text", "html", "calendar", "file" or "inline", and its argument."""
    kind: str
    name: str
    lines: list[str] = field(default_factory=list)


@dataclass
class Sample:
    """One mail of the texts, days not yet filled in."""
    name: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=lambda: [Part("text", "")])

    def get(self, name: str, otherwise: str = "") -> str:
        return next((value for key, value in self.fields if key == name), otherwise)


@dataclass(frozen=True)
class Letter:
    """A mail ready to be delivered."""
    name: str
    folder: str
    flags: tuple[str, ...]
    done: bool
    received: dt.datetime       # naive UTC
    raw: bytes


def letters(now: dt.datetime, timezone: str) -> list[Letter]:
    """All of them as if it were `now` (naive UTC), oldest first; times of day are those of the time zone."""
    samples = {one.name: one for path in sorted(SOURCES.glob("*.txt")) for one in _samples(path.read_text("utf-8"))}
    here = now.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(timezone))
    return sorted((_letter(one, samples, here) for one in samples.values()), key=lambda letter: letter.received)


def _samples(source: str) -> Iterator[Sample]:
    for block in re.split(r"(?m)^%% mail ", source)[1:]:
        name, _, rest = block.partition("\n")
        head, _, body = rest.partition("\n\n")
        sample = Sample(name.strip(), [(key, value.strip()) for key, _, value in (line.partition(":") for line in head.splitlines())])
        for line in body.rstrip().splitlines():
            if line.startswith("%% "):
                _, kind, *argument = line.split(" ", 2)
                sample.parts.append(Part(kind, "".join(argument)))
            else:
                sample.parts[-1].lines.append(line)
        yield sample


def _letter(sample: Sample, samples: dict[str, Sample], here: dt.datetime) -> Letter:
    at = _moment(sample.get("at"), here)
    words = sample.get("flags").split()
    raw = _mail(sample, samples, here, at).as_bytes(policy=policy.SMTP)
    return Letter(sample.name, sample.get("folder", "INBOX"), tuple(FLAGS[word] for word in words if word in FLAGS), "done" in words,
                  at.astimezone(dt.UTC).replace(tzinfo=None), raw)


# ── days ──

def _moment(text: str, here: dt.datetime) -> dt.datetime:
    """"-40m", "-6h30m": so long ago; "-2d 09:12", "-2w 09:12": at that time of a day, or of a working day; never in the future."""
    day, _, clock = text.partition(" ")
    if not clock:
        match = AGO.fullmatch(day)
        if match is None:
            raise ValueError(f"not a time: {text}")
        hours, minutes = (int(number or 0) for number in match.groups())
        return here.replace(microsecond=0) - dt.timedelta(hours=hours, minutes=minutes)
    hour, minute = map(int, clock.split(":"))
    date = _day(int(day[:-1]), day[-1] == "w", here.date())
    at = dt.datetime.combine(date, dt.time(hour, minute), here.tzinfo)
    return at if at <= here else at - dt.timedelta(1)


def _day(offset: int, working: bool, today: dt.date) -> dt.date:
    day = today + dt.timedelta(offset)
    weekend = day.weekday() - 4     # days since Friday
    if not working or weekend <= 0:
        return day
    return day - dt.timedelta(weekend) if offset < 0 else day + dt.timedelta(3 - weekend)


def _filled(text: str, lang: str, today: dt.date) -> str:
    return DAY.sub(lambda found: format_date(_day(int(found[2]), bool(found[3]), today), PATTERNS[lang][found[1]], lang), text)


# ── mails ──

def _mail(sample: Sample, samples: dict[str, Sample], here: dt.datetime, at: dt.datetime) -> EmailMessage:
    lang, today = sample.get("lang", "en"), here.date()
    mail = EmailMessage(policy.SMTP)
    host = _host(sample)
    mail["Received"] = f"from mx.{host} by mx.example.org with ESMTPS; {format_datetime(at)}"
    mail["From"], mail["To"] = sample.get("from"), sample.get("to", OWNER)
    if sample.get("cc"):
        mail["Cc"] = sample.get("cc")
    mail["Subject"] = _filled(sample.get("subject"), lang, today)
    mail["Date"], mail["Message-ID"] = at, _id(sample)
    if line := _ancestors(sample, samples):
        mail["In-Reply-To"], mail["References"] = line[-1], " ".join(line)
    for name, value in sample.fields:
        if name.startswith("+"):
            mail[name[1:]] = value
    for part in sample.parts:
        _add(mail, part, _filled("\n".join(part.lines).strip("\n") + "\n", lang, today), host)
    return mail


def _add(mail: EmailMessage, part: Part, text: str, host: str) -> None:
    if part.kind == "text":
        mail.set_content(text, cte="quoted-printable")
    elif part.kind == "html":
        mail.add_alternative(f"<!DOCTYPE html>\n<html><body>\n{text}</body></html>\n", subtype="html", cte="quoted-printable")
    elif part.kind == "calendar":
        mail.add_alternative(text.replace("\n", "\r\n"), subtype="calendar", params={"method": part.name}, cte="base64")
    elif part.kind == "inline":
        cid = part.name.partition(".")[0]
        body = list(mail.iter_parts())[-1]
        body.add_related(picture(), "image", "png", cid=f"<{cid}>", filename=part.name, disposition="inline")
    elif part.name.endswith(".pdf"):
        mail.add_attachment(pdf(text.splitlines()), "application", "pdf", filename=part.name)
    elif part.name.endswith(".png"):
        mail.add_attachment(picture(), "image", "png", filename=part.name)
    else:
        mail.add_attachment(text, subtype="csv", filename=part.name)


def _host(sample: Sample) -> str:
    return parseaddr(sample.get("from"))[1].rpartition("@")[2]


def _id(sample: Sample) -> str:
    return f"<{sample.name}.sample@{_host(sample)}>"


def _ancestors(sample: Sample, samples: dict[str, Sample]) -> list[str]:
    """The ids of the mails before it in its thread, oldest first."""
    before = samples.get(sample.get("after"))
    return [*_ancestors(before, samples), _id(before)] if before else []


# ── files ──

def pdf(lines: list[str]) -> bytes:
    """One A4 page with these lines (ISO 32000-1 §7.5)."""
    shown = "".join(f"({_escaped(line)}) '\n" for line in lines)
    content = f"BT /F1 12 Tf 18 TL 70 780 Td\n{shown}ET\n".encode("cp1252")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Length %d >>\nstream\n%sendstream" % (len(content), content)]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + (b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
                   % (len(objects) + 1, table, len(objects) + 1, len(data)))


def _escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


@cache
def picture() -> bytes:
    """A PNG of the sea at sunset (RFC 2083)."""
    width, height = PICTURE
    rows = b"".join(b"\0" + bytes(channel for x in range(width) for channel in _pixel(x, y)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in (
        (b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixel(x: int, y: int) -> tuple[int, int, int]:
    horizon = PICTURE[1] * 3 // 5
    if (x - 220) ** 2 + (y - horizon + 18) ** 2 < 500 and y < horizon:
        return 255, 236, 170
    if y < horizon:
        return 250 - (horizon - y), 190 - (horizon - y) // 2, 150 + (horizon - y) // 3
    glint = abs(x - 220) < 16 + (y - horizon) // 3 and y % 5 < 2
    return (240, 190, 150) if glint else (50 + y // 8, 80 + y // 6, 110 + y // 6)
