"""What is learned of each sender from ratings and corrections, and when the next mail is rated by it.

Learning needs nobody's key: it reads and writes plain columns, so its jobs run for people who are signed out.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from peewee import Expression, fn

from mailhelper import jobs, triage
from mailhelper.db import db, now
from mailhelper.errors import Busy, Conflict
from mailhelper.models import Job, Mail, Rating, Sender, User
from mailhelper.runner import Step
from mailhelper.scope import Keyless, Scope
from mailhelper.triage import Reason

NEW, TOLD = 40, 70                          # confidence in what was seen once, and in what the user said
AGREES, AGREED_MOST = 2, 80                 # what a rating adds that agrees, and up to where
CORRECTS, CORRECTED_MOST = 10, 95           # what a correction adds, and up to where
SURE, ENOUGH = 70, 3                        # applied from this confidence and so many mails of the sender on
OLD, FEW = dt.timedelta(days=180), 1        # forgotten after this time without mail, where there were no more mails than this
CHUNK = 100                                 # senders a transaction
JUDGED = ("optimize", "base", "builtin")    # the layers that are learned from, the best first


class Habit(NamedTuple):
    """How a sender's mail is rated, how sure that is (0–100), from how many ratings, how many agreed, how often the user said so.

    The fields are the columns of Sender.
    """
    urgency: int
    importance: int
    category: str
    kind: str
    confidence: int = 0
    rated: int = 0
    agreed: int = 0
    corrected: int = 0

    @property
    def newsletter(self) -> bool:
        """Whether they write to many."""
        return self.kind in ("newsletter", "marketing")

    def applies(self, received: int) -> bool:
        """Whether the next mail is rated by it; `received`: mails that came from the sender."""
        return self.confidence >= SURE and received >= ENOUGH


class Seen(NamedTuple):
    """A mail that no scan has counted yet; None where nothing rated it, or the user did."""
    key: bytes
    mail: int
    habit: Habit | None


def rated(known: Habit | None, seen: Habit) -> Habit:
    """What one rating adds.  Where more disagreed than agreed, and the user never said anything, it begins anew."""
    if known is None:
        return seen._replace(confidence=NEW, rated=1, agreed=1)
    count = known.rated + 1
    if known[:3] == seen[:3]:
        confidence = max(known.confidence, min(known.confidence + AGREES, AGREED_MOST))
        return known._replace(confidence=confidence, rated=count, agreed=known.agreed + 1)
    if not known.corrected and 2 * known.agreed < count:
        return seen._replace(confidence=NEW, rated=1, agreed=1)
    return known._replace(rated=count)


def told(known: Habit | None, said: Habit) -> Habit:
    """What a correction makes of it: it overwrites."""
    if known is None:
        return said._replace(confidence=TOLD, corrected=1)
    return said._replace(confidence=max(known.confidence, min(known.confidence + CORRECTS, CORRECTED_MOST)), rated=known.rated,
                         agreed=known.agreed, corrected=known.corrected + 1)


def applied(rating: triage.Rating, habit: Habit | None) -> triage.Rating | None:
    """The pattern layer over a built-in rating, or None.

    What looks like fraud or junk is never rated by the habits of its sender: anybody can write another's address into a mail.
    """
    if habit is None or rating.spam:
        return None
    why = Reason("sender_told", {"count": habit.corrected}) if habit.corrected else Reason("sender_usual", {"count": habit.agreed})
    return replace(rating, urgency=habit.urgency, importance=habit.importance, category=habit.category, kind=habit.kind,
                   spam=habit.kind in ("spam", "phishing"), needs_reply=habit.category != "information" and rating.needs_reply, reasons=(why,),
                   confidence=habit.confidence / 100, rated_by="pattern")


def of(sender: Sender) -> Habit | None:
    """What is learned of a sender, or None."""
    values = [getattr(sender, name) for name in Habit._fields]
    return Habit(*values[:5], *(value or 0 for value in values[5:])) if sender.confidence is not None else None     # type: ignore[arg-type]


def known(scope: Scope, keys: Collection[bytes]) -> dict[bytes, Habit]:
    """{address key: habit} of those whose next mail is rated by it."""
    wanted = Sender.address_key << list(keys), Sender.confidence >= SURE, Sender.received >= ENOUGH
    found = scope.select(Sender, Sender.address_key, *_columns()).where(*wanted) if keys else ()
    return {bytes(sender.address_key): habit for sender in found if (habit := of(sender))}


def say(scope: Scope, sender_id: object, values: dict[str, Any]) -> Sender:
    """Take the user's word on a sender, as a correction would.  `values` as checked by the page.  Raises NotFound, Busy."""
    sender = scope.get(Sender, sender_id)
    habit = of(sender) or Habit(1, 2, "information", "person")
    _correct(scope, sender, habit._replace(**values))
    return scope.get(Sender, sender_id)


def forget(scope: Scope, sender_id: object) -> None:
    """Forget what was learned of a sender; what comes from now on is learned anew.  Raises NotFound."""
    last = scope.select(Mail, fn.MAX(Mail.id)).scalar() or 0
    scope.update(Sender, **dict.fromkeys(Habit._fields), scanned=last).where(Sender.id == scope.get(Sender, sender_id).id).execute()


def statistics(scope: Scope) -> dict[str, int]:
    """{senders, learned, applied, corrected, newsletters}."""
    columns = Sender.confidence, Sender.received, Sender.corrected, Sender.kind
    learned = [Habit(0, 0, "", kind, confidence, corrected=told or 0).applies(received) + 2 * bool(told) + 4 * (kind in ("newsletter", "marketing"))
               for confidence, received, told, kind in scope.select(Sender, *columns).where(Sender.confidence.is_null(False)).tuples()]
    return {"senders": scope.select(Sender).count(), "learned": len(learned), "applied": sum(one & 1 for one in learned),
            "corrected": sum(one & 2 > 0 for one in learned), "newsletters": sum(one & 4 > 0 for one in learned)}


def corrected(scope: Scope, mail_id: int) -> None:
    """After a correction: let a job learn from it, unless one is about to."""
    with suppress(Conflict):
        jobs.start(scope, "update_pattern_from_correction", mail_id)


def start_for_all(kind: str) -> None:
    """Start a job of this kind for everyone, signed in or not."""
    for user in User.select().where(User.disabled == False):        # noqa: E712 - SQL
        with suppress(Conflict):
            jobs.start(Keyless(user), kind)


# ── jobs ──

@jobs.kind("scan_sender_patterns", timeout=600, retries=2, wait=60, needs_key=False)
def scan(_: None, job: Job, step: Step) -> None:
    """Learn from the ratings of the mails that came since the last scan."""
    scope = _owner(job)
    found = {key: list(seen) for key, seen in groupby(sorted(_new(scope), key=lambda one: one[:2]), key=lambda one: one.key)}
    keys = list(found)
    for start in range(0, len(keys), CHUNK):
        step(start, len(keys), "learning")
        with db.atomic():
            some = Sender.address_key << keys[start:start + CHUNK]
            for sender in scope.select(Sender, Sender.id, Sender.address_key, *_columns()).where(some):
                seen, habit = found[bytes(sender.address_key)], of(sender)
                for one in seen:
                    habit = rated(habit, one.habit) if one.habit else habit
                _keep(scope, sender, habit, scanned=seen[-1].mail)
    step(len(keys), len(keys), "learning")


@jobs.kind("cleanup_old_patterns", timeout=300, retries=2, wait=60, needs_key=False)
def cleanup(_: None, job: Job, step: Step) -> None:
    """Forget what was learned of senders of whom there is at most one mail, and that an old one."""
    old = Sender.confidence.is_null(False), Sender.received <= FEW, Sender.last_at < now() - OLD
    count = _owner(job).update(Sender, **dict.fromkeys(Habit._fields)).where(*old).execute()
    step(count, count, "forgetting")


@jobs.kind("get_pattern_statistics", timeout=120, retries=2, wait=60, needs_key=False)
def count(_: None, job: Job, step: Step) -> None:
    """Count: of how many senders something is learned (total), and of how many it is applied (done)."""
    counts = statistics(_owner(job))
    step(counts["applied"], counts["learned"], "counting_senders")


@jobs.kind("update_pattern_from_correction", timeout=60, retries=2, wait=60, priority=40, needs_key=False)
def learn(_: None, job: Job, step: Step) -> None:
    """Let what the user said of one mail count for its sender."""
    scope = _owner(job)
    said = (scope.select(Rating, *(getattr(Rating, name) for name in Habit._fields[:4]))
            .where(Rating.mail == job.subject, Rating.layer == "user").first())
    key = scope.select(Mail, Mail.sender_key).where(Mail.id == job.subject).scalar()
    sender = scope.select(Sender, Sender.id, *_columns()).where(Sender.address_key == key).first() if said and key else None
    if sender:          # else the correction was taken back, or nobody knows who wrote
        _correct(scope, sender, Habit(said.urgency, said.importance, said.category, said.kind))
    step(1, 1, "learning")


def _owner(job: Job) -> Scope:
    return Keyless(User.get_by_id(job.user_id))     # type: ignore[attr-defined]


def _columns() -> list[Any]:
    return [getattr(Sender, name) for name in Habit._fields]


def _correct(scope: Scope, sender: Sender, said: Habit) -> None:
    if not _keep(scope, sender, told(of(sender), said)):
        raise Busy()        # a scan was faster; the job tries again


def _keep(scope: Scope, sender: Sender, habit: Habit | None, **more: Any) -> bool:
    """Write what is learned, unless somebody else wrote since `sender` was read; whether it was written."""
    before = of(sender)
    same: Expression = (Sender.confidence == before.confidence) & (Sender.rated == before.rated) if before else Sender.confidence.is_null()
    values = (habit._asdict() if habit else {}) | more
    return bool(scope.update(Sender, **values).where(Sender.id == sender.id, same).execute())       # type: ignore[attr-defined]


def _new(scope: Scope) -> Iterator[Seen]:
    """The mails that no scan has counted, each with the best of its ratings."""
    columns = Mail.sender_key, Mail.id, Rating.layer, Rating.urgency, Rating.importance, Rating.category, Rating.kind
    query = (scope.select(Rating, *columns).join(Mail, on=(Rating.mail == Mail.id))
             .join(Sender, on=((Sender.user == Mail.user) & (Sender.address_key == Mail.sender_key)))
             .where(Rating.layer << (*JUDGED, "user"), Mail.id > fn.COALESCE(Sender.scanned, 0)).order_by(Mail.id))
    for (key, mail), rows in groupby(query.tuples().iterator(), key=lambda row: (bytes(row[0]), row[1])):
        layers = {row[2]: Habit(*row[3:]) for row in rows if row[3]}
        best: Sequence[Habit] = [layers[name] for name in JUDGED if name in layers and "user" not in layers]
        yield Seen(key, mail, best[0] if best else None)
