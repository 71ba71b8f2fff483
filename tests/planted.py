"""Mails with personal data planted between ⟦ and ⟧ (planted.txt): in subject, body, quoted thread, file names and display names."""

from pathlib import Path
from typing import NamedTuple

INVISIBLE = {"{zwsp}": "\u200b", "{shy}": "\u00ad"}


class Planted(NamedTuple):
    """One mail; what stands between the marks must not leave."""
    sender: str
    to: str
    subject: str
    files: list[str]
    body: str


def _mail(written: str) -> Planted:
    head, _, body = written.partition("\n\n")
    fields = [line.partition(": ")[::2] for line in head.split("\n")]
    named = dict(fields)
    return Planted(named["From"], named["To"], named["Subject"], [value for name, value in fields if name == "File"], body)


def _read() -> list[Planted]:
    text = Path(__file__).with_suffix(".txt").read_text("utf-8")
    for written, sign in INVISIBLE.items():
        text = text.replace(written, sign)
    return [_mail(one) for one in text.split("=====\n")]


MAILS = _read()
