"""What a mail says in its own words, to whom it says it, and what its header tells of how it was sent."""
from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from mailhelper import headers, lists, text
from mailhelper.message import ParsedMail

LIMIT = 4_000           # characters of own text that are read
MANY = 8                # more recipients than this are a crowd

_STOP = re.compile(r"(?:(?<!\d)|(?<=\d{4}))\.(?=\s|$)|[!?:;](?=\s|$)|\n\s*\n|—")      # the dot of "2. Dezember" is no end
_LOCAL = re.compile(r"[^a-z]+")
_AUTH = re.compile(r"\b(dmarc|dkim|spf)\s*=\s*(\w+)", re.I)
_WANTED = frozenset((
    "list-id", "list-unsubscribe", "list-post", "auto-submitted", "precedence", "feedback-id", "x-campaign", "x-campaignid",
    "x-campaign-id", "x-mailgun-tag", "x-mc-user", "x-csa-complaints", "x-autoreply", "x-autorespond", "authentication-results",
    "x-mailing-list", "mailing-list", "x-beenthere"))
_CAMPAIGN = ("feedback-id", "x-campaign", "x-campaignid", "x-campaign-id", "x-mailgun-tag", "x-mc-user", "x-csa-complaints")


class Reason(NamedTuple):
    """One checkable fact: the key "reason.<code>" of the catalogue and what its sentence names.

    While rating, "phrase" is a phrase of the lists; `triage` puts the mail's own writing of it in its place.
    """

    code: str
    params: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Marks:
    """What the header tells about how the mail was sent."""

    fields: dict[str, str]      # the wanted fields, first of each name, lower-case names, undecoded values
    machine: bool               # the address is of a kind that no person reads
    office: bool                # the address is one that a whole office shares
    auth: str                   # "pass", "fail" or "" by the mailbox's own server
    answer: bool                # belongs to a thread

    def bulk(self) -> str:
        """The field that shows mail to many, as its owner writes it, or ""."""
        for name, written in (("list-unsubscribe", "List-Unsubscribe"), ("list-id", "List-Id"), ("feedback-id", "Feedback-ID")):
            if name in self.fields:
                return written
        return "Precedence" if self.fields.get("precedence", "").strip().lower() in ("bulk", "list", "junk") else ""

    def discussion(self) -> str:
        """The field that shows a list on which people talk, rather than one that is sent out; or ""."""
        for name, written in (("list-post", "List-Post"), ("x-beenthere", "X-BeenThere"), ("x-mailing-list", "X-Mailing-List"),
                              ("mailing-list", "Mailing-List")):
            if name in self.fields:
                return written
        return self.bulk() if self.answer else ""

    def automatic(self) -> str:
        """"reply" for automatic answers (RFC 3834), "generated" for other machines, or ""."""
        value = self.fields.get("auto-submitted", "").lower()
        if "auto-replied" in value or self.answering():
            return "reply"
        return "generated" if value and not value.startswith("no") else ""

    def answering(self) -> str:
        """The older field that shows an automatic answer, or ""."""
        if self.fields.get("precedence", "").strip().lower() in ("auto_reply", "auto-reply"):
            return "Precedence"
        return "X-Autoreply" if "x-autoreply" in self.fields else "X-Autorespond" if "x-autorespond" in self.fields else ""

    def campaign(self) -> bool:
        """Sent by a machine for mailings."""
        return any(name in self.fields for name in _CAMPAIGN)


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail as the triage reads it: subject and own text in one, folded beside it place by place, with the hits of all lists."""

    text: str
    folded: str
    start: int                  # where the body begins in text
    found: lists.Found
    title: str                  # the words of the subject as a row
    name: str                   # of the sender
    sender: lists.Found         # the hits in that name
    marks: Marks
    to_me: bool                 # in To, not only in Cc or nowhere
    alone: bool                 # nobody else is addressed
    crowd: bool                 # more than MANY recipients
    greets: str                 # "me", "everyone", "other" or ""
    colleague: bool             # the sender's domain is the reader's own, and not one for everybody
    own: frozenset[str]         # the reader's domains that are not for everybody
    at: datetime                # naive UTC

    def quote(self, phrase: str) -> str:
        """A phrase of the lists as this mail writes it; "" if it cannot be shown."""
        return lists.quote(phrase, self.folded, self.text)

    def longer(self, phrase: str) -> str:
        """The same with what follows in its sentence, up to 60 characters."""
        match = lists.pattern(phrase).search(self.folded)
        if not match:
            return ""
        end = _STOP.search(self.text, match.end(), match.start() + 80)
        words = self.text[match.start():end.start() if end else match.start() + 80].split()
        while len(words) > len(phrase.split()) and sum(map(len, words)) + len(words) > 60:
            words.pop()
        return " ".join(words)

    def by_office(self) -> bool:
        """Whether a machine or an office wrote it, going by its address and header."""
        return self.marks.machine or self.marks.office or bool(self.marks.automatic()) or bool(self.marks.bulk())

    def entitled(self, section: str) -> str:
        """A hit of a section that stands in the subject, or ""."""
        for phrase in self.found.hits.get(section, ()):
            if f" {phrase} " in self.title:
                return phrase
        return ""


def read(mail: ParsedMail, addresses: frozenset[str], now: datetime, authserv: str) -> Reading:
    """Cut quotes and signature, fold, match the lists once."""
    body = _own(mail.text)
    subject = " ".join(mail.subject[:300].split())
    whole = f"{subject}\n\n{body}"
    folded = lists.fold(whole)
    recipients = [address.address for address in mail.to + mail.cc]
    own = _hosts(addresses)
    return Reading(
        text=whole, folded=folded, start=len(subject) + 2, found=lists.read(folded),
        title=f" {' '.join(lists.row(folded[:len(subject)]))} ",
        name=mail.sender.name[:100], sender=lists.named(mail.sender.name[:100]), marks=marks(mail, authserv),
        to_me=any(address.address in addresses for address in mail.to),
        alone=len(recipients) == 1 and recipients[0] in addresses, crowd=len(recipients) > MANY,
        greets=_greets(folded[len(subject) + 2:], mail, addresses),
        colleague=mail.sender.address.rpartition("@")[2] in own, own=own, at=mail.date or now)


def marks(mail: ParsedMail, authserv: str = "") -> Marks:
    """The marks of a header; Authentication-Results count only if the topmost is by `authserv` (RFC 8601 §5)."""
    fields: dict[str, str] = {}
    for name, value in mail.fields:
        low = name.lower()
        if low in _WANTED and low not in fields:
            fields[low] = value
    local = mail.sender.address.partition("@")[0]
    parts = set(_LOCAL.split(local)) | {_LOCAL.sub("", local)}
    return Marks(fields, bool(parts & lists.inner("sender", "machine").keys()), bool(parts & lists.inner("sender", "office").keys()),
                 _auth(fields.get("authentication-results", ""), authserv), bool(mail.in_reply_to or mail.references))


def _auth(value: str, authserv: str) -> str:
    name, _, results = headers.decode(value).partition(";") if value else ("", "", "")
    if not authserv or name.split()[:1] != [authserv]:
        return ""
    verdicts = {method.lower(): verdict.lower() for method, verdict in _AUTH.findall(results[:2000])}
    if verdicts.get("dmarc") in ("pass", "fail"):
        return verdicts["dmarc"]
    if "pass" in (verdicts.get("dkim"), verdicts.get("spf")):
        return "pass"
    return "fail" if "fail" in verdicts.values() else ""


@lru_cache(maxsize=256)
def _hosts(addresses: frozenset[str]) -> frozenset[str]:
    """The domains of addresses, but for those where anybody can have one."""
    hosts = {address.rpartition("@")[2] for address in addresses} - {""}
    return frozenset(host for host in hosts if not lists.free(host))


def _own(body: str) -> str:
    """The writer's own words without quotes and signature; the quoted ones, if there are no others."""
    own, quoted = text.parted(body)
    own = own[:LIMIT].strip()
    own = own or quoted[:LIMIT]
    return unicodedata.normalize("NFC", own) if "\u0308" in own else own


def _greets(folded: str, mail: ParsedMail, addresses: frozenset[str]) -> str:
    """Whom the first line greets."""
    line = folded[:120].lstrip().split("\n", 1)[0]
    first = line.split(",", 1)[0] if "," in line[:50] else line[:50]
    words = lists.row(first)[:6]
    if not words or len(words) > 5 and "," not in line[:50]:
        words = words[:3]
    if not words:
        return ""
    if names_of(mail, addresses) & set(words):
        return "me"
    if words[0] not in lists.inner("greeting", "words"):
        return ""
    return "everyone" if lists.inner("greeting", "everyone").keys() & set(words) else "other" if len(words) > 1 else ""


def names_of(mail: ParsedMail, addresses: frozenset[str]) -> set[str]:
    """The words by which the reader may be called: of the name beside the address, and of the address itself."""
    found: set[str] = set()
    for address in mail.to + mail.cc:
        if address.address in addresses:
            found.update(lists.row(lists.fold(address.name)))
    for own in addresses:
        found |= _called(own)
    return {name for name in found if len(name) > 1 and name.isalpha()}


@lru_cache(maxsize=1024)
def _called(address: str) -> frozenset[str]:
    return frozenset(part for part in _LOCAL.split(address.partition("@")[0]) if len(part) > 2)
