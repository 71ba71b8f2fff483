"""Doing jobs: claims, fences, retries, time limits, cancel, and what happens when a worker dies."""

import contextvars
import datetime as dt
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailhelper import jobs, queue, runner, scope
from mailhelper.db import db as proxy
from mailhelper.db import now
from mailhelper.errors import BadLogin, Busy, Cancelled, Conflict, Error, Unreachable
from mailhelper.models import Grant, Job
from mailhelper.runner import Step
from mailhelper.scope import Scope, everyone
from tests.kinds import SECRET, change, codes, messages, registering, row, run, sweep, threads


@pytest.fixture
def kind() -> Iterator[Callable[..., str]]:
    """kind(work, …) registers a kind of jobs for one test; returns its name."""
    with registering() as register:
        yield register


# ── claim and fence ──

def test_of_many_workers_one_takes_the_job(ann: Scope, kind: Any) -> None:
    done: list[int] = []
    job = jobs.start(ann, kind(lambda scope, job, step: done.append(job.id)), 7)
    for _ in range(3):
        done.clear()
        change(job, state="queued", due=now())
        with ann:
            if not everyone.select(Grant).exists():
                scope.grant(ann, "job", dt.timedelta(hours=1), subject=job.id)
        threads(5, lambda number: contextvars.Context().run(runner.run, job.id))
        assert done == [job.id]
    assert row(job).claim == 3


def test_a_job_that_is_not_due_is_left_alone(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    change(job, due=now() + dt.timedelta(seconds=30))
    assert run(job).state == "queued"


def test_a_second_message_for_the_same_job_does_no_harm(ann: Scope, kind: Any) -> None:
    done: list[int] = []
    job = jobs.start(ann, kind(lambda scope, job, step: done.append(1)), 7)
    run(job)
    run(job)
    assert done == [1] and codes(job) == ["queued", "completed"]


def test_a_worker_that_was_given_up_writes_nothing_more(ann: Scope, kind: Any) -> None:
    """Its job was swept and taken by another: progress, outcome and grant are the other's."""
    noticed: list[type[Error]] = []

    def slow(scope: Scope, job: Job, step: Step) -> str:
        step(1, 10)
        change(job, touched=now() - dt.timedelta(seconds=46))
        runner.sweep()
        assert runner._claim(Job.id == job.id)
        try:
            step(9, 10)
        except Cancelled:
            noticed.append(Cancelled)
        return "mine"

    job = run(jobs.start(ann, kind(slow), 7))
    assert noticed == [Cancelled]
    assert (job.state, job.claim, job.done) == ("running", 2, 1)
    assert everyone.select(Grant).where(Grant.subject == job.id).count() == 1
    assert "completed" not in codes(job)
    with ann:
        assert ann.get(Job, job.id).result is None


def test_a_worker_takes_what_else_is_due_before_it_sleeps(ann: Scope, kind: Any) -> None:
    done: list[int] = []
    kind(lambda scope, job, step: done.append(job.subject), name="low", priority=1)
    kind(lambda scope, job, step: done.append(job.subject), name="high", priority=9)
    for name, subject in (("low", 1), ("low", 2), ("high", 3)):
        change(jobs.start(ann, name, subject), woken=now() - dt.timedelta(seconds=6))
    fresh = jobs.start(ann, "low", 4)
    first: Job = everyone.select(Job).where(Job.subject == 1).get()
    run(first)
    assert done == [1, 3, 2]
    assert row(fresh).state == "queued"     # its own message is on the way


def test_a_kind_that_this_version_does_not_know_is_left_alone(ann: Scope, kind: Any) -> None:
    job, other = jobs.start(ann, kind(), 7), jobs.start(ann, kind(name="other"), 7)
    del jobs.KINDS["test"]
    assert run(job).state == "queued"
    for state in ("running", "queued"):
        change(job, state=state, touched=now() - dt.timedelta(hours=1), woken=now() - dt.timedelta(hours=1))
        change(other, woken=now() - dt.timedelta(hours=1))
        sweep()
        assert row(job).state == state and row(other).woken > now() - dt.timedelta(minutes=1)
    change(job, state="waiting")
    jobs.resume(ann)
    assert row(job).state == "queued"


# ── failure ──

def test_a_failure_that_may_pass_is_tried_again_with_growing_waits(ann: Scope, kind: Any) -> None:
    def work(scope: Scope, job: Job, step: Step) -> None:
        raise Unreachable()

    job = jobs.start(ann, kind(work, retries=3, wait=60), 7)
    waits = []
    for failures in (1, 2, 3):
        before = now()
        job = run(job)
        assert (job.state, job.failures, job.error) == ("retrying", failures, "unreachable")
        assert jobs.shown(ann.get(Job, job.id), "en")["attempts"] == failures
        waits.append(round((job.due - before).total_seconds(), -1))
        change(job, due=now())
    assert waits == [60, 120, 240]
    job = run(job)
    assert (job.state, job.error) == ("failed", "unreachable")
    assert jobs.shown(ann.get(Job, job.id), "en")["attempts"] == 4
    assert codes(job) == ["queued", "retrying", "retrying", "retrying", "failed"]
    assert everyone.select(Grant).count() == 0


def test_a_retry_waits_as_long_as_the_other_side_asked(ann: Scope, kind: Any) -> None:
    def work(scope: Scope, job: Job, step: Step) -> None:
        raise Busy(retry_after=1000)

    before = now()
    assert (run(jobs.start(ann, kind(work), 7)).due - before).total_seconds() >= 1000


def test_a_wrong_password_is_not_tried_again(ann: Scope, kind: Any) -> None:
    tries: list[int] = []

    def work(scope: Scope, job: Job, step: Step) -> None:
        tries.append(1)
        raise BadLogin(host="imap.example")

    job = run(jobs.start(ann, kind(work), 7))
    sweep()
    run(job)
    assert (job.state, job.error, tries) == ("failed", "login_failed", [1])


@pytest.mark.parametrize("needs_key", [True, False])
def test_an_unforeseen_error_ends_the_job_with_a_sentence_and_no_words_in_the_log(
        ann: Scope, kind: Any, caplog: pytest.LogCaptureFixture, needs_key: bool) -> None:
    def work(scope: Scope, job: Job, step: Step) -> None:
        raise ValueError(SECRET)

    with caplog.at_level(logging.DEBUG):
        job = run(jobs.start(ann, kind(work, needs_key=needs_key), 7))
    assert (job.state, job.error) == ("failed", "internal")
    assert jobs.shown(ann.get(Job, job.id), "en")["error"]["message"].startswith("Something went wrong")
    assert SECRET not in " ".join(record.getMessage() for record in caplog.records)


def test_a_result_that_cannot_be_kept_ends_the_job_too(ann: Scope, kind: Any) -> None:
    job = run(jobs.start(ann, kind(lambda scope, job, step: {"at": object()}), 7))
    assert (job.state, job.error) == ("failed", "internal")


def test_an_error_while_the_row_is_read_does_not_reach_the_queue(ann: Scope, kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    job = jobs.start(ann, kind(), 7)
    proxy.execute_sql("ALTER TABLE job RENAME TO job_away")
    try:
        queue.run_job.call_local(job.id)
    finally:
        proxy.obj.rollback() if proxy.obj.in_transaction() else None
        proxy.execute_sql("ALTER TABLE job_away RENAME TO job")
    assert f"job {job.id} was left alone" in caplog.text
    assert run(job).state == "completed"


# ── jobs without a key ──

def test_a_job_without_a_key_keeps_no_words(ann: Scope, kind: Any) -> None:
    def work(scope: Scope | None, job: Job, step: Step) -> None:
        assert scope is None
        step(1, 2, "running", name=SECRET)
        step.log("running", name=SECRET)

    job = run(jobs.start(ann, kind(work, needs_key=False), 7))
    assert job.state == "completed" and codes(job) == ["queued", "running", "completed"]
    assert everyone.select(Grant).count() == 0


def test_a_job_without_a_key_can_fail_with_details(ann: Scope, kind: Any) -> None:
    def work(scope: Scope | None, job: Job, step: Step) -> None:
        raise Conflict("already_running", task_id="5")

    job = run(jobs.start(ann, kind(work, needs_key=False), 7))
    assert (job.state, job.error) == ("failed", "already_running")


# ── time limit and cancel ──

def test_a_time_limit_cuts_even_a_blocked_call(ann: Scope, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    real = signal.setitimer
    monkeypatch.setattr(signal, "setitimer", lambda which, seconds: real(which, min(seconds, 0.05)))      # the shortest limit is a second
    before = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    job = run(jobs.start(ann, kind(lambda scope, job, step: os.read(read, 1), timeout=1, retries=0), 7))
    os.close(read), os.close(write)
    assert (job.state, job.error) == ("failed", "timeout")
    assert time.monotonic() - began < 2
    assert signal.getsignal(signal.SIGALRM) == before


def test_in_a_thread_the_time_limit_acts_at_the_next_step(ann: Scope, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(scope: Scope, job: Job, step: Step) -> None:
        step(1, 2)
        step._deadline = time.monotonic() - 1
        step(2, 2)

    job = jobs.start(ann, kind(work, timeout=100), 7)
    threads(1, lambda number: run(job))
    assert (row(job).state, row(job).error, row(job).done) == ("retrying", "timeout", 1)


def test_cancel_is_noticed_at_the_next_step(ann: Scope, kind: Any) -> None:
    reached: list[int] = []

    def work(scope: Scope, job: Job, step: Step) -> None:
        for number in range(10):
            step(number, 10)
            reached.append(number)
            if number == 3:
                jobs.cancel(scope, job.id)

    job = run(jobs.start(ann, kind(work), 7))
    assert reached == [0, 1, 2, 3]
    assert (job.state, job.done) == ("cancelled", 3) and job.finished_at
    assert codes(job) == ["queued", "cancelled"]
    assert everyone.select(Grant).count() == 0


@pytest.mark.parametrize("state", ["queued", "retrying", "waiting"])
def test_what_does_not_run_yet_can_be_cancelled(ann: Scope, kind: Any, state: str) -> None:
    job = jobs.start(ann, kind(), 7)
    change(job, state=state)
    assert jobs.cancel(ann, str(job.id)).state == "cancelled"
    assert run(job).state == "cancelled"


def test_what_has_ended_stays_as_it_ended(ann: Scope, kind: Any) -> None:
    job = run(jobs.start(ann, kind(), 7))
    assert jobs.cancel(ann, job.id).state == "completed"
    assert codes(job) == ["queued", "completed"]


# ── dead workers ──

def abandoned(ann: Scope, **columns: Any) -> Job:
    """A job that a worker of this machine took and never ended."""
    job = jobs.start(ann, "test", 7)
    values = {"state": "running", "claim": 1, "claimed_by": runner.me(), "touched": now(), **columns}
    change(job, **values)
    queue.huey.flush()
    return job


def dead() -> str:
    """The name of a process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    born = runner._born(process.pid)
    process.wait()
    return f"{runner._host()} {process.pid}@{born or 1}"


def test_a_worker_that_lives_and_beats_is_left_alone(ann: Scope, kind: Any) -> None:
    kind()
    job = abandoned(ann, touched=now() - dt.timedelta(seconds=44))
    sweep()
    assert (row(job).state, row(job).losses, messages()) == ("running", 0, 0)


def test_a_killed_worker_is_noticed_at_once_by_its_process(ann: Scope, kind: Any) -> None:
    kind()
    job = abandoned(ann, claimed_by=dead())
    sweep()
    assert (row(job).state, row(job).losses, row(job).failures, messages()) == ("queued", 1, 0, 1)
    assert run(job).state == "completed"
    assert codes(job) == ["queued", "lost", "completed"]


def test_a_process_number_used_again_is_not_the_old_worker(ann: Scope, kind: Any) -> None:
    kind()
    job = abandoned(ann, claimed_by=runner.me() + "0")
    sweep()
    assert row(job).state == "queued"


def test_a_worker_on_another_machine_is_lost_after_silence_alone(ann: Scope, kind: Any) -> None:
    kind()
    job = abandoned(ann, claimed_by="elsewhere pid:[1] 99999999@1", touched=now() - dt.timedelta(seconds=40))
    sweep()
    assert row(job).state == "running"
    change(job, touched=now() - dt.timedelta(seconds=46))
    sweep()
    assert row(job).state == "queued"


def test_a_killed_worker_costs_no_try_while_the_job_moves(ann: Scope, kind: Any) -> None:
    kind(retries=1)
    job = abandoned(ann)
    for done in range(1, 8):
        change(job, state="running", claimed_by=dead(), done=done)
        sweep()
        assert (row(job).state, row(job).failures, row(job).losses, row(job).moved) == ("queued", 0, 1, done)


def test_a_job_that_kills_its_worker_ends_too(ann: Scope, kind: Any) -> None:
    kind(retries=3)
    job = abandoned(ann)
    states = []
    while row(job).state != "failed" and len(states) < 20:
        change(job, state="running", claimed_by=dead(), done=5)
        sweep()
        states.append(row(job).state)
    assert states == ["queued"] * 4 + ["failed"]        # the first loss is free, then three tries
    assert (row(job).error, row(job).failures) == ("worker_lost", 3)
    assert row(job).finished_at and codes(job)[-2:] == ["lost", "failed"]
    assert everyone.select(Grant).count() == 0


def test_a_slow_job_is_not_taken_for_lost(ann: Scope, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread may be blocked as long as it likes: the heartbeat is another one's."""
    monkeypatch.setattr(runner, "BEAT", 0.01)
    silent = dt.timedelta(seconds=60)

    def work(scope: Scope, job: Job, step: Step) -> int:
        change(job, touched=now() - silent)
        for _ in range(200):
            if row(job).touched > now() - silent / 2:
                break
            time.sleep(0.01)
        runner.sweep()
        return row(job).claim

    job = run(jobs.start(ann, kind(work), 7))
    assert (job.state, job.losses) == ("completed", 0)


def test_a_heartbeat_survives_a_database_that_is_away_for_a_moment(ann: Scope, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BEAT", 0.01)

    def work(scope: Scope, job: Job, step: Step) -> None:
        proxy.execute_sql("ALTER TABLE job RENAME TO job_away")
        time.sleep(0.1)
        proxy.execute_sql("ALTER TABLE job_away RENAME TO job")
        change(job, touched=now() - dt.timedelta(seconds=60))
        for _ in range(200):
            if row(job).touched > now() - dt.timedelta(seconds=30):
                return
            time.sleep(0.01)
        raise Unreachable()

    assert run(jobs.start(ann, kind(work), 7)).state == "completed"


def test_a_row_whose_message_was_lost_is_woken_again_once_a_minute(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    queue.huey.flush()
    sweep()
    assert messages() == 0
    change(job, woken=now() - dt.timedelta(seconds=61))
    sweep()
    sweep()
    assert messages() == 1


def test_a_retry_that_is_not_due_is_not_woken(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    queue.huey.flush()
    change(job, state="retrying", due=now() + dt.timedelta(minutes=5), woken=now() - dt.timedelta(minutes=5))
    sweep()
    assert messages() == 0
