"""The one door through which mail text leaves in anonymised mode: personal data become placeholders, and come back on our side."""
from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from mailhelper import errors, patterns
from mailhelper.headers import Address
from mailhelper.names import Names, fold
from mailhelper.patterns import Span, merged

LONGEST = 60_000        # characters of one text; what is longer is cut, and its torn end left out
ROUNDS = 4              # masking brings words together that were apart; nothing may be left to find
KINDS = ("NAME", "EMAIL", "PHONE", "IBAN", "CARD", "ID", "NUMBER", "BIRTHDATE", "ADDRESS", "COMPANY", "URL", "PLATE", "IP", "SECRET")

_KINDS = "|".join(KINDS)
_PLACEHOLDER = re.compile(rf"\[(?:{_KINDS})_\d+\]")
# What looks like a placeholder in a mail is none of ours, and must not become one.
_FORGED = re.compile(rf"[\[(<{{]\s*({_KINDS})\s?_\s?(\d+)", re.I)
# How models give placeholders back: [name_1], NAME_1, [NAME 1], [NAME-1, \[NAME\_1\], **[NAME_1]**, {{NAME_1}}.
_RETURNED = re.compile(rf"\\?\[{{1,2}}\s?({_KINDS})\s?(?:\\?_|-|\s)?\s?(\d+)\s?\\?\]{{0,2}}"
    rf"|(?<!\w)[{{<(]{{0,2}}({_KINDS})\\?_(\d+)(?!\d)[\]}}>)]{{0,2}}", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|\w{2,31});", re.I)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\u3164\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]+")
_SPACES = re.compile(r"[^\S\n]")
_ESCAPED = re.compile(r"%(?:40|2[0-9A-F]|3[0-9A-F])|=(?:[0-9A-F]{2})(?:=[0-9A-F]{2})?|\\u00[0-9a-f]{2}", re.I)
_HEX = str.maketrans("", "", "%=")


class Masker:
    """Placeholders for one mail or request: the same datum gets the same one in subject, body, thread, names and file names.

    `found` says how many different data of each kind were replaced.
    """

    def __init__(self, people: Iterable[Address], own: Iterable[Address]) -> None:
        self._names = Names(people, own)
        self._numbers: dict[tuple[str, str], int] = {}
        self._originals: dict[tuple[str, int], str] = {}

    @property
    def found(self) -> Mapping[str, int]:
        """Kind → how many different ones were replaced."""
        return Counter(kind for kind, _ in self._originals)

    def learn(self, *texts: str) -> None:
        """Take up the names that these texts give away, so that they count in each text masked later.  Raises Refused."""
        try:
            for one in texts:
                self._names.learn(plain(one))
        except Exception as error:
            raise errors.Refused("anonymize_failed") from error

    def mask(self, text: str) -> str:
        """`text` with placeholders for all personal data that are found; raises Refused rather than let anything doubtful out."""
        try:
            torn = len(text) > LONGEST
            clean = plain(text[:LONGEST].rpartition("\n")[0] or text[:LONGEST - 300] if torn else text)
            self._names.learn(clean)
            for _ in range(ROUNDS):
                clean, count = self._replaced(clean)
                if not count:
                    return clean
        except Exception as error:      # whatever breaks here, nothing leaves
            raise errors.Refused("anonymize_failed") from error
        raise errors.Refused("anonymize_failed")

    def restore(self, text: str) -> str:
        """A draft or summary with its placeholders put back, also where the model bent them; unknown ones become a blank."""
        return _RETURNED.sub(self._original, text)

    def _replaced(self, clean: str) -> tuple[str, int]:
        """The text with what was found replaced, and how much that was; places that are placeholders already stay."""
        taken = [match.span() for match in _PLACEHOLDER.finditer(clean)]
        blank = _PLACEHOLDER.sub(lambda match: "\x02" * len(match[0]), clean)
        spans = merged([*patterns.find(blank), *self._names.spans(blank)])
        pieces, at, count = [], 0, 0
        for span in spans:
            for start, stop in _apart(span, taken):
                datum = clean[start:stop].strip(" \n.,;:" if span.kind != "COMPANY" else " \n")
                datum = datum[1:] if datum[:1] == "(" and ")" not in datum else datum
                if not any(map(str.isalnum, datum)):
                    continue
                begin = clean.index(datum, start)
                pieces += [clean[at:begin], self._placeholder(span.kind, datum)]
                at, count = begin + len(datum), count + 1
        return "".join(pieces) + clean[at:], count

    def _placeholder(self, kind: str, datum: str) -> str:
        key = kind, "".join(char for char in fold(datum) if char.isalnum())
        if key not in self._numbers:
            self._numbers[key] = 1 + sum(known == kind for known, _ in self._numbers)
            self._originals[kind, self._numbers[key]] = datum
        number = self._numbers[key]
        if kind == "NAME" and self._originals[kind, number].isupper() or self._originals[kind, number].islower():
            self._originals[kind, number] = datum if datum[:1].isupper() and not datum.isupper() else self._originals[kind, number]
        return f"[{kind}_{number}]"

    def _original(self, match: re.Match[str]) -> str:
        kind, number = (match[1] or match[3]).upper(), int(match[2] or match[4])
        return self._originals.get((kind, number), "[…]")


def plain(text: str) -> str:
    """A text as a person reads it: full-width signs, entities and escapes undone, nothing invisible, no forged placeholders."""
    for _ in range(3):
        unescaped = html.unescape(text) if "&" in text and _ENTITY.search(text) else text
        unescaped = _ESCAPED.sub(_unescaped, unescaped) if "%" in text or "=" in text or "\\u" in text else unescaped
        if unescaped == text:
            break
        text = unescaped
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))
    text = "".join(char if char == "\n" or char >= " " else " " for char in text.replace("\r\n", "\n").replace("\r", "\n"))
    return _FORGED.sub(r"(\1 \2", _SPACES.sub(" ", text))


def _unescaped(match: re.Match[str]) -> str:
    """One escaped sign of an address; other escapes stay."""
    code = match[0]
    value = chr(int(code[2:], 16)) if code[0] == "\\" else bytes.fromhex(code.translate(_HEX)).decode("utf-8", "replace")
    return value if value.isprintable() and "\ufffd" not in value else code


def _apart(span: Span, taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of a span that are not placeholders already."""
    parts, at = [], span.start
    for start, stop in taken:
        if start < span.stop and stop > at:
            parts.append((at, start))
            at = stop
    return [*parts, (at, span.stop)]
