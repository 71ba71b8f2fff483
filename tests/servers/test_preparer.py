"""Preparing mails in a second process: the same outcome, whatever becomes of that process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mailhelper import preparer
from mailhelper.models import Mail, Rating, Sender
from mailhelper.preparer import Helper, Inline
from mailhelper.scope import Scope
from tests.servers import dovecot as dovecots
from tests.servers.box import Box
from tests.servers.dovecot import Dovecot

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot) -> Box:
    box = Box(ann, dovecot)
    box.deliver(*range(30), sender="Carl <carl@work.example>")
    box.deliver(*range(30, 60), folder="Sent", sender="Ann <ann@home.example>", to="dora@work.example")
    box.deliver(*range(60, 90), folder="Work", sender="Dora <dora@work.example>")
    return box


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> list[Helper]:
    """The helpers that are started, for however few mails."""
    started: list[Helper] = []
    begin = Helper.__init__

    def noted(self: Helper, *args: Any) -> None:
        begin(self, *args)
        started.append(self)

    monkeypatch.setattr(Helper, "__init__", noted)
    monkeypatch.setattr(preparer, "WORTH_IT", 1)
    monkeypatch.setattr("mailhelper.prefetch.FETCH", 10)
    monkeypatch.setattr("mailhelper.prefetch.BATCH", 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    return started


def stored(box: Box) -> tuple[Any, ...]:
    ratings = {(row.mail.head["subject"], row.urgency, row.importance, row.rated_by, row.detail["summary"]) for row in box.scope.select(Rating)}
    people = {(row.address, row.received, row.written) for row in box.scope.select(Sender)}
    return {(mail.head["subject"], mail.size, mail.score) for mail in box.scope.select(Mail)}, ratings, people


def test_a_second_process_leaves_the_same_behind_and_ends_with_the_sync(box: Box, helpers: list[Helper], monkeypatch: pytest.MonkeyPatch) -> None:
    assert box.counts() == (90, 0, 0, 0)
    [helper] = helpers
    assert helper._alive is False and helper._process.poll() == -signal.SIGKILL
    with_helper = stored(box)
    assert ("dora@work.example", 30, 30) in with_helper[2]
    box.scope.delete(Mail).execute()
    box.scope.delete(Sender).execute()
    box.filter(newest=1000)     # so that the folders are read in full again
    monkeypatch.setattr(preparer, "WORTH_IT", 1000)
    assert box.counts() == (90, 0, 0, 0)
    assert stored(box) == with_helper and len(helpers) == 1


def test_a_killed_helper_is_done_without(box: Box, helpers: list[Helper], monkeypatch: pytest.MonkeyPatch) -> None:
    answers, receive = [], Helper._receive

    def killed_meanwhile(self: Helper) -> Any:
        answers.append(len(answers))
        if len(answers) == 3:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        return receive(self)

    monkeypatch.setattr(Helper, "_receive", killed_meanwhile)
    assert box.counts() == (90, 0, 0, 0)
    assert len(answers) >= 3 and len(box.here()) == 90


def test_a_helper_that_cannot_begin_is_done_without(box: Box, helpers: list[Helper], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert box.counts() == (90, 0, 0, 0) and len(helpers) == 1


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_one_core_has_no_use_for_a_second_process(box: Box, helpers: list[Helper], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert box.counts() == (90, 0, 0, 0) and helpers == []
    with preparer.started(None, 10_000) as prepare:      # type: ignore[arg-type]
        assert type(prepare) is Inline


def test_a_helper_does_not_outlive_its_parent(tmp_path: Path) -> None:
    """The parent is killed; neither pipe nor signal can be sent by it any more."""
    told = tmp_path / "pid"
    script = f"""
import subprocess, sys, time
from multiprocessing import Pipe
orders, ours = Pipe(duplex=False)
theirs, answers = Pipe(duplex=False)
ends = orders.fileno(), answers.fileno()
child = subprocess.Popen([sys.executable, "-m", "mailhelper.preparer", *map(str, ends)], pass_fds=ends)
open({str(told)!r}, "w").write(str(child.pid) + "\\n")
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    end = time.monotonic() + 20
    while not (told.exists() and told.read_text().endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.02)
    child = int(told.read_text())
    parent.kill()
    parent.wait()
    while Path(f"/proc/{child}/stat").exists() and Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end, "the helper is still there"
        time.sleep(0.02)
