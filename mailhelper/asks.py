"""What a mail wants of its reader, and by when."""
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from mailhelper import deadline, lists
from mailhelper.reading import Reading, Reason

PLAIN = 2.0                     # strength of a plain request; from here on the mail asks for something
MILD = 1.0

_QUESTIONS = 12                 # question marks looked at
_LISTED = 8                     # phrases of one section that are looked for in one sentence
_ASKING = ("ask_reply", "ask_act", "ask_modal")
_WANTING = ("due_words", "consequence", "overdue")
_STRENGTH = (("ask_act", 2.0), ("ask_reply", 2.0), ("ask_weak", 1.0))


@dataclass
class Asks:
    """The request of a mail: how plain it is, whether an answer would meet it, and its words in the lists."""

    strength: float = 0.0
    reply: bool = False
    at_once: str = ""           # how the sentence that asks presses for this very moment
    phrase: str = ""
    reasons: list[Reason] = field(default_factory=list)

    def plain(self) -> bool:
        """Whether the mail really asks for something."""
        return self.strength >= PLAIN

    def bind(self, due: Due | None) -> None:
        """A request that sets a day is meant, however mild its words."""
        if due and due.firm and due.left >= 0 and not due.appointment and self.strength >= MILD:
            self.strength = max(self.strength, PLAIN)


@dataclass(frozen=True, slots=True)
class Due:
    """The day that counts: how many days are left, the words that name it, whether it is a deadline or only a day, whether it is
    a day at all, rather than "this week", and whether it is that of an appointment."""

    day: date
    left: int
    phrase: str
    start: int
    firm: bool
    exact: bool
    appointment: bool = False


def wanted(reading: Reading, kind: str) -> Asks:
    """Requests and questions aimed at the reader."""
    asks, found = Asks(), reading.found
    person = kind in ("person", "calendar", "cold_outreach")
    for section, least in _STRENGTH:
        if found.has(section):
            asks.phrase = asks.phrase or found.first(section)
            asks.strength = max(asks.strength, least)
    modal = _modal(reading) if found.has("ask_modal") else ""
    if modal and not found.has("ask_reply"):
        asks.phrase = modal if asks.strength < PLAIN else asks.phrase
        asks.strength = max(asks.strength, PLAIN)
    question, strength = _question(reading) if person and "?" in found.words else ("", 0.0)
    asks.strength += strength
    asks.reply = person and bool(found.has("ask_reply") or modal or question)
    if not person and asks.strength and not found.has("ask_act") and not found.has("consequence"):
        asks.strength -= 1
    asks.strength += bool(asks.strength) * _aim(reading)
    asks.at_once = _at_once(reading)
    _explain(reading, asks, question)
    return asks


def _at_once(reading: Reading) -> str:
    """A word such as "immediately" in a sentence that asks; "" if there is none."""
    for phrase in reading.found.hits.get("at_once", ())[:_LISTED]:
        match = lists.pattern(phrase).search(reading.folded, reading.start)
        if match and _stands(reading, match.start(), _ASKING):
            return phrase
    return ""


def _explain(reading: Reading, asks: Asks, question: str) -> None:
    found = reading.found
    if found.has("no_action"):
        asks.strength -= PLAIN
        asks.reasons.append(Reason("no_action", {"phrase": found.first("no_action")}))
    elif question and (found.first("ask_modal") == asks.phrase or not asks.phrase) and asks.strength >= 1:
        asks.reasons.append(Reason("question", {"phrase": question}))
    elif asks.phrase and asks.strength >= 1:
        asks.reasons.append(Reason("asks", {"phrase": asks.phrase}))


def _aim(reading: Reading) -> float:
    """How well the request is aimed at the reader."""
    if reading.marks.bulk() or reading.marks.discussion():
        return -PLAIN
    aim = 0.5 if reading.greets == "me" else 0.0
    aim += 0.5 if reading.alone else -1.0 if reading.crowd else 0.0
    return aim - (0.0 if reading.to_me else 1.0)


def _modal(reading: Reading) -> str:
    """The first "can you" in a question, at the head of a sentence, or beside "please"; "" if none."""
    row = reading.found.row
    for phrase in reading.found.hits["ask_modal"][:_LISTED]:
        start = row.find(f" {phrase} ")
        ends = [(place, mark) for mark in ("?", ".", "!") if (place := row.find(f" {mark} ", start)) >= 0]
        end, mark = min(ends, default=(len(row), ""))
        sentence = row[start:end + 1]
        if mark == "?" or row[:start].endswith((" .", " !", " ?")) or " please " in sentence or " bitte " in sentence:
            return phrase
    return ""


def _question(reading: Reading) -> tuple[str, float]:
    """The first question to the reader, as the mail writes it, and how strong a request that is; ("", 0) if there is none."""
    place = reading.start - 1
    for _ in range(_QUESTIONS):
        place = reading.folded.find("?", place + 1)
        if place < 0:
            break
        if reading.folded[place + 1:place + 2].strip():     # inside a web address
            continue
        begin = deadline.sentence(reading.folded, place)[0]
        words = lists.row(reading.folded[begin:place])
        if 2 < len(words) <= 60 and (strength := _to_reader(reading, words)):
            line = " ".join(reading.text[max(begin, place - 200):place + 1].split())
            return line if len(line) <= 80 else "…" + line[-79:].partition(" ")[2], strength
    return "", 0.0


def _to_reader(reading: Reading, words: list[str]) -> float:
    """How much a question means the reader: it says "you", or opens as a question in a mail to nobody else."""
    if not lists.inner("question", "you").keys().isdisjoint(words):
        return 1.5
    only = reading.alone or reading.greets == "me"
    return 1.0 if only and len(words) > 3 and words[0] in lists.inner("question", "opening") else 0.0


def due(reading: Reading, base: datetime, today: date) -> Due | None:
    """The nearest day by which the reader has to act, or on which something for them happens; None if there is none.

    `base` is when the mail was written, in the reader's time zone; `today` is the reader's day.
    """
    best: Due | None = None
    for named in deadline.find(reading.folded, reading.text, reading.found.words, base):
        asked = _stands(reading, named.start, _ASKING)
        meets = named.how == "appointment" and reading.by_office()
        firm = asked and not meets or named.how == "deadline" or named.how == "by" and (
            _stands(reading, named.start, _WANTING) or _beside(reading, named))
        if not firm and not meets and not _stands(reading, named.start, ("change",)):
            continue
        if named.day < base.date() or (not asked and _promised(reading, named)):
            continue
        if best is None or (named.day, not firm) < (best.day, not best.firm):
            best = Due(named.day, (named.day - today).days, named.phrase, named.start, firm, named.exact, meets)
    return best


def _stands(reading: Reading, place: int, sections: tuple[str, ...]) -> bool:
    """Whether a hit of these sections stands in the sentence at a place."""
    hits = [phrase for section in sections for phrase in reading.found.hits.get(section, ())[:_LISTED]]
    if not hits:
        return False
    begin, end = deadline.sentence(reading.folded, place)
    return any(lists.pattern(phrase).search(reading.folded, begin, end) for phrase in hits)


def _beside(reading: Reading, named: deadline.Deadline) -> bool:
    """Whether the sentence before or after asks, as in: they give us until noon, can you send it."""
    begin, end = deadline.sentence(reading.folded, named.start)
    return any(_stands(reading, place, _ASKING) for place in (begin - 3, end + 2) if reading.start <= place < len(reading.folded))


def _promised(reading: Reading, named: deadline.Deadline) -> bool:
    """Whether the sender speaks of what they will do themselves."""
    promises = reading.found.hits.get("own_promise", ())[:_LISTED]
    if not promises:
        return False
    begin, end = deadline.sentence(reading.folded, named.start)
    return any(lists.pattern(phrase).search(reading.folded, begin, min(end, named.start + 50)) for phrase in promises)
