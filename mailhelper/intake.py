"""New mails on their way in: parse, rate, seal and hash first, then one short transaction.

Used by sync and import alike.  Nothing slow happens inside the transaction, since SQLite has one writer at a time.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from mailhelper import concealed, habits, invitations, message, reading, relink, search, senders, tagging, text, threads, triage
from mailhelper.db import db, now
from mailhelper.imap import Fetched
from mailhelper.imapfetch import Flags, flags_of
from mailhelper.message import Address, ParsedMail
from mailhelper.models import Account, Asked, Body, Folder, Mail, Rating, Raw
from mailhelper.relink import Found, Known, Orphans, identity
from mailhelper.scope import Scope
from mailhelper.triage import Context, Reason, Sender
from mailhelper.trusted import Trust

log = logging.getLogger(__name__)
BATCH = 50              # mails a transaction
LARGE = 64_000          # bytes; above, what reading shows is kept apart from the bytes
STAMPED = 10            # mails that show who the account's own mail server is
OWN = ("sent", "drafts")    # what the user wrote is done, and nothing to rate
EARLIEST = dt.datetime(1990, 1, 1)

MAIL = ("account", "folder", "uid", "thread", "partial", "object_key", "keywords", "message_key", "sender_key", "received", "date", "size",
        "seen", "flagged", "answered", "has_attachments", "defective", "done_at", "head", "layer", "urgency", "importance", "score", "category",
        "kind", "needs_reply")
RATING = ("mail", "layer", "urgency", "importance", "category", "kind", "spam", "needs_reply", "confidence", "rated_by", "error", "detail",
          "created_at", "due")
UNRATED = (None, None, None, 0, None, None, None)               # the columns of Mail from `layer` on
FAILED = ("builtin", *UNRATED[1:])


class Arrival(NamedTuple):
    """A mail as it came, its bytes sealed already: that is work which other threads can do meanwhile."""
    mail: Fetched
    sealed: bytes


class Kept(NamedTuple):
    """How many mails of a batch were new, and the ids of known ones that were in another place before."""
    new: int
    moved: list[int]


class Prepared(NamedTuple):
    """A mail ready to be stored: sealed and hashed."""
    uid: int
    flags: Flags
    known: Known
    before: tuple[Any, ...]             # values of MAIL from partial on
    ratings: list[tuple[Any, ...]]      # values of RATING after mail: the built-in layer, and that of the sender's habits
    raw: bytes
    body: Any
    link: threads.Link
    tokens: tuple[list[str], ...]
    seen: list[senders.Seen]
    tags: tuple[str, ...]               # that its rating suggests
    stamp: str | None                   # in an inbox: who stands in the topmost Authentication-Results, "" for nobody
    foreign: bool                       # from somebody else
    invitation: invitations.Prepared | None
    asked: Any                          # of a mail sent that asks for an answer: why, sealed (Asked.reasons)


class Ready(NamedTuple):
    """A batch ready to be stored, with what it adds to the counts of people and of suggested tags."""
    mails: list[Prepared]
    people: list[dict[str, object]]
    suggested: list[dict[str, Any]]


class Intake:
    """Takes mails of one account in; keeps what mails have in common: known senders, hashed words, own addresses."""

    def __init__(self, scope: Scope, account: Account) -> None:
        self.scope, self.account = scope, account
        self._index, self._heard = search.Index(scope), tagging.Heard(scope)
        self._addresses = frozenset(one.address.lower() for one in scope.select(Account, Account.address))
        self._senders: dict[str, Sender] = {}
        self._habits: dict[str, habits.Habit] = {}
        self._trust = Trust(scope, account)
        self._arrived = 0                               # mails of the inbox in this run
        self._stamps: Counter[str] = Counter()          # and who stood in their topmost Authentication-Results

    def arrive(self, mail: Fetched) -> Arrival:
        """Seal the bytes; in any thread, since zlib and OpenSSL let others run."""
        return Arrival(mail, self.scope.vault.seal(mail.raw, Raw.data.about))

    def keep(self, folder: Folder, mails: Sequence[Arrival], orphans: Orphans | None = None) -> Kept:
        """Store mails of one folder, at most BATCH; those already there are passed over.  `orphans` found again are moved, not doubled."""
        return self.store(folder, self.prepare(folder.role, mails), orphans)

    def prepare(self, role: str, mails: Sequence[Arrival]) -> Ready:
        """Everything but the storing, for mails of a folder of that role; reads the database, and writes nothing."""
        parsed = [(one, message.parse(one.mail.raw)) for one in mails]
        self._learn_senders([mail.sender for _, mail in parsed])
        prepared = [self._prepare(role, one, mail) for one, mail in parsed]
        return Ready(prepared, *self._counted(prepared))

    def store(self, folder: Folder, ready: Ready, orphans: Orphans | None = None) -> Kept:
        """Store what was prepared, in one short transaction."""
        prepared, people, suggested = ready
        stamps = [one.stamp for one in prepared if one.stamp is not None]
        self._arrived += len(stamps)
        self._stamps.update(stamp for stamp in stamps if stamp)
        with db.atomic():
            rest, moved = self._move(folder, prepared, orphans or Orphans())
            new = self._store(folder, rest)
            if len(new) < len(prepared):       # the rare batch that was partly here: the others are counted already
                people, suggested = self._counted(new)
            senders.keep(self.scope, people)
            tagging.keep(self.scope, suggested)
        return Kept(len(new), moved)

    def _counted(self, mails: Sequence[Prepared]) -> tuple[list[dict[str, object]], list[dict[str, Any]]]:
        """What is counted of new mails: who writes, and the tags that ratings suggest."""
        people = senders.rows(self.scope, [seen for one in mails for seen in one.seen])
        return people, self._heard.rows((name for one in mails for name in one.tags), now())

    def authserv(self) -> str:
        """The authserv-id of the account's own mail server (RFC 8601 §2.5), when this run shows it: it stamps most mails, whoever sent them.

        Anybody can write such a field; only the receiving server writes it on nearly all mails.
        """
        name, count = next(iter(self._stamps.most_common(1)), ("", 0))
        return name if count >= STAMPED and 2 * count > self._arrived else ""

    def _learn_senders(self, people: Sequence[Address]) -> None:
        """Ask once what is known of people not met in this run; what they send in it does not count yet."""
        unknown = {senders.key(self.scope, one.address): one for one in people if one.address and one.address not in self._senders}
        keys = list(unknown)
        self._habits.update((unknown[key].address, habit) for key, habit in habits.known(self.scope, keys).items())
        for key, (received, written) in senders.facts(self.scope, keys).items():
            self._senders[unknown.pop(key).address] = Sender(received=received, written=written)
        namesakes = senders.namesakes(self.scope, unknown.values())
        self._senders.update((one.address, Sender(namesake=one.address in namesakes)) for one in unknown.values())

    def _prepare(self, role: str, arrival: Arrival, mail: ParsedMail) -> Prepared:
        scope, one = self.scope, arrival.mail
        date = mail.date if mail.date and EARLIEST < mail.date < one.received + dt.timedelta(days=2) else one.received
        message_key = scope.vault.lookup("message-id", mail.message_id) if mail.message_id else None
        sender_key = senders.key(scope, mail.sender.address) if mail.sender.address else None
        flags, size = flags_of(one.flags), one.size or len(one.raw)
        object_key = relink.object_key(scope, one.object_id)
        ratings, counted, tags = self._rate(role, mail, date)
        before = (
            one.partial or None, object_key or None, Mail.keywords.seal(list(flags.keywords) or None), message_key, sender_key, one.received,
            date, size, *flags[:3],
            any(not part.inline for part in mail.attachments), bool(mail.defects),
            date if role in OWN else None, Mail.head.seal(head(mail)), *counted)
        return Prepared(
            one.uid, flags, Known(object_key, identity(message_key, sender_key, size, one.received), one.received), before, ratings,
            arrival.sealed,
            Body.content.seal(content(mail)) if size > LARGE else None,
            threads.link(scope, mail.message_id, (*mail.references, *mail.in_reply_to), date, mail.subject, self._others(mail)),
            self._index.row(mail, text.words(mail.text)), self._people(role, mail, date), tags,
            "".join(mail.header("Authentication-Results").partition(";")[0].split()[:1]) if role == "inbox" else None,
            role not in OWN and mail.sender.address.lower() not in self._addresses, invitations.prepare(scope, mail.calendar),
            self._asked(mail, date) if role == "sent" and self.account.mode != "none" else None)

    def _rate(self, role: str, mail: ParsedMail, date: dt.datetime) -> tuple[list[tuple[Any, ...]], tuple[Any, ...], tuple[str, ...]]:
        """The built-in layer and that of the sender's habits, the columns of Mail that repeat what counts, and the tags that are suggested."""
        if self.account.mode == "none" or role in OWN:
            return [], UNRATED, ()
        try:
            rating = self.rate(role, mail, date)
        except Exception:       # one mail that the rater cannot bear must not stop a sync: a failed rating says so, and is no rating
            log.exception("a mail of account %s could not be rated", self.account.id)
            return [("builtin", None, None, None, None, None, None, 0.0, "builtin", "rating_failed", Rating.detail.seal({}), now(), None)], FAILED, ()
        layers = {"builtin": rating}
        if usual := habits.applied(rating, self._habits.get(mail.sender.address)):
            layers["pattern"] = usual
        counts = "pattern" if usual else "builtin"
        return [rating_row(*one) for one in layers.items()], counted_columns(counts, layers[counts]), rating.suggested_tags

    def rate(self, role: str, mail: ParsedMail, date: dt.datetime) -> triage.Rating:
        """What the built-in rater says of a mail of this account."""
        user, address = self.scope.user, mail.sender.address
        if address not in self._senders:
            self._learn_senders([mail.sender])
        # Whom the user trusts is trusted unless the user's own mail server says that somebody else wrote it.
        trusted = self._trust.covers(address) and reading.marks(mail, self.account.authserv or "").auth != "fail"
        sender = replace(self._senders.get(address, Sender()), trusted=trusted)
        return triage.builtin(mail, Context(
            addresses=self._addresses, now=date, sender=sender, language=user.language or "en",
            authserv=self.account.authserv or "", role=role, timezone=user.timezone))

    def _asked(self, mail: ParsedMail, date: dt.datetime) -> Any:
        """Why a mail that the user wrote asks for an answer, sealed; None where it does not.  It is read as its recipients read it."""
        readers = frozenset(one.address.lower() for one in mail.to)
        try:
            rating = triage.builtin(mail, Context(addresses=readers, now=date, sender=Sender(), language=self.scope.user.language or "en",
                                                  authserv="", role="inbox", timezone=self.scope.user.timezone))
        except Exception:       # as in _rate
            log.exception("a mail of account %s could not be read for what it asks", self.account.id)
            return None
        return Asked.reasons.seal([_pair(reason) for reason in rating.reasons]) if rating.needs_reply else None

    def _others(self, mail: ParsedMail) -> list[str]:
        """Who else takes part in a mail; nobody where it goes to many, since nobody answers such a mail without naming it."""
        if mail.header("List-Id") or mail.header("List-Unsubscribe"):
            return []
        return [one.address for one in (mail.sender, *mail.to, *mail.cc)[:10] if one.address.lower() not in self._addresses]

    def _people(self, role: str, mail: ParsedMail, date: dt.datetime) -> list[senders.Seen]:
        own = self.account.kind == "local" and mail.sender.address in self._addresses       # elsewhere anybody may write that into a From
        if role == "sent" or own:
            return [senders.Seen(one.address, date, True, one.name) for one in (*mail.to, *mail.cc)[:50]]
        return [senders.Seen(mail.sender.address, date, False, mail.sender.name)]

    def _move(self, folder: Folder, ready: list[Prepared], orphans: Orphans) -> tuple[list[Prepared], list[int]]:
        """Give mails that left another place their new one; they keep rating, tags and corrections."""
        rest, found = [], []
        for one in ready:
            if (id := orphans.take(one.known)) is None:
                rest.append(one)
            else:
                found.append(Found(id, one.uid, one.flags, one.known.object_key))
        return rest, relink.place(self.scope, self.account, folder, found)

    def _store(self, folder: Folder, ready: list[Prepared]) -> list[Prepared]:
        """Those that were not there yet."""
        if not ready:
            return []
        ready = list({one.uid: one for one in ready}.values())      # a file may hold the same mail twice
        scope, place = self.scope, (self.account.id, folder.id)
        joined = threads.assign(scope, [one.link for one in ready])
        ids = scope.insert_new(Mail, MAIL, [(*place, one.uid, thread, *one.before) for one, thread in zip(ready, joined, strict=True)], ("uid",))
        new = [(ids[one.uid,], one) for one in ready if (one.uid,) in ids]
        scope.insert(Raw, ("mail", "data"), [(id, one.raw) for id, one in new])
        scope.insert(Body, ("mail", "content"), [(id, one.body) for id, one in new if one.body is not None])
        scope.insert(Rating, RATING, [(id, *row) for id, one in new for row in one.ratings])
        scope.insert(Asked, ("mail", "reasons"), [(id, one.asked) for id, one in new if one.asked is not None])
        search.keep([(id, one.tokens) for id, one in new])
        invitations.keep(scope, [(id, one.invitation) for id, one in new if one.invitation])
        threads.answered(scope, {thread for thread, one in zip(joined, ready, strict=True) if one.foreign and (one.uid,) in ids})
        if len(new) < len(ready):
            threads.drop_empty(scope, joined)
        return [one for _, one in new]


def head(mail: ParsedMail) -> dict[str, Any]:
    """What a list shows of a mail (Mail.head)."""
    return {"subject": mail.subject, "from": list(mail.sender), "to": [list(one) for one in mail.to[:20]], "snippet": text.snippet(mail.text)}


def content(mail: ParsedMail) -> dict[str, Any]:
    """What reading a mail shows (Body.content)."""
    return {
        "text": mail.text, "html": mail.html, "headers": [list(field) for field in mail.fields],
        "cc": [list(one) for one in mail.cc], "reply_to": [list(one) for one in mail.reply_to],
        "attachments": [asdict(part) for part in mail.attachments],
        "calendar": mail.calendar is not None, "defects": list(mail.defects), "warnings": list(concealed.warnings(mail)),
    }


def rating_row(layer: str, rating: triage.Rating, more: Mapping[str, Any] = MappingProxyType({})) -> tuple[Any, ...]:
    """The values of RATING after the mail's id; `more` is kept in its detail."""
    detail = {"summary": rating.summary, "tags": list(rating.suggested_tags), "reasons": [_pair(reason) for reason in rating.reasons], **more}
    return (layer, rating.urgency, rating.importance, rating.category, rating.kind, rating.spam, rating.needs_reply, rating.confidence,
            rating.rated_by, None, Rating.detail.seal(detail), now(), Rating.due.db_value(rating.due))


def counted_columns(layer: str, rating: triage.Rating) -> tuple[Any, ...]:
    """The columns of Mail, from `layer` on, when this rating counts."""
    score = triage.score(rating.urgency, rating.importance)
    return layer, rating.urgency, rating.importance, score, rating.category, rating.kind, rating.needs_reply


def _pair(reason: Reason) -> list[Any]:
    return [reason.code, dict(reason.params)]
