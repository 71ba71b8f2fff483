"""A real worker, on both databases and both queues: jobs run, outlive kill -9 at every place, and nothing is left behind."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailhelper import db as database
from mailhelper import jobs, queue, users
from mailhelper.models import Grant, Job, JobLog
from mailhelper.scope import Scope, everyone
from tests.servers import slow_kind
from tests.servers.product import BACKENDS, Product, children, installed

assert slow_kind.count      # registers the kind here too
pytestmark = [pytest.mark.slow, pytest.mark.servers]


class Workers(Product):
    """The product, whose workers know one more kind."""

    @staticmethod
    def command(*words: object) -> list[str]:
        return [sys.executable, "-m", "tests.servers.slow_kind", *map(str, words)]


@pytest.fixture(params=BACKENDS)
def product(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """An installation whose database and queue are this process's own, too."""
    with installed(request.param) as product:
        monkeypatch.setattr(product, "command", Workers.command)
        product.run("db", "upgrade")
        settings(data=product.data, redis_url=product.env.get("REDIS_URL", ""))
        made = queue.make()
        monkeypatch.setattr(queue.huey, "storage", made.storage)
        monkeypatch.setattr(queue.huey, "serializer", made.serializer)
        url = product.env.get("DATABASE_URL") or f"sqlite:///{product.data}/mailhelper.db"
        with database.connect(url).connection_context():
            yield product


@pytest.fixture
def ann(product: Product) -> Scope:
    return users.create("ann", "seven calm herons wade")


def start(scope: Scope, path: Path, total: int = 60, pause: float = 0.03) -> Job:
    path.touch()
    return jobs.start(scope, "count_slowly", path=str(path), total=total, pause=pause)


def row(job: Job) -> Job:
    found: Job = everyone.select(Job).where(Job.id == job.id).get()
    return found


def lines(path: Path) -> list[int]:
    """The process that did each step."""
    return [int(line) for line in path.read_text().split()]


def until(what: Callable[[], Any], product: Product, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, product.log.read_text(errors="replace")[-4000:]
        time.sleep(0.05)


def codes(job: Job) -> list[str]:
    return [line.code for line in everyone.select(JobLog).where(JobLog.job == job.id).order_by(JobLog.id)]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_worker_does_jobs_at_once_and_tells_that_it_is_there(product: Product, ann: Scope, tmp_path: Path) -> None:
    product.start("worker")
    until(lambda: queue.seen(queue.WORKER), product)
    began = time.monotonic()
    several = [start(ann, tmp_path / "0", 3, 0.0)]
    until(lambda: row(several[0]).state == "completed", product)
    assert time.monotonic() - began < 5
    assert codes(several[0]) == ["queued", "completed"]
    assert everyone.select(Grant).count() == 0
    log = product.log.read_text()
    assert "Traceback" not in log and str(tmp_path) not in log and "Error" not in log


def test_a_job_goes_on_when_its_process_is_killed_and_ends_once(product: Product, ann: Scope, tmp_path: Path) -> None:
    product.start("worker")
    path = tmp_path / "steps"
    job = start(ann, path)
    for kill in (10, 25, 40):
        until(lambda kill=kill: len(lines(path)) >= kill, product)      # type: ignore[misc]
        os.kill(lines(path)[-1], signal.SIGKILL)
    until(lambda: row(job).state == "completed", product)
    assert len(lines(path)) == 60 and len(set(lines(path))) == 4
    assert (row(job).claim, row(job).failures) == (4, 0)
    assert codes(job) == ["queued", "lost", "lost", "lost", "completed"]


def test_a_consumer_that_is_killed_leaves_nobody_behind_and_the_next_one_goes_on(product: Product, ann: Scope, tmp_path: Path) -> None:
    consumer = product.start("worker")
    path = tmp_path / "steps"
    job = start(ann, path)
    until(lambda: len(lines(path)) >= 10, product)
    family = children(consumer.pid)
    assert len(family) == 3     # two workers and the scheduler
    os.kill(consumer.pid, signal.SIGKILL)
    consumer.wait()
    until(lambda: not any(map(lives, family)), product, 5)
    assert row(job).state == "running"
    product.start("worker")
    until(lambda: row(job).state == "completed", product)
    assert len(lines(path)) == 60
    assert codes(job) == ["queued", "lost", "completed"]


def test_a_worker_that_is_asked_to_stop_ends_its_job_first(product: Product, ann: Scope, tmp_path: Path) -> None:
    consumer = product.start("worker")
    job = start(ann, tmp_path / "steps", 40)
    until(lambda: len(lines(tmp_path / "steps")) >= 3, product)
    consumer.terminate()
    assert consumer.wait(20) == 0
    assert row(job).state == "completed"


def test_a_worker_that_cannot_wait_hands_its_job_over(product: Product, ann: Scope, tmp_path: Path) -> None:
    consumer = product.start("worker")
    path = tmp_path / "steps"
    job = start(ann, path, 400)
    until(lambda: len(lines(path)) >= 5, product)
    family = children(consumer.pid)
    consumer.terminate()
    until(lambda: sum(map(lives, family)) == 1, product)        # who has nothing to do goes; the job's own process may have 25 s
    consumer.terminate()        # the second one means: at once
    consumer.wait(10)
    assert (row(job).state, row(job).losses, row(job).failures) == ("queued", 0, 0)
    done = len(lines(path))
    assert done < 400
    with ann:
        ann.update(Job, params={"path": str(path), "total": done + 5, "pause": 0.0}).execute()
    product.start("worker")
    until(lambda: row(job).state == "completed", product)
    assert len(lines(path)) == done + 5
    assert codes(job) == ["queued", "queued", "completed"]


def test_cancel_stops_a_running_job(product: Product, ann: Scope, tmp_path: Path) -> None:
    product.start("worker")
    path = tmp_path / "steps"
    job = start(ann, path, 1000)
    until(lambda: len(lines(path)) >= 3, product)
    jobs.cancel(ann, job.id)
    time.sleep(0.2)
    stopped = len(lines(path))
    time.sleep(0.2)
    assert len(lines(path)) == stopped
    assert row(job).state == "cancelled" and codes(job) == ["queued", "cancelled"]


def test_many_jobs_on_two_workers_are_each_done_once(product: Product, ann: Scope, tmp_path: Path) -> None:
    """The processes share no connection: not to the database, not to the queue."""
    product.start("worker")
    made = []
    for number in range(20):
        path = tmp_path / str(number)
        path.touch()
        made.append(jobs.start(ann, "count_slowly", number, path=str(path), total=5, pause=0.01))
    until(lambda: all(row(job).state == "completed" for job in made), product)
    assert [len(lines(tmp_path / str(number))) for number in range(20)] == [5] * 20
    assert all(row(job).claim == 1 for job in made)
    assert len({pid for number in range(20) for pid in lines(tmp_path / str(number))}) == 2
    assert "Error" not in product.log.read_text()


def test_huey_consumer_is_the_worker_too(product: Product, ann: Scope, tmp_path: Path) -> None:
    options = ["-k", "process", "-w", "1", "-m", "0.5", "-g", "TERM", "-t", "25"]
    program = [str(Path(sys.executable).with_name("huey_consumer")), *options, "mailhelper.worker.huey"]
    product.command = lambda *words: program        # type: ignore[method-assign]
    product.start("worker")
    until(lambda: queue.seen(queue.WORKER), product)
    assert queue.reachable()
