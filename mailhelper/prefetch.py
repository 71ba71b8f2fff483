"""What a sync does in other threads: fetch the next batch while one is stored, and listen for cancel while the server is silent."""

import queue
import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

from mailhelper import jobs, relink
from mailhelper.db import db, now
from mailhelper.errors import Cancelled, Refused, Unreachable
from mailhelper.imap import Facts, Fetched, Mailbox
from mailhelper.imapfetch import chunks, flags_of
from mailhelper.intake import BATCH, Arrival, Intake, Ready
from mailhelper.models import Job
from mailhelper.preparer import Inline
from mailhelper.relink import Found, Orphans
from mailhelper.scope import everyone

FETCH = 100             # mails a FETCH
BATCH_BYTES = 4 << 20   # of mails that are stored together, and wait for it
MB = 1_000_000
LARGEST = 10            # MB of a mail that is fetched whole, unless the account's filters say otherwise
LOOK = 1.0              # seconds between looks whether the job was cancelled


class Batch(NamedTuple):
    """Mails to store together, at most BATCH; and mails that are here already and only have a new place."""
    arrived: list[Arrival]
    found: list[Found]


class Fetcher:
    """Fetches mails of one folder: what they are known by first, then the text of those that are not here yet."""

    def __init__(self, box: Mailbox, intake: Intake, orphans: Orphans) -> None:
        self.box, self.intake, self.orphans = box, intake, orphans
        self.doubles: Collection[bytes] = ()        # keys of mails to be passed over, since they are here in another folder
        self.passed = 0                             # how many were
        filters: dict[str, Any] = intake.account.filters or {}
        self.largest = int(filters.get("largest") or LARGEST) * MB

    def batches(self, uids: list[int]) -> Iterator[Batch]:
        """All of them, in the order asked for."""
        for portion in chunks(uids):
            facts = self._survey(portion)
            found = list(self._find(facts))
            if found:
                yield Batch([], found)
            placed = {one.uid for one in found}
            doubles = {uid for uid, one in facts.items() if uid not in placed and self.doubles and self._key(one) in self.doubles}
            self.passed += len(doubles)
            rest = [uid for uid in portion if uid not in placed | doubles]
            for at in range(0, len(rest), FETCH):
                yield from self._fetch(rest[at:at + FETCH], facts)

    def _survey(self, uids: Collection[int]) -> dict[int, Facts]:
        try:
            return {one.uid: one for one in self.box.survey(list(uids), header=bool(self.orphans) and not self.orphans.all_have_keys)}
        except Refused:     # one broken mail; the fetch finds out which
            return {}

    def _find(self, facts: dict[int, Facts]) -> Iterator[Found]:
        for one in facts.values() if self.orphans else ():
            if (id := self.orphans.take(relink.known(self.intake.scope, one))) is not None:
                yield Found(id, one.uid, flags_of(one.flags), self._key(one))

    def _key(self, one: Facts) -> bytes:
        return relink.object_key(self.intake.scope, one.object_id)

    def _fetch(self, uids: list[int], facts: dict[int, Facts]) -> Iterator[Batch]:
        large = [uid for uid in uids if uid in facts and facts[uid].size > self.largest]
        batch: list[Arrival] = []
        size = 0
        for mail in chain(self.box.fetch([uid for uid in uids if uid not in large]), self._outlines(large, facts)):
            if mail.uid in facts:
                mail = mail._replace(object_id=facts[mail.uid].object_id)
            batch.append(self.intake.arrive(mail))
            size += len(mail.raw)
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield Batch(batch, [])
                batch, size = [], 0
        if batch:
            yield Batch(batch, [])

    def _outlines(self, uids: list[int], facts: dict[int, Facts]) -> Iterator[Fetched]:
        for uid in uids:
            raw, one = self.box.outline(uid), facts[uid]
            if raw:
                yield Fetched(uid, one.received or now(), one.flags, raw, size=one.size, partial=True)


def ahead(fetcher: Fetcher, prepare: Inline, name: str, role: str, uids: list[int]) -> Generator[tuple[Ready, list[Found]], None, None]:
    """Batches of mails of a folder, prepared; the next ones are fetched in another thread while one is prepared and stored."""
    box = fetcher.box
    box.examine(name)
    fetched: queue.Queue[tuple[Batch, bool] | BaseException | None] = queue.Queue(maxsize=2)

    def fetch() -> None:
        try:
            for batch in fetcher.batches(uids):
                fetched.put((batch, prepare.submit(role, batch.arrived)))
            fetched.put(None)
        except BaseException as error:      # handed over to the thread that can do something about it
            fetched.put(error)

    thread = threading.Thread(target=fetch, name="fetch", daemon=True)
    thread.start()
    item: tuple[Batch, bool] | BaseException | None = Batch([], []), False
    try:
        while (item := fetched.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            batch, submitted = item
            yield prepare.result(submitted, role, batch.arrived), batch.found
    finally:
        if isinstance(item, tuple):      # cancelled, or a batch could not be stored: do not wait for the server
            box.abort()
            prepare.close()
            while isinstance(fetched.get(), tuple):
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
