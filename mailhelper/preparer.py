"""Prepares mails for storing in a process of its own, so that a first sync keeps two cores busy; in-line where that is not worth it.

The process gets the user's key through a pipe that nobody else has, reads the database and writes nothing.  It ends when the pipe
does.  Should it be killed, its work is done here.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from mailhelper import logs, process
from mailhelper.config import config
from mailhelper.db import connect, db, url
from mailhelper.intake import Arrival, Intake, Ready
from mailhelper.models import Account, User
from mailhelper.scope import Scope

log = logging.getLogger(__name__)
WORTH_IT = 300          # mails to fetch, below which starting a process costs more than it saves
SHARE = 4               # every so many batches one is prepared here: storing leaves that much time


class Inline:
    """Prepares in the process that stores."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake

    def submit(self, role: str, mails: Sequence[Arrival]) -> bool:
        """Say early what will be asked for, from the thread that fetches; whether somebody works on it now."""
        return False

    def result(self, submitted: bool, role: str, mails: Sequence[Arrival]) -> Ready:
        """The same mails, prepared; from the thread that stores, in the order they were submitted."""
        return self.intake.prepare(role, mails)

    def close(self) -> None:
        """Nothing is asked for any more; whoever waits in `submit` is let go."""


class Helper(Inline):
    """Prepares in a process of its own, but for one batch in SHARE."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(intake)
        orders, self._orders = Pipe(duplex=False)
        self._answers, answers = Pipe(duplex=False)
        ends = orders.fileno(), answers.fileno()
        command = [sys.executable, "-m", "mailhelper.preparer", *map(str, ends)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=ends)
        orders.close()
        answers.close()
        self._batches, self._alive = 0, True
        scope = intake.scope
        self._send((url(), scope.user.id, scope.vault.key, intake.account.id))

    def submit(self, role: str, mails: Sequence[Arrival]) -> bool:
        self._batches += 1
        return bool(self._batches % SHARE) and self._send((role, [one._replace(sealed=b"") for one in mails]))

    def result(self, submitted: bool, role: str, mails: Sequence[Arrival]) -> Ready:
        ready = self._receive() if submitted else None
        if ready is None:       # ours, or the process could not: then this one finds out why
            return super().result(False, role, mails)
        return ready._replace(mails=[one._replace(raw=mail.sealed) for one, mail in zip(ready.mails, mails, strict=True)])

    def close(self) -> None:
        self._alive = False
        self._process.kill()
        self._process.wait()

    def _send(self, what: object) -> bool:
        try:
            if self._alive:
                self._orders.send(what)
        except OSError:
            self._lost()
        return self._alive

    def _receive(self) -> Ready | None:
        try:
            ready: Ready | None = self._answers.recv()
            return ready
        except (EOFError, OSError, pickle.UnpicklingError):     # cut off in the middle of an answer
            self._lost()
            return None

    def _lost(self) -> None:
        if self._alive:
            log.warning("the process that prepares mails is gone; going on without")
        self._alive = False


@contextmanager
def started(intake: Intake, mails: int) -> Iterator[Inline]:
    """A helper for so many mails, or none where there is little to do or one core to do it."""
    if mails < WORTH_IT or len(os.sched_getaffinity(0)) < 2:
        yield Inline(intake)
        return
    helper = Helper(intake)
    try:
        yield helper
    finally:
        helper.close()


def serve(orders: Connection, answers: Connection) -> None:
    """The work of the helper process: the first message says for whom, each further one is a batch."""
    database, user_id, key, account_id = orders.recv()
    connect(database)
    with db.connection_context(), Scope(User.get_by_id(user_id), key) as scope:
        intake = Intake(scope, scope.get(Account, account_id))
        while True:
            role, mails = orders.recv()
            try:
                answer: Ready | None = intake.prepare(role, mails)
            except Exception:
                log.exception("a batch of account %s could not be prepared", account_id)
                answer = None
            answers.send(answer)


if __name__ == "__main__":
    process.die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)        # of a terminal, meant for the one who looks after us
    logs.setup(config.log_level)
    try:
        serve(Connection(int(sys.argv[1]), writable=False), Connection(int(sys.argv[2]), readable=False))
    except (EOFError, BrokenPipeError):
        sys.exit(0)     # it has all it wanted
