"""Finds what a mail answers that says "Re:" and names no Message-ID, by its subject.

Subjects repeat, so it is not enough that they are the same: the mail must look like an answer and refer to nothing, somebody else
must take part in both, and both must be written within WINDOW.  A subject is kept as one keyed hash with each of the other people.
"""

import datetime as dt
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from mailhelper.models import ThreadSubject
from mailhelper.scope import Scope
from mailhelper.text import fold

WINDOW = dt.timedelta(days=30)
SHORTEST = 4            # letters: what is shorter ("Hi", "?") says nothing
MOST_PEOPLE = 5
ANSWER = re.compile(r"\s*(?:re|aw|antw|antwort|sv|vs|odp|rif)\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s*:", re.IGNORECASE)
LABEL = re.compile(r"\s*\[[^\]]{1,60}\](?=\s*\S)")         # of a mailing list


class Talk(NamedTuple):
    """What a mail speaks of, and with whom."""
    keys: tuple[bytes, ...]     # of its subject with each person; sorted
    bare: bool                  # it answers something and does not say what
    opens: bool                 # it neither answers nor refers to anything


class _Seen(NamedTuple):
    """The newest mail of a thread under one key, in the table or in this batch."""
    at: dt.datetime
    thread: int | None          # None: of this batch
    number: int                 # in this batch
    bare: bool


def base(subject: str) -> tuple[str, bool]:
    """The subject without the marks of answers and lists, folded ("" where too little is left), and whether it looked like an answer."""
    answers, rest = False, subject[:500]
    for _ in range(20):
        if mark := ANSWER.match(rest):
            answers = True
        elif not (mark := LABEL.match(rest)):
            break
        rest = rest[mark.end():]
    folded = " ".join(fold(rest).split())
    return (folded if sum(char.isalnum() for char in folded) >= SHORTEST else ""), answers


def talk(scope: Scope, subject: str, people: Collection[str], refers: bool) -> Talk:
    """Hash what a mail speaks of with its other people; nothing where the subject says too little."""
    plain, answers = base(subject)
    chosen = sorted({one.lower() for one in people if one})[:MOST_PEOPLE] if plain else ()
    keys = tuple(sorted(scope.vault.lookup("thread-subject", f"{person}\0{plain}") for person in chosen))
    return Talk(keys, answers and not refers, not answers and not refers)


class Answers:
    """Which mails of a batch answer what is here already, or each other."""

    def __init__(self, scope: Scope, talks: Sequence[tuple[Talk, dt.datetime]]) -> None:
        self._scope, self._talks = scope, talks
        self.pairs: list[tuple[int, int]] = []          # numbers of this batch
        self._joins: dict[int, set[int]] = {}
        self._stored: dict[bytes, _Seen] = {}
        self._found: set[bytes] = set()                 # keys of bare answers whose question has come
        wanted = {key for talk, _ in talks for key in talk.keys}
        if wanted:
            columns = ThreadSubject.key, ThreadSubject.at, ThreadSubject.thread, ThreadSubject.bare
            rows = scope.select(ThreadSubject, *columns).where(ThreadSubject.key << sorted(wanted)).tuples()
            self._stored = {bytes(key): _Seen(at, thread, -1, bool(bare)) for key, at, thread, bare in rows}
        self._newest = dict(self._stored)
        for number in sorted(range(len(talks)), key=lambda number: talks[number][1]):
            self._place(number)

    def threads(self, number: int) -> set[int]:
        """The threads that a mail of the batch joins."""
        return self._joins.get(number, set())

    def _place(self, number: int) -> None:
        """Look for what this mail answers, or for the answers to it that came before; older ones of the batch were placed already."""
        talk, date = self._talks[number]
        answered = False
        for key in talk.keys:
            for seen in {self._newest.get(key), self._stored.get(key)}:
                if seen and talk.bare and abs(date - seen.at) <= WINDOW:
                    self._join(number, seen)
                    answered |= not seen.bare
                elif seen and talk.opens and seen.bare and dt.timedelta(0) <= seen.at - date <= WINDOW:
                    self._join(number, seen)
                    self._found.add(key)
        for key in talk.keys:
            before = self._newest.get(key)
            if before is None or before.at <= date:
                self._newest[key] = _Seen(date, None, number, talk.bare and not answered)

    def _join(self, number: int, seen: _Seen) -> None:
        if seen.thread is None:
            self.pairs.append((number, seen.number))
        else:
            self._joins.setdefault(number, set()).add(seen.thread)

    def keep(self, threads: Sequence[int]) -> None:
        """Remember the newest mail of each subject and person, for the answers to come; `threads`: of each mail of the batch."""
        new = []
        for key, seen in sorted(self._newest.items()):
            bare, which = seen.bare and key not in self._found, ThreadSubject.key == key
            if seen.thread is not None:
                if seen.bare and not bare:
                    self._scope.update(ThreadSubject, bare=False).where(which).execute()
            elif key in self._stored:
                self._scope.update(ThreadSubject, thread=threads[seen.number], at=seen.at, bare=bare).where(which).execute()
            else:
                new.append((threads[seen.number], key, seen.at, bare))
        self._scope.insert(ThreadSubject, ("thread", "key", "at", "bare"), new)
