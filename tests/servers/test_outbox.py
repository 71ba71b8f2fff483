"""Sending beside a real mailbox: the copy in Sent is there once, and what was answered is marked, as a third program sees it."""

import email
import email.policy
from typing import Any

import pytest

from mailhelper import accounts, compose, drafts, enclosures, outbox, runner
from mailhelper.db import now
from mailhelper.models import Account, Draft, Job, Outgoing
from mailhelper.scope import Scope
from tests.servers import dovecot as dovecots
from tests.servers.dovecot import Dovecot
from tests.servers.sink import PASSWORD, USER, Mortal, Sink
from tests.servers.test_sync import Box

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]


def sends_by(box: Box, port: int) -> None:
    server = {"host": "127.0.0.1", "port": port, "security": "none", "username": USER, "password": PASSWORD}
    accounts.change(box.scope, box.account.id, {"smtp": server})


def answered(box: Box) -> Draft:
    """An answer to the one mail of the inbox, ready to go."""
    box.deliver(1)
    box.sync()
    draft = compose.answer(box.scope, box.id(1), "reply", "en")
    drafts.change(box.scope, draft.id, {"text": "Yes.\n.dot\n" + "long words " * 30})
    return draft


def work(scope: Scope) -> Outgoing:
    for _ in range(3):
        job = scope.select(Job).where(Job.kind == "send_mail").order_by(Job.id.desc()).get()
        scope.update(Job, due=now()).where(Job.id == job.id).execute()
        runner.run(job.id)
    return scope.select(Outgoing).get()     # type: ignore[no-any-return]


def sent(box: Box, folder: str = "Sent") -> list[tuple[bytes, Any]]:
    """(flags, mail) of each mail in Sent as another program sees it."""
    with box.server.session(box.user) as session:
        if session.select(folder, readonly=True)[0] != "OK":
            return []
        answers = session.fetch("1:*", "(FLAGS BODY.PEEK[])")[1] if session.untagged_responses.get("EXISTS") != [b"0"] else []
    return [(one[0], email.message_from_bytes(one[1], policy=email.policy.default)) for one in answers if isinstance(one, tuple)]


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot) -> Box:
    return Box(ann, dovecot)


def test_the_copy_is_in_sent_once_and_is_what_was_sent(ann: Scope, box: Box) -> None:
    with Sink() as sink:
        sends_by(box, sink.port)
        draft = answered(box)
        enclosures.add(ann, draft.id, "big.bin", "application/octet-stream", [bytes(range(256)) * 4000])
        outbox.send(ann, draft.id)
        row = work(ann)
        for job in ann.select(Job).where(Job.kind == "apply_acts"):
            runner.run(job.id)
    assert (row.state, row.copy, ann.select(Draft).count(), len(sink.taken)) == ("sent", "filed", 0, 1)
    [(flags, mail)] = sent(box)
    assert b"\\Seen" in flags and mail.as_bytes() == email.message_from_bytes(sink.taken[0].raw, policy=email.policy.default).as_bytes()
    assert (mail["in-reply-to"], mail["references"]) == ("<1@x>", "<1@x>")
    with box.server.session(box.user) as session:
        session.select("INBOX", readonly=True)
        assert session.search(None, "ANSWERED")[1] == [b"1"]
    runner.run(ann.select(Job).where(Job.kind == "sync_user_emails").order_by(Job.id.desc()).get().id)      # which the sending asked for
    assert {row["thread_id"] for row in box.rows()} == {box.rows()[0]["thread_id"]}, "the answer is in the thread of what it answers"


def test_a_server_that_files_it_itself_gets_no_second_copy(ann: Scope, box: Box) -> None:
    with Sink() as sink:
        sends_by(box, sink.port)
        outbox.send(ann, answered(box).id)
        row = ann.select(Outgoing).get()
        box.server.append("Sent", f"Message-ID: <{row.detail['message_id']}>\r\nSubject: x\r\n\r\nfiled by the server\r\n".encode(), user=box.user)
        assert work(ann).copy == "there" and len(sent(box)) == 1


def test_what_is_in_sent_was_taken_though_its_answer_got_lost(ann: Scope, box: Box) -> None:
    with Mortal("end, taken") as server:
        sends_by(box, server.port)
        outbox.send(ann, answered(box).id)
        row = ann.select(Outgoing).get()
        box.server.append("Sent", f"Message-ID: <{row.detail['message_id']}>\r\nSubject: x\r\n\r\nfiled by the server\r\n".encode(), user=box.user)
        row = work(ann)
        assert (row.state, len(server.taken), len(sent(box))) == ("sent", 1, 1)


def test_while_the_mailbox_is_away_the_mail_is_sent_and_the_copy_follows(ann: Scope, box: Box) -> None:
    with Sink() as sink:
        sends_by(box, sink.port)
        draft = answered(box)
        right: Any = ann.get(Account, box.account.id).imap
        ann.update(Account, imap={**right, "port": 1}).where(Account.id == box.account.id).execute()
        outbox.send(ann, draft.id)
        assert (work(ann).state, ann.select(Outgoing).get().copy, len(sink.taken)) == ("sent", None, 1)
        ann.update(Account, imap=right).where(Account.id == box.account.id).execute()
        assert (work(ann).copy, len(sink.taken), len(sent(box))) == ("filed", 1, 1)
