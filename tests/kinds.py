"""For tests of jobs: kinds of one test, doing a job as a worker does, looking at its row, log and messages."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mailhelper import jobs, queue, runner
from mailhelper.db import db as proxy
from mailhelper.errors import Error
from mailhelper.jobs import Kind
from mailhelper.models import Job, JobLog
from mailhelper.runner import Step
from mailhelper.scope import Scope, everyone

Work = Callable[[Scope, Job, Step], Any]
SECRET = "Frau Müllers Befund"


@contextmanager
def registering() -> Iterator[Callable[..., str]]:
    """Gives register(work, …), which makes a kind of jobs for one test and returns its name."""
    known = dict(jobs.KINDS)

    def register(work: Work = lambda scope, job, step: None, timeout: int | None = None, retries: int = 3, wait: int = 60, priority: int = 0,
                 needs_key: bool = True, name: str = "test") -> str:
        jobs.KINDS[name] = Kind(work, timeout, retries, wait, priority, needs_key)
        return name

    try:
        yield register
    finally:
        jobs.KINDS.clear()
        jobs.KINDS.update(known)


def run(job: Job) -> Job:
    """Do it as a worker does: without a scope of its own."""
    contextvars.Context().run(runner.run, job.id)
    return row(job)


def row(job: Job) -> Job:
    found: Job = everyone.select(Job).where(Job.id == job.id).get()
    return found


def change(job: Job, **values: Any) -> None:
    everyone.update(Job, **values).where(Job.id == job.id).execute()


def sweep() -> None:
    contextvars.Context().run(runner.sweep)


def codes(job: Job) -> list[str]:
    return [line.code for line in everyone.select(JobLog).where(JobLog.job == job.id).order_by(JobLog.id)]


def messages() -> int:
    """How many wake-up calls wait in the queue, now or later."""
    return int(queue.huey.storage.queue_size() + queue.huey.storage.schedule_size())


def threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` returns or raises in so many threads at the same moment."""
    outcomes: list[Any] = []
    barrier = threading.Barrier(count)

    def one(number: int) -> None:
        with proxy.connection_context():
            barrier.wait(5)
            try:
                outcomes.append(work(number))
            except Error as error:
                outcomes.append(error)

    started = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(20)
    return outcomes
