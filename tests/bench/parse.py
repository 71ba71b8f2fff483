"""Time and correctness of the mail parser on a folder of mails: `python -m tests.bench.parse FOLDER_OR_TGZ`.

The judge is `email` with `policy.default`, which shares no code with ours above the standard library's codecs.
"""
import email
import email.policy
import gc
import re
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from mailhelper import message, text
from mailhelper.message import ParsedMail

LIMIT = 300_000     # bytes; the judge is quadratic on some long headers


def load(path: Path) -> dict[str, bytes]:
    """The mails of a folder (*.txt, *.eml) or of a tar archive with such files, by name."""
    if path.is_dir():
        return {str(file): file.read_bytes() for file in sorted(path.rglob("*")) if file.suffix in (".txt", ".eml")}
    with tarfile.open(path) as archive:
        files = [member for member in archive if member.isfile() and member.name.endswith((".txt", ".eml"))]
        return {member.name: archive.extractfile(member).read() for member in files}  # type: ignore[union-attr]


def microseconds(call: Callable[[Any], Any], items: list[Any]) -> float:
    """Processor time of one call, the best of three rounds."""
    rounds = []
    for _ in range(3):
        begin = time.process_time()
        for item in items:
            call(item)
        rounds.append(time.process_time() - begin)
    return min(rounds) / len(items) * 1e6


def normal(value: str) -> str:
    return " ".join(value.split())


def judged_text(mail: EmailMessage) -> str | None:
    """The plain parts that are no attachments, joined as ours are; None where the text is made from HTML."""
    pieces: list[str | None] = []
    for part in walk(mail):
        if part.get_content_type() == "text/html" and not part.is_attachment():
            pieces.append(None)
        if part.get_content_type() == "text/plain" and (part is mail or not (part.is_attachment() or part.get_filename())):
            pieces.append(part.get_content())
    shown = [piece for piece in pieces if piece and piece.strip()]
    alone = None not in pieces or mail.get_content_type() == "multipart/alternative" and shown
    return "\n".join(shown) if alone else None


def walk(part: Any) -> Iterable[Any]:
    """The leaves; a forwarded mail is a file, not part of this one."""
    if not part.is_multipart():
        yield part
    elif part.get_content_maintype() == "multipart":
        for inner in part.iter_parts():
            yield from walk(inner)


def judged_addresses(mail: EmailMessage) -> list[str]:
    fields = [field for name in ("to", "cc") for field in mail.get_all(name, [])]
    return [address.addr_spec.lower() for field in fields for address in field.addresses if address.addr_spec]


def compare(raw: bytes, ours: ParsedMail, tally: Counter[str]) -> list[str]:
    """Counts agreement by field; returns the names of the fields that differ."""
    different = []
    try:
        judge = email.message_from_bytes(raw, policy=email.policy.default)
        pairs: dict[str, tuple[Any, Any]] = {"subject": (str(judge["subject"] or ""), ours.subject), "text": (judged_text(judge), ours.text),
                 "addresses": (judged_addresses(judge), [a.address for a in ours.to + ours.cc if a.address])}
    except Exception as error:
        tally["judge raised " + type(error).__name__] += 1
        return []
    for name, (theirs, mine) in pairs.items():
        if theirs is None:
            tally[f"{name}: made from HTML"] += 1
            continue
        if isinstance(theirs, str):
            theirs, mine = normal(theirs), normal(mine)
        if theirs == mine:
            tally[f"{name}: equal"] += 1
        elif "\ufffd" in theirs or re.search("[\udc80-\udcff\x80-\x9f]", str(theirs)):
            tally[f"{name}: judge could not decode"] += 1
        else:
            tally[f"{name}: different"] += 1
            different.append(name)
    return different


def main(path: str, show: str = "") -> None:
    mails = load(Path(path))
    raws = list(mails.values())
    print(f"{len(raws)} mails, {sum(map(len, raws)) / 1e6:.1f} MB")
    print(f"parse    {microseconds(message.parse, raws):7.1f} µs a mail")
    records = {name: message.parse(raw) for name, raw in mails.items()}
    gc.freeze()
    print(f"words    {microseconds(text.words, [mail.text for mail in records.values()]):7.1f} µs a mail")
    print(f"snippet  {microseconds(text.snippet, [mail.text for mail in records.values()]):7.1f} µs a mail")
    print("defects ", dict(Counter(defect for mail in records.values() for defect in mail.defects)))
    tally: Counter[str] = Counter()
    for name, raw in mails.items():
        if len(raw) < LIMIT:
            for field in compare(raw, records[name], tally):
                if field == show:
                    print("differs:", name)
    for field in ("subject", "text", "addresses"):
        equal, different = tally[f"{field}: equal"], tally[f"{field}: different"]
        print(f"{field:9} {100 * equal / max(1, equal + different):6.2f} % equal of {equal + different}")
    print(dict(sorted(tally.items())))


if __name__ == "__main__":
    main(*sys.argv[1:])
