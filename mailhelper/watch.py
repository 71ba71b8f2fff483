"""Listens to mail servers (IDLE) for mailboxes that are followed while their owner is away, and has them synced when there is news.

A process of its own, since threads and the worker's forks do not go together: it starts sync jobs and does nothing else.  One
thread and one connection a mailbox.  A lease in the mailbox's Watch row sees to it that of several watchers one listens; it is
free again when it was not renewed, or when its holder on this machine has ended.
"""

import datetime as dt
import logging
import random
import threading
import time
from typing import NamedTuple

from peewee import Expression, PeeweeException

from mailhelper import accounts, imap, pace, queue, runner, sync
from mailhelper.db import db, now
from mailhelper.egress import Door, Entry
from mailhelper.errors import Error, Locked
from mailhelper.imap import Mailbox
from mailhelper.models import RUNNING, Account, Grant, Job, User, Watch
from mailhelper.scope import Scope, everyone, open_granted

log = logging.getLogger(__name__)
LOOK = 5.0                                  # seconds between looks at which mailboxes to listen to
LEASE = dt.timedelta(seconds=90)            # without renewal, another watcher takes over
RENEW = 20.0                                # seconds
IDLE = 9 * 60.0                             # seconds of one IDLE: servers hang up after 29 minutes, some routers forget a silent line sooner
SETTLE = 20.0                               # flags change and mails go in bursts; only new mail is in a hurry
AGAIN, AGAIN_MOST = 0.5, 30.0               # seconds until the next try, while an earlier sync is still running
RECONNECT = 4.0                             # seconds
CLOSE = 5.0                                 # seconds that all connections together may take to end


class Wanted(NamedTuple):
    """A mailbox to listen to, and since when its owner's grant allows it: each change of the mailbox makes another."""
    account: Account
    since: dt.datetime


class Watcher:
    """Keeps a listener for each mailbox that is to be followed and that no other watcher holds."""

    def __init__(self) -> None:
        self._listeners: dict[int, Listener] = {}
        self._renewed = -RENEW

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            try:
                with db.connection_context():
                    self.look()
            except PeeweeException:         # the database is away: those who listen go on, and the next look may find it
                log.exception("could not look which mailboxes to listen to")
            stop.wait(LOOK)
        self.close()

    def look(self) -> None:
        """Start listening where that is wanted, stop where it no longer is."""
        wanted = _wanted()
        held = self._hold()
        for id, listener in list(self._listeners.items()):
            if id not in wanted or id not in held or wanted[id].since != listener.wanted.since:
                self._listeners.pop(id).stop()
                _release(Watch.account == id)
        for id, one in wanted.items():
            if id not in self._listeners and (id in held or _take(one.account)):
                self._listeners[id] = Listener(one)
                self._listeners[id].start()

    def close(self) -> None:
        """Stop listening, and leave every mailbox to whoever comes next."""
        for listener in self._listeners.values():
            listener.stop()
        end = time.monotonic() + CLOSE
        for listener in self._listeners.values():
            listener.join(max(0.0, end - time.monotonic()))
        with db.connection_context():
            _release()

    def _hold(self) -> set[int]:
        """Renew our leases when it is time; the ids of the mailboxes that are ours."""
        if time.monotonic() - self._renewed > RENEW:
            self._renewed = time.monotonic()
            queue.here(queue.WATCHER)
            everyone.update(Watch, leased_until=now() + LEASE).where(Watch.holder == runner.me()).execute()
        return {id for id, in everyone.select(Watch, Watch.account).where(Watch.holder == runner.me()).tuples()}


class Listener(threading.Thread):
    """Listens to the inbox of one mailbox until stopped, or until that makes no sense any more."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(daemon=True, name=f"listen-{wanted.account.id}")
        self.wanted, self.account = wanted, wanted.account
        self._over = threading.Event()
        self._box: Mailbox | None = None
        self._failures = 0              # in a row, since it last worked
        self._asked_for = 0             # seconds that the server wants us to stay away

    def stop(self) -> None:
        """End soon, whatever the server is being waited for; from another thread."""
        self._over.set()
        if box := self._box:
            box.abort()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self._connect()
                return
            except Locked:      # the grant has run out; its owner's next sign-in makes another
                return
            except Error as error:
                if self._over.is_set() or self._is_over(error):
                    return
                self._asked_for = getattr(error, "retry_after", 0)
            except PeeweeException:
                log.exception("listening to account %s was interrupted", self.account.id)
            self._over.wait(self._patience() * random.uniform(0.5, 1))
            self._failures += 1

    def _patience(self) -> float:
        """Seconds until the next try: a line that broke after it had worked is soon mended."""
        usual = pace.patience(self._failures).total_seconds() if self._failures else RECONNECT
        return max(usual, self._asked_for)

    def _is_over(self, error: Error) -> bool:
        """Whether only the owner can mend this."""
        if pace.stops(error.code):
            with db.connection_context():
                pace.failed(self.account, error)
        return pace.stops(error.code)

    def _connect(self) -> None:
        """Listen until the line breaks, or return where the server cannot be listened to."""
        with db.connection_context():
            scope = open_granted("background", self.account.id, self.account.user_id)      # type: ignore[attr-defined]
            with scope:
                server = accounts.server(scope.get(Account, self.account.id))
        with imap.open(server, _door(scope)) as self._box:
            can_tell = "IDLE" in self._box.capabilities
            with db.connection_context():
                pace.listening(self.account, "idle" if can_tell else "poll")
            if can_tell:
                self._box.examine("INBOX")
                self._listen(self._box)

    def _listen(self, box: Mailbox) -> None:
        sync_at = time.monotonic()      # what came while nobody listened
        again = AGAIN
        while not self._over.is_set():
            left = sync_at - time.monotonic()
            if left <= 0:
                started = self._start()
                sync_at, again = (float("inf"), AGAIN) if started else (time.monotonic() + again, min(2 * again, AGAIN_MOST))
                continue
            news = box.idle(min(left, IDLE))
            self._failures = 0
            if news:
                sync_at = min(sync_at, time.monotonic() + (0 if "EXISTS" in news else SETTLE))

    def _start(self) -> bool:
        """Have the mailbox synced; false while an earlier sync is running, which may have passed the inbox already."""
        with db.connection_context():
            if everyone.select(Job, Job.id).where(Job.kind == "sync_user_emails", Job.subject == self.account.id, Job.state == RUNNING).exists():
                return False
            sync.start_unattended(self.account)
        return True


def _wanted() -> dict[int, Wanted]:
    """{account id: mailbox} that are followed while their owner is away, and are not stopped."""
    grants = dict(everyone.select(Grant, Grant.subject, Grant.created_at).where(Grant.purpose == "background", Grant.expires_at > now()).tuples())
    disabled = User.select(User.id).where(User.disabled)
    found = everyone.select(Account).where(pace.followed(), Account.id << list(grants), Account.user.not_in(disabled))
    return {one.id: Wanted(one, grants[one.id]) for one in found if not pace.stops(one.error)}


def _take(account: Account) -> bool:
    """Take the lease of a mailbox, unless somebody else has it."""
    row = pace.row(account)
    free = Watch.holder.is_null() | (Watch.leased_until < now())
    if row.holder and runner.ended(row.holder):
        free |= Watch.holder == row.holder
    pace.known(account)
    return bool(everyone.update(Watch, holder=runner.me(), leased_until=now() + LEASE).where(Watch.account == account.id, free).execute())


def _release(*which: Expression) -> None:
    """Let others listen to these mailboxes of ours; to all of them."""
    everyone.update(Watch, holder=None, leased_until=None).where(Watch.holder == runner.me(), *which).execute()


def _door(scope: Scope) -> Door:
    """The user's way out; connections last for days, so that the ledger's entry needs a database connection of its own."""
    with db.connection_context():
        door = accounts.door(scope)

    def ledger(entry: Entry) -> None:
        with db.connection_context():
            door.ledger(entry)

    return Door(door.policy, ledger)
