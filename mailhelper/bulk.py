"""What sort of mail it is: from a person, a list, a shop, a machine, or from somebody who should not have written."""
from __future__ import annotations

import re
from typing import NamedTuple

from mailhelper import lists, phishing
from mailhelper.message import ParsedMail
from mailhelper.reading import Reading, Reason

SPAM_ENOUGH = 4.0
UNASKED = 3.0           # points that make a stranger's mail advertising
PROMO_ENOUGH = 3
FOOTER = 3000           # characters at the end in which a footer stands

_SPACED_WORD = re.compile(r" ((?:[a-z] ){3,20}[a-z])(?= )")
_ALONE = re.compile(r"[^\W\d_]{1,20} [^\W\d_] [^\W\d_]{1,20}")
_BROKEN_WORD = re.compile(r"[\[|{](?:(?<=\b\w.)|(?<=\b\w .)) \w|\*(?:(?<=\b[a-z]\*)|(?<=\b[a-z][a-z]\*))[a-z]{1,4}\b")
_BROKEN_LINK = re.compile(r"https? : / / ?\S{1,40}|\bwww \. \S{1,40}")
_LETTERS = frozenset("bcdefghjklmnopqrstuvwxyz")
_PARTS = re.compile(r"[-.]")
_TRAIL = re.compile(r"\s{5,}\S{1,30}$|\s(?=\S*\d)(?=\S*[a-z])(?=\S*[A-Z])[A-Za-z0-9]{7,40}$|\s[b-df-hj-np-tv-xz]{5,20}$")
_NUMERIC_LINK = re.compile(r"https?://(?:\d{1,3}\.){3}\d{1,3}\b")
_DIGITS = re.compile(r"\d{3,}")


class Sort(NamedTuple):
    """The kind, how sure that is (0–1), and why."""

    kind: str
    sure: float
    reasons: list[Reason]


def sort(mail: ParsedMail, reading: Reading, known: int, namesake: bool = False) -> Sort:
    """Kind of a mail. `known`: 0 stranger, 1 a sender one had mail from, 2 one the user wrote to, 3 trusted; both of triage.Sender."""
    marks = reading.marks
    if marks.automatic() == "reply" or _automatic(reading):
        return Sort("notification", 0.95, [_automatic_reason(reading)])
    if reading.colleague and marks.auth == "pass":      # a claim of one's own domain is worth nothing unproven
        known = max(known, 2)
    if known < 2 or reading.marks.auth == "fail":
        doubts, reasons = phishing.check(mail, reading, namesake)
        if doubts - 2 * (known == 1) - 2 * bool(marks.discussion()) >= phishing.ENOUGH:
            return Sort("phishing", min(0.98, 0.6 + doubts * 0.05), reasons)
        points, shady, reasons = _unwanted(mail, reading)
        points -= 3 * (known == 1) + 3 * marks.answer + 2 * bool(marks.discussion())
        if shady and points >= SPAM_ENOUGH + (2.0 if marks.discussion() else 3.0 * bool(marks.bulk())):
            return Sort("spam", min(0.97, 0.5 + points * 0.04), reasons)
        if pushy := _pushy(reading):
            # An offer that poses as a duty is worse than one that is only in a hurry.
            posing = _pressing_title(reading)
            return Sort("spam" if posing and not _way_off(mail, reading) else "marketing", 0.7, pushy)
        if points >= UNASKED + 2 * _business(reading) and not (marks.bulk() or marks.discussion()):
            price_list = not reading.greets and reading.text.count("$") > 2
            if (shady or price_list or reading.found.has("spam")) and not _way_off(mail, reading):
                return Sort("spam", 0.65, [*reasons, Reason("no_way_off", {})])
            return Sort("marketing", 0.7, reasons + _promo_reason(reading))
    if mail.calendar is not None:
        return Sort("calendar", 0.95, [Reason("calendar", {})])
    if marks.discussion():
        return Sort("person", 0.85, [Reason("list", {"header": marks.discussion()})])
    return _sent_to_many(mail, reading, known) or _by_machine(mail, reading) or _cold(mail, reading, known) or _person(reading, known)


def _automatic(reading: Reading) -> bool:
    found = reading.found
    if reading.entitled("autoreply"):
        return True
    return found.count("autoreply") > 1 and reading.folded.find(found.first("autoreply").split()[0]) < reading.start + 400


def _automatic_reason(reading: Reading) -> Reason:
    phrase = reading.found.first("autoreply")
    return Reason("automatic_reply", {"phrase": phrase}) if phrase else _machine(reading)


def _machine(reading: Reading) -> Reason:
    return Reason("auto_submitted", {"header": reading.marks.answering() or "Auto-Submitted"})


def _unwanted(mail: ParsedMail, reading: Reading) -> tuple[float, bool, list[Reason]]:
    """Points of unsolicited mass mail: its words first, then how it was made; and whether honest advertising is out of the question."""
    found, reasons = reading.found, []
    words, strong = found.count("spam"), found.count("spam_strong")
    points = min(words, 6) + 2.0 * min(strong, 2)
    if words:
        reasons.append(Reason("spam_words", {"phrase": found.first("spam_strong") or found.first("spam")}))
    if hidden := _hidden(reading):
        points += 3
        reasons.append(Reason("hidden_words", {"phrase": hidden}))
    around = min(found.count("promo"), 4) * 0.5 + min(found.count("removal"), 2) + 0.5 * found.has("click")
    more, why = _made(mail, reading)
    shady = strong or words > 3 or points > words or any(reason.code == "cheap_domain" for reason in why)
    return points + around + more, bool(shady), reasons + why


def _way_off(mail: ParsedMail, reading: Reading) -> bool:
    """Whether the mail says how to leave the list; a footer may stand far below what else is read."""
    if reading.found.has("removal") or "list-unsubscribe" in reading.marks.fields:
        return True
    return any(lists.read(lists.fold(end)).has("removal") for end in (mail.text[-FOOTER:], mail.html[-FOOTER:]) if end)


def _business(reading: Reading) -> bool:
    """Whether it speaks of an order, a bill or an account, which people want to see."""
    return reading.found.has("consequence") or reading.found.has("receipt") or reading.found.has("notification")


def _hidden(reading: Reading) -> str:
    """Letters set apart or broken by signs, to get past filters; or ""."""
    singles = len(reading.found.words & _LETTERS)
    if singles > 7 and _scattered(reading.found.row) and (match := _ALONE.search(reading.text, reading.start)):
        return match[0]
    if singles > 2:
        for match in _SPACED_WORD.finditer(reading.found.row, 0, 800):
            if match[1].replace(" ", "") in lists.words("spam"):
                return reading.quote(match[1])
    if (" : / /" in reading.folded or "www . " in reading.folded) and (match := _BROKEN_LINK.search(reading.folded)):
        return reading.text[match.start():match.end()]
    head = reading.folded[:reading.start + 600]
    match = _BROKEN_WORD.search(head) if any(sign in head for sign in "[|{*") else None
    return reading.text[max(0, match.start() - 3):match.end() + 4].split("\n")[0].strip() if match else ""


def _scattered(row: str) -> bool:
    """Whether so many letters stand alone that words were taken apart all over."""
    tokens = row.split()
    alone = sum(token in _LETTERS for token in tokens)
    return alone > 10 and alone * 16 > len(tokens)


def _pushy(reading: Reading) -> list[Reason]:
    """A stranger's offer that must be taken at once, without a way off the list."""
    found, marks = reading.found, reading.marks
    offer = found.first("offer")
    if not offer or reading.colleague or marks.answer or marks.bulk():
        return []
    if found.has("consequence") and not (reading.entitled("offer") and _pressing_title(reading)):
        return []
    hurry = _pressing_title(reading) or found.first("pressure") or found.first("hurry")
    if not hurry or not (found.count("offer", "cold", "promo") > 2 or reading.entitled("offer") or reading.entitled("promo")):
        return []
    return [Reason("pushy_offer", {"phrase": offer, "hurry": hurry})]


def _pressing_title(reading: Reading) -> str:
    """What presses in the subject, or ""."""
    return reading.entitled("pressure") or reading.entitled("ask_act")


def _made(mail: ParsedMail, reading: Reading) -> tuple[float, list[Reason]]:
    """How mass mail looks from outside."""
    reasons, points = [], 0.0
    if _TRAIL.search(mail.subject[:300]):
        points += 1.5
        reasons.append(Reason("trailing_token", {"phrase": mail.subject[:300].split()[-1][:30]}))
    if "://" in reading.text and (match := _NUMERIC_LINK.search(reading.text)):
        points += 1
        reasons.append(Reason("numeric_link", {"link": match[0]}))
    title = reading.text[:reading.start].strip()
    if title.count("!") > 1 or (len(title) > 12 and title.isupper()):
        points += 1
        reasons.append(Reason("loud_subject", {}))
    elif "$" in title:
        points += 1
    host = phishing.domain(mail.sender.address)
    if host.rpartition(".")[2] in lists.brands()["cheap"]:
        points += 1
        reasons.append(Reason("cheap_domain", {"domain": host}))
    if not lists.brands()["sales"].isdisjoint(_PARTS.split(host)):
        points += 1
        reasons.append(Reason("sales_domain", {"domain": host}))
    if mail.html and not mail.header("Content-Type").lower().startswith("multipart"):
        points += 1
        reasons.append(Reason("html_only", {}))
    points += 0.5 * bool(_DIGITS.search(mail.sender.address.partition("@")[0])) + 0.5 * (not mail.sender.name)
    points += 0.5 * (reading.greets in ("", "other") and not reading.marks.answer and not reading.colleague)
    points += 0.5 * (reading.text.count("!") > 5) + 1.0 * (reading.text.count("$") > 2)
    return points, reasons


def _sent_to_many(mail: ParsedMail, reading: Reading, known: int) -> Sort | None:
    """Newsletters and advertising."""
    marks, found = reading.marks, reading.found
    promo, letter = found.count("promo"), found.count("newsletter") + min(found.count("removal"), 2)
    header = marks.bulk()
    personal = found.count("consequence", "overdue") or (found.count("receipt", "notification") and promo < 3)
    if header and not personal:
        kind = "marketing" if promo >= 2 else "newsletter"
        return Sort(kind, 0.95, [Reason("bulk_header", {"header": header}), *_promo_reason(reading)])
    if marks.campaign() and not personal:
        return Sort("marketing" if promo else "newsletter", 0.85, [Reason("campaign", {}), *_promo_reason(reading)])
    office = marks.machine or marks.office
    limit = PROMO_ENOUGH - office - bool(reading.entitled("promo")) + 2 * (known >= 2) + bool(reading.greets == "me" and not office)
    if promo and promo + letter * 0.5 >= limit and not found.count("consequence", "overdue"):
        return Sort("marketing", 0.8, _promo_reason(reading))
    if (letter >= 3 - office or letter > 1 and found.has("removal")) and not personal:
        return Sort("newsletter", 0.8, [Reason("newsletter_words", {"phrase": found.first("removal") or found.first("newsletter")})])
    return None


def _promo_reason(reading: Reading) -> list[Reason]:
    phrase = reading.entitled("promo") or reading.found.first("promo")
    return [Reason("promo_words", {"phrase": phrase})] if phrase else []


def _by_machine(mail: ParsedMail, reading: Reading) -> Sort | None:
    """Receipts and notifications."""
    marks, found = reading.marks, reading.found
    receipts, notices = found.count("receipt"), found.count("notification")
    office = reading.by_office()
    if receipts and (office or receipts > 1 or reading.entitled("receipt")) and not _handled_by_person(reading, office):
        return Sort("receipt", 0.8, [Reason("receipt", {"phrase": reading.entitled("receipt") or found.first("receipt")})])
    if marks.automatic() or marks.machine or (notices and (office or notices > 1)):
        if marks.automatic():
            return Sort("notification", 0.9, [_machine(reading)])
        if marks.machine:
            return Sort("notification", 0.85, [Reason("machine_sender", {"address": mail.sender.address})])
        return Sort("notification", 0.8, [Reason("notification", {"phrase": found.first("notification")})])
    return None


def _handled_by_person(reading: Reading, office: bool) -> bool:
    """Whether somebody writes about a bill or an order, rather than a machine that only says what happened."""
    marks, found = reading.marks, reading.found
    if marks.machine or marks.automatic() or marks.bulk():
        return False
    return reading.colleague or found.has("ask_reply") or found.has("ask_act") or (reading.greets == "me" and not office)


def _cold(mail: ParsedMail, reading: Reading, known: int) -> Sort | None:
    found = reading.found
    pitches = found.count("cold") + 0.5 * min(found.count("cold_weak"), 3)
    if known < 2 and not reading.marks.answer and pitches >= 2 and found.has("cold"):
        return Sort("cold_outreach", 0.7, [Reason("cold", {"phrase": found.first("cold")})])
    return None


def _person(reading: Reading, known: int) -> Sort:
    sure = 0.6 + 0.1 * min(known, 2) + 0.1 * (reading.greets == "me") + 0.1 * reading.marks.answer
    return Sort("person", min(sure, 0.95), [])
