"""What a sync does in other threads: fetch the next batch while one is stored, and listen for cancel while the server is silent."""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from mailhelper import jobs
from mailhelper.db import db
from mailhelper.errors import Cancelled, Unreachable
from mailhelper.imap import Mailbox
from mailhelper.intake import Arrival, Intake
from mailhelper.models import Job
from mailhelper.scope import everyone

FETCH = 100     # mails a FETCH
LOOK = 1.0      # seconds between looks whether the job was cancelled


def ahead(box: Mailbox, name: str, uids: list[int], intake: Intake) -> Generator[list[Arrival], None, None]:
    """Batches of mails, the next one fetched in another thread while this one is stored."""
    box.examine(name)
    ready: queue.Queue[list[Arrival] | BaseException | None] = queue.Queue(maxsize=1)

    def fetch() -> None:
        try:
            for at in range(0, len(uids), FETCH):
                ready.put([intake.arrive(mail) for mail in box.fetch(uids[at:at + FETCH])])
            ready.put(None)
        except BaseException as error:      # handed over to the thread that can do something about it
            ready.put(error)

    thread = threading.Thread(target=fetch, name="fetch", daemon=True)
    thread.start()
    item: list[Arrival] | BaseException | None = []
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        if isinstance(item, list):      # cancelled, or a batch could not be stored: do not wait for the server
            box.abort()
            while isinstance(ready.get(), list):
                continue
        thread.join()


@contextmanager
def hung_up_on_cancel(box: Mailbox, job: Job) -> Iterator[None]:
    """Break the connection off when the job is cancelled, whatever the server is being waited for; the work then ends with Cancelled."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            with db.connection_context():
                if not _is_ours(job):
                    return box.abort()

    thread = threading.Thread(target=look, name="cancel", daemon=True)
    thread.start()
    try:
        yield
    except Unreachable:
        if not _is_ours(job):
            raise Cancelled() from None
        raise
    finally:
        over.set()
        thread.join()


def _is_ours(job: Job) -> bool:
    return bool(everyone.select(Job, Job.id).where(jobs.mine(job)).exists())
