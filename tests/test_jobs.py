"""Jobs: the row is the truth.  Starting, keys and sign-outs, and what people see of them."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from peewee import Database

from mailhelper import jobs, scope
from mailhelper.db import db as proxy
from mailhelper.db import now
from mailhelper.errors import Conflict, Locked, NotFound
from mailhelper.models import Grant, Job
from mailhelper.runner import Step
from mailhelper.scope import Scope, everyone
from tests.kinds import SECRET, change, codes, messages, registering, row, run, threads


@pytest.fixture
def kind() -> Iterator[Callable[..., str]]:
    """kind(work, …) registers a kind of jobs for one test; returns its name."""
    with registering() as register:
        yield register


# ── start ──

def test_a_job_runs_and_keeps_its_result_and_log(ann: Scope, kind: Any) -> None:
    def work(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
        step(1, 4, "running")
        step.log("running")
        return {"asked": jobs.params(job)["words"], "progress": row(job).progress}

    job = run(jobs.start(ann, kind(work), 7, words=SECRET))
    assert (job.state, job.progress, job.failures, job.claim) == ("completed", 100, 0, 1)
    assert job.started_at <= job.finished_at
    assert jobs.shown(ann.get(Job, job.id), "en")["result"] == {"asked": SECRET, "progress": 25}
    assert codes(job) == ["queued", "running", "completed"]
    assert everyone.select(Grant).count() == 0


def test_one_job_is_under_way_for_a_kind_and_subject(ann: Scope, bob: Scope, kind: Any) -> None:
    first = jobs.start(ann, kind(), 7)
    with pytest.raises(Conflict) as conflict:
        jobs.start(ann, "test", 7)
    assert (conflict.value.code, conflict.value.params["task_id"]) == ("already_running", str(first.id))
    assert jobs.start(ann, "test", 8) and jobs.start(bob, "test", 7)
    run(first)
    assert jobs.start(ann, "test", 7).id != first.id


@pytest.mark.parametrize("state", ["queued", "running", "retrying", "waiting"])
def test_whatever_has_not_ended_is_under_way(ann: Scope, kind: Any, state: str) -> None:
    change(jobs.start(ann, kind(), 7), state=state)
    with pytest.raises(Conflict):
        jobs.start(ann, "test", 7)


def test_of_many_starts_at_the_same_moment_one_wins(ann: Scope, kind: Any) -> None:
    kind()
    outcomes = threads(6, lambda number: jobs.start(ann, "test", 7))
    won = [outcome for outcome in outcomes if isinstance(outcome, Job)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert (len(won), len(lost)) == (1, 5)
    assert {conflict.params["task_id"] for conflict in lost} == {str(won[0].id)}
    assert everyone.select(Grant).count() == everyone.select(Job).count() == 1


def test_a_start_that_is_rolled_back_wakes_nobody(ann: Scope, kind: Any) -> None:
    kind()
    with pytest.raises(RuntimeError), proxy.atomic():
        jobs.start(ann, "test", 7)
        raise RuntimeError
    assert messages() == 0 and everyone.select(Job).count() == 0


def test_starting_a_job_that_waits_for_a_key_gives_it_one(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    change(job, state="waiting")
    everyone.delete(Grant).execute()
    with pytest.raises(Conflict) as conflict:
        jobs.start(ann, "test", 7)
    assert conflict.value.params["task_id"] == str(job.id)
    assert run(job).state == "completed"


def test_a_job_is_its_owners_alone(ann: Scope, bob: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    with pytest.raises(NotFound):
        jobs.cancel(bob, job.id)
    assert jobs.page(bob) == [] and jobs.active(bob, "test", 7) is None
    assert [one.id for one in jobs.page(ann)] == [job.id]


# ── keys ──

def test_a_job_whose_grant_is_gone_waits_for_a_sign_in(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    everyone.delete(Grant).execute()
    job = run(job)
    assert (job.state, job.error, job.finished_at) == ("waiting", None, None)
    assert jobs.shown(ann.get(Job, job.id), "en")["state"] == "PENDING"
    jobs.resume(ann)
    assert run(job).state == "completed"


def test_a_running_job_that_is_parked_stops_and_goes_on_after_the_sign_in(ann: Scope, kind: Any) -> None:
    tries: list[int] = []

    def work(scope: Scope, job: Job, step: Step) -> None:
        tries.append(1)
        if len(tries) == 1:
            jobs.park(scope)
        step(1, 1)

    job = run(jobs.start(ann, kind(work), 7))
    assert job.state == "waiting"
    jobs.resume(ann)
    job = run(job)
    assert (job.state, tries, job.failures) == ("completed", [1, 1], 0)
    assert codes(job) == ["queued", "waiting", "queued", "completed"]


def test_what_was_cancelled_while_it_waited_gets_no_key(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    jobs.park(ann)
    jobs.cancel(ann, job.id)
    jobs.resume(ann)
    assert row(job).state == "cancelled" and everyone.select(Grant).count() == 0


def test_a_job_opens_only_its_own_users_key(ann: Scope, bob: Scope, kind: Any) -> None:
    keys: list[bytes] = []
    kind(lambda scope, job, step: keys.append(scope.vault.key))
    for who in (ann, bob):
        run(jobs.start(who, "test", 7))
    assert keys == [ann.vault.key, bob.vault.key]
    job = jobs.start(ann, "test", 7)
    with pytest.raises(Locked):
        scope.open_granted("job", job.id, bob.user.id)


# ── what people see ──

def test_the_states_have_the_words_of_the_predecessor(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    words = {}
    for state in ("queued", "running", "retrying", "waiting", "completed", "failed", "cancelled"):
        change(job, state=state, claim=1, started_at=now())
        words[state] = jobs.shown(ann.get(Job, job.id), "en")["state"]
    change(job, state="running", progress=5)
    assert jobs.shown(ann.get(Job, job.id), "en")["state"] == "PROGRESS"
    assert words == {"queued": "PENDING", "running": "STARTED", "retrying": "RETRY", "waiting": "PENDING", "completed": "SUCCESS",
                     "failed": "FAILURE", "cancelled": "REVOKED"}


def test_the_end_is_estimated_from_the_pace_so_far(ann: Scope, kind: Any) -> None:
    job = jobs.start(ann, kind(), 7)
    change(job, state="running", progress=25, started_at=now() - dt.timedelta(seconds=10))
    left = jobs.eta(row(job))
    assert left and 29 < (left - now()).total_seconds() < 31
    for values in ({"progress": 0}, {"progress": 100}, {"state": "queued", "progress": 25}):
        change(job, **{"state": "running", **values})
        assert jobs.eta(row(job)) is None


def test_progress_stays_between_nothing_and_all(ann: Scope, kind: Any) -> None:
    seen: list[int] = []

    def work(scope: Scope, job: Job, step: Step) -> None:
        for done, total in ((0, 0), (1, 3), (5, 3)):
            step(done, total)
            seen.append(row(job).progress)

    run(jobs.start(ann, kind(work), 7))
    assert seen == [0, 33, 100]


def test_words_of_a_job_are_sealed(ann: Scope, kind: Any, db: Database) -> None:
    def work(scope: Scope, job: Job, step: Step) -> str:
        step(1, 2, "running", folder=SECRET)
        step.log("running", folder=SECRET)
        return SECRET

    run(jobs.start(ann, kind(work), 7, words=SECRET))
    values = [value for table in ("job", "job_log") for one in db.execute_sql(f"SELECT * FROM {table}").fetchall() for value in one]
    stored = b" ".join(bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in values)
    assert SECRET.encode() not in stored and SECRET.split()[1].encode() not in stored
