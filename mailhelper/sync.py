"""Brings an account in step with its server, in three steps, each of which may be interrupted and taken up again:

    state      what the server has: numbers of each folder, and UIDs and flags of those that changed
    fetch      the mails that are missing here, inbox first, newest first, in batches
    reconcile  flags, moves, deletions; only in folders whose state was read completely and without error in this run
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

from mailhelper import accounts, acts, batch, folders, imap, jobs, journal, pace, prefetch, preparer, relink, ruling
from mailhelper.db import db, now
from mailhelper.errors import Cancelled, Conflict, Error, Invalid, Locked, Refused
from mailhelper.imap import Mailbox
from mailhelper.imapfetch import Flags
from mailhelper.intake import Intake
from mailhelper.models import Account, Folder, Job, Mail
from mailhelper.prefetch import Fetcher
from mailhelper.preparer import Inline
from mailhelper.relink import Orphans
from mailhelper.runner import Step
from mailhelper.scope import Scope, open_granted
from mailhelper.state import LIMITS, Look, State, limit

NUMBERS = ("uidnext", "total", "modseq")                # of Folder: what the server says of it while nothing changes


def start(scope: Scope, account_id: object, **params: Any) -> Job:
    """Queue a sync of one account.  Raises NotFound, Conflict when it is under way, Invalid for imported mail."""
    account = scope.get(Account, account_id)
    if account.kind != "imap":
        raise Invalid("local_account")
    return jobs.start(scope, "sync_user_emails", account.id, **params)


def start_all(scope: Scope) -> Job:
    """Queue a sync of every account.  Raises Conflict when that is under way."""
    return jobs.start(scope, "sync_all_accounts")


def start_due() -> None:
    """Start what is due of the mailboxes whose owner opted in to being synced while signed out."""
    for account in pace.due():
        pace.begun(account)
        start_unattended(account)


def start_unattended(account: Account) -> Job | None:
    """Start a sync that nobody asked for, with the owner's standing grant; None when one is under way, or the grant has expired."""
    try:
        with open_granted("background", account.id, account.user_id) as scope:      # type: ignore[attr-defined]
            return start(scope, account.id, unattended=True)
    except (Conflict, Locked):
        return None


@jobs.kind("sync_all_accounts", retries=1, priority=30)
def run_all(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Start a sync of each account on a server."""
    started = 0
    for account in accounts.listed(scope):
        if account.kind == "imap":
            with suppress(Conflict):        # it is under way already, which is what was asked for
                start(scope, account.id)
                started += 1
    return {"started": started}


@jobs.kind("sync_user_emails", priority=20)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Sync one account; its result is {email_count, updated, moved, deleted, folders, errors}."""
    account = scope.get(Account, job.subject)
    try:
        result = Sync(scope, account, step, jobs.params(job).get("max_emails")).run(job)
    except (Cancelled, Locked):     # says nothing about the mailbox
        raise
    except Error as error:
        pace.failed(account, error)
        if pace.stops(error.code):
            step.log("account_stopped", **{**error.params, "code": error.code})
        error.permanent |= bool(jobs.params(job).get("unattended"))     # then pace decides when to try again
        raise
    pace.succeeded(account)
    acts.tell_rest(scope, account)
    ruling.start_new(scope, account)
    batch.start_new(scope, account)
    return result


class Sync:
    """One run over one account."""

    def __init__(self, scope: Scope, account: Account, step: Step, most: int | None = None) -> None:
        self.scope, self.account, self.step, self.most = scope, account, step, most
        self.filters: dict[str, Any] = account.filters or {}
        self._began = now()                 # what was done here since then, the server may not have known when it was asked
        self._gone: list[Folder] = []       # rows of folders that the server no longer lists
        self._cut_short = False             # not everything that is missing was fetched
        self.result: dict[str, Any] = {"email_count": 0, "updated": 0, "moved": 0, "deleted": 0, "folders": 0, "errors": []}

    def run(self, job: Job) -> dict[str, Any]:
        self.step(0, 0, "connecting")
        with imap.open(accounts.server(self.account), accounts.door(self.scope)) as box, prefetch.hung_up_on_cancel(box, job):
            states = self._states(box)
            orphans, gone = self._leavers(states)
            self._fetch_all(box, states, orphans, gone)
        self._reconcile(states, gone)
        return self.result

    # ── state ──

    def _states(self, box: Mailbox) -> list[State]:
        places, self._gone = folders.match(self.scope, self.account, box)
        states = [State.of(place) for place in places]
        look = Look(self.scope, self.account, box, self._unsettled())
        changed = look.choose(states)
        for number, state in enumerate(changed):
            self.step(number, len(changed), "looking", number=number + 1, folders=len(changed))
            try:
                look.look(state)
            except Refused as error:        # the folder, not the connection
                self._folder_failed(state, error)
        self.result["folders"] = len(states)
        self._limit(states)
        return states

    def _unsettled(self) -> journal.Unsettled:
        return journal.unsettled(self.scope, self.account.id, self._began)

    def _limit(self, states: list[State]) -> None:
        """Keep to `total` of the filters, and to `max_emails` of this run."""
        if self.filters.get("total"):
            limit(states, self.filters["total"])
        if room := self.most:
            for state in states:
                self._cut_short |= len(state.missing) > room
                state.settled &= len(state.missing) <= room
                state.missing = state.missing[:room]
                room -= len(state.missing)

    def _folder_failed(self, state: State, error: Error) -> None:
        state.complete = False
        self.result["errors"].append({"folder": state.name, "code": error.code})
        self.step.log("folder_failed", **{**error.params, "folder": state.name, "code": error.code})
        self.scope.update(Folder, error=error.code).where(Folder.id == state.folder.id).execute()

    def _leavers(self, states: list[State]) -> tuple[Orphans, set[int]]:
        """Mails here whose folder no longer has them: to be found again while fetching; and those of them that are deleted if they are not."""
        left = {id: uid for state in states if state.complete for id, uid in state.left.items()}
        doubtful = {id for state in states if not state.sure for id in state.left}
        if self._gone:
            left |= dict(self.scope.select(Mail, Mail.id, Mail.uid).where(Mail.folder << self._gone).tuples())
        for id in self._unsettled().moved:
            left.pop(id, None)
        limited = any(self.filters.get(name) for name in LIMITS)        # then what lost its UID may be among what is not fetched
        return relink.orphans(self.scope, sorted(left)), {id for id, uid in left.items() if uid > 0 or not limited} - doubtful

    # ── fetch ──

    def _fetch_all(self, box: Mailbox, states: list[State], orphans: Orphans, gone: set[int]) -> None:
        done = sum(len(state.local) for state in states)
        total = done + sum(len(state.missing) for state in states)
        intake = Intake(self.scope, self.account)
        with preparer.started(intake, total - done) as prepare:
            for state in states:
                if not state.missing:
                    continue
                self.step(done, total, "fetching")
                try:
                    for count in self._fetch(Fetcher(box, intake, orphans), prepare, state, gone):
                        done += count
                        self.step(done, total, "fetching")
                except Refused as error:        # the folder, not the connection
                    self._cut_short = True
                    self._folder_failed(state, error)
        if not self.account.authserv and (name := intake.authserv()):
            self.scope.update(Account, authserv=name).where(Account.id == self.account.id).execute()

    def _fetch(self, fetcher: Fetcher, prepare: Inline, state: State, gone: set[int]) -> Iterator[int]:
        """Store what is missing of a folder; gives how many mails each batch had."""
        came = 0
        if state.folder.role == "all":
            self._pass_over_doubles(fetcher, state)
        with closing(prefetch.ahead(fetcher, prepare, state.name, state.folder.role, state.missing)) as batches:
            for ready, found in batches:
                moved = relink.place(self.scope, self.account, state.folder, found)
                kept = fetcher.intake.store(state.folder, ready, fetcher.orphans)
                self.result["email_count"] += kept.new
                self.result["moved"] += len(moved) + len(kept.moved)
                gone.difference_update(moved, kept.moved)
                came += len(ready.mails) + len(found)
                yield len(ready.mails) + len(found)
        state.settled &= came + fetcher.passed == len(state.missing)        # a mail that the server did not hand out is asked for again

    def _pass_over_doubles(self, fetcher: Fetcher, state: State) -> None:
        """A folder of all mails (Gmail's) repeats those of the others: what they have is left out, going by the server's ids."""
        others = self.scope.select(Mail, Mail.object_key).where(
            Mail.account == self.account, Mail.folder != state.folder, Mail.object_key.is_null(False)).tuples()
        fetcher.doubles = {bytes(key) for key, in others}
        if state.folder.modseq and not fetcher.orphans:     # then what was left out before is still to be left out
            state.missing = [uid for uid in state.missing if uid >= (state.folder.uidnext or 0)]

    # ── reconcile ──

    def _reconcile(self, states: list[State], gone: set[int]) -> None:
        at = now()
        same = [state.folder.id for state in states if state.same]
        self.scope.update(Folder, scanned_at=at, error=None).where(Folder.id << same).execute()
        for state in states:
            if state.complete:
                self._flags(state)
                news: dict[str, Any] = dict(zip(NUMBERS, state.numbers[1:4], strict=True)) if state.settled and state.numbers else {}
                if state.numbers and (key := folders.mailbox_key(self.scope, state.numbers)):
                    news["mailbox_key"] = key
                self.scope.update(Folder, scanned_at=at, error=None, **news).where(Folder.id == state.folder.id).execute()
        self._delete(gone)
        if self._gone and not self._cut_short:
            self.scope.update(Folder, gone_at=at).where(Folder.id << self._gone).execute()

    def _flags(self, state: State) -> None:
        """Take over what the server says, but for what was set here and it may not have heard of."""
        open_ = self._unsettled()
        changed: dict[Flags, list[int]] = {}
        for uid, one in state.local.items():
            told = state.flags.get(uid)
            if told is None or told == one.flags:
                continue
            flags = told._replace(**{name: getattr(one.flags, name) for name in told._fields if one.id in getattr(open_, name)})
            state.settled &= flags == told
            changed.setdefault(flags, []).append(one.id)
        for (seen, flagged, answered, keywords), ids in changed.items():
            news = {"seen": seen, "flagged": flagged, "answered": answered, "keywords": list(keywords) or None}
            for at in range(0, len(ids), 500):
                with db.atomic():
                    self.result["updated"] += self.scope.update(Mail, **news).where(Mail.id << ids[at:at + 500]).execute()

    def _delete(self, gone: set[int]) -> None:
        """Forget mails that were not found again anywhere; unless a fetch was cut short, since they may be in what is still to come."""
        ids = [] if self._cut_short else sorted(gone)
        for at in range(0, len(ids), 100):
            with db.atomic():
                self.result["deleted"] += self.scope.delete(Mail).where(Mail.id << ids[at:at + 100]).execute()
