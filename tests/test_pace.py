"""Unattended sync: what is due is started, failures make it wait, a refused password stops it until its owner acts."""

import datetime as dt
import threading
from typing import Any

import pytest

from mailhelper import accounts, db, pace, runner, sync
from mailhelper.errors import BadCertificate, BadLogin, Busy, Error, Refused, Unreachable
from mailhelper.models import Account, Grant, Job
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.scripted_imap import PASSWORD, ScriptedServer
from tests.world import ADDRESS

SERVER = {"host": "127.0.0.1", "port": 9, "security": "none", "username": "anna", "password": PASSWORD}


def make(scope: Scope, **values: Any) -> Account:
    return accounts.create(scope, {"address": ADDRESS, "imap": SERVER, "background": True, **values})


def due() -> list[int]:
    return [account.id for account in pace.due()]


def minutes_left(account: Account) -> float:
    return (pace.row(account).due - db.now()) / dt.timedelta(minutes=1)


def started(scope: Scope) -> list[int]:
    return [job.subject for job in scope.select(Job).where(Job.kind == "sync_user_emails").order_by(Job.id)]


def attempt(scope: Scope) -> Job:
    """One tick of the clock, and the job it starts."""
    sync.start_due()
    job: Job = scope.select(Job).order_by(Job.id.desc()).get()
    runner.run(job.id)
    return scope.get(Job, job.id)


def test_what_is_due_is_started_once_an_interval(ann: Scope) -> None:
    made = make(ann, interval=30)
    sync.start_due()
    sync.start_due()
    assert started(ann) == [made.id] and due() == []
    assert 27 <= minutes_left(made) <= 33


def test_the_worker_starts_it_though_nobody_is_signed_in(ann: Scope) -> None:
    """It has nothing but the grant: no key is open there."""
    made = make(ann)

    def tick() -> None:
        with db.db.connection_context():
            sync.start_due()

    thread = threading.Thread(target=tick)
    thread.start()
    thread.join()
    assert started(ann) == [made.id]


def test_mailboxes_added_together_drift_apart(ann: Scope) -> None:
    made = [make(ann) for _ in range(12)]
    for one in made:
        pace.succeeded(one)
    waits = sorted(minutes_left(one) for one in made)
    assert 13.4 < waits[0] < waits[-1] < 16.6 and waits[-1] - waits[0] > 0.1


def test_only_mailboxes_whose_owner_opted_in_are_followed(ann: Scope) -> None:
    make(ann, background=False)
    local = accounts.create_local(ann, "Old mail", ADDRESS)
    ann.update(Account, background=True).where(Account.id == local.id).execute()
    assert due() == []


def test_without_its_key_nothing_is_started_and_nobody_is_pestered(ann: Scope) -> None:
    made = make(ann)
    ann.update(Grant, expires_at=db.now() - dt.timedelta(days=1)).execute()
    sync.start_due()
    assert started(ann) == [] and due() == [] and minutes_left(made) > 10


@pytest.mark.parametrize("failures,minutes", [(1, 1), (2, 2), (3, 5), (4, 15), (5, 60), (6, 60), (50, 60)])
def test_the_wait_grows_with_each_failure_in_a_row(ann: Scope, failures: int, minutes: int) -> None:
    made = make(ann)
    for _ in range(failures):
        pace.failed(made, Unreachable("timed_out"))
    assert minutes - 0.1 < minutes_left(made) <= minutes
    assert ann.get(Account, made.id).error == "timed_out"


def test_a_server_that_names_its_patience_gets_it(ann: Scope) -> None:
    made = make(ann)
    pace.failed(made, Busy(retry_after=1200))
    assert 19.9 < minutes_left(made) <= 20


def test_success_makes_all_failures_forgotten(ann: Scope) -> None:
    made = make(ann)
    for _ in range(4):
        pace.failed(made, Unreachable())
    pace.succeeded(made)
    assert pace.row(made).failures == 0 and ann.get(Account, made.id).error is None
    pace.failed(made, Unreachable())
    assert minutes_left(made) <= 1


@pytest.mark.parametrize("error", [BadLogin(), BadLogin("login_app_password"), BadCertificate("certificate_changed"), Refused("egress_no_cloud")])
def test_what_only_the_owner_can_mend_stops_it(ann: Scope, error: Error) -> None:
    made, other = make(ann), make(ann)
    pace.failed(made, error)
    pace.hurry(made)
    assert due() == [other.id]
    accounts.change(ann, made.id, {"name": "Another name"})
    assert due() == [other.id]
    accounts.change(ann, made.id, {"imap": {"password": "a new one"}})
    assert due() == [made.id, other.id]


def test_a_wrong_password_is_tried_once(ann: Scope) -> None:
    with ScriptedServer({"LOGIN": "{tag} NO [AUTHENTICATIONFAILED] no\r\n"}) as server:
        made = make(ann, imap={**SERVER, "port": server.port})
        assert attempt(ann).state == "failed"
        pace.hurry(made)
        sync.start_due()
        tries = sum(line.startswith(b"LOGIN") for line in server.heard)
    assert tries == 1 and len(started(ann)) == 1


def test_an_unattended_failure_waits_for_the_clock_and_not_in_the_job(ann: Scope) -> None:
    made = make(ann)        # nobody listens on port 9
    job = attempt(ann)
    assert (job.state, job.error) == ("failed", "connection_refused")
    assert due() == [] and pace.row(made).failures == 1 and minutes_left(made) <= 1
    by_hand = sync.start(ann, made.id)
    runner.run(by_hand.id)
    assert ann.get(Job, by_hand.id).state == "retrying" and pace.row(made).failures == 2


def test_a_shorter_interval_counts_at_once(ann: Scope) -> None:
    made = make(ann, interval=600)
    pace.succeeded(made)
    accounts.change(ann, made.id, {"name": "Another name"})
    assert due() == []
    accounts.change(ann, made.id, {"interval": 5})
    assert due() == [made.id]


def test_signing_in_brings_back_what_had_run_out(ann: Scope, bob: Scope) -> None:
    made = make(ann)
    make(ann, background=False)
    ann.delete(Grant).where(Grant.subject == made.id).execute()      # as purge does
    with bob:
        make(bob)
    accounts.renew_background(ann)
    assert [(row.subject, row.purpose) for row in ann.select(Grant)] == [(made.id, "background")]


def test_every_page_says_which_mailbox_stands_still_and_why(ann: Scope) -> None:
    made = make(ann, name="Home & hearth")
    client = Client(ann)
    for path in ("/", "/inbox", "/accounts", "/settings"):
        assert "not fetched any more" not in client("GET", path).text
    pace.failed(made, BadLogin(host="127.0.0.1"))
    client = Client(ann)
    client.cookies["changed"] = "1"
    for path in ("/", "/inbox", "/accounts", "/settings"):
        text = client("GET", path).text
        assert "Home &amp; hearth is not fetched any more. 127.0.0.1 did not accept user name or password." in text, path
        assert f'<a href="/accounts/{made.id}">What to do</a>' in text


def test_the_end_of_the_background_key_is_announced_and_renewed_by_a_click(ann: Scope) -> None:
    make(ann)
    ann.update(Grant, expires_at=db.now() + dt.timedelta(days=2)).where(Grant.purpose == "background").execute()
    client = Client(ann)
    assert "Renew for 30 days" in client("GET", "/").text
    assert client("POST", "/accounts/renew", form={"next": "/inbox"}).headers["location"] == "/inbox"
    assert "Renew for 30 days" not in client("GET", "/inbox").text
    assert all(days > dt.timedelta(days=29) for days in (end - db.now() for end in accounts.background_ends(ann).values()))


def test_the_interval_is_asked_for_in_the_form_and_by_the_api(ann: Scope) -> None:
    made = make(ann)
    client = Client(ann)
    assert client("PATCH", f"/api/accounts/{made.id}", json={"interval": 45}).json["interval"] == 45
    assert 'name="interval" type="text" value="45"' in client("GET", f"/accounts/{made.id}").text
    refused = client("PATCH", f"/api/accounts/{made.id}", json={"interval": 0})
    assert (refused.status, refused.json["fields"]) == (400, {"interval": "Use a number from 1 to 1440."})
    form = {"name": "Home", "address": ADDRESS, "host": "127.0.0.1", "port": "9", "security": "none", "username": "anna", "interval": "20"}
    assert client("POST", f"/accounts/{made.id}", form=form).status == 303
    assert ann.get(Account, made.id).interval == 20
