"""Which words can be names: given names, and what is known to be another word."""
from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from mailhelper import lists, text

_TOKEN = re.compile(r"[^\W\d_]+(?:['’](?=[A-ZÀ-ÖØ-Þ])[^\W\d_]+)*")
_FOREIGN = re.compile("[^\x00-\x7fÄÖÜäöüßÉÈÀÇéèàçêîïëâ’]")
_CAMEL = re.compile(r"(?<=[a-zà-öø-ÿß])(?=[A-ZÀ-ÖØ-Þ])")


class Token(NamedTuple):
    """A word of a text, or one of those that CamelCase joins, and where it stands."""
    word: str
    fold: str
    start: int
    stop: int

    def capital(self) -> bool:
        """Whether a capital begins it."""
        return self.word[:1].isupper()

    def sure(self) -> bool:
        """Whether it is hardly another word as well."""
        return len(self.word) > 2 and self.fold not in table("unsure") and self.fold not in table("homonyms")

    def foreign(self) -> bool:
        """Whether it has letters that hardly any but names have in German and English."""
        return self.capital() and bool(_FOREIGN.search(self.word))


@cache
def table(section: str) -> frozenset[str]:
    """A section of names.toml."""
    with (lists.FOLDER / "names.toml").open("rb") as file:
        return frozenset(tomllib.load(file)[section].split())


@lru_cache(maxsize=8192)
def fold(word: str) -> str:
    """Lower case without diacritics; "ß" as "ss"."""
    return text.fold(word)


@cache
def ordinary(word: str) -> bool:
    """Whether a folded word is known not to be a name: a function word, or one of the lists of the rating."""
    if word in table("words") or word in table("generic") or word in table("roles"):
        return True
    return word in _vocabulary() and word not in table("first")


@cache
def _vocabulary() -> frozenset[str]:
    """All words of the lists of the rating, and of the sections that say who sends and greets."""
    found: set[str] = set()
    for language in lists.LANGUAGES:
        stack: list[object] = [lists.table(language)]
        while stack:
            part = stack.pop()
            if isinstance(part, dict):
                found.update(word for key in part for form in lists.spellings(key) for word in form.split())
                stack += part.values()
            elif isinstance(part, list):
                found.update(word for entry in part for form in lists.spellings(entry) for word in form.split())
    return frozenset(found | set(lists.brands()["domains"]))


def tokens(text: str, start: int = 0, stop: int | None = None) -> Iterator[Token]:
    """The words of a text, in order."""
    for match in _TOKEN.finditer(text, start, len(text) if stop is None else stop):
        begin = match.start()
        for part in _CAMEL.split(match[0]):
            yield Token(part, fold(part), begin, begin + len(part))
            begin += len(part)


def is_family(token: Token) -> bool:
    """Whether a word that follows a given name can be its family name."""
    if len(token.word) == 1:
        return token.word.isupper()
    return not ordinary(token.fold) and not token.fold.endswith(tuple(table("noun_ends"))) and token.fold not in table("titles")
