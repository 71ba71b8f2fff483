"""How it stands with a mailbox, in words and times: what the owner is shown."""

import datetime as dt

import pytest

from mailhelper import accounts, db, pace, status
from mailhelper.errors import BadLogin, NotFound, Unreachable
from mailhelper.models import Account, Folder, Grant, Job, Watch
from mailhelper.scope import Scope, everyone
from tests.conftest import Client
from tests.world import ADDRESS, SERVER, folder


@pytest.fixture
def home(ann: Scope) -> Account:
    return accounts.create(ann, {"address": ADDRESS, "imap": SERVER, "background": True})


def test_a_fresh_mailbox_is_due_at_once(ann: Scope, home: Account) -> None:
    found = status.of(ann, home.id, "en")
    assert (found["synced_at"], found["tried_at"], found["error"], found["listening"], found["runs"]) == (None, None, None, "off", [])
    assert found["next_at"] - db.now() < dt.timedelta(seconds=1) and found["background_until"] > db.now() + dt.timedelta(days=29)


def test_without_the_opt_in_nothing_happens_by_itself(ann: Scope, home: Account) -> None:
    accounts.change(ann, home.id, {"background": False})
    assert (status.of(ann, home.id, "en")["next_at"], status.of(ann, home.id, "en")["background_until"]) == (None, None)


def test_a_key_that_ran_out_is_no_promise(ann: Scope, home: Account) -> None:
    everyone.update(Grant, expires_at=db.now()).where(Grant.purpose == "background").execute()
    assert (status.of(ann, home.id, "en")["next_at"], status.of(ann, home.id, "en")["background_until"]) == (None, None)


def test_what_failed_is_said_with_the_next_try(ann: Scope, home: Account) -> None:
    pace.failed(home, Unreachable("timed_out"))
    pace.failed(home, Unreachable("timed_out"))
    found = status.of(ann, home.id, "de")
    assert found["error"]["code"] == "timed_out" and found["error"]["message"].startswith("127.0.0.1 ")
    assert (found["failures"], found["stopped"]) == (2, False)
    assert dt.timedelta(minutes=1.9) < found["next_at"] - db.now() <= dt.timedelta(minutes=2)


def test_a_stopped_mailbox_has_no_next_time(ann: Scope, home: Account) -> None:
    pace.failed(home, BadLogin())
    found = status.of(ann, home.id, "en")
    assert found["stopped"] and found["next_at"] is None


@pytest.mark.parametrize("way,minutes,expected", [("idle", 1, "idle"), ("idle", -1, "off"), ("poll", -1, "poll"), ("", 1, "off")])
def test_listening_counts_as_long_as_the_lease(ann: Scope, home: Account, way: str, minutes: int, expected: str) -> None:
    pace.listening(home, way)
    everyone.update(Watch, leased_until=db.now() + dt.timedelta(minutes=minutes)).execute()
    assert status.of(ann, home.id, "en")["listening"] == expected


def test_folders_with_errors_and_the_last_runs_are_listed(ann: Scope, home: Account) -> None:
    place = folder(ann, home, "Büro", "")
    ann.update(Folder, error="folder_refused").where(Folder.id == place.id).execute()
    with ann:
        for number in range(12):
            ann.create(Job, kind="sync_user_emails", subject=home.id, state="completed", result={"email_count": number}, params={"unattended": True})
        last = ann.create(Job, kind="sync_user_emails", subject=home.id, state="failed", error="login_failed", error_params={"host": "imap.example"})
    found = status.of(ann, home.id, "en")
    assert [row["error"]["message"].partition(".")[0] for row in found["folders_failed"]] == ["127"]
    assert "“Büro”" in found["folders_failed"][0]["error"]["message"]
    assert len(found["runs"]) == status.RUNS and [run["new"] for run in found["runs"][1:3]] == [11, 10]
    assert found["runs"][0]["task_id"] == str(last.id) and "imap.example" in found["runs"][0]["error"]["message"]
    page = Client(ann)("GET", f"/accounts/{home.id}").text
    assert "11 new mails" in page and "“Büro”" in page


def test_a_strangers_mailbox_has_no_status(home: Account, bob: Scope) -> None:
    with pytest.raises(NotFound):
        status.of(bob, home.id, "en")
    assert Client(bob)("GET", f"/api/accounts/{home.id}/status").status == 404
