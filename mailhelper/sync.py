"""Brings an account in step with its server, in three steps, each of which may be interrupted and taken up again:

    state      what the server has: UIDs and flags of each folder
    fetch      the mails that are missing here, inbox first, newest first, in batches
    reconcile  flags, moves, deletions; only in folders whose state was read completely and without error in this run
"""

import datetime as dt
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mailhelper import accounts, acts, imap, jobs, journal, pace, prefetch
from mailhelper.db import db, now
from mailhelper.errors import Cancelled, Conflict, Error, Invalid, Locked, Refused, Unreachable
from mailhelper.imap import Mailbox
from mailhelper.intake import BATCH, Intake, Orphans, identity
from mailhelper.journal import NEVER
from mailhelper.models import Account, Folder, Job, Mail
from mailhelper.runner import Step
from mailhelper.scope import Scope, open_granted

LEFT_OUT = ("trash", "junk", "drafts", "all")           # roles not synced unless the account's filters name them
KNOWN_PLACE = ("inbox", "sent", "archive")              # the order in which folders are fetched; then the others
LIMITS = ("since", "unseen", "newest", "total")         # filters that leave out mails of a folder

FLAG_COLUMNS = ("seen", "flagged", "answered")          # of Mail, in the order of Flags

Flags = tuple[bool, bool, bool]


class Local(NamedTuple):
    """What is stored here of one mail of a folder."""
    id: int
    flags: Flags


@dataclass
class State:
    """One folder as the server has it beside what is here."""
    folder: Folder
    name: str
    server: dict[int, Flags] = field(default_factory=dict)
    local: dict[int, Local] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)    # UIDs to fetch, newest first
    complete: bool = False


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
        return start(open_granted("background", account.id, account.user_id), account.id, unattended=True)      # type: ignore[attr-defined]
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
        pace.failed(scope, account, error)
        if pace.stops(error.code):
            step.log("account_stopped", **{**error.params, "code": error.code})
        error.permanent |= bool(jobs.params(job).get("unattended"))     # then pace decides when to try again
        raise
    pace.succeeded(scope, account)
    acts.tell_rest(scope, account)
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
        states = [State(folder, name) for name, folder in self._folders(box)]
        for number, state in enumerate(states):
            self.step(number, len(states), "looking", number=number + 1, folders=len(states))
            try:
                self._look(box, state)
            except Refused as error:        # the folder, not the connection
                self._folder_failed(state, error)
        self.result["folders"] = len(states)
        self._limit(states)
        return states

    def _folders(self, box: Mailbox) -> list[tuple[str, Folder]]:
        """Rows of the folders to look at, inbox first; a new folder gets one, one that is gone is marked so."""
        listed = [one for one in box.folders() if one.selectable]
        if not listed:      # not even an inbox: a server in trouble rather than an empty mailbox
            raise Unreachable("protocol_error", host=box.host)
        rows = {bytes(row.name_key): row for row in self.scope.select(Folder).where(Folder.account == self.account)}
        held = {id for id, in self.scope.select(Mail, Mail.folder).where(Mail.account == self.account).distinct().tuples()}
        found = []
        for one in listed:
            key = self.scope.vault.lookup("folder", one.name)
            row = rows.pop(key, None)
            if row is None:
                row = self.scope.create(Folder, account=self.account, name=one.name, name_key=key, role=one.role)
            elif row.role != one.role or row.gone_at:
                self.scope.update(Folder, role=one.role, gone_at=None).where(Folder.id == row.id).execute()
                row.role = one.role
            if row.id in held or self._wanted(one.name, one.role):      # a mail put into Trash here is followed there
                found.append((one.name, row))
        self._gone = [row for row in rows.values() if row.gone_at is None]
        found.sort(key=lambda pair: (KNOWN_PLACE.index(pair[1].role) if pair[1].role in KNOWN_PLACE else 9, pair[0].casefold()))
        return found

    def _wanted(self, name: str, role: str) -> bool:
        """Whether the folder's mails are to be fetched."""
        if self.filters.get("include"):
            return name in self.filters["include"]
        return role not in LEFT_OUT and name not in self.filters.get("exclude", [])

    def _look(self, box: Mailbox, state: State) -> None:
        """Read the folder's UIDs and flags, there and here."""
        selected = box.examine(state.name)
        folder = state.folder
        if folder.uidvalidity != selected.uidvalidity:
            if folder.uidvalidity:
                self._void(folder)
            self.scope.update(Folder, uidvalidity=selected.uidvalidity).where(Folder.id == folder.id).execute()
        state.server = {uid: _three(flags) for uid, flags in box.flags().items()} if selected.exists else {}
        rows = self.scope.select(Mail, Mail.uid, Mail.id, Mail.seen, Mail.flagged, Mail.answered).where(Mail.folder == folder).tuples()
        state.local = {uid: Local(id, (bool(seen), bool(flagged), bool(answered))) for uid, id, seen, flagged, answered in rows}
        taken = {uid for folder_id, uid in self._unsettled().taken if folder_id == folder.id}
        missing = sorted(state.server.keys() - state.local.keys() - taken, reverse=True)
        if not self._wanted(state.name, folder.role):
            missing, state.local = [], {uid: one for uid, one in state.local.items() if uid > 0}
        if missing and (criteria := self._criteria()):
            allowed = set(box.uids(criteria))
            missing = [uid for uid in missing if uid in allowed]
        newest = self.filters.get("newest")
        if newest:
            allowed = set(sorted(state.server, reverse=True)[:newest])
            missing = [uid for uid in missing if uid in allowed]
        state.missing, state.complete = missing, True

    def _unsettled(self) -> journal.Unsettled:
        return journal.unsettled(self.scope, self.account.id, self._began)

    def _void(self, folder: Folder) -> None:
        """UIDVALIDITY changed (RFC 9051 §2.3.1.1): the UIDs here mean nothing; the mails are matched again as they are fetched."""
        self.scope.update(Mail, uid=NEVER + Mail.id).where(Mail.folder == folder, Mail.uid > 0).execute()

    def _criteria(self) -> list[Any]:
        criteria: list[Any] = []
        if self.filters.get("since"):
            criteria += ["SINCE", dt.date.fromisoformat(self.filters["since"])]
        if self.filters.get("unseen"):
            criteria += ["UNSEEN"]
        return criteria

    def _limit(self, states: list[State]) -> None:
        """Keep to `total` of the filters (the newest of the first folders; new mail always counts) and to `max_emails` of this run."""
        if room := self.filters.get("total"):
            for state in states:
                missing = set(state.missing)
                window = [uid for uid in sorted(state.server, reverse=True) if uid in missing or uid in state.local][:room]
                state.missing = [uid for uid in window if uid in missing]
                room -= len(window)
        if room := self.most:
            for state in states:
                self._cut_short |= len(state.missing) > room
                state.missing = state.missing[:room]
                room -= len(state.missing)

    def _folder_failed(self, state: State, error: Error) -> None:
        self.result["errors"].append({"folder": state.name, "code": error.code})
        self.step.log("folder_failed", **{**error.params, "folder": state.name, "code": error.code})
        self.scope.update(Folder, error=error.code).where(Folder.id == state.folder.id).execute()

    def _leavers(self, states: list[State]) -> tuple[Orphans, set[int]]:
        """Mails here whose folder, read completely, no longer has them: moved (to be found again while fetching) or deleted."""
        left = {one.id: uid for state in states if state.complete for uid, one in state.local.items() if uid not in state.server}
        if self._gone:
            left |= dict(self.scope.select(Mail, Mail.id, Mail.uid).where(Mail.folder << self._gone).tuples())
        for id in self._unsettled().moved:
            left.pop(id, None)
        orphans: Orphans = {}
        ids = sorted(left)
        for at in range(0, len(ids), 500):
            columns = Mail.id, Mail.message_key, Mail.sender_key, Mail.size, Mail.received
            for id, *known_by in self.scope.select(Mail, *columns).where(Mail.id << ids[at:at + 500]).tuples():
                orphans.setdefault(identity(*known_by), []).append(id)
        limited = any(self.filters.get(name) for name in LIMITS)        # then what lost its UID may be among what is not fetched
        return orphans, {id for id, uid in left.items() if uid > 0 or not limited}

    # ── fetch ──

    def _fetch_all(self, box: Mailbox, states: list[State], orphans: Orphans, gone: set[int]) -> None:
        done = sum(len(state.local) for state in states)
        total = done + sum(len(state.missing) for state in states)
        intake = Intake(self.scope, self.account)
        for state in states:
            if not state.missing:
                continue
            self.step(done, total, "fetching")
            try:
                with closing(prefetch.ahead(box, state.name, state.missing, intake)) as batches:
                    for portion in (batch[at:at + BATCH] for batch in batches for at in range(0, len(batch), BATCH)):
                        kept = intake.keep(state.folder, portion, orphans)
                        self.result["email_count"] += kept.new
                        self.result["moved"] += len(kept.moved)
                        gone.difference_update(kept.moved)
                        done += len(portion)
                        self.step(done, total, "fetching")
            except Refused as error:        # the folder, not the connection
                state.complete, self._cut_short = False, True
                self._folder_failed(state, error)

        if not self.account.authserv and (name := intake.authserv()):
            self.scope.update(Account, authserv=name).where(Account.id == self.account.id).execute()

    # ── reconcile ──

    def _reconcile(self, states: list[State], gone: set[int]) -> None:
        for state in states:
            if state.complete:
                self._flags(state)
                self.scope.update(Folder, scanned_at=now(), error=None).where(Folder.id == state.folder.id).execute()
        self._delete(gone)
        if self._gone and not self._cut_short:
            self.scope.update(Folder, gone_at=now()).where(Folder.id << self._gone).execute()

    def _flags(self, state: State) -> None:
        open_ = self._unsettled()
        changed: dict[tuple[tuple[str, bool], ...], list[int]] = {}
        for uid, one in state.local.items():
            flags = state.server.get(uid)
            if flags is not None and flags != one.flags:
                kept = one.id in open_.seen, one.id in open_.flagged, False
                news = tuple((name, flag) for name, flag, keep in zip(FLAG_COLUMNS, flags, kept, strict=True) if not keep)
                changed.setdefault(news, []).append(one.id)
        for news, ids in changed.items():
            for at in range(0, len(ids), 500):
                with db.atomic():
                    self.result["updated"] += self.scope.update(Mail, **dict(news)).where(Mail.id << ids[at:at + 500]).execute()

    def _delete(self, gone: set[int]) -> None:
        """Forget mails that were not found again anywhere; unless a fetch was cut short, since they may be in what is still to come."""
        ids = [] if self._cut_short else sorted(gone)
        for at in range(0, len(ids), 100):
            with db.atomic():
                self.result["deleted"] += self.scope.delete(Mail).where(Mail.id << ids[at:at + 100]).execute()


def _three(flags: tuple[str, ...]) -> Flags:
    return "\\Seen" in flags, "\\Flagged" in flags, "\\Answered" in flags
