"""Takes mail from files: mbox, Maildir, .eml, or a folder of them; the same pipeline as a sync, and repeatable without doubles."""

import codecs
import datetime as dt
import hashlib
import mmap
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from peewee import chunked

from mailhelper import accounts, jobs
from mailhelper.errors import Invalid
from mailhelper.imap import Fetched
from mailhelper.intake import BATCH, Intake
from mailhelper.models import Account, Job
from mailhelper.runner import Step
from mailhelper.scope import Scope

FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\d\d:\d\d[^\n]*\n")     # RFC 4155; "From " alone may begin a sentence
HEADER = re.compile(rb"\s*[!-9;-~]{1,100}[ \t]*:")         # what every mail begins with (RFC 5322 §2.2)
MAILDIR_FLAGS = {"S": "\\Seen", "F": "\\Flagged", "R": "\\Answered"}
UID_BITS = 53       # of the keyed hash of a mail's bytes: the same mail is the same row, however often it is imported
LARGEST = 150_000_000


class Found(NamedTuple):
    """A mail in a file."""
    folder: str
    flags: tuple[str, ...]
    received: dt.datetime
    raw: bytes


def start(scope: Scope, account: Account, path: Path) -> Job:
    """Note an import, to be run here: another machine would not have the files.

    Raises Invalid("no_such_path"), Conflict when one is under way for that account.
    """
    if not path.exists():
        raise Invalid("no_such_path", path=str(path))
    return jobs.start(scope, "import_mail", account.id, here=True, path=str(path.absolute()))


@jobs.kind("import_mail", retries=1)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Import what the path holds; its result is {added, known, failed}."""
    account, path = scope.get(Account, job.subject), Path(jobs.params(job)["path"])
    if not path.exists():
        raise Invalid("no_such_path", path=str(path))
    counts = {"added": 0, "known": 0, "failed": 0}
    intake, total, done = Intake(scope, account), max(1, _count(path)), 0
    for name, mails in groupby(_read(path, counts), key=lambda found: found.folder):
        folder = accounts.local_folder(scope, account, name, name.lower() if name.lower() in ("inbox", "sent") else "")
        for batch in chunked(mails, BATCH):
            kept = intake.keep(folder, [intake.arrive(Fetched(_uid(scope, found.raw), found.received, found.flags, found.raw)) for found in batch])
            counts["added"] += kept.new
            counts["known"] += len(batch) - kept.new
            done += len(batch)
            step(min(done, total), total, "importing")
    return counts


def _uid(scope: Scope, raw: bytes) -> int:
    return int.from_bytes(scope.vault.lookup("raw", hashlib.sha256(raw).hexdigest())[:7]) >> (56 - UID_BITS)


def _count(path: Path) -> int:
    """About how many mails the path holds, for the progress bar."""
    return sum(_mails_in(file) for _, file, _ in _files(path))


def _mails_in(file: Path) -> int:
    with suppress(OSError), file.open("rb") as opened:
        if opened.read(5) != b"From ":
            return 1
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return sum(1 for _ in FROM_LINE.finditer(data))
    return 1


def _read(path: Path, counts: dict[str, int]) -> Iterator[Found]:
    """The mails of a path, one after another; a file that cannot be read or holds no mail is counted as failed."""
    for folder, file, flags in _files(path):
        try:
            received = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC).replace(tzinfo=None)
            for raw in _split(file):
                if len(raw) <= LARGEST and HEADER.match(raw):
                    yield Found(folder, flags, received, raw)
                else:
                    counts["failed"] += 1
        except (OSError, ValueError, OverflowError):        # a time stamp may be beyond all years
            counts["failed"] += 1


def _files(path: Path) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    """(folder name, file, flags) of each file: a Maildir keeps flags in file names, and its folders inside it, as .Name or Name."""
    if path.is_file():
        yield "Import", path, ()
        return
    maildirs = sorted(each.parent for each in path.rglob("cur") if each.is_dir())
    for maildir in maildirs:
        name = "/".join(part.removeprefix(".") for part in maildir.relative_to(path).parts) or "INBOX"
        for file in sorted((*maildir.glob("cur/*"), *maildir.glob("new/*"))):
            letters = file.name.rpartition(":2,")[2] if ":2," in file.name else ""
            yield name, file, tuple(MAILDIR_FLAGS[letter] for letter in letters if letter in MAILDIR_FLAGS)
    inside = set(maildirs)
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.is_file() and not hidden and inside.isdisjoint(file.parents):
            yield "Import" if file.parent == path else str(file.parent.relative_to(path)), file, ()


def _split(file: Path) -> Iterator[bytes]:
    """The mails of an mbox, without the ">" that guards lines beginning with "From "; or the one mail of another file."""
    if file.stat().st_size == 0:
        yield b""
        return
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:5] != b"From ":
            yield data[:].removeprefix(codecs.BOM_UTF8)
            return
        starts = [(mark.start(), mark.end()) for mark in FROM_LINE.finditer(data)]
        if not starts or starts[0][0]:
            starts.insert(0, (0, data.find(b"\n") + 1))     # the first "From " line is of another form
        for (_, begin), (end, _) in zip(starts, [*starts[1:], (len(data), 0)], strict=True):
            raw = data[begin:end]
            yield re.sub(rb"(?m)^>(>*From )", rb"\1", raw)
