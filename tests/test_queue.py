"""The wake-up call, on SQLite and on a real Redis: priorities, signatures, a broker that is down, no broker at all."""

import contextvars
import datetime as dt
import pickle
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huey import Huey
from huey.exceptions import HueyException
from peewee import Database

from mailhelper import jobs, queue, runner, worker
from mailhelper.db import db as proxy
from mailhelper.db import now
from mailhelper.jobs import Kind
from mailhelper.models import Job
from mailhelper.scope import Scope, everyone
from tests.servers import redis
from tests.servers.process import free_port


@pytest.fixture(scope="module")
def broker() -> Iterator[redis.Redis]:
    if not redis.available():
        pytest.skip("Redis is not installed")
    with redis.redis_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def huey(request: pytest.FixtureRequest, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Huey:
    """An empty queue of either kind, made as the settings make it, in the place of the program's own."""
    if request.param == "redis":
        settings(redis_url=request.getfixturevalue("broker").fresh())
    return replaced(settings, monkeypatch, tmp_path)


def replaced(settings: Any, monkeypatch: pytest.MonkeyPatch, data: Path) -> Huey:
    settings(data=data)
    made = queue.make()
    monkeypatch.setattr(queue.huey, "storage", made.storage)
    monkeypatch.setattr(queue.huey, "serializer", made.serializer)
    queue.prepare()
    return queue.huey


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def register(work: Any = lambda scope, job, step: None, priority: int = 0, name: str = "test", retries: int = 0) -> str:
        monkeypatch.setitem(jobs.KINDS, name, Kind(work, None, retries, 60, priority, True))
        return name
    return register


def consume(huey: Huey) -> int:
    """Take every message that waits and do it, as a worker does; how many."""
    count = 0
    while huey.storage.queue_size() and (task := huey.dequeue()):      # Redis would wait a second for a message that never comes
        contextvars.Context().run(huey.execute, task)
        count += 1
    return count


def state(job: Job) -> str:
    return str(everyone.select(Job, Job.state).where(Job.id == job.id).get().state)


def test_a_message_wakes_a_worker_that_does_the_job(ann: Scope, huey: Huey, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    assert consume(huey) == 1
    assert state(job) == "completed"


def test_the_urgent_comes_first_and_otherwise_the_oldest(ann: Scope, huey: Huey, kind: Any) -> None:
    done: list[int] = []
    for name, priority in (("low", 10), ("high", 30)):
        kind(lambda scope, job, step: done.append(job.subject), priority, name)
    for name, subject in (("low", 1), ("low", 2), ("high", 3), ("low", 4), ("high", 5)):
        jobs.start(ann, name, subject)
    consume(huey)
    assert done == [3, 5, 1, 2, 4]


def test_a_message_holds_a_job_id_and_nothing_else(ann: Scope, huey: Huey, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7, words="Frau Müllers Befund")
    message = pickle.loads(huey.serializer._unsign(huey.storage.dequeue()))
    assert (message.name, message.args, message.kwargs) == ("mailhelper.queue.run_job", (job.id,), {})
    assert message.on_complete is None and message.on_error is None


@pytest.mark.parametrize("forge", [
    lambda message: pickle.dumps(("x",)),                                               # not signed at all
    lambda message: message[:-1] + (b"0" if message[-1:] != b"0" else b"1"),            # a wrong signature
    lambda message: message.replace(b"run_job", b"run_bad", 1),                         # another content
    lambda message: b"",
], ids=["unsigned", "signature", "content", "empty"])
def test_a_forged_message_is_refused_before_it_is_opened(ann: Scope, huey: Huey, kind: Any, forge: Callable[[bytes], bytes]) -> None:
    job = jobs.start(ann, kind(), 7)
    huey.storage.enqueue(forge(huey.storage.dequeue()))
    with pytest.raises((ValueError, HueyException)):
        consume(huey)
    assert state(job) == "queued"       # sweep wakes it again


def test_a_signature_of_another_instance_is_refused(ann: Scope, huey: Huey, kind: Any, settings: Any, tmp_path: Path) -> None:
    settings(instance_key_file=tmp_path / "another.key")
    huey.storage.enqueue(queue.Serializer().serialize(("x",)))
    settings(instance_key_file=None)
    with pytest.raises(ValueError, match="mismatch"):
        huey.dequeue()


def test_a_message_for_later_waits_in_the_schedule(ann: Scope, huey: Huey, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    huey.flush()
    jobs.wake(job, 60)
    consume(huey)
    assert (state(job), huey.storage.queue_size(), huey.storage.schedule_size()) == ("queued", 0, 1)
    assert huey.read_schedule(now()) == []
    assert len(huey.read_schedule(now() + dt.timedelta(seconds=61))) == 1


def test_a_worker_that_was_here_is_seen(huey: Huey) -> None:
    assert not queue.seen(queue.WORKER)
    queue.here(queue.WORKER)
    assert queue.seen(queue.WORKER) and queue.seen(queue.WORKER)      # looking does not take it away
    huey.put("worker-seen", 0.0)
    assert not queue.seen(queue.WORKER)
    assert queue.reachable()


def test_a_queue_file_is_its_owners_alone(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    replaced(settings, monkeypatch, tmp_path / "data")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").glob("queue.db*")} == {0o600}


def test_a_broker_that_is_down_stops_no_start_and_sweep_wakes_the_job_later(
        ann: Scope, kind: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, broker: redis.Redis, tmp_path: Path) -> None:
    settings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    replaced(settings, monkeypatch, tmp_path)
    job = jobs.start(ann, kind(), 7)
    assert state(job) == "queued"
    assert not queue.reachable() and not queue.seen(queue.WORKER)
    settings(redis_url=broker.fresh())
    huey = replaced(settings, monkeypatch, tmp_path)
    everyone.update(Job, woken=now() - dt.timedelta(seconds=61)).execute()
    runner.sweep()
    assert consume(huey) == 1
    assert state(job) == "completed"


def test_inline_a_thread_of_this_process_does_the_job(ann: Scope, kind: Any, settings: Any) -> None:
    settings(jobs="inline")
    done = threading.Event()

    def work(scope: Scope, job: Job, step: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        done.set()

    job = jobs.start(ann, kind(work), 7)
    assert done.wait(10)
    wait_for(job, "completed")
    assert queue.huey.storage.queue_size() == 0


def test_inline_a_failure_is_kept_and_the_next_job_runs(ann: Scope, kind: Any, settings: Any) -> None:
    settings(jobs="inline")

    def work(scope: Scope, job: Job, step: Any) -> None:
        if job.subject == 1:
            raise RuntimeError

    for subject, outcome in ((1, "failed"), (2, "completed")):
        wait_for(jobs.start(ann, kind(work), subject), outcome)


def wait_for(job: Job, wanted: str) -> None:
    for _ in range(500):
        if state(job) == wanted:
            return
        threading.Event().wait(0.01)
    raise AssertionError(state(job))


def test_what_happens_by_itself_is_registered() -> None:
    names = {type(task).__name__ for task in queue.huey._registry.periodic_tasks}
    assert {"sweep", "sync_due", "purge", "scan_senders", "tidy_senders"} <= names


def test_the_periodic_sweep_tells_that_a_worker_is_here_and_finds_lost_rows(ann: Scope, huey: Huey, kind: Any, db: Database) -> None:
    job = jobs.start(ann, kind(), 7)
    huey.flush()
    everyone.update(Job, woken=now() - dt.timedelta(minutes=2)).execute()
    worker.sweep.call_local()
    assert queue.seen(queue.WORKER)
    assert consume(huey) == 1 and state(job) == "completed"
    assert not proxy.obj.is_closed()
