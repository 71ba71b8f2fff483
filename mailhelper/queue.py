"""The wake-up call: Huey on SQLite or Redis.  It may forget; the Job rows are the truth (jobs.py)."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from huey import Huey, PriorityRedisHuey, SqliteHuey
from huey.serializer import SignedSerializer

from mailhelper import crypto
from mailhelper.config import config
from mailhelper.scope import instance_key

log = logging.getLogger(__name__)
NAME = "mailhelper"
WORKER, WATCHER = "worker", "watcher"     # programs that tell that they are there


class Serializer(SignedSerializer):     # type: ignore[misc]
    """Signs messages, which are pickles, by a key derived from the instance key; read at first use, so that an import touches no file."""

    def __init__(self) -> None:
        super().__init__(secret="derived at first use")
        self._key = b""

    def _signature(self, message: bytes) -> bytes:
        self._key = self._key or crypto.derive(instance_key(), "queue")
        signature: bytes = super()._signature(message)
        return signature


def make() -> Huey:
    """The queue of the settings; opens nothing until used."""
    options: dict[str, Any] = {"results": False, "serializer": Serializer()}
    if config.redis_url:
        return PriorityRedisHuey(NAME, url=config.redis_url, **options)
    return SqliteHuey(NAME, filename=str(config.data / "queue.db"), strict_fifo=True, create_tables=False, fsync=False, **options)


huey = make()
_performers: list[Callable[[int], None]] = []
inline = ThreadPoolExecutor(max_workers=2, thread_name_prefix="job")       # MAILHELPER_JOBS=inline: the web process does the work


def prepare() -> None:
    """Make the queue's own tables (SQLite)."""
    if hasattr(huey.storage, "initialize_schema"):
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = os.umask(0o077)
        try:
            huey.storage.initialize_schema()
        finally:
            os.umask(private)


def reachable() -> bool:
    """Whether the queue answers."""
    try:
        huey.storage.queue_size()
    except Exception:       # whatever this broker's library throws
        log.exception("the queue does not answer")
        return False
    return True


def performs(function: Callable[[int], None]) -> Callable[[int], None]:
    """Register who does the job of an id (runner.py, which stands above)."""
    _performers.append(function)
    return function


@huey.task(name="run_job")      # type: ignore[untyped-decorator]
def run_job(job_id: int) -> None:
    """The one generic task: the message holds a job id, nothing else."""
    try:
        for perform in _performers:
            perform(job_id)
    except Exception:       # the row tells sweep what to do; Huey would print the exception whole, and a thread's pool would swallow it
        log.exception("job %s was left alone", job_id)


def wake(job_id: int, priority: int, delay: float) -> None:
    """Have the job looked at, at once or after `delay` seconds.  A queue that cannot be reached is no failure: sweep asks again."""
    if config.jobs == "inline":
        timer = threading.Timer(delay, inline.submit, (run_job.call_local, job_id))
        timer.daemon = True
        timer.start()
        return
    try:
        huey.enqueue(run_job.s(job_id, priority=priority, delay=delay or None))
    except Exception:       # whatever this broker's library throws
        log.exception("cannot reach the queue; job %s waits", job_id)


def here(program: str) -> None:
    """Note that a program of this kind is up; each does so when it starts and at least every minute."""
    try:
        huey.put(f"{program}-seen", time.time())
    except Exception:       # whatever this broker's library throws
        log.exception("the queue does not answer")


def seen(program: str) -> bool:
    """Whether such a program was up within the last minutes."""
    try:
        at = huey.get(f"{program}-seen", peek=True)
    except Exception:       # whatever this broker's library throws
        log.exception("the queue does not answer")
        return False
    return at is not None and time.time() - at < 150
