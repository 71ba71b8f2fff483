"""Ownership, sealed fields and the grants that open them."""

import contextvars
import datetime as dt
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from mailhelper import crypto, scope
from mailhelper.db import now
from mailhelper.errors import Error, Locked, NotFound
from mailhelper.models import Account, Folder, Grant, Job, JobLog, Mail, User
from mailhelper.scope import Scope, everyone
from tests import world

HOUR = dt.timedelta(hours=1)


def outside(work: Callable[[], Any]) -> Any:
    """Do it where no scope is entered, as a worker begins."""
    return contextvars.Context().run(work)


def age(grant: Grant, **columns: dt.timedelta) -> None:
    """Set times of a grant back."""
    everyone.update(Grant, **{name: getattr(grant, name) - by for name, by in columns.items()}).where(Grant.id == grant.id).execute()


# ── rows ──

def test_a_foreign_row_is_not_found(ann: Scope, bob: Scope) -> None:
    mine = world.account(ann)
    assert ann.get(Account, mine.id).id == mine.id
    for id in (mine.id, str(mine.id)):
        with pytest.raises(NotFound):
            bob.get(Account, id)


@pytest.mark.parametrize("id", ["", "x", None, "1 or 1=1", "1.5", -1, 0, 10 ** 30, [1]])
def test_what_is_no_id_is_not_found(ann: Scope, id: Any) -> None:
    world.account(ann)
    with pytest.raises(NotFound):
        ann.get(Account, id)


def test_select_update_and_delete_touch_only_ones_own_rows(ann: Scope, bob: Scope) -> None:
    world.account(ann)
    theirs = world.account(bob)
    assert ann.select(Account).count() == 1
    assert ann.update(Account, error="x").execute() == 1
    assert ann.delete(Account).execute() == 1
    with bob:
        assert bob.get(Account, theirs.id).error is None


@pytest.mark.parametrize("name", ["account", "account_id"])
def test_a_row_cannot_refer_to_a_foreign_one(ann: Scope, bob: Scope, name: str) -> None:
    theirs = world.account(bob)
    values: dict[str, Any] = {"name": "INBOX", "name_key": b"k"}
    for foreign in (theirs.id, theirs, str(theirs.id)):
        with pytest.raises(NotFound):
            ann.create(Folder, **values, **{name: foreign})
    mine = world.folder(ann, world.account(ann))
    for foreign in (theirs.id, theirs):
        with pytest.raises(NotFound):
            ann.update(Folder, **{name: foreign}).where(Folder.id == mine.id).execute()
    assert ann.update(Folder, **{name: mine.account_id}).where(Folder.id == mine.id).execute() == 1


@pytest.mark.parametrize("name", ["user", "user_id"])
def test_a_row_cannot_be_given_away(ann: Scope, bob: Scope, name: str) -> None:
    mine = world.account(ann)
    with pytest.raises(NotFound):
        ann.update(Account, **{name: bob.user.id}).where(Account.id == mine.id).execute()
    with pytest.raises((NotFound, TypeError)):
        ann.create(Job, kind="x", **{name: bob.user.id})


def test_a_reference_is_checked_without_opening_what_is_sealed(ann: Scope) -> None:
    job = ann.create(Job, kind="x", params={"words": "of a person"})
    line: JobLog = outside(lambda: ann.create(JobLog, job=job.id, code="queued"))
    assert line.id


# ── sealed fields ──

def test_without_a_scope_sealed_fields_are_locked(ann: Scope) -> None:
    world.account(ann)
    with pytest.raises(Locked):
        outside(lambda: list(ann.select(Account)))
    with pytest.raises(Locked):
        outside(lambda: ann.create(Job, kind="x", params={"words": "of a person"}))


def test_another_users_scope_opens_nothing(ann: Scope, bob: Scope) -> None:
    world.account(ann)
    with bob, pytest.raises(crypto.BadKey):
        list(Account.select())


def test_scopes_can_be_entered_one_in_another(ann: Scope, bob: Scope) -> None:
    mine = world.account(ann)
    with bob:
        with ann:
            assert ann.get(Account, mine.id).name == "Home"
        world.account(bob)
    assert ann.get(Account, mine.id).name == "Home"


def test_everyone_never_opens_a_sealed_column(ann: Scope) -> None:
    world.fill(ann)
    for table, sealed in ((Account, Account.name), (Mail, Mail.head), (Job, Job.result)):
        for row in everyone.select(table):      # type: ignore[var-annotated]
            assert getattr(row, sealed.name) is None
        with pytest.raises(Locked):
            everyone.select(table, sealed)


# ── the instance key ──

def test_the_instance_key_is_made_once_and_is_private(tmp_path: Path, settings: Any) -> None:
    settings(instance_key_file=tmp_path / "keys" / "instance.key")
    key = scope.instance_key()
    assert len(key) == 32 and scope.instance_key() == key
    assert stat.S_IMODE((tmp_path / "keys" / "instance.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["instance.key"]


def test_makers_at_the_same_moment_agree_on_one_instance_key(tmp_path: Path, settings: Any) -> None:
    for turn in range(10):
        settings(instance_key_file=tmp_path / str(turn) / "instance.key")
        keys: list[bytes] = []
        barrier = threading.Barrier(8)

        def make(keys: list[bytes] = keys, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(5)
            keys.append(scope.instance_key())

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert len(keys) == 8 and len(set(keys)) == 1


def test_a_damaged_instance_key_is_refused(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "instance.key").write_text("00")
    settings(instance_key_file=tmp_path / "instance.key")
    with pytest.raises(ValueError, match="instance.key"):
        scope.instance_key()


# ── grants ──

@pytest.mark.parametrize("purpose", ["session", "api"])
def test_whoever_holds_the_secret_opens_the_scope(ann: Scope, purpose: str) -> None:
    row, secret = scope.grant(ann, purpose, HOUR, label="laptop")
    opened = outside(lambda: scope.open_held(purpose, secret))
    assert (opened.user.id, opened.vault.key, opened.grant.id) == (ann.user.id, ann.vault.key, row.id)
    stored = everyone.select(Grant, Grant.secret_hash, Grant.wrapped).where(Grant.id == row.id).get()
    assert secret.encode() not in bytes(stored.secret_hash) + bytes(stored.wrapped)
    assert ann.vault.key not in bytes(stored.wrapped)


def test_a_secret_is_for_its_purpose_only(ann: Scope) -> None:
    for purpose, other in (("session", "api"), ("api", "session")):
        _, secret = scope.grant(ann, purpose, HOUR)
        with pytest.raises(Locked):
            scope.open_held(other, secret)


def test_a_wrong_secret_opens_nothing(ann: Scope, bob: Scope) -> None:
    _, secret = scope.grant(ann, "session", HOUR)
    for wrong in ("", "x", secret[:-1], secret + "x", "\xff\xfe", secret.upper()):
        with pytest.raises(Locked):
            scope.open_held("session", wrong)


@pytest.mark.parametrize("purpose", ["session", "api"])
def test_an_expired_grant_opens_nothing(ann: Scope, purpose: str) -> None:
    row, secret = scope.grant(ann, purpose, HOUR)
    age(row, expires_at=HOUR)
    with pytest.raises(Locked):
        scope.open_held(purpose, secret)


def test_a_session_ends_after_its_idle_time_and_a_token_does_not(ann: Scope) -> None:
    session, cookie = scope.grant(ann, "session", dt.timedelta(days=1))
    token, bearer = scope.grant(ann, "api", dt.timedelta(days=1))
    for row in (session, token):
        age(row, used_at=dt.timedelta(minutes=29))
    assert scope.open_held("session", cookie)       # and this is a use
    for row in (session, token):
        age(row, used_at=dt.timedelta(minutes=31))
    with pytest.raises(Locked) as ended:
        scope.open_held("session", cookie)
    assert ended.value.code == "session_expired"
    assert scope.open_held("api", bearer)


def test_the_use_of_a_session_is_written_at_most_once_a_minute(ann: Scope) -> None:
    row, secret = scope.grant(ann, "session", HOUR)

    def used() -> dt.datetime:
        at: dt.datetime = everyone.select(Grant, Grant.used_at).where(Grant.id == row.id).get().used_at
        return at

    first = used()
    scope.open_held("session", secret)
    assert used() == first
    age(row, used_at=dt.timedelta(seconds=61))
    scope.open_held("session", secret)
    assert used() >= first


@pytest.mark.parametrize("purpose", ["session", "api", "job", "background"])
def test_a_disabled_user_opens_nothing(ann: Scope, purpose: str) -> None:
    row, secret = scope.grant(ann, purpose, HOUR, subject=7)
    User.update(disabled=True).where(User.id == ann.user.id).execute()
    with pytest.raises(Locked):
        scope.open_held(purpose, secret) if secret else scope.open_granted(purpose, 7, ann.user.id)


@pytest.mark.parametrize("purpose", ["job", "background"])
def test_the_instance_key_opens_the_grants_of_jobs(ann: Scope, bob: Scope, purpose: str, tmp_path: Path, settings: Any) -> None:
    row, secret = scope.grant(ann, purpose, HOUR, subject=7)
    assert secret == ""
    assert outside(lambda: scope.open_granted(purpose, 7, ann.user.id)).vault.key == ann.vault.key
    other = "background" if purpose == "job" else "job"
    for wrong in ((purpose, 8, ann.user.id), (purpose, 7, bob.user.id), (other, 7, ann.user.id)):
        with pytest.raises(Locked):
            scope.open_granted(*wrong)
    settings(instance_key_file=tmp_path / "another.key")
    with pytest.raises(Locked):
        scope.open_granted(purpose, 7, ann.user.id)     # the database alone opens nothing


def test_a_jobs_grant_expires(ann: Scope) -> None:
    row, _ = scope.grant(ann, "job", HOUR, subject=7)
    age(row, expires_at=HOUR)
    with pytest.raises(Locked):
        scope.open_granted("job", 7, ann.user.id)


def test_a_grant_moved_to_another_user_or_purpose_opens_nothing(ann: Scope, bob: Scope) -> None:
    row, secret = scope.grant(ann, "api", HOUR)
    everyone.update(Grant, user=bob.user.id).where(Grant.id == row.id).execute()
    with pytest.raises(Locked):
        scope.open_held("api", secret)
    everyone.update(Grant, user=ann.user.id, purpose="session").where(Grant.id == row.id).execute()
    with pytest.raises(Locked):
        scope.open_held("session", secret)


def test_expired_grants_and_idle_sessions_are_purged(ann: Scope, bob: Scope) -> None:
    User.update(idle_minutes=600).where(User.id == bob.user.id).execute()
    expired, _ = scope.grant(ann, "job", HOUR)
    age(expired, expires_at=dt.timedelta(hours=2))
    idle, _ = scope.grant(ann, "session", dt.timedelta(days=1))
    patient, _ = scope.grant(bob, "session", dt.timedelta(days=1))
    token, _ = scope.grant(ann, "api", dt.timedelta(days=1))
    fresh, _ = scope.grant(ann, "session", dt.timedelta(days=1))
    for row in (idle, patient, token):
        age(row, used_at=HOUR)
    assert scope.purge_grants() == 2
    assert {row.id for row in everyone.select(Grant)} == {patient.id, token.id, fresh.id}


def test_a_locked_scope_tells_nothing(ann: Scope) -> None:
    _, secret = scope.grant(ann, "session", HOUR)
    try:
        scope.open_held("session", secret + "x")
    except Error as error:
        assert secret not in repr(error) + str(error)


def test_the_clock_is_naive_utc(db: Database) -> None:
    at = now()
    assert at.tzinfo is None
    assert abs(at - dt.datetime.now(dt.UTC).replace(tzinfo=None)) < dt.timedelta(seconds=5)
    user = User.create(name="carl", wrapped_key="")
    assert User.get_by_id(user.id).created_at.tzinfo is None
