"""People: names, passwords, lockout, sessions, tokens, settings; what signing out leaves behind."""

import datetime as dt
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from peewee import Database

from mailhelper import crypto, jobs, limits, scope, users
from mailhelper.db import db as proxy
from mailhelper.db import now
from mailhelper.errors import Conflict, Denied, Error, Invalid, Limited, Locked, NotFound
from mailhelper.jobs import Kind
from mailhelper.models import Grant, Job, JobLog, Throttle, User
from mailhelper.scope import Scope, everyone
from tests.conftest import PASSWORD

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "SCRYPT", (2 ** 4, 8, 1))


@pytest.fixture
def carl(db: Database) -> Scope:
    """Somebody with a real password."""
    return users.create("carl", PASSWORD)


@pytest.fixture(autouse=True)
def work() -> Iterator[None]:
    """Two kinds of jobs, one of which needs the user's key."""
    for name, needs_key in (("read_mail", True), ("count_rows", False)):
        jobs.KINDS[name] = Kind(lambda scope, job, step: None, None, 3, 60, 0, needs_key)
    yield
    del jobs.KINDS["read_mail"], jobs.KINDS["count_rows"]


def fail(name: str = "carl", address: str = HERE) -> Error:
    with pytest.raises((Invalid, Limited)) as failed:
        users.sign_in(name, "not the password", address, "test")
    return failed.value


def age(**by: float) -> None:
    """Let that much time pass for all counters."""
    for row in Throttle.select():
        Throttle.update(until=row.until - dt.timedelta(**by)).where(Throttle.bucket == row.bucket).execute()


def together(count: int, work: Any) -> list[Any]:
    """What `work` returns or raises, done by so many threads at the same moment."""
    outcomes: list[Any] = []
    barrier = threading.Barrier(count)

    def one(number: int) -> None:
        with proxy.connection_context():
            barrier.wait(5)
            try:
                outcomes.append(work(number))
            except Error as error:
                outcomes.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return outcomes


# ── making people ──

def test_a_password_opens_the_key_that_was_made_with_the_user(carl: Scope) -> None:
    assert users.unlock(" Carl ", PASSWORD).vault.key == carl.vault.key
    assert PASSWORD not in str(User.get(User.name == "carl").wrapped_key)


@pytest.mark.parametrize("name", ["", " ", "-ann", "a b", "ann\0", "x" * 65, "änne", "ann/../bob", "<b>"])
def test_odd_names_are_refused(db: Database, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        users.create(name, PASSWORD)
    assert "name" in refused.value.fields
    assert not users.any_exist()


def test_a_name_is_taken_once(carl: Scope) -> None:
    with pytest.raises(Conflict, match="user_exists"):
        users.create("CARL", PASSWORD)


def test_of_many_who_want_the_same_name_one_gets_it(db: Database) -> None:
    outcomes = together(4, lambda number: users.create("dora", PASSWORD))
    assert sum(isinstance(outcome, Scope) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 3


def test_of_many_who_want_to_be_first_one_becomes_admin(db: Database) -> None:
    outcomes = together(4, lambda number: users.create_first(f"user{number}", PASSWORD))
    assert sum(isinstance(outcome, Scope) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Denied) for outcome in outcomes) == 3
    assert [user.admin for user in users.everybody()] == [True]


# ── signing in ──

def test_five_failures_lock_the_pair_for_fifteen_minutes(carl: Scope) -> None:
    for _ in range(5):
        assert fail().code == "sign_in_failed"
    with pytest.raises(Limited) as locked:
        users.sign_in("carl", PASSWORD, HERE, "test")
    assert locked.value.code == "sign_in_locked" and 14 * 60 < locked.value.retry_after <= 15 * 60
    age(minutes=14, seconds=50)
    assert isinstance(fail(), Limited)
    age(seconds=11)
    assert users.sign_in("carl", PASSWORD, HERE, "test")


def test_the_lock_is_as_long_when_the_failures_were_far_apart(carl: Scope) -> None:
    for _ in range(5):
        fail()
        age(minutes=2)
    age(minutes=12)
    assert isinstance(fail(), Limited)      # 14 minutes after the fifth, 22 after the first


def test_a_lock_holds_for_the_pair_of_name_and_address_block(carl: Scope) -> None:
    users.create("dora", PASSWORD)
    for _ in range(5):
        fail()
    assert isinstance(fail(" CARL", "192.0.2.200"), Limited)
    assert users.sign_in("carl", PASSWORD, ELSEWHERE, "test")
    assert users.sign_in("dora", PASSWORD, HERE, "test")


def test_success_forgets_the_failures(carl: Scope) -> None:
    for _ in range(3):
        for _ in range(4):
            fail()
        assert users.sign_in("carl", PASSWORD, HERE, "test")


def test_tries_at_the_same_moment_do_not_slip_through(carl: Scope) -> None:
    outcomes = together(8, lambda number: users.sign_in("carl", f"wrong {number}", HERE, "test"))
    assert sorted(error.code for error in outcomes) == ["sign_in_failed"] * 5 + ["sign_in_locked"] * 3


def test_an_address_block_has_fifty_failures_an_hour(carl: Scope) -> None:
    for number in range(50):
        assert fail(f"name{number}").code == "sign_in_failed"
    with pytest.raises(Limited, match="sign_in_locked"):
        users.sign_in("carl", PASSWORD, HERE, "test")
    assert users.sign_in("carl", PASSWORD, ELSEWHERE, "test")
    age(hours=1, seconds=1)
    assert users.sign_in("carl", PASSWORD, HERE, "test")


def test_five_failures_make_no_error_on_later_days(carl: Scope) -> None:
    """The predecessor compared naive with aware times and answered 500 for ever."""
    for _ in range(5):
        fail()
    assert all(row.until.tzinfo is None for row in Throttle.select())
    age(days=400)
    assert fail().code == "sign_in_failed"


@pytest.mark.parametrize("name", ["nobody", "", "a\0b", "x" * 5000, "\U0001f600", "' or 1=1 --"])
def test_an_unknown_name_answers_like_a_wrong_password(carl: Scope, name: str) -> None:
    error = fail(name)
    assert (error.code, error.params) == ("sign_in_failed", {})


def test_known_and_unknown_names_take_the_same_time(carl: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "SCRYPT", (2 ** 10, 8, 1))        # some 3 ms: far more than the rest of a sign-in
    users.create("dora", PASSWORD)

    def seconds(name: str) -> float:
        began = time.perf_counter()
        with pytest.raises(Invalid):
            users.unlock(name, "not the password")
        return time.perf_counter() - began

    known, unknown = zip(*((seconds("dora"), seconds("nobody")) for _ in range(15)), strict=True)
    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2


def test_somebody_switched_off_cannot_sign_in_and_only_they_hear_why(carl: Scope) -> None:
    _, secret = users.sign_in("carl", PASSWORD, HERE, "test")
    User.update(disabled=True).where(User.name == "carl").execute()
    with pytest.raises(Invalid, match="user_disabled"):
        users.sign_in("carl", PASSWORD, HERE, "test")
    assert fail().code == "sign_in_failed"
    with pytest.raises(Locked):
        scope.open_held("session", secret)


def test_no_password_and_no_secret_is_in_an_error(carl: Scope) -> None:
    for work in (lambda: users.sign_in("carl", "wrong secret words", HERE, "x"), lambda: users.change_password(carl, "wrong secret words", "short")):
        with pytest.raises(Invalid) as failed:
            work()
        assert "secret words" not in f"{failed.value!r} {failed.value} {failed.value.params} {failed.value.fields} {failed.value.__cause__}"


# ── passwords ──

def test_a_new_password_ends_all_other_sessions_and_keeps_the_data_key(carl: Scope) -> None:
    here, secret = users.sign_in("carl", PASSWORD, HERE, "here")
    _, other = users.sign_in("carl", PASSWORD, ELSEWHERE, "elsewhere")
    bearer = users.token(here, ("read",), 1)
    users.change_password(here, PASSWORD, "another calm sentence")
    assert scope.open_held("session", secret) and scope.open_held("api", bearer)
    with pytest.raises(Locked):
        scope.open_held("session", other)
    assert users.unlock("carl", "another calm sentence").vault.key == carl.vault.key
    assert fail().code == "sign_in_failed"
    with pytest.raises(Invalid):
        users.unlock("carl", PASSWORD)


def test_the_old_password_is_asked_and_the_new_one_checked(carl: Scope) -> None:
    for old, new, field in (("wrong", "another calm sentence", "old"), (PASSWORD, "short", "password"), (PASSWORD, "carl-2026-carl", "password")):
        with pytest.raises(Invalid) as refused:
            users.change_password(carl, old, new)
        assert list(refused.value.fields) == [field]
    assert users.unlock("carl", PASSWORD)


def test_the_old_password_cannot_be_guessed_in_a_stolen_session(carl: Scope) -> None:
    for _ in range(5):
        with pytest.raises(Invalid):
            users.change_password(carl, "wrong", "another calm sentence")
    with pytest.raises(Limited, match="sign_in_locked"):
        users.change_password(carl, PASSWORD, "another calm sentence")


# ── signing out ──

def test_the_last_sign_out_parks_jobs_and_drops_their_grants(carl: Scope) -> None:
    here, secret = users.sign_in("carl", PASSWORD, HERE, "here")
    there, _ = users.sign_in("carl", PASSWORD, HERE, "there")
    keyed, free = jobs.start(here, "read_mail", 1), jobs.start(here, "count_rows", 1)
    running = jobs.start(here, "read_mail", 2)
    everyone.update(Job, state="running", claim=1).where(Job.id == running.id).execute()
    users.sign_out(here)
    assert states(carl) == {keyed.id: "queued", free.id: "queued", running.id: "running"}       # there is another session
    users.sign_out(there)
    assert states(carl) == {keyed.id: "waiting", free.id: "queued", running.id: "waiting"}
    assert everyone.select(Grant).count() == 0
    with pytest.raises(Locked):
        scope.open_held("session", secret)
    assert [line.code for line in everyone.select(JobLog).where(JobLog.job == keyed.id).order_by(JobLog.id)] == ["queued", "waiting"]


def test_a_forgotten_idle_session_is_no_session(carl: Scope) -> None:
    users.sign_in("carl", PASSWORD, HERE, "forgotten")
    everyone.update(Grant, used_at=now() - dt.timedelta(hours=1)).execute()
    here, _ = users.sign_in("carl", PASSWORD, HERE, "here")
    job = jobs.start(here, "read_mail", 1)
    assert [one.label for one in users.grants(here, "session")] == ["here"]
    users.sign_out(here)
    assert states(carl) == {job.id: "waiting"}


def test_the_next_sign_in_resumes_what_waited(carl: Scope) -> None:
    here, _ = users.sign_in("carl", PASSWORD, HERE, "here")
    job, done = jobs.start(here, "read_mail", 1), jobs.start(here, "read_mail", 2)
    users.sign_out(here)
    jobs.cancel(here, done.id)
    users.sign_in("carl", PASSWORD, HERE, "here")
    assert states(carl) == {job.id: "queued", done.id: "cancelled"}
    assert scope.open_granted("job", job.id, carl.user.id).vault.key == carl.vault.key
    assert everyone.select(Grant).where(Grant.purpose == "job").count() == 1


def test_ones_own_sessions_can_be_ended_and_no_others(carl: Scope, bob: Scope) -> None:
    here, _ = users.sign_in("carl", PASSWORD, HERE, "here")
    assert here.grant
    bearer = users.token(here, ("read",), 1)
    token = users.grants(here, "api")[0]
    for id in (0, "x", "", 10 ** 30, token.id, [1]):
        with pytest.raises(NotFound):
            users.sign_out(here, id)
    with pytest.raises(NotFound):
        users.sign_out(bob, here.grant.id)
    users.sign_out(here, str(here.grant.id))
    assert users.grants(here, "session") == []
    assert scope.open_held("api", bearer)


def states(of: Scope) -> dict[int, str]:
    return dict(of.select(Job, Job.id, Job.state).tuples())


# ── tokens and settings ──

def test_a_token_carries_its_scopes_and_days(ann: Scope) -> None:
    users.token(ann, ("write", "read", "write", "read", "admin", "triage") * 5, 10, "script")
    token = users.grants(ann, "api")[0]
    assert (token.scopes, token.label) == ("read,triage,write,admin", "script")
    assert dt.timedelta(days=9.9) < token.expires_at - now() <= dt.timedelta(days=10)


@pytest.mark.parametrize("words,days,label,field", [
    ((), 1, None, "scope"), (("read", "fly"), 1, None, "scope"), (("admin",), 1, None, "scope"), (("read",), 0, None, "days"),
    (("read",), 3651, None, "days"),
    (("read",), 1, "x" * 201, "label"),
])
def test_a_wrong_token_is_refused(bob: Scope, words: tuple[str, ...], days: int, label: str | None, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        users.token(bob, words, days, label)
    assert list(refused.value.fields) == [field]
    assert users.grants(bob, "api") == []


def test_ones_own_tokens_can_be_revoked_and_no_others(ann: Scope, bob: Scope) -> None:
    bearer = users.token(ann, ("read",), 1)
    token = users.grants(ann, "api")[0]
    session = users.open_session(ann, "here")
    for who, id in ((bob, token.id), (ann, "x"), (ann, None), (ann, users.grants(ann, "session")[0].id)):
        with pytest.raises(NotFound):
            users.revoke_token(who, id)
    users.revoke_token(ann, token.id)
    with pytest.raises(Locked):
        scope.open_held("api", bearer)
    assert scope.open_held("session", session)


@pytest.mark.parametrize("name,value", [
    ("language", "xx"), ("theme", "pink"), ("density", ""), ("timezone", "Mars/Olympus"), ("timezone", ""), ("idle_minutes", 4),
    ("idle_minutes", 10081),
])
def test_wrong_settings_change_nothing(ann: Scope, name: str, value: Any) -> None:
    good = {"language": "de", "theme": "dark", "density": "compact", "timezone": "Europe/Berlin", "idle_minutes": 60, "leave_unread": True}
    with pytest.raises(Invalid) as refused:
        users.change_settings(ann, **{**good, name: value})
    assert list(refused.value.fields) == [name]
    assert users.shown(User.get_by_id(ann.user.id)) == users.shown(ann.user)
    users.change_settings(ann, **good)
    del good["leave_unread"]
    assert users.shown(User.get_by_id(ann.user.id))["settings"] == {**good, "mark_read": False}


def test_nobody_else_is_counted_by_the_limits_of_one(carl: Scope) -> None:
    fail()
    assert limits.block(HERE) != limits.block(ELSEWHERE)
    assert not any("carl" in row.bucket for row in Throttle.select())
