"""The word lists of the built-in triage: one TOML file a language, merged into one index that is matched on a mail's word set."""
from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).with_name("wordlists")
LANGUAGES = ("de", "en")
GAP = " … "
WIDE = 60
SHORT = 5               # letters; words with fewer are in nearly every text
MASKED = ("ignore", "no_action", "calm")    # taken out of the row, so that "no action needed" does not count as "action needed"

# One letter for one letter, so that a place in the folded text is the same place in the text itself.
_FOLD = (("ä", "a"), ("ö", "o"), ("ü", "u"), ("é", "e"), ("è", "e"), ("à", "a"), ("ç", "c"), ("ñ", "n"), ("í", "i"), ("á", "a"), ("ó", "o"))
_OTHER = re.compile(r"[^\w\s.!?%$]")
_SIGNS = (("’", "'"), ("“", '"'), ("”", '"'), ("„", '"'), ("–", "-"), ("—", "-"), ("…", ". "),
          ("\xa0", " "), ("€", "$"), ("£", "$"), ("•", "-"))
_BETWEEN = {code: 32 for code in range(128) if not chr(code).isalnum() and chr(code) not in "_.!?%$"}
_SPELLINGS = (
    (("ä", "a"), ("ö", "o"), ("ü", "u")),
    (("ä", "ae"), ("ö", "oe"), ("ü", "ue")),
)


class Found(NamedTuple):
    """What reading a text gave: its words, the words in a row (one space apart, sentence marks kept), hits by section."""

    words: frozenset[str]
    row: str
    hits: dict[str, list[str]]

    def has(self, section: str) -> bool:
        """Whether anything of the section is in the text."""
        return section in self.hits

    def first(self, section: str) -> str:
        """The hit of the section that stands first in the text, or ""."""
        found = self.hits.get(section)
        if not found:
            return ""
        return found[0] if len(found) == 1 else min(found, key=self._place)

    def _place(self, phrase: str) -> tuple[int, int]:
        """Where it stands; at one place the longest first. What has a gap is not in the row as it is, and comes last."""
        return self.row.find(f" {phrase} ") % (len(self.row) + 1), -len(phrase)

    def count(self, *sections: str) -> int:
        """How many different entries of these sections are in the text."""
        return sum([len(self.hits[section]) for section in sections if section in self.hits])


class Entry(NamedTuple):
    """One phrase of a section with a space at either end, its words but the anchor, the rarest first, and its first two words."""

    whole: str
    others: tuple[str, ...]
    pair: tuple[str, ...]
    section: str


class Apart(NamedTuple):
    """A phrase whose two parts may stand up to WIDE characters apart in one sentence: "gib … bescheid"."""

    phrase: str
    others: tuple[str, ...]
    head: str
    tail: str
    section: str


class Anchored(NamedTuple):
    """The entries that hang on one word: those of that word alone, and the others by the rarest of their other words."""

    alone: list[Entry]
    seconds: frozenset[str]
    beside: dict[str, list[Entry]]


class Index(NamedTuple):
    """Anchor word → entries: what is masked, what is not, what has a gap. An entry hangs on the word that seems rarest."""

    anchors: frozenset[str]
    masked: dict[str, list[Entry]]
    plain: dict[str, Anchored]
    apart: dict[str, list[Apart]]


def fold(text: str) -> str:
    """Lower case without diacritics; as long as the text, place by place."""
    low = text.lower()
    if len(low) != len(text):  # a few letters grow when lowered ("İ")
        low = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    if not low.isascii():
        for char, plain in _FOLD:
            if char in low:
                low = low.replace(char, plain)
    return low


def row(folded: str) -> list[str]:
    """The words and sentence marks of a folded text; an empty line ends a sentence."""
    line = _ordinal().sub(" ", folded.replace("\n\n", " . "))
    if not line.isascii():
        for char, plain in _SIGNS:
            if char in line:
                line = line.replace(char, plain)
        if not line.isascii():
            line = _OTHER.sub(" ", line)
    line = line.translate(_BETWEEN) + " "
    for mark in "!?%$":
        if mark in line:
            line = line.replace(mark, f" {mark} ")
    return line.replace("..", ". ").replace(". ", " . ").split()


@cache
def _ordinal() -> re.Pattern[str]:
    """The dot of "2. Dezember", "30.11. 12 Uhr" and "30.11. bescheid", which ends no sentence."""
    written = [month for language in LANGUAGES for month in table(language)["when"]["month"]]
    months = "|".join(sorted({fold(month) for month in (*written, *(name.replace("ä", "ae") for name in written))}))
    behind = "|".join(rf"(?<=\d\.{month})" for month in (r"\d\.", r"[01]\d\.", r"\s\d\.", r"\s[01]\d\."))
    return re.compile(rf"\.(?:(?<=\d\.)(?=\s{{1,3}}(?:{months}|uhr)\b|[ ]\d)|(?=\s)(?:{behind}))")


def spellings(entry: str) -> set[str]:
    """The ways people write one entry: ä or ae or a, ß or ss; each folded and as a row."""
    forms = set()
    for table in _SPELLINGS:
        form = entry.lower()
        for char, plain in table:
            form = form.replace(char, plain)
        forms |= {fold(form), fold(form.replace("ß", "ss"))}
    return {GAP.join(" ".join(row(part)) for part in form.split("…")) for form in forms}


@cache
def table(language: str) -> dict[str, Any]:
    """The lists of one language as written in its file."""
    with (FOLDER / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def words(section: str) -> frozenset[str]:
    """A flat section of all languages, every spelling."""
    return frozenset(form for language in LANGUAGES for entry in table(language).get(section, ()) for form in spellings(entry))


@cache
def inner(*path: str) -> dict[str, Any]:
    """A table inside the files, such as inner("when", "weekday"), of all languages: every spelling of a key → value."""
    merged: dict[str, Any] = {}
    for language in LANGUAGES:
        part: Any = table(language)
        for name in path:
            part = part.get(name, {})
        pairs = part.items() if isinstance(part, dict) else ((entry, True) for entry in part)
        for key, value in pairs:
            merged.update((form, value) for form in spellings(key))
    return merged


@cache
def tag_names(language: str) -> dict[str, str]:
    """Tag key → word in this language (English where the language has no list)."""
    names: dict[str, str] = table(language if language in LANGUAGES else "en")["tag_names"]
    return names


@lru_cache(maxsize=1)
def brands() -> dict[str, Any]:
    """brands.toml, its lists as sets."""
    with (FOLDER / "brands.toml").open("rb") as file:
        raw = tomllib.load(file)
    return {key: frozenset(value) if isinstance(value, list) else value for key, value in raw.items()}


def free(host: str) -> bool:
    """Whether anybody can have an address at this domain."""
    return host in brands()["free"]


def read(folded: str) -> Found:
    """Match all lists on a folded text. Time grows with the text alone, not with the lists."""
    tokens = row(folded)
    line = f" {' '.join(tokens)} "
    words = frozenset(tokens)
    index = _index()
    anchors = words & index.anchors
    pairs = frozenset(zip(tokens, tokens[1:], strict=False))       # most phrases of common words are ruled out by their first two
    hits: dict[str, list[str]] = {}
    for anchor in anchors & index.masked.keys():
        for whole, others, pair, section in index.masked[anchor]:
            if (not others or pair in pairs) and whole in line:
                hits.setdefault(section, []).append(whole[1:-1])
                line = line.replace(whole, " ~ ")
    if hits:
        words = frozenset(line.split())
        anchors &= words
    for anchor in anchors & index.plain.keys():
        alone, seconds, beside = index.plain[anchor]
        for whole, _, _, section in alone:
            hits.setdefault(section, []).append(whole[1:-1])
        for second in words & seconds:
            for whole, _, pair, section in beside[second]:
                if pair in pairs and whole in line:
                    hits.setdefault(section, []).append(whole[1:-1])
    for anchor in anchors & index.apart.keys():
        for phrase, others, head, tail, section in index.apart[anchor]:
            if others[0] in words and words.issuperset(others) and _near(line, head, tail):
                hits.setdefault(section, []).append(phrase)
    return Found(words, line, hits)


@lru_cache(maxsize=4096)
def named(name: str) -> Found:
    """The same for the name of a sender, of which few write most of the mail. Not to be changed by who gets it."""
    return read(fold(name))


def _near(line: str, head: str, tail: str) -> bool:
    """Whether the tail follows the head closely, in the same sentence."""
    start = line.find(head)
    for _ in range(4):
        if start < 0:
            return False
        between = line[start + len(head) - 1:start + len(head) + WIDE]
        end = between.find(tail)
        if end >= 0 and not any(mark in between[:end + 1] for mark in (" . ", " ! ", " ? ")):
            return True
        start = line.find(head, start + 1)
    return False


@lru_cache(maxsize=4096)
def pattern(phrase: str) -> re.Pattern[str]:
    """Finds a phrase of a row again in the folded text it came from."""
    parts = (r"[^\w.!?]{0,4}".join(map(_written, part.split())) for part in phrase.split("…"))
    # No sign fits two of these, or a row of dates would be tried in every combination.
    return re.compile(rf"(?:[^.!?]|(?<=\d)\.|(?<!\d)\.(?=\d)){{1,{WIDE}}}?".join(parts))


def _written(word: str) -> str:
    """A word of a row as a pattern: whole, or a sign, where "$" stands for any currency."""
    if word == "$":
        return "[$€£]"
    plain = re.escape(word)
    # Its letters first: a pattern that begins with \b is searched for place by place.
    return rf"{plain}(?<!\w{plain})\b" if word[0].isalnum() else plain


def quote(phrase: str, folded: str, text: str) -> str:
    """A phrase as the text itself writes it, on one line; "" where it cannot be found again."""
    match = pattern(phrase).search(folded)
    return " ".join(text[match.start():match.end()].split()) if match else ""


@lru_cache(maxsize=1)
def _index() -> Index:
    masked: dict[str, list[Entry]] = {}
    plain: dict[str, list[Entry]] = {}
    apart: dict[str, list[Apart]] = {}
    forms = {(section, form) for language in LANGUAGES for section, entries in _flat(table(language))
             for entry in entries for form in spellings(entry)}
    uses = Counter(word for _section, form in forms for word in form.split())
    for section, form in sorted(forms, key=lambda pair: (-len(pair[1]), pair)):     # the longest first: it masks the shorter
        anchor, *others = sorted(form.replace("…", " ").split(), key=lambda word: (len(word) < SHORT, uses[word], -len(word)))
        if GAP in form:
            head, tail = form.split(GAP)
            apart.setdefault(anchor, []).append(Apart(form, tuple(others), f" {head} ", f" {tail} ", section))
        else:
            target = masked if section in MASKED else plain
            target.setdefault(anchor, []).append(Entry(f" {form} ", tuple(others), tuple(form.split()[:2]), section))
    return Index(frozenset((*masked, *plain, *apart)), masked, {word: _anchored(entries) for word, entries in plain.items()}, apart)


def _anchored(entries: list[Entry]) -> Anchored:
    beside: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.others:
            beside.setdefault(entry.others[0], []).append(entry)
    return Anchored([entry for entry in entries if not entry.others], frozenset(beside), beside)


def _flat(lists: dict[str, Any]) -> Iterable[tuple[str, list[str]]]:
    """Sections that are matched on the row: the plain lists, and the tags as "tag:<key>"."""
    for section, entries in lists.items():
        if isinstance(entries, list):
            yield section, entries
    for key, entries in lists["tags"].items():
        yield f"tag:{key}", entries
