"""Listening to a real Dovecot: news start a sync, one watcher listens at a time, what its owner takes back ends at once."""

import datetime as dt
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailhelper import accounts, db, jobs, pace, queue, runner, sync, watch
from mailhelper.models import Account, Egress, Grant, Job, Watch
from mailhelper.scope import Scope, everyone
from tests.servers import dovecot as dovecots
from tests.servers.dovecot import Dovecot
from tests.servers.product import Product, children
from tests.world import raw, remove

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]


def until(what: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


class Box:
    """A mailbox on the server that is followed here."""

    def __init__(self, scope: Scope, server: Dovecot, **values: Any) -> None:
        self.scope, self.server, self.user = scope, server, server.add_user()
        where = {"host": "127.0.0.1", "port": server.port, "security": "none", "username": self.user, "password": server.password(self.user)}
        self.account = accounts.create(scope, {"address": "ann@home.example", "imap": where, "background": True, **values})

    @property
    def row(self) -> Watch:
        return pace.row(self.account)

    def jobs(self) -> int:
        return self.scope.select(Job).where(Job.subject == self.account.id).count()

    def finish(self) -> None:
        """Do the sync that was started."""
        job = self.scope.select(Job).where(Job.subject == self.account.id, Job.state == "queued").get()
        runner.run(job.id)
        assert self.scope.get(Job, job.id).state == "completed"

    def deliver(self, id: str) -> None:
        self.server.append("INBOX", raw(id=id), user=self.user)

    def sessions(self) -> int:
        """How many connections its server has for it, but for our own question."""
        said = subprocess.run(["doveadm", "-c", str(self.server.folder / "dovecot.conf"), "who", "-1", self.user], capture_output=True, text=True)
        return said.stdout.count(self.user)

    def listened_to(self) -> bool:
        return self.row.way == "idle" and self.jobs() > 0


@pytest.fixture
def watcher(ann: Scope) -> Iterator[watch.Watcher]:
    with_listeners = watch.Watcher()
    yield with_listeners
    with_listeners.close()


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot, watcher: watch.Watcher) -> Box:
    """A mailbox that is listened to, its first sync done."""
    made = Box(ann, dovecot)
    watcher.look()
    until(made.listened_to)
    made.finish()
    return made


def test_news_start_a_sync_and_silence_does_not(box: Box) -> None:
    assert box.jobs() == 1
    began = time.monotonic()
    box.deliver("new@x")
    until(lambda: box.jobs() == 2)
    assert time.monotonic() - began < 1
    box.finish()
    assert (box.row.failures, box.jobs()) == (0, 2)


def test_what_comes_while_a_sync_is_running_is_fetched_by_the_next_one(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    running = sync.start(box.scope, box.account.id)
    box.scope.update(Job, state="running", claimed_by=runner.me()).where(Job.id == running.id).execute()
    box.deliver("new@x")
    time.sleep(0.2)
    assert box.jobs() == 2
    box.scope.update(Job, state="completed").where(Job.id == running.id).execute()
    until(lambda: box.jobs() == 3)


def test_flags_that_another_program_sets_are_no_hurry(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.deliver("new@x")
    until(lambda: box.jobs() == 2)
    box.finish()
    monkeypatch.setattr(watch, "SETTLE", 0.3)
    with box.server.session(box.user) as session:
        session.select("INBOX")
        began = time.monotonic()
        session.store("1", "+FLAGS", r"(\Seen)")
        until(lambda: box.jobs() == 3)
        assert time.monotonic() - began >= 0.3


def test_only_one_of_two_watchers_listens(box: Box, watcher: watch.Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"]) as other_process:
        monkeypatch.setattr(runner, "me", lambda: f"{runner._host()} {other_process.pid}@{runner._born(other_process.pid)}")
        other = watch.Watcher()
        other.look()
        assert not other._listeners and box.sessions() == 1
        other.close()
        monkeypatch.undo()
        everyone.update(Watch, leased_until=db.now() - dt.timedelta(seconds=1)).execute()      # the first one has not renewed it in time
        monkeypatch.setattr(runner, "me", lambda: f"{runner._host()} {other_process.pid}@{runner._born(other_process.pid)}")
        other.look()
        assert list(other._listeners) == [box.account.id]
        monkeypatch.undo()
        watcher.look()
        assert not watcher._listeners
        until(lambda: box.sessions() == 1)
        other_process.kill()
        other_process.wait()        # its lease is good for a minute yet, but everybody can see that it is gone
        watcher.look()
        assert list(watcher._listeners) == [box.account.id]
        for listener in other._listeners.values():
            listener.stop()


def _opt_out(box: Box) -> None:
    accounts.change(box.scope, box.account.id, {"background": False})


def _remove(box: Box) -> None:
    remove(box.scope, box.account.id)


def _expire(box: Box) -> None:
    everyone.update(Grant, expires_at=db.now()).where(Grant.purpose == "background").execute()


@pytest.mark.parametrize("take_back", [_opt_out, _remove, _expire])
def test_what_is_taken_back_is_no_longer_listened_to(box: Box, watcher: watch.Watcher, take_back: Callable[[Box], None]) -> None:
    assert box.sessions() == 1
    take_back(box)
    watcher.look()
    until(lambda: box.sessions() == 0)
    assert not watcher._listeners
    assert everyone.select(Watch).where(Watch.holder.is_null(False)).count() == 0


def test_a_changed_mailbox_is_listened_to_anew(box: Box, watcher: watch.Watcher) -> None:
    accounts.change(box.scope, box.account.id, {"imap": {"password": "wrong"}})
    watcher.look()
    until(lambda: box.scope.get(Account, box.account.id).error == "login_failed")
    watcher.look()
    assert not watcher._listeners and box.jobs() == 1
    accounts.change(box.scope, box.account.id, {"imap": {"password": box.server.password(box.user)}})
    watcher.look()
    until(lambda: box.jobs() == 2)


def test_a_server_that_cannot_tell_is_asked_at_the_interval_alone(ann: Scope) -> None:
    with Dovecot({"u": "secret"}, without=("IDLE",)) as server:
        where = {"host": "127.0.0.1", "port": server.port, "security": "none", "username": "u", "password": "secret"}
        account = accounts.create(ann, {"address": "ann@home.example", "imap": where, "background": True})
        watcher = watch.Watcher()
        watcher.look()
        listener = watcher._listeners[account.id]
        listener.join(10)
        assert not listener.is_alive() and pace.row(account).way == "poll"
        watcher.look()
        assert watcher._listeners == {account.id: listener}      # and it is not asked again and again
        watcher.close()


def test_a_broken_line_is_mended_and_what_came_meanwhile_is_fetched(ann: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RECONNECT", 0.2)
    with Dovecot({"u": "secret"}) as server:
        where = {"host": "127.0.0.1", "port": server.port, "security": "none", "username": "u", "password": "secret"}
        account = accounts.create(ann, {"address": "ann@home.example", "imap": where, "background": True})
        watcher = watch.Watcher()
        watcher.look()
        rows = ann.select(Job).where(Job.subject == account.id)
        until(lambda: rows.count() == 1)
        jobs.cancel(ann, rows.get().id)
        watcher._listeners[account.id]._box.abort()      # type: ignore[union-attr]
        until(lambda: rows.count() == 2)
        watcher.close()
    assert ann.get(Account, account.id).error is None
    assert {(row.purpose, row.refused) for row in ann.select(Egress)} == {("imap", False)} and ann.select(Egress).count() == 2


def test_stopping_frees_every_mailbox_within_seconds(ann: Scope, dovecot: Dovecot) -> None:
    boxes = [Box(ann, dovecot) for _ in range(20)]
    stop, watcher = threading.Event(), watch.Watcher()
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    until(lambda: all(box.listened_to() for box in boxes), 30)
    assert queue.seen(queue.WATCHER)
    began = time.monotonic()
    stop.set()
    thread.join(10)
    assert time.monotonic() - began < 3
    assert everyone.select(Watch).where(Watch.holder.is_null(False)).count() == 0


@pytest.mark.slow
def test_new_mail_is_rated_and_visible_within_three_seconds(dovecot: Dovecot) -> None:
    """With everything as `run` starts it; the owner never signed in."""
    with Product() as product:
        product.add_user()
        user = dovecot.add_user()
        account = product.add_account(dovecot.port, user, dovecot.password(user))
        supervisor = product.start("run")
        product.api("PATCH", f"/api/accounts/{account}", {"background": True})
        status = f"/api/accounts/{account}/status"
        until(lambda: product.get(status)["listening"] == "idle" and product.get(status)["synced_at"], 20)
        took = []
        for number in range(3):
            dovecot.append("INBOX", raw(f"Mail {number}", id=f"{number}@x"), user=user)
            began = time.monotonic()
            until(lambda: product.get("/api/emails?limit=1")["total"] > number, 10)      # noqa: B023
            took.append(time.monotonic() - began)
            assert product.get("/api/emails?limit=1")["items"][0]["triage"]["rated_by"] == "builtin"
        assert max(took) < 3, took
        assert product.get("/readyz")["watcher"] == "ok"
        programs = children(supervisor.pid)
        watching = next(pid for pid in programs if b"\0watch\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(watching, signal.SIGKILL)
        until(lambda: len(children(supervisor.pid)) == len(programs) and watching not in children(supervisor.pid), 10)
        dovecot.append("INBOX", raw("Mail 3", id="3@x"), user=user)
        until(lambda: product.get("/api/emails?limit=1")["total"] == 4, 15)     # the next watcher sees that the lease's holder is gone
        product.stop("run")
        log = product.log.read_text()
        assert "Traceback" not in log and user not in log
