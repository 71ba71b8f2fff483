"""Sync over a line that breaks all the time, while another program changes the mailbox: at the end both sides have the same.

FAULT_MAILS, FAULT_COUNT and FAULT_SEED in the environment give a larger dose: FAULT_MAILS=20000 FAULT_COUNT=300.
"""

import hashlib
import imaplib
import os
import random
import threading
import time
from typing import Any

import pytest

from mailhelper import accounts, imap, runner
from mailhelper.db import now
from mailhelper.models import Folder, Job, Mail, Raw
from mailhelper.scope import Scope
from tests import corpus
from tests.servers import dovecot as dovecots
from tests.servers.box import Box
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import Proxy
from tests.world import raw

MAILS, FAULTS = int(os.environ.get("FAULT_MAILS", "300")), int(os.environ.get("FAULT_COUNT", "25"))
SEED = int(os.environ.get("FAULT_SEED", "5"))
PATIENCE = 1.0      # seconds that the client waits for a byte; a stall is longer
FOLDERS = ("INBOX", "Work", "Work.Deep", "Büro & Co", "Lists")
EXPECTED = {None, "connection_lost", "connection_refused", "timed_out", "protocol_error", "server_busy", "not_imap", "command_refused",
            "login_failed"}

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here"),
              pytest.mark.parametrize("db", ["sqlite"], indirect=True)]


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot) -> Box:
    box = Box(ann, dovecot)
    mails = [mail.raw for mail in corpus.many(MAILS)] if corpus.available() else [raw(f"Mail {n}", id=f"{n}@x") for n in range(MAILS)]
    for number, folder in enumerate(FOLDERS):
        dovecot.deliver(mails[number::len(FOLDERS)], folder, box.user)
    return box


class Other:
    """Another mail program, which flags, moves, copies, deletes and adds mails at random until it is stopped."""

    def __init__(self, box: Box, seed: int) -> None:
        self.box, self.random, self.done = box, random.Random(seed), 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self) -> "Other":
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def work(self) -> None:
        with self.box.server.session(self.box.user) as session:
            while not self.over.wait(0.02):
                self.act(session)
                self.done += 1

    def act(self, session: imaplib.IMAP4) -> None:
        session.select(wire(self.random.choice(FOLDERS)))
        uids = session.uid("SEARCH", "ALL")[1][0].split()
        some = b",".join(self.random.sample(uids, min(len(uids), self.random.randint(1, 5)))).decode()
        target = wire(self.random.choice(FOLDERS))
        what = self.random.choice(("flag", "unflag", "keyword", "move", "copy", "delete", "append"))
        if what == "append":
            number = self.random.randrange(10**9)
            session.append(target, "", None, raw(f"Mail {number}", id=f"{number}@x"))      # type: ignore[arg-type]
        elif some:
            commands = {"flag": ("STORE", "+FLAGS", "(\\Seen \\Flagged)"), "unflag": ("STORE", "-FLAGS", "(\\Seen)"),
                        "keyword": ("STORE", "+FLAGS", "($Later)"), "move": ("MOVE", target), "copy": ("COPY", target),
                        "delete": ("STORE", "+FLAGS", "(\\Deleted)")}
            verb, *arguments = commands[what]
            session.uid(verb, some, *arguments)
            if what == "delete":
                session.uid("EXPUNGE", some)


def wire(folder: str) -> str:
    return '"' + dovecots.utf7(folder).decode() + '"'


def run(box: Box, outcomes: list[Any]) -> str:
    """One job to its end, without waiting between its tries."""
    job = box.start()
    while True:
        runner.run(job.id)
        row = box.scope.get(Job, job.id)
        outcomes.append(row.error)
        if row.state != "retrying":
            return str(row.state)
        box.scope.update(Job, due=now()).where(Job.id == job.id).execute()


def here(box: Box) -> dict[tuple[str, int], Any]:
    names = {row.id: row.name for row in box.scope.select(Folder)}
    digests = {row.mail_id: digest(row.data) for row in box.scope.select(Raw)}
    return {(names[mail.folder_id], mail.uid): (mail.seen, mail.flagged, tuple(mail.keywords or ()), digests[mail.id])
            for mail in box.scope.select(Mail)}


def there(box: Box) -> dict[tuple[str, int], Any]:
    found = {}
    with imap.open(box.imap, box.door, 20) as mailbox:
        for folder in mailbox.folders():
            mailbox.examine(folder.name)
            uids = mailbox.uids()
            for at in range(0, len(uids), 100):
                for mail in mailbox.fetch(uids[at:at + 100]):
                    keywords = tuple(sorted(flag for flag in mail.flags if not flag.startswith("\\")))
                    found[folder.name, mail.uid] = "\\Seen" in mail.flags, "\\Flagged" in mail.flags, keywords, digest(mail.raw)
    return found


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_both_sides_are_equal_after_any_number_of_faults(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "SILENCE", PATIENCE)
    size = sum(path.stat().st_size for path in box.server.maildir(user=box.user).rglob("*,S=*"))
    outcomes: list[Any] = []
    began, end = time.monotonic(), time.monotonic() + 60 + MAILS / 10
    with Proxy(box.server.port, SEED, every=max(2_000, size // FAULTS), stall=PATIENCE + 0.5) as proxy:
        accounts.change(box.scope, box.account.id, {"imap": {"port": proxy.port}})
        with Other(box, SEED) as other:
            while proxy.faults.total() < FAULTS:
                assert time.monotonic() < end, (proxy.faults, outcomes)
                run(box, outcomes)
                if outcomes[-1] is None:
                    proxy.every = max(300, proxy.every // 2)        # little is left to transfer
                if outcomes[-1] == "login_failed":      # a refusal that the proxy made up; a person would try again
                    accounts.change(box.scope, box.account.id, {"imap": {"password": box.server.password(box.user)}})
        proxy.every = 0
        assert run(box, outcomes) == "completed"
        assert run(box, outcomes) == "completed"
        assert here(box) == there(box)
        assert box.counts() == (0, 0, 0, 0)
        print(f"\n{sum(proxy.faults.values())} faults {dict(proxy.faults)}, {proxy.connections} connections, {other.done} acts of another "
              f"program, {len(outcomes)} tries, {time.monotonic() - began:.0f} s")
    assert set(outcomes) <= EXPECTED
