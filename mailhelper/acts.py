"""Acting on mail: takes effect here at once, and a job tells the server, in the order of the clicks.

An act is done only when the server has confirmed it.  While the server is away acts wait; what it refuses for good is put back
here.  A lost answer to a move is looked for in the target, so that no run does twice what was done once.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from peewee import Expression

from mailhelper import accounts, imap, jobs, journal, message
from mailhelper.db import db, now
from mailhelper.errors import Conflict, Refused
from mailhelper.imap import Mailbox
from mailhelper.imapfetch import chunks, sequence_set
from mailhelper.journal import FLAGS, LEFT, NEVER, Place, Why
from mailhelper.models import DONE, PENDING, REFUSED, RETRYING, Account, Act, Job, Raw
from mailhelper.places import MOVES
from mailhelper.runner import Step
from mailhelper.scope import Scope

AT_ONCE = 100       # mails a command
__all__ = ["Why", "act", "act_on_all", "tell", "tell_rest", "undo", "undo_all"]
Outcome = Act | None | Exception


def act(scope: Scope, mail_id: object, what: str, to: object = None, *, why: Why | None = None) -> Act | None:
    """Do one thing to one mail.  None where it is so already.

        seen, flagged, answered         to: bool
        keyword, unkeyword              to: an IMAP keyword (Mail.keywords); whoever calls has the owner's consent
        move                            to: folder id or name
        trash, undelete                 undelete: back to where it was before the trash
        archive                         to: True if the folder may be made where there is none

    why: the rule or job that does it, Why("rule", rule.id, rule.name); None: the user.  Takes effect here at once; a job tells the server.
    Raises NotFound, Conflict (no_trash, no_archive, not_in_trash), Invalid for the folder or keyword.
    """
    outcome = act_on_all(scope, [mail_id], what, to, why=why)[mail_id]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def act_on_all(scope: Scope, mail_ids: Sequence[Any], what: str, to: object = None, *, why: Why | None = None,
               batch: int | None = None) -> dict[Any, Outcome]:
    """The same for many mails: for each id its act, None, or why it could not be.  They are one batch, or join the one given."""
    with scope:
        found = journal.outcomes(scope, mail_ids, what, to, why, batch)
    tell(scope, {one.account_id for one in found.values() if isinstance(one, Act) and one.state == PENDING})      # type: ignore[attr-defined]
    return dict(found)


def undo(scope: Scope, act_id: object) -> Act:
    """Take an act back: here at once, on the server by a job if it has heard of it.  Raises NotFound, Conflict(undo_…)."""
    with scope:
        one = scope.get(Act, act_id)
        with db.atomic():
            opposite = journal.take_back(scope, one)
        if opposite and opposite.state == PENDING:
            tell(scope, {one.account_id})      # type: ignore[attr-defined]
        return scope.get(Act, one.id)


def undo_all(scope: Scope, which: Expression) -> tuple[int, int]:
    """Take back all of these acts that can be (journal.of_rule, .of_day, .of_batch), newest first; how many, and how many could not be."""
    undone, accounts_ = [0, 0], set()
    with scope:
        for one in journal.undoable(scope, which):
            try:
                with db.atomic():
                    opposite = journal.take_back(scope, scope.get(Act, one.id))
            except Conflict:
                undone[1] += 1
                continue
            undone[0] += 1
            if opposite and opposite.state == PENDING:
                accounts_.add(one.account_id)       # type: ignore[attr-defined]
        tell(scope, accounts_)
    return undone[0], undone[1]


def tell(scope: Scope, account_ids: Iterable[int]) -> None:
    """Have a job tell the servers what is pending; one that waits for its next try tries at once."""
    for id in account_ids:
        try:
            jobs.start(scope, "apply_acts", id)
        except Conflict as error:
            which = Job.id == int(error.params["task_id"])
            if scope.update(Job, due=now()).where(which, Job.state == RETRYING).execute():
                jobs.wake(scope.get(Job, error.params["task_id"]))


def tell_rest(scope: Scope, account: Account) -> None:
    """After a sync, which has shown that the server is there: what is still pending."""
    if scope.select(Act, Act.id).where(Act.account == account, Act.state == PENDING).exists():
        tell(scope, [account.id])


@jobs.kind("apply_acts", retries=8, wait=30, priority=60)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Tell the server of one account what was done to its mails; its result is {done, refused}."""
    counts = {DONE: 0, REFUSED: 0}
    if _is_over(scope, job):
        return counts
    account = scope.get(Account, job.subject)
    step(0, 0, "connecting")
    with imap.open(accounts.server(account), accounts.door(scope)) as box:
        teller = Teller(scope, box, counts)
        while not _is_over(scope, job):
            todo = journal.pending(scope, account.id)
            step(sum(counts.values()), sum(counts.values()) + len(todo), "telling")
            teller.tell(list(_first_of_each(todo)))
    return counts


def _flag(one: Act) -> str:
    """What the server calls it."""
    return FLAGS[one.what] if one.what in FLAGS else str(one.detail["keyword"])


def _first_of_each(todo: Sequence[Act]) -> Iterator[Act]:
    """The acts up to the second one of a mail."""
    mails = set()
    for one in todo:
        if one.mail_id in mails:        # type: ignore[attr-defined]
            return
        mails.add(one.mail_id)      # type: ignore[attr-defined]
        yield one


def _is_over(scope: Scope, job: Job) -> bool:
    """Whether nothing is pending.  If so, the job gives up its place as the one of its account in the same transaction:

    whoever clicks from now on can start the next job, and what was clicked before would have been seen.
    """
    if job.subject < 0:
        return True     # a run before this one gave it up
    with db.atomic() as transaction:
        scope.update(Job, subject=-job.id).where(jobs.mine(job)).execute()
        over = not scope.select(Act, Act.id).where(Act.account == job.subject, Act.state == PENDING).exists()
        if not over:
            transaction.rollback()
    return over


class Teller:
    """Tells one open mailbox what was done to its mails."""

    def __init__(self, scope: Scope, box: Mailbox, counts: dict[str, int]) -> None:
        self.scope, self.box, self.counts = scope, box, counts
        box.folders()       # so that names go out as the server writes them

    def tell(self, todo: Sequence[Act]) -> None:
        """Each act ends as done or refused, or an error leaves the rest for the next run.  No two of the same mail: one changes where it is."""
        for (_, folder, *_), same in groupby(todo, key=self._kind):
            group = list(same)
            for at in range(0, len(group), AT_ONCE):
                self._tell(folder, group[at:at + AT_ONCE])

    def _kind(self, one: Act) -> tuple[Any, ...]:
        """What may go out in one command: the same thing, in the same folder, to different mails."""
        place = journal.place_of(self.scope, one)
        unclear = one.id if one.sent and one.what in MOVES else 0
        return one.what in MOVES, place["name"], one.detail["to"]["name"] if one.what in MOVES else (_flag(one), one.value), unclear

    def _tell(self, folder: str, group: list[Act]) -> None:
        try:
            selected = self.box.select(folder)
        except Refused:
            return self._refuse(group, "act_folder")
        places = {one.id: journal.place_of(self.scope, one) for one in group}
        uids = self._present([place["uid"] for place in places.values() if place["uidvalidity"] in (0, selected.uidvalidity)])
        here = [one for one in group if places[one.id]["uid"] in uids]
        away = [one for one in group if places[one.id]["uid"] not in uids]
        for unclear in [one for one in group if one.sent and one.what in MOVES]:
            if self._was_moved(unclear, folder, unclear in here):
                here, away = [one for one in here if one is not unclear], [one for one in away if one is not unclear]
        self._refuse(away, "act_gone")
        if here:
            self._do(folder, here, places)

    def _present(self, uids: Sequence[int]) -> set[int]:
        wanted = [uid for uid in uids if uid > 0]
        return {uid for portion in chunks(wanted) for uid in self.box.uids(f"UID {sequence_set(portion)}")}

    def _do(self, folder: str, group: list[Act], places: dict[int, Place]) -> None:
        try:
            if group[0].what in MOVES:
                return self._move(group, places)
            if group[0].what == "keyword" and self.box.keeps.isdisjoint(("\\*", _flag(group[0]))):
                return self._refuse(group, "act_no_keywords")
            group = [one for one in group if self._mark_sent(one)]
            if group:
                flag = (_flag(group[0]),)
                self.box.store([places[one.id]["uid"] for one in group], *((flag, ()) if group[0].value else ((), flag)))
        except Refused:
            if len(group) == 1:
                return self._refuse(group, "act_refused")
            for one in group:       # find out which
                self._tell(folder, [one])
            return
        for one in group:
            self._confirm(one)

    def _move(self, group: list[Act], places: dict[int, Place]) -> None:
        target: Place = group[0].detail["to"]
        if any("make" in one.detail for one in group):
            self.box.make(target["name"])
        before = self.box.status(target["name"])
        group = [one for one in group if self._mark_sent(one, next=before.uidnext)]
        if not group:
            return
        moved = self.box.move([places[one.id]["uid"] for one in group], target["name"])
        error = LEFT if moved.left else None
        for one in group:
            uid = moved.uids.get(places[one.id]["uid"])
            if uid is None:
                self._confirm(one, self._search(one, before.uidnext) or {**target, "uid": NEVER}, error)
            else:
                self._confirm(one, {**target, "uid": uid, "uidvalidity": moved.uidvalidity}, error)

    def _mark_sent(self, one: Act, **more: Any) -> bool:
        """False where it was undone meanwhile."""
        detail: Any = {**one.detail, **more}
        one.detail, one.sent = detail, True
        return bool(self.scope.update(Act, sent=True, detail=detail).where(Act.id == one.id, Act.state == PENDING).execute())

    def _was_moved(self, one: Act, folder: str, here: bool) -> bool:
        """An earlier run told the server and did not hear the answer: whether the mail did arrive.  Ends a copy that was cut off in the middle."""
        place = self._search(one, one.detail.get("next", 0))
        self.box.select(folder)
        if place is None:
            return False
        left = here and not self.box.remove([one.detail["from"]["uid"]])
        self._confirm(one, place, LEFT if left else None)
        return True

    def _search(self, one: Act, uidnext: int) -> Place | None:
        """The mail in the target, among what came after `uidnext` was next; leaves the target open."""
        raw = self.scope.select(Raw).where(Raw.mail == one.mail_id).get_or_none()      # type: ignore[attr-defined]
        id = message.parse(raw.data).message_id if raw else ""
        target: Place = one.detail["to"]
        if not id or not uidnext:
            return None
        try:
            selected = self.box.examine(target["name"])
        except Refused:
            return None
        found = [uid for uid in self.box.uids(["UID", f"{uidnext}:*", "HEADER", "MESSAGE-ID", id]) if uid >= uidnext]
        return {**target, "uid": found[-1], "uidvalidity": selected.uidvalidity} if found else None

    def _confirm(self, one: Act, place: Place | None = None, error: str | None = None) -> None:
        journal.confirm(self.scope, one, place, error)
        self.counts[DONE] += 1

    def _refuse(self, group: Sequence[Act], code: str) -> None:
        for one in group:
            journal.refuse(self.scope, one, code)
            self.counts[REFUSED] += 1
