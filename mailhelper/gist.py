"""What a mail is about: its own best sentence, and a few words to file it under."""
from __future__ import annotations

from mailhelper import deadline, lists
from mailhelper.asks import Asks, Due
from mailhelper.reading import Reading

LONGEST = 240           # characters of a summary
TAGS = 4

_FALLBACK = {"person": "personal", "receipt": "invoice", "notification": "notification", "calendar": "meeting", "newsletter": "newsletter",
             "marketing": "newsletter", "cold_outreach": "sales"}


def summary(reading: Reading, asks: Asks, due: Due | None) -> str:
    """The mail's own best sentences: what is asked, by when; else its first real one. At most LONGEST characters."""
    places = []
    if asks.phrase and asks.strength >= 1:
        match = lists.pattern(asks.phrase).search(reading.folded, reading.start)
        places += [match.start()] if match else []
    if due and due.start >= reading.start:
        places.append(due.start)
    spans = sorted({deadline.sentence(reading.folded, place) for place in places}) or [_first(reading)]
    lines = [" ".join(reading.text[max(begin, reading.start):end].split()) for begin, end in spans]
    line = " ".join(line for line in lines if line) or reading.text[:reading.start].strip()
    if len(line) <= LONGEST:
        return line
    cut = line.rfind(" ", LONGEST // 2, LONGEST - 1)
    return line[:cut if cut > 0 else LONGEST - 1].rstrip(" ,;:") + "…"


def tags(reading: Reading, kind: str, language: str) -> tuple[str, ...]:
    """One to four words in that language, the best supported first."""
    names = lists.tag_names(language)
    if kind in ("spam", "phishing"):
        return (names[kind],)
    counts: dict[str, int] = {}
    for found, weight in ((reading.found, 1), (reading.sender, 2)):
        for section, hits in found.hits.items():
            if section.startswith("tag:"):
                counts[section[4:]] = counts.get(section[4:], 0) + weight * len(hits)
    keys = sorted(counts, key=lambda key: (-counts[key], key))[:3]
    if reading.marks.automatic() == "reply" or reading.found.count("autoreply") > 1:
        keys.insert(0, "automatic")
    if kind in ("newsletter", "marketing", "calendar") and _FALLBACK[kind] not in keys:
        keys.insert(0, _FALLBACK[kind])
    return tuple(names[key] for key in keys[:TAGS]) or (names[_FALLBACK[kind]],)


def _first(reading: Reading) -> tuple[int, int]:
    """The first sentence that is no greeting and no single word; the longest of the first ones if all are short."""
    at, best = reading.start, (reading.start, reading.start)
    for _ in range(5):
        end = deadline.sentence_end(reading.folded, at)
        words = reading.folded[at:end].split()
        if len(words) > 4 or (len(words) > 2 and words[-1][-1] in ".!?"):
            return at, end
        best = max(best, (at, end), key=lambda span: span[1] - span[0])
        at = end
        while at < len(reading.folded) and reading.folded[at].isspace():
            at += 1
        if at >= len(reading.folded):
            break
    return best
