"""Runs jobs in a worker process: claim, heartbeat, time limit, outcome, and the sweep that finds what was lost."""

import datetime as dt
import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from peewee import Case, PeeweeException

from mailhelper import queue
from mailhelper.db import db, now
from mailhelper.errors import Cancelled, Error, Locked, Timeout
from mailhelper.jobs import KINDS, mine, wake
from mailhelper.models import CANCELLED, COMPLETED, FAILED, QUEUED, RETRYING, RUNNING, WAITING, Grant, Job, JobLog
from mailhelper.scope import Scope, everyone, open_granted

log = logging.getLogger(__name__)
BEAT = 10                                       # seconds between heartbeats
LOST_AFTER = dt.timedelta(seconds=45)           # silence that means: its worker is gone (another machine; here its process is looked up)
WAKE_AGAIN = dt.timedelta(minutes=1)            # a due row whose message seems lost
DUE = (QUEUED, RETRYING)


class Step:
    """Handed to a job: tells how far it is, and hears cancel and the time limit."""

    def __init__(self, scope: Scope | None, job: Job, deadline: float | None) -> None:
        self._keyed, self._job, self._deadline = scope is not None, job, deadline

    def __call__(self, done: int, total: int, message: str | None = None, /, **note: Any) -> None:
        """Note `done` of `total`, and what is being done (key job.message.<message>).  Raises Cancelled or Timeout.

        `note` is for kinds with a key: without one, nothing can be sealed.
        """
        if self._deadline and time.monotonic() > self._deadline:
            raise Timeout()
        values: dict[str, Any] = {"done": done, "total": total, "progress": min(100, 100 * done // total) if total else 0, "touched": now()}
        if message:
            values |= {"message": message, "note": note if note and self._keyed else None}
        if not everyone.update(Job, **values).where(mine(self._job)).execute():
            raise Cancelled()

    def log(self, code: str, /, **params: Any) -> None:
        """Add a line to the job's log (key job.log.<code>)."""
        everyone.create(JobLog, user=self._job.user_id, job=self._job.id, code=code, params=params if params and self._keyed else None)


@queue.performs
def run(job_id: int) -> None:
    """Do the job if it is due and free, then whatever else is due: a message may have been lost."""
    with db.connection_context():
        job = _claim(Job.id == job_id)
        while job:
            _work(job)
            job = _next()


def _next() -> Job | None:
    """Claim the most urgent due row whose own message is late, if any."""
    rank = Case(Job.kind, [(name, -kind.priority) for name, kind in KINDS.items()], 0)
    while row := everyone.select(Job, Job.id).where(_late(dt.timedelta(seconds=5))).order_by(rank, Job.due).first():
        if job := _claim(Job.id == row.id):
            return job      # else another worker was faster: look again
    return None


def _late(patience: dt.timedelta) -> Any:
    """True of a due row whose message should have brought a worker by now."""
    return (Job.state << DUE) & (Job.kind << list(KINDS)) & (Job.due <= now()) & (Job.woken < now() - patience)


def _claim(which: Any) -> Job | None:
    """Take a due job, or find that another worker has it."""
    at = now()
    taken = everyone.update(Job, state=RUNNING, claim=Job.claim + 1, claimed_by=me(), touched=at, error=None,
                            started_at=Case(None, [(Job.started_at.is_null(), at)], Job.started_at)
                            ).where(which, Job.kind << list(KINDS), Job.state << DUE, Job.due <= at).execute()
    return everyone.select(Job).where(which).get_or_none() if taken else None


def _work(job: Job) -> None:
    began = time.monotonic()
    try:
        with _heartbeat(job):
            scope = open_granted("job", job.id, job.user_id) if KINDS[job.kind].needs_key else None
            outcome = _attempt(scope, job)
    except Locked:
        outcome, scope = {"state": WAITING, "message": "waiting"}, None
    try:
        _finish(job, scope, outcome)
    except (TypeError, ValueError):     # what the work returned cannot be kept
        log.exception("job %s %s failed", job.id, job.kind)
        _finish(job, scope, outcome := _failure(job, Error()))
    log.info("job %s %s: %s in %.1f s", job.id, job.kind, outcome["state"], time.monotonic() - began)


def _attempt(scope: Scope | None, job: Job) -> dict[str, Any]:
    """Do the work; the columns to set."""
    kind = KINDS[job.kind]
    step = Step(scope, job, time.monotonic() + kind.timeout if kind.timeout else None)
    try:
        with _limit(kind.timeout):
            if scope is None:
                kind.run(None, job, step)
                return {"state": COMPLETED, "progress": 100}
            with scope:
                return {"state": COMPLETED, "progress": 100, "result": kind.run(scope, scope.get(Job, job.id), step)}
    except Cancelled:
        return {"state": CANCELLED}
    except Locked:
        raise
    except KeyboardInterrupt:       # the consumer shuts down and cannot wait: somebody else goes on at once
        _finish(job, scope, {"state": QUEUED, "due": now(), "message": "queued"})
        raise
    except Error as error:
        return _failure(job, error)
    except Exception:
        log.exception("job %s %s failed", job.id, job.kind)
        return _failure(job, Error())


def _failure(job: Job, error: Error) -> dict[str, Any]:
    """What a failed attempt leads to: the end, or another try later."""
    kind = KINDS[job.kind]
    values: dict[str, Any] = {"error": error.code, "error_params": error.params or None}
    if error.permanent or job.failures >= kind.retries:
        return values | {"state": FAILED}
    patience = getattr(error, "retry_after", 0)
    delay = max(patience, kind.wait * 2 ** job.failures)
    return values | {"state": RETRYING, "failures": job.failures + 1, "due": now() + dt.timedelta(seconds=delay), "message": "retrying"}


def _finish(job: Job, scope: Scope | None, outcome: dict[str, Any]) -> None:
    """Write the outcome, if the row is still ours; then tidy up or plan the next try."""
    state = outcome["state"]
    ended = state in (COMPLETED, FAILED, CANCELLED)
    if ended:
        outcome["finished_at"] = now()
    if scope is None:
        outcome.pop("error_params", None)       # nothing can be sealed without a key
    with scope or nullcontext(), db.atomic():
        if not everyone.update(Job, touched=now(), **outcome).where(mine(job)).execute():
            return
        everyone.create(JobLog, user=job.user_id, job=job.id, code=state, params={"code": outcome["error"]} if scope and "error" in outcome else None)
        if ended:
            _drop_grant(job)
    if state in DUE:
        wake(job, max(0.0, (outcome["due"] - now()).total_seconds()))


def _drop_grant(job: Job) -> None:
    everyone.delete(Grant).where(Grant.purpose == "job", Grant.subject == job.id).execute()


@contextmanager
def _heartbeat(job: Job) -> Iterator[None]:
    """Touch the row while the work lasts, whatever it is blocked in."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            try:
                with db.connection_context():
                    everyone.update(Job, touched=now()).where(mine(job)).execute()
            except PeeweeException:     # a database that was away for a moment must not make the job look dead
                log.exception("job %s: no heartbeat", job.id)

    thread = threading.Thread(target=beat, daemon=True, name=f"heartbeat-{job.id}")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _limit(seconds: int | None) -> Iterator[None]:
    """Raise Timeout in the work after `seconds`, even in a blocked call; in a thread (inline), only Step checks the time."""
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(signum: int, frame: FrameType | None) -> None:
        raise Timeout()

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def sweep() -> None:
    """Wake what was lost: running rows whose worker is gone, and due rows whose message is."""
    for job in list(everyone.select(Job).where(Job.state == RUNNING, Job.kind << list(KINDS))):
        if _gone(job):
            _revive(job)
    for job in list(everyone.select(Job).where(_late(WAKE_AGAIN))):
        wake(job)       # a second message for the same row does no harm: only one claim succeeds


def _revive(job: Job) -> None:
    """Give a lost job to another worker.  A killed worker costs no try, unless nothing moved since the one before."""
    stuck = job.losses > 0 and job.done == job.moved
    losses = job.losses + 1 if stuck else 1
    if stuck and job.failures >= KINDS[job.kind].retries:
        outcome: dict[str, Any] = {"state": FAILED, "error": "worker_lost", "finished_at": now()}
    else:
        outcome = {"state": QUEUED, "due": now(), "message": "queued", "losses": losses, "moved": job.done, "failures": job.failures + stuck}
    ended = outcome["state"] == FAILED
    with db.atomic():
        if not everyone.update(Job, **outcome).where(mine(job)).execute():
            return
        for code in ("lost", FAILED) if ended else ("lost",):
            everyone.create(JobLog, user=job.user_id, job=job.id, code=code)
        if ended:
            _drop_grant(job)
    log.warning("job %s %s: its worker is gone", job.id, job.kind)
    if not ended:
        wake(job)


def _gone(job: Job) -> bool:
    """Silent too long, or (on this machine) its process has ended."""
    return job.touched < now() - LOST_AFTER or ended(job.claimed_by or "")


def ended(who: str) -> bool:
    """Whether a process (as `me` named it) of this machine is no more; of those of other machines, one cannot know."""
    host, _, process = who.rpartition(" ")
    if host != _host():
        return False
    pid, _, born = process.partition("@")
    return _born(int(pid)) != born


def me() -> str:
    """This process, so that another on the same machine can see whether it still lives."""
    return f"{_host()} {os.getpid()}@{_born(os.getpid())}"


def _host() -> str:
    namespace = Path("/proc/self/ns/pid")
    return f"{platform.node()[:40]} {os.readlink(namespace) if namespace.exists() else ''}"


def _born(pid: int) -> str:
    """Start time of a process in clock ticks since boot (proc(5), field 22); "" when it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
