"""How much a mail is like those that carry a tag.  Compares sets of keyed words, so it never sees a word itself."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from typing import NamedTuple

LEARNED_FROM = 3        # mails
SUGGESTED = {"learned": 0.75, "description": 0.50, "name": 0.35}        # from which likeness on a tag is proposed, by what is known of it
AUTOMATIC = {"learned": 0.80, "description": 0.60, "name": 0.65}        # and put on, where its owner switched that on
PENALTY = 0.20          # at most, for being like mails that were refused the tag
SHARED = 0.4            # share of the tagged mails that must have a word, for it to be one that they have in common
MOST = 60               # words of a profile: the most telling ones
BODY = 0.5              # what a word of a tag's name counts where it stands only in the text

Weights = dict[str, float]


class Words(NamedTuple):
    """The keyed words of a mail: of subject and people, and all of them."""
    head: Set[str]
    all: Set[str]


class Profile(NamedTuple):
    """What is known of a tag: the words of its name and description, and what was learned."""
    name: Collection[str]
    description: Collection[str] = ()
    learned: Mapping[str, float] = {}
    refused: Mapping[str, float] = {}
    mails: int = 0      # it was learned from


class Likeness(NamedTuple):
    """How much a mail is like a tag's, 0–1, and by which of SUGGESTED's sources that was judged."""
    value: float
    source: str

    def is_suggested(self) -> bool:
        return self.value >= SUGGESTED[self.source]

    def is_automatic(self) -> bool:
        return self.value >= AUTOMATIC[self.source]


def compare(words: Words, profile: Profile, named: bool = False) -> Likeness:
    """The likeness of a mail to those of a tag; `named`: its rating suggests the very name."""
    penalty = PENALTY * _share(profile.refused, words.all)
    if profile.mails >= LEARNED_FROM:
        return Likeness(max(0.0, _share(profile.learned, words.all) - penalty), "learned")
    by_name = 1.0 if named else _present(profile.name, words)
    described = _present(profile.description, words)
    return Likeness(max(0.0, max(described, by_name) - penalty), "description" if profile.description else "name")


def in_common(mine: Sequence[Set[str]], others: Sequence[Set[str]]) -> Weights:
    """The words that these mails share and others rarely have, weighted so that a typical one of them adds up to 1."""
    here, there = Counter(word for words in mine for word in words), Counter(word for words in others for word in words)
    weights = {}
    for word, count in here.items():
        share, usual = count / len(mine), (there[word] + 1) / (len(others) + 2)
        if share >= SHARED and share > usual:
            weights[word] = share * math.log(share / usual)
    kept = dict(sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST])
    typical = sum(sum(weight for word, weight in kept.items() if word in words) for words in mine) / len(mine) if mine else 0
    return {word: round(weight / typical, 4) for word, weight in kept.items()} if typical else {}


def _share(weights: Mapping[str, float], words: Set[str]) -> float:
    return min(1.0, sum(weight for word, weight in weights.items() if word in words))


def _present(wanted: Collection[str], words: Words) -> float:
    """The share of these words that a mail has: whole in subject or people, in part in the text."""
    if not wanted:
        return 0.0
    return sum(1.0 if word in words.head else BODY if word in words.all else 0.0 for word in wanted) / len(wanted)
