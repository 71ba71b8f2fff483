"""Sync against a real Dovecot: everything comes once, nothing goes that the server still has, whatever is interrupted."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mailhelper import accounts, db, imap, jobs, mails, prefetch, ratings, runner, sync
from mailhelper.errors import Refused, Unreachable
from mailhelper.models import Account, Egress, Folder, Job, JobLog, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.scripted_imap import ScriptedServer
from tests.servers import dovecot as dovecots
from tests.servers.box import Box, letter, new_uidvalidity
from tests.servers.dovecot import Dovecot
from tests.world import raw, remove

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot) -> Box:
    return Box(ann, dovecot)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is fetched from the server: folder names and UIDs, in order."""
    said: list[str] = []
    examine, fetch = imap.Mailbox.examine, imap.Mailbox.fetch

    def watched_examine(self: imap.Mailbox, name: str) -> Any:
        said.append(name)
        return examine(self, name)

    def watched_fetch(self: imap.Mailbox, uids: Any) -> Any:
        said.append(f"fetch {max(uids)}-{min(uids)}")
        return fetch(self, uids)

    monkeypatch.setattr(imap.Mailbox, "examine", watched_examine)
    monkeypatch.setattr(imap.Mailbox, "fetch", watched_fetch)
    yield said


# ── first sync, and the next ──

def test_everything_comes_the_inbox_and_the_newest_first(box: Box, commands: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "FETCH", 2)
    box.deliver(*range(5))
    box.deliver("a", folder="Apples")
    box.deliver("s", folder="Sent")
    assert box.counts() == (7, 0, 0, 0)
    assert box.here("INBOX") == {"0", "1", "2", "3", "4"} and box.here("Apples") == {"a"} and box.here("Sent") == {"s"}
    fetched = commands[commands.index("INBOX", commands.index("INBOX") + 1):]
    assert fetched == ["INBOX", "fetch 5-4", "fetch 3-2", "fetch 1-1", "Sent", "fetch 1-1", "Apples", "fetch 1-1"]
    account = box.scope.get(Account, box.account.id)
    assert account.synced_at and account.error is None


def test_a_second_sync_without_changes_fetches_nothing(box: Box, commands: list[str]) -> None:
    box.deliver(1, 2)
    box.sync()
    commands.clear()
    assert box.counts() == (0, 0, 0, 0)
    assert not any(said.startswith("fetch") for said in commands)


def test_new_mail_comes_and_gaps_of_uids_do_not_matter(box: Box) -> None:
    box.deliver(*range(6))
    box.act("INBOX", ("STORE", "2:4", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    assert box.counts() == (3, 0, 0, 0)
    box.scope.delete(Mail).where(Mail.uid == 1).execute()       # a gap below the highest UID here
    box.deliver("new")
    assert box.counts() == (2, 0, 0, 0) and box.here() == {"0", "4", "5", "new"}


def test_flags_follow_the_server_and_nothing_is_marked_as_read(box: Box) -> None:
    box.deliver(1, 2)
    box.deliver(3, flags=("\\Seen", "\\Flagged", "\\Answered"))
    box.sync()
    assert [row["flags"] for row in box.rows() if row["subject"] == "Mail 3"] == [{"read": True, "flagged": True, "answered": True}]
    mails.read(box.scope, box.id(1), "en")
    with box.server.session(box.user) as session:
        session.select("INBOX")
        assert session.search(None, "UNSEEN")[1] == [b"1 2"]
    box.act("INBOX", ("STORE", "1", "+FLAGS", "(\\Seen)"), ("STORE", "3", "-FLAGS", "(\\Flagged)"))
    assert box.counts() == (0, 2, 0, 0)
    flags = {row["subject"]: row["flags"] for row in box.rows()}
    assert flags["Mail 1"]["read"] and not flags["Mail 2"]["read"] and not flags["Mail 3"]["flagged"] and flags["Mail 3"]["answered"]


# ── what goes ──

def test_what_was_deleted_there_goes_here(box: Box) -> None:
    box.deliver(*range(4))
    box.sync()
    box.act("INBOX", ("STORE", "1:2", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    assert box.counts() == (0, 0, 0, 2)
    assert box.here() == {"2", "3"}


def test_a_mail_that_moved_keeps_its_rating_and_correction(box: Box) -> None:
    box.deliver(1, 2)
    box.deliver("x", folder="Projects")
    box.sync()
    id = box.id(1)
    ratings.correct(box.scope, id, {"urgency": 3, "importance": 3})
    box.act("INBOX", ("STORE", "1", "+FLAGS", "(\\Seen)"), ("MOVE", "1", "Projects"))
    assert box.counts() == (0, 0, 1, 0)
    [row] = [row for row in box.rows() if row["subject"] == "Mail 1"]
    assert (row["id"], row["folder"], row["flags"]["read"], row["triage"]["rated_by"], row["triage"]["score"]) == (id, "Projects", True, "user", 9)
    assert box.counts() == (0, 0, 0, 0)


def test_a_mail_without_an_id_that_moved_keeps_its_correction(box: Box) -> None:
    box.server.deliver([raw("Mail 1", id="")], "INBOX", box.user)
    box.deliver("x", folder="Projects")
    box.sync()
    ratings.correct(box.scope, box.id(1), {"urgency": 3})
    box.act("INBOX", ("MOVE", "1", "Projects"))
    assert box.counts() == (0, 0, 1, 0)
    assert box.here("Projects") == {"1", "x"}


def test_a_folder_that_was_renamed_keeps_its_mails(box: Box) -> None:
    box.deliver(1, 2, folder="Old")
    box.sync()
    ids = {row["id"] for row in box.rows()}
    with box.server.session(box.user) as session:
        assert session.rename("Old", "New")[0] == "OK"
    assert box.counts() == (0, 0, 2, 0)
    assert box.here("New") == {"1", "2"} and {row["id"] for row in box.rows()} == ids
    assert "Old" not in {row["name"] for row in accounts.folders(box.scope, box.account.id)}


def test_a_folder_that_was_deleted_takes_its_mails(box: Box) -> None:
    box.deliver(1)
    box.deliver(2, folder="Old")
    box.sync()
    with box.server.session(box.user) as session:
        assert session.delete("Old")[0] == "OK"
    assert box.counts() == (0, 0, 0, 1) and box.here() == {"1"}
    box.deliver(3, folder="Old")
    assert box.counts() == (1, 0, 0, 0) and box.here("Old") == {"3"}


def test_new_uids_make_no_doubles_and_lose_nothing(box: Box) -> None:
    box.deliver(*range(5))
    box.sync()
    before = {row["subject"]: row["id"] for row in box.rows()}
    ratings.correct(box.scope, box.id(3), {"urgency": 3})
    new_uidvalidity(box)
    assert box.counts() == (0, 0, 5, 0)
    assert {row["subject"]: row["id"] for row in box.rows()} == before
    assert mails.page(box.scope, {"urgency": "3"}, "en").items[0]["triage"]["rated_by"] == "user"
    assert box.scope.select(Folder).where(Folder.uidvalidity == 1_999_999_999).count() == 1
    assert box.counts() == (0, 0, 0, 0)


def test_new_uids_under_a_filter_lose_nothing(box: Box) -> None:
    box.deliver(*range(5))
    box.sync()
    new_uidvalidity(box)
    box.filter(newest=2)
    assert box.counts() == (0, 0, 2, 0) and len(box.here()) == 5
    box.filter()
    assert box.counts() == (0, 0, 3, 0) and len(box.here()) == 5


# ── filters ──

def test_an_include_filter_fetches_and_deletes_nothing_else(box: Box) -> None:
    box.deliver(1)
    box.deliver(2, folder="Other")
    box.deliver(3, folder="Junk")
    assert box.counts() == (2, 0, 0, 0) and box.here() == {"1", "2"}
    box.filter(include=["Junk"])
    assert box.counts() == (1, 0, 0, 0) and box.here() == {"1", "2", "3"}
    box.filter(exclude=["INBOX"])
    assert box.counts() == (0, 0, 0, 0) and box.here() == {"1", "2", "3"}


def test_an_exclude_filter_leaves_a_folder_out(box: Box) -> None:
    box.deliver(1)
    box.deliver(2, folder="Other")
    box.filter(exclude=["Other"])
    assert box.counts() == (1, 0, 0, 0)


def test_since_and_unseen(box: Box) -> None:
    box.server.deliver([letter("old")], "INBOX", box.user, age=86_400 * 400)
    box.deliver("read", flags=("\\Seen",))
    box.deliver("new")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400 * 30))
    box.filter(since=day, unseen=True)
    assert box.counts() == (1, 0, 0, 0) and box.here() == {"new"}
    box.act("INBOX", ("STORE", "3", "+FLAGS", "(\\Seen)"))
    assert box.counts() == (0, 1, 0, 0), "a mail that was read meanwhile stays"
    box.filter(since=day)
    assert box.counts() == (1, 0, 0, 0) and box.here() == {"new", "read"}
    box.filter()
    assert box.counts() == (1, 0, 0, 0) and box.here() == {"new", "read", "old"}


@pytest.mark.parametrize("name", ["newest", "total"])
def test_raising_a_limit_fills_the_gap_and_new_mail_always_comes(box: Box, name: str) -> None:
    box.deliver(*range(10))
    box.filter(**{name: 3})
    assert box.counts() == (3, 0, 0, 0) and box.here() == {"7", "8", "9"}
    box.deliver("new")
    assert box.counts() == (1, 0, 0, 0) and "new" in box.here()
    box.filter(**{name: 6})
    assert box.counts() == (2, 0, 0, 0) and box.here() == {"5", "6", "7", "8", "9", "new"}
    box.act("INBOX", ("STORE", "9:10", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    assert box.counts() == (2, 0, 0, 2), "what was deleted goes under a limit too, and makes room"
    box.filter()
    assert box.counts() == (3, 0, 0, 0) and len(box.here()) == 9


def test_a_total_is_over_all_folders_the_inbox_first(box: Box) -> None:
    box.deliver(1, 2)
    box.deliver(3, 4, 5, folder="Other")
    box.filter(total=4)
    assert box.counts() == (4, 0, 0, 0) and box.here("INBOX") == {"1", "2"} and box.here("Other") == {"4", "5"}


def test_max_emails_is_for_one_run_and_deletes_nothing(box: Box) -> None:
    box.deliver(*range(6))
    assert box.counts(max_emails=2) == (2, 0, 0, 0) and box.here() == {"4", "5"}
    box.act("INBOX", ("STORE", "6", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    assert box.counts(max_emails=1) == (1, 0, 0, 0) and "5" in box.here()
    assert box.counts() == (3, 0, 0, 1) and box.here() == {"0", "1", "2", "3", "4"}


# ── what goes wrong ──

def test_a_refused_folder_stops_and_deletes_nothing(box: Box) -> None:
    box.deliver(1)
    box.deliver(2, folder="Locked")
    box.deliver(3, folder="Other")
    box.sync()
    place = box.server.maildir("Locked", box.user)
    box.deliver(4)
    place.chmod(0)
    try:
        result = box.sync()
    finally:
        place.chmod(0o700)
    assert [(error["folder"], error["code"]) for error in result["errors"]] == [("Locked", "folder_refused")]
    assert (result["email_count"], result["deleted"]) == (1, 0) and box.here() == {"1", "2", "3", "4"}
    assert {row["name"]: row["error"] for row in accounts.folders(box.scope, box.account.id)}["Locked"] == "folder_refused"
    assert box.scope.get(Account, box.account.id).error is None
    assert box.counts() == (0, 0, 0, 0)
    assert {row["error"] for row in accounts.folders(box.scope, box.account.id)} == {None}


def test_nothing_is_deleted_of_a_mailbox_that_could_not_be_read_to_its_end(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.deliver(1)
    box.deliver(2, folder="Other")
    box.sync()
    box.act("INBOX", ("STORE", "1", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    box.deliver(3, folder="Other")
    look = imap.Mailbox.changes

    def broken(self: imap.Mailbox, name: str, *args: Any) -> Any:
        if name == "Other":
            raise Unreachable("connection_lost", host="x")
        return look(self, name, *args)

    with monkeypatch.context() as line:
        line.setattr(imap.Mailbox, "changes", broken)
        job = box.job()
    assert (job.state, job.error) == ("retrying", "connection_lost") and box.here() == {"1", "2"}


def test_nothing_is_deleted_of_a_folder_that_was_not_searched_to_its_end(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.deliver(1, 2)
    box.filter(since="2020-01-01")
    box.sync()
    box.act("INBOX", ("STORE", "1", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    box.deliver(3)

    def refused(self: imap.Mailbox, criteria: Any = "ALL") -> list[int]:
        raise Refused("command_refused", host="x")

    with monkeypatch.context() as server:
        server.setattr(imap.Mailbox, "uids", refused)
        result = box.sync()
    assert result["deleted"] == 0 and len(result["errors"]) == 1 and box.here() == {"1", "2"}
    assert box.counts() == (1, 0, 0, 1)


def test_a_server_that_lists_no_folder_at_all_is_not_believed(box: Box) -> None:
    box.deliver(1)
    box.sync()
    with ScriptedServer({"LOGIN": "{tag} OK done\r\n"}) as server:
        accounts.change(box.scope, box.account.id, {"imap": {"port": server.port}})
        job = box.job()
    assert (job.state, job.error) == ("retrying", "protocol_error") and box.here() == {"1"}


def test_a_wrong_password_is_final_and_told_on_the_account(box: Box) -> None:
    accounts.change(box.scope, box.account.id, {"imap": {"password": "wrong"}})
    job = box.job()
    assert (job.state, job.error, job.failures) == ("failed", "login_failed", 0)
    assert box.scope.get(Account, box.account.id).error == "login_failed"
    assert "account_stopped" in {line.code for line in box.scope.select(JobLog, JobLog.code)}
    accounts.change(box.scope, box.account.id, {"imap": {"password": box.server.password(box.user)}})
    assert box.sync()["errors"] == [] and box.scope.get(Account, box.account.id).error is None


def test_a_server_that_is_down_is_tried_again_later(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    accounts.change(box.scope, box.account.id, {"imap": {"port": port}})
    job = box.job()
    assert (job.state, job.error, job.failures) == ("retrying", "connection_refused", 1)
    assert 50 < (job.due - db.now()).total_seconds() <= 60


def test_a_connection_cut_in_the_middle_is_taken_up_where_it_broke(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "FETCH", 2)
    box.deliver(*range(9))
    fetch, calls = imap.Mailbox.fetch, []

    def cut(self: imap.Mailbox, uids: Any) -> Any:
        calls.append(list(uids))
        if len(calls) == 3:
            self.abort()
        return fetch(self, uids)

    with monkeypatch.context() as line:
        line.setattr(imap.Mailbox, "fetch", cut)
        job = box.job()
    assert job.state == "retrying" and box.here() == {"5", "6", "7", "8"}
    box.scope.update(Job, due=db.now()).execute()
    runner.run(job.id)
    assert (box.scope.get(Job, job.id).state, box.scope.get(Job, job.id).result["email_count"]) == ("completed", 5)
    assert len(box.here()) == 9 == len(box.rows())


@contextmanager
def elsewhere(scope: Scope) -> Iterator[Scope]:
    """The same person in another thread: with a connection and a scope of their own."""
    with db.db.connection_context(), Scope(scope.user, scope.vault.key) as other:
        yield other


def run_in_background(job: Job) -> threading.Thread:
    thread = threading.Thread(target=runner.run, args=(job.id,))
    thread.start()
    return thread


def wait_for(true: Callable[[], Any], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_cancel_in_the_middle_of_fetching_acts_at_once_and_blames_nobody(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "FETCH", 1)
    box.deliver(*range(8))
    job, fetch = box.start(), imap.Mailbox.fetch

    def cancelled_meanwhile(self: imap.Mailbox, uids: Any) -> Any:
        if 4 in uids:
            with elsewhere(box.scope) as scope:
                jobs.cancel(scope, job.id)
        return fetch(self, uids)

    with monkeypatch.context() as line:
        line.setattr(imap.Mailbox, "fetch", cancelled_meanwhile)
        thread = run_in_background(job)
        thread.join(5)
        assert not thread.is_alive()
    assert box.scope.get(Job, job.id).state == "cancelled"
    assert box.scope.get(Account, box.account.id).error is None
    assert {row["error"] for row in accounts.folders(box.scope, box.account.id)} == {None}
    assert 0 < len(box.here()) < 8
    box.sync()
    assert len(box.here()) == 8


SILENT = {"EXAMINE": "* 1 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK done\r\n", "LIST": '* LIST () "/" INBOX\r\n{tag} OK done\r\n',
          "LOGIN": "{tag} OK done\r\n"}


@pytest.mark.parametrize("answers", [
    SILENT | {"UID FETCH": ""},
    SILENT | {"UID FETCH 1:*": "* 1 FETCH (UID 1 FLAGS ())\r\n{tag} OK done\r\n", "UID FETCH 1 ": "* 1 FETCH (UID 1 BODY[] {500}\r\nSubj"},
], ids=["flags", "mails"])
def test_cancel_acts_on_a_server_that_says_nothing(ann: Scope, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert prefetch.LOOK <= 1.5, "cancel acts within two seconds"
    monkeypatch.setattr(prefetch, "LOOK", 0.1)
    with ScriptedServer(answers) as server:
        account = accounts.create(ann, {"address": "ann@home.example", "imap": {
            "host": "127.0.0.1", "port": server.port, "security": "none", "username": "u", "password": "p"}})
        job = sync.start(ann, account.id)
        thread = run_in_background(job)
        last = "UID FETCH 1 " if "UID FETCH 1:*" in answers else "UID FETCH"
        wait_for(lambda: any(line.decode().startswith(last) for line in server.heard))
        jobs.cancel(ann, job.id)
        began = time.monotonic()
        thread.join(10)
        assert not thread.is_alive() and time.monotonic() - began < 1
    assert ann.get(Job, job.id).state == "cancelled" and ann.get(Account, account.id).error is None


def test_an_account_removed_while_it_is_fetched_leaves_nothing(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "FETCH", 1)
    box.deliver(*range(5))
    job, fetch = box.start(), imap.Mailbox.fetch

    def removed_meanwhile(self: imap.Mailbox, uids: Any) -> Any:
        if 3 in uids:
            with elsewhere(box.scope) as scope:
                remove(scope, box.account.id)
        return fetch(self, uids)

    with monkeypatch.context() as line:
        line.setattr(imap.Mailbox, "fetch", removed_meanwhile)
        thread = run_in_background(job)
        thread.join(5)
        assert not thread.is_alive()
    assert box.scope.select(Mail).count() == 0 == box.scope.select(Folder).count()
    assert box.scope.get(Job, job.id).state == "cancelled"


def test_a_certificate_nobody_vouches_for_is_shown_pinned_and_then_good_enough(ann: Scope, dovecot: Dovecot) -> None:
    client, user = Client(ann), dovecot.add_user()
    typed = {"address": "ann@home.example", "host": "127.0.0.1", "port": str(dovecot.tls_port), "security": "tls", "username": user,
             "password": dovecot.password(user)}
    shown = client("POST", "/accounts/new", form=typed | {"act": "test"}).text
    [fingerprint] = set(re.findall(r'name="fingerprint" value="([0-9a-f]{64})"', shown))
    assert fingerprint == dovecot.authority.fingerprint("good.test") and ann.select(Account).count() == 0
    tested = client("POST", "/accounts/new", form=typed | {"act": "test", "fingerprint": fingerprint}).text
    assert "INBOX" in tested and fingerprint in tested, "what was accepted stays in the form"
    assert client("POST", "/accounts/new", form=typed | {"fingerprint": fingerprint}).status == 303
    [job] = ann.select(Job)
    runner.run(job.id)
    assert ann.get(Job, job.id).state == "completed"


def test_each_connection_is_in_the_ledger(box: Box) -> None:
    box.deliver(1)
    box.sync()
    [entry] = box.scope.select(Egress)
    assert (entry.host, entry.purpose, entry.refused) == ("127.0.0.1", "imap", False) and entry.received > 100


def test_somebody_who_is_no_admin_may_not_be_sent_into_the_private_network(bob: Scope, dovecot: Dovecot) -> None:
    with bob:
        box = Box(bob, dovecot)
        job = box.job()
        assert (job.state, job.error) == ("failed", "egress_refused")


def test_all_mailboxes_at_once(box: Box, dovecot: Dovecot) -> None:
    other = Box(box.scope, dovecot)
    accounts.create_local(box.scope, "Old mail", "x@y.example")
    busy = other.start()
    job = sync.start_all(box.scope)
    runner.run(job.id)
    assert box.scope.get(Job, job.id).result == {"started": 1}
    assert {row.subject for row in box.scope.select(Job).where(Job.kind == "sync_user_emails")} == {box.account.id, other.account.id}
    assert box.scope.get(Job, busy.id).state == "queued"


def test_progress_is_told_in_words(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    step = runner.Step.__call__

    def listening(self: runner.Step, *args: Any, **note: Any) -> None:
        step(self, *args, **note)
        told.append(jobs.shown(box.scope.get(Job, self._job.id), "en")["message"])

    monkeypatch.setattr(runner.Step, "__call__", listening)
    box.deliver(1, 2)
    box.sync()
    assert told[0] == "Connecting" and "Fetching mail: 2 of 2" in told
    assert any(re.fullmatch(r"Looking at folder 1 of \d", text) for text in told)
