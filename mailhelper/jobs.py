"""Work that outlives a request: the Job row is the truth, Huey only wakes a worker.

    start → row (one active per kind and subject) → after commit: wake → queue
    run   → claim by conditional UPDATE, fenced by a claim number → open the grant → KINDS[kind].run(scope, job, step) → outcome where still ours
    sweep → finds rows whose worker died or fell silent, and rows whose message got lost, and wakes them again

Every kind resumes from data, so that it may be run twice.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from peewee import Expression, IntegrityError, fn

from mailhelper import language, queue
from mailhelper.db import db, now
from mailhelper.errors import Conflict, sentence
from mailhelper.models import ACTIVE, CANCELLED, COMPLETED, FAILED, QUEUED, RETRYING, RUNNING, WAITING, Grant, Job, JobLog
from mailhelper.scope import JOB_TTL, Keyless, Scope, drop_grants, everyone, grant

# The predecessor's words for a state; PROGRESS once progress is known.
SEEDS = {QUEUED: "PENDING", RUNNING: "STARTED", RETRYING: "RETRY", WAITING: "PENDING", COMPLETED: "SUCCESS", FAILED: "FAILURE", CANCELLED: "REVOKED"}


class Kind(NamedTuple):
    """How one kind of job is run: `run(scope, job, step)` returns its result; times in seconds."""
    run: Callable[..., Any]
    timeout: int | None
    retries: int
    wait: int
    priority: int
    needs_key: bool
    pausable: bool = False      # a person may hold it, and have it go on later


KINDS: dict[str, Kind] = {}


def kind(name: str, timeout: int | None = None, retries: int = 3, wait: int = 60, priority: int = 0, needs_key: bool = True,
         pausable: bool = False) -> Callable[..., Any]:
    """Register the function that does jobs of this kind."""
    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        KINDS[name] = Kind(run, timeout, retries, wait, priority, needs_key, pausable)
        return run
    return register


def start(scope: Scope, name: str, subject: int = 0, here: bool = False, **params: Any) -> Job:
    """Queue a job.  Raises Conflict("already_running", task_id) when the same one is under way; if that waited for a key, here is one.

    Kinds that need no key may be started without one.

    `here`: the caller runs it in this process (the command line), so no worker is woken.
    """
    try:
        with nullcontext() if isinstance(scope, Keyless) else scope, db.atomic():
            job = scope.create(Job, kind=name, subject=subject, params=params or None, message="queued")
            if KINDS[name].needs_key:
                grant(scope, "job", JOB_TTL, subject=job.id)
            scope.create(JobLog, job=job, code="queued")
    except IntegrityError:
        active = scope.select(Job, Job.id).where(Job.kind == name, Job.subject == subject, Job.state << ACTIVE).get_or_none()
        if active is None:      # it ended in between
            return start(scope, name, subject, here, **params)
        _resume(scope, (Job.id == active.id) & (Job.message != "paused"))
        raise Conflict("already_running", task_id=str(active.id)) from None
    if not here:
        db.after_commit(lambda: wake(job))
    return job


def active(scope: Scope, name: str, subject: int) -> Job | None:
    """The job of this kind and subject that is under way, if any."""
    with scope:
        job: Job | None = scope.select(Job).where(Job.kind == name, Job.subject == subject, Job.state << ACTIVE).get_or_none()
    return job


def latest(scope: Scope, kinds: Sequence[str], subject: int) -> dict[str, Job]:
    """The newest job of each kind for this subject, where there is one."""
    with scope:
        newest = scope.select(Job, fn.MAX(Job.id)).where(Job.kind << list(kinds), Job.subject == subject).group_by(Job.kind)
        return {job.kind: job for job in scope.select(Job).where(Job.id << newest)}


def wake(job: Job, delay: float = 0) -> None:
    """Tell a worker that this row is (or, after `delay` seconds, will be) due."""
    everyone.update(Job, woken=now() + dt.timedelta(seconds=delay)).where(Job.id == job.id).execute()
    queue.wake(job.id, KINDS[job.kind].priority if job.kind in KINDS else 0, delay)


def cancel(scope: Scope, job_id: object) -> Job:
    """Stop a job at once in the books; its runner notices at its next step."""
    with scope, db.atomic():
        job = scope.get(Job, job_id)
        if scope.update(Job, state=CANCELLED, finished_at=now(), message=None).where(Job.id == job.id, Job.state << ACTIVE).execute():
            scope.create(JobLog, job=job, code="cancelled")
            drop_grants(scope, Grant.purpose == "job", Grant.subject == job.id)
        return scope.get(Job, job.id)


def pause(scope: Scope, job_id: object) -> Job:
    """Hold a job until `go_on`.  Raises NotFound, Conflict("not_pausable") for other kinds and for what has ended."""
    with scope, db.atomic():
        job = scope.get(Job, job_id)
        held = pausable(job) and scope.update(Job, state=WAITING, message="paused").where(Job.id == job.id, Job.state << ACTIVE).execute()
        if not held:
            raise Conflict("not_pausable")
        scope.create(JobLog, job=job, code="paused")
        drop_grants(scope, Grant.purpose == "job", Grant.subject == job.id)
        return scope.get(Job, job.id)


def go_on(scope: Scope, job_id: object) -> Job:
    """Let a job that was held or waits for a key go on.  Raises NotFound."""
    with scope:
        job = scope.get(Job, job_id)
        _resume(scope, Job.id == job.id)
        return scope.get(Job, job.id)


def pausable(job: Job) -> bool:
    """Whether it may be held now."""
    return job.kind in KINDS and KINDS[job.kind].pausable and job.state in ACTIVE and not is_paused(job)


def is_paused(job: Job) -> bool:
    """Whether a person holds it."""
    return job.state == WAITING and job.message == "paused"


def park(scope: Scope) -> None:
    """At the last sign-out: delete the job grants; what needs the key waits for the next sign-in."""
    keyed = [name for name, kind in KINDS.items() if kind.needs_key]
    with db.atomic():
        drop_grants(scope, Grant.purpose == "job")
        for job in list(scope.select(Job, Job.id).where(Job.kind << keyed, Job.state << (QUEUED, RUNNING, RETRYING))):
            if scope.update(Job, state=WAITING, message="waiting").where(Job.id == job.id, Job.state << ACTIVE).execute():
                scope.create(JobLog, job=job.id, code="waiting")


def resume(scope: Scope) -> None:
    """At sign-in: give the jobs that wait for a key a fresh grant and wake them; what a person holds stays held."""
    _resume(scope, Job.message != "paused")


def _resume(scope: Scope, which: Expression) -> None:
    for job in list(scope.select(Job, Job.id, Job.kind).where(Job.state == WAITING, which)):
        with db.atomic():
            if not scope.update(Job, state=QUEUED, due=now(), message="queued").where(Job.id == job.id, Job.state == WAITING).execute():
                continue
            drop_grants(scope, Grant.purpose == "job", Grant.subject == job.id)
            grant(scope, "job", JOB_TTL, subject=job.id)
            scope.create(JobLog, job=job.id, code="queued")
        wake(job)


def mine(job: Job) -> Expression:
    """True of the row while this claim holds it; a swept, parked or cancelled job is no longer ours."""
    return (Job.id == job.id) & (Job.state == RUNNING) & (Job.claim == job.claim)


def page(scope: Scope, limit: int = 50, before: int | None = None) -> list[Job]:
    """The newest jobs first, below id `before`."""
    with scope:
        query = scope.select(Job).order_by(Job.id.desc()).limit(limit)
        return list(query.where(Job.id < before) if before else query)


def history(scope: Scope, job: Job) -> list[JobLog]:
    """What happened to a job, oldest first."""
    with scope:
        return list(scope.select(JobLog).where(JobLog.job == job).order_by(JobLog.id))


def params(job: Job) -> dict[str, Any]:
    """What was asked of it; inside the owner's scope."""
    asked: dict[str, Any] = job.params or {}
    return asked


def shown(job: Job, lang: str) -> dict[str, Any]:
    """The JSON shape of product.md §3; inside the owner's scope."""
    state = "PROGRESS" if job.state == RUNNING and job.progress else SEEDS[job.state]
    return {
        "task_id": str(job.id), "kind": job.kind, "state": state, "status": job.state, "progress": job.progress,
        "done": job.done, "total": job.total, "message": message(job, lang), "result": job.result,
        "error": {"code": job.error, "message": sentence(lang, job.error, job.error_params)} if job.error else None,
        "attempts": job.failures + (1 if job.claim and job.state != RETRYING else 0), "created_at": job.created_at, "started_at": job.started_at,
        "finished_at": job.finished_at, "eta": eta(job),
    }


def message(job: Job, lang: str) -> str:
    """What it is doing, in the reader's language; inside the owner's scope."""
    if job.state in (COMPLETED, CANCELLED, FAILED):
        return language.t(lang, f"job.message.{job.state}")
    if not job.message:
        return ""
    counts = {"done": language.number(lang, job.done), "total": language.number(lang, job.total)}
    return language.t(lang, f"job.message.{job.message}", **counts, **(job.note or {}))


def eta(job: Job) -> dt.datetime | None:
    """When a running job will be done if it goes on at its pace."""
    if job.state != RUNNING or not 0 < job.progress < 100:
        return None
    return now() + (now() - job.started_at) * ((100 - job.progress) / job.progress)
