"""The built-in rating: urgency and importance of a mail by rules, with a reason for each point, without any model."""
from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from mailhelper import asks as wants
from mailhelper import bulk, gist, language
from mailhelper.asks import Asks, Due
from mailhelper.message import ParsedMail
from mailhelper.reading import Reading, Reason, read

CATEGORIES = ("action_required", "urgent", "information")
KINDS = ("person", "newsletter", "marketing", "notification", "receipt", "calendar", "cold_outreach", "spam", "phishing")
LAYERS = ("user", "rule", "optimize", "base", "pattern", "builtin")     # the first one there is wins
UNWANTED = frozenset(("newsletter", "marketing", "cold_outreach", "spam", "phishing"))

OWN = frozenset(("sent", "drafts"))                                     # folders of what the user wrote

RED, YELLOW, GREEN = "red", "yellow", "green"
SOON, LONG_PAST, FORGOTTEN = 7, -14, -21        # days to a deadline
REASONS = 6

# Phrases that are the mail's own writing already.
_QUOTED = frozenset(("appointment", "deadline", "deadline_passed", "question", "hidden_words", "trailing_token"))


@dataclass(frozen=True)
class Sender:
    """What is known of the sender: mails from them, mails the user wrote to them, and whether the user trusts them."""

    received: int = 0
    written: int = 0
    trusted: bool = False
    namesake: bool = False      # a stranger with the name of somebody whom the user knows at another domain

    def known(self) -> int:
        """0 stranger, 1 wrote before, 2 the user wrote to them, 3 trusted."""
        return 3 if self.trusted else 2 if self.written else 1 if self.received > 1 else 0


@dataclass(frozen=True)
class Context:
    """Whose mail it is and when. `now` is naive UTC; `authserv` names the account's own mail server, "" if unknown."""

    addresses: frozenset[str]
    now: datetime
    sender: Sender = Sender()
    language: str = "en"
    authserv: str = ""
    role: str = "inbox"
    timezone: str = "UTC"


@dataclass(frozen=True)
class Rating:
    """What the rater thinks of a mail. Urgency and importance 1–3, confidence 0–1."""

    urgency: int
    importance: int
    category: str
    kind: str
    spam: bool
    needs_reply: bool
    summary: str
    suggested_tags: tuple[str, ...]
    reasons: tuple[Reason, ...]
    confidence: float
    rated_by: str = "builtin"
    due: date | None = None     # the day on which it is urgent by its own deadline


def score(urgency: int, importance: int) -> int:
    """3…9; urgency counts twice."""
    return 2 * urgency + importance


def colour(score: int) -> str:
    """Red from 8, yellow from 5, else green."""
    return RED if score >= 8 else YELLOW if score >= 5 else GREEN


def builtin(mail: ParsedMail, context: Context) -> Rating:
    """Rate one mail. Never fails on odd mail, uses no network, and takes time in proportion to at most 12 kB of text."""
    reading = read(mail, context.addresses, context.now, context.authserv)
    if context.role in OWN:
        return _own(reading, context)
    sort = _sort(mail, reading, context)
    asks = wants.wanted(reading, sort.kind)
    due = _due(reading, sort.kind, context)
    asks.bind(due)
    urgency, why_urgent = _urgency(reading, sort.kind, asks, due)
    importance, why_important = _importance(reading, sort.kind, asks, due, urgency, context.sender)
    acts = asks.plain() and sort.kind not in UNWANTED
    reasons = [*why_urgent, *asks.reasons, *why_important, *sort.reasons]
    if sort.kind in UNWANTED or reading.marks.discussion():
        reasons = sort.reasons
    return Rating(
        urgency, importance, "urgent" if acts and urgency == 3 else "action_required" if acts else "information", sort.kind,
        sort.kind in ("spam", "phishing"), acts and asks.reply, gist.summary(reading, asks, due),
        gist.tags(reading, sort.kind, context.language),
        _written(reading, reasons), _confidence(reading, sort, asks, urgency), due=_peak(reading, sort.kind, asks, due))


def _own(reading: Reading, context: Context) -> Rating:
    """What the user wrote wants nothing of them."""
    about = gist.summary(reading, Asks(), None), gist.tags(reading, "person", context.language)
    return Rating(1, 2, "information", "person", False, False, *about, (Reason("own_mail", {}),), 0.95)


def _sort(mail: ParsedMail, reading: Reading, context: Context) -> bulk.Sort:
    """The kind, with the word of the mail server on strangers' mail that it put among the junk."""
    known = context.sender.known()
    sort = bulk.sort(mail, reading, known, context.sender.namesake)
    if context.role == "junk" and known < 2 and sort.kind not in UNWANTED:
        return bulk.Sort("spam", 0.8, [Reason("junk_folder", {})])
    return sort


def _written(reading: Reading, reasons: list[Reason]) -> tuple[Reason, ...]:
    """The first reasons of each code, their phrases as the mail writes them."""
    kept: dict[str, Reason] = {}
    for code, params in reasons:
        if len(kept) == REASONS:
            break
        if code in kept:
            continue
        if code not in _QUOTED:
            write = reading.longer if code == "asks" else reading.quote
            params = {name: write(str(value)) if name in ("phrase", "hurry") else value for name, value in params.items()}
            if "" in params.values():       # what cannot be shown in the mail is no reason
                continue
        kept[code] = Reason(code, params)
    return tuple(kept.values()) or (Reason("nothing_asked", {}),)


def _due(reading: Reading, kind: str, context: Context) -> Due | None:
    """The day that counts, in the reader's time zone; an old mail's deadline is seen from today."""
    if kind in UNWANTED or reading.marks.discussion():
        return None
    zone = language.zone(context.timezone)
    base = reading.at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return wants.due(reading, base, max(base.date(), context.now.replace(tzinfo=UTC).astimezone(zone).date()))


def _urgency(reading: Reading, kind: str, asks: Asks, due: Due | None) -> tuple[int, list[Reason]]:
    found, reasons = reading.found, []
    if kind in UNWANTED or reading.marks.discussion():
        return 1, []
    urgency = 1
    strong = asks.plain() or found.has("consequence")
    if due and due.left >= 0:
        close = due.left <= (1 if due.firm and due.exact else 0)
        urgency = 3 if close and strong and not due.appointment else 2 if due.left <= SOON else 1
        reasons.append(_day("appointment", due) if due.appointment else _day("deadline", due))
    elif due and due.appointment:
        return 1, [_day("appointment", due)]
    elif due and due.left >= LONG_PAST:
        urgency = 2
        reasons.append(_day("deadline_passed", due))
    elif due:
        return 1, [_day("deadline_passed", due)]
    if found.has("overdue") and found.count("consequence") > 1 and kind != "calendar":
        urgency = 3
        reasons.append(Reason("overdue", {"phrase": found.first("overdue")}))
    pressure = _pressure(reading, due) + 0.5 * bool(asks.at_once and (reading.alone or reading.greets == "me"))
    if pressure >= 1 and not found.has("no_action"):
        phrase = reading.entitled("pressure") or found.first("pressure") or reading.entitled("pressure_subject") or found.first("strain")
        reasons.append(Reason("pressure", {"phrase": phrase}))
        aimed = asks.strength >= 1 or reading.greets == "me" or kind != "person"
        urgency = max(urgency, 3 if pressure >= 1.5 and asks.plain() else 1 + aimed)
    urgency, calming = _calmed(reading, kind, due, pressure, urgency)
    return urgency, reasons + calming


def _peak(reading: Reading, kind: str, asks: Asks, due: Due | None) -> date | None:
    """The day of the deadline, if it makes the mail urgent when it comes."""
    if not due or due.appointment or not due.exact:
        return None
    return due.day if _urgency(reading, kind, asks, replace(due, left=0))[0] == 3 else None


def aged(urgency: int, category: str, due: date | None, today: date) -> tuple[int, str]:
    """What a rating's urgency and category have become: up as its deadline nears, down when that has passed, and long past as rated."""
    left = (due - today).days if due else FORGOTTEN
    if left > SOON or left <= FORGOTTEN:
        return urgency, category
    urgency = max(urgency, 3 if left <= 1 else 2) if left >= 0 else min(urgency, 2 if left >= LONG_PAST else 1)
    if category in ("urgent", "action_required"):
        category = "urgent" if urgency == 3 else "action_required"
    return urgency, category


def _day(code: str, due: Due) -> Reason:
    return Reason(code, {"phrase": due.phrase, "day": due.day.isoformat()})


def _pressure(reading: Reading, due: Due | None) -> float:
    """How pressing the sender says it is: "urgent" 1, in the subject more, signs of strain a half."""
    found = reading.found
    signs = found.count("pressure") + 0.5 * min(found.count("strain"), 3) + 0.5 * bool(reading.entitled("pressure")) \
        + 0.5 * bool(reading.entitled("pressure_subject"))
    return signs + 0.5 * bool(signs and due and due.firm and 0 <= due.left <= 3)


def _calmed(reading: Reading, kind: str, due: Due | None, pressure: float, urgency: int) -> tuple[int, list[Reason]]:
    """What lowers the urgency; when unsure, lower."""
    found, reasons = reading.found, []
    if found.has("no_action"):
        urgency = 1
    elif found.has("calm") and pressure < 1.5 and not found.has("consequence"):
        urgency = max(1, urgency - 1)
        reasons.append(Reason("calm", {"phrase": found.first("calm")}))
    if found.has("leisure") and pressure < 2:
        urgency = min(urgency, 2)
    if kind in ("notification", "receipt") and not found.has("consequence"):
        urgency = min(urgency, 2)
    if reading.marks.automatic() == "reply" or reading.crowd and pressure < 2 or found.count("autoreply") > 1:
        urgency = min(urgency, 2)
    return urgency, reasons


def _importance(reading: Reading, kind: str, asks: Asks, due: Due | None, urgency: int, sender: Sender) -> tuple[int, list[Reason]]:
    if kind in UNWANTED:
        return 1, []
    found, reasons = reading.found, []
    points = {"person": 2.0, "calendar": 2.0, "receipt": 1.0, "notification": 1.0}.get(kind, 1.0)
    if sender.written:
        points += 0.5
        reasons.append(Reason("you_wrote", {"count": sender.written}))
    if sender.trusted:
        points += 0.5
        reasons.append(Reason("trusted", {}))
    if reading.sender.has("authority"):
        points += 0.5
        reasons.append(Reason("authority_sender", {"name": reading.name}))
    elif found.has("authority"):
        points += 0.5
        reasons.append(Reason("authority", {"phrase": found.first("authority")}))
    if found.has("consequence") and (asks.strength > 0 or due or kind != "person"):
        points += 1.0
        reasons.append(Reason("consequence", {"phrase": found.first("consequence")}))
    elif found.has("money") and asks.plain():
        points += 0.5
        reasons.append(Reason("money", {"phrase": found.first("money")}))
    points += 0.5 * (asks.plain()) + 0.5 * bool(due and due.left >= 0) + 0.5 * (urgency == 3)
    if reading.marks.discussion():
        points = min(points, 1.9)
    elif reading.crowd or not reading.to_me:
        points -= 1.0
        reasons.append(Reason("crowd", {}) if reading.crowd else Reason("not_to_you", {}))
    if due and due.appointment and due.left >= 0:
        points = max(points, 2.0)
    if found.has("leisure") or found.has("no_action") or found.has("calm") and not found.has("consequence"):
        points = min(points, 2.0)
    return max(1, min(3, int(points))), reasons


def _confidence(reading: Reading, sort: bulk.Sort, asks: Asks, urgency: int) -> float:
    """How sure the rating is: of the kind, less where the signs of urgency contradict each other or are few."""
    sure, found = sort.sure, reading.found
    if sort.kind in UNWANTED:
        return round(sure, 2)
    if found.has("calm") and (found.has("pressure") or asks.plain()):
        sure -= 0.2
    if 0 < asks.strength < 2:
        sure -= 0.15
    if found.has("promo") or found.has("cold") or found.has("threat"):
        sure -= 0.15
    if urgency == 3 and not (reading.alone or reading.greets == "me"):
        sure -= 0.1
    if len(found.words) < 8:
        sure -= 0.15
    return round(max(0.1, min(sure, 0.99)), 2)
