"""Sending: one mail, or an honest word that nobody knows; never two."""

import email
import email.policy
from typing import Any

import pytest

from mailhelper import accounts, compose, drafts, enclosures, journal, outbox, runner, smtp
from mailhelper.db import now
from mailhelper.egress import Policy
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.imap import Server
from mailhelper.models import Account, Act, Draft, Egress, Job, Mail, Outgoing
from mailhelper.scope import Scope
from tests.servers.sink import BURIED, DEATHS, PASSWORD, UNCLEAR, USER, Mortal, Sink
from tests.world import account, folder, keep, raw


def mailbox(scope: Scope, port: int, **more: Any) -> Account:
    """A mailbox that sends by the server at this port; nobody answers where its mail would be fetched."""
    row = account(scope)
    server = {"host": "127.0.0.1", "port": port, "security": "none", "username": USER, "password": PASSWORD, "fingerprint": "", **more}
    with scope:
        scope.update(Account, smtp=server).where(Account.id == row.id).execute()
        return scope.get(Account, row.id)


def letter(scope: Scope, box: Account, *to: str, subject: str = "Grüße", text: str = "Hallo,\n.Punkt\nbis bald") -> Draft:
    draft = compose.blank(scope, box.id)
    drafts.change(scope, draft.id, {"to": [{"name": "Miriam", "address": one} for one in to or ("miriam@work.example", "bob@work.example")],
                                    "subject": subject, "text": text})
    return scope.get(Draft, draft.id)


def work(scope: Scope, times: int = 4) -> None:
    """Let the job try as often as it wants to, at most `times`."""
    for _ in range(times):
        job = scope.select(Job).where(Job.kind == "send_mail").order_by(Job.id.desc()).get()
        if job.state in ("completed", "failed", "cancelled"):
            return
        scope.update(Job, due=now()).where(Job.id == job.id).execute()
        runner.run(job.id)


def state(scope: Scope) -> str:
    return str(scope.select(Outgoing).order_by(Outgoing.id.desc()).get().state)


# ── one mail or unknown, never two ──

@pytest.mark.parametrize("death", DEATHS)
def test_a_server_that_dies_gets_the_mail_once_or_nobody_knows(ann: Scope, death: str) -> None:
    with Mortal(death) as server:
        draft = letter(ann, mailbox(ann, server.port))
        outbox.send(ann, draft.id)
        work(ann)
        if death in UNCLEAR:
            assert state(ann) == "unknown" and server.conversations == 1 and len(server.taken) == (death in ("end, taken", "end, half an answer"))
            assert ann.select(Job).where(Job.kind == "send_mail").get().error == "send_unclear"
            assert ann.get(Draft, draft.id).state == "sending", "kept, and not sent again by itself"
        elif death in BURIED:
            assert (state(ann), len(server.taken)) in (("unknown", 0), ("sent", 1))
        else:
            assert state(ann) == "sent" and len(server.taken) == 1
        work(ann)
        assert len(server.taken) <= 1


def test_a_worker_that_dies_in_the_end_leaves_it_unknown(ann: Scope) -> None:
    with Mortal() as server:
        outbox.send(ann, letter(ann, mailbox(ann, server.port)).id)
        ann.update(Outgoing, state="handing").execute()
        work(ann)
        assert state(ann) == "unknown" and server.taken == []


def test_a_worker_that_dies_before_the_end_sends_it_in_the_next_run(ann: Scope) -> None:
    with Mortal() as server:
        outbox.send(ann, letter(ann, mailbox(ann, server.port)).id)
        ann.update(Outgoing, state="sending").execute()
        work(ann)
        assert state(ann) == "sent" and len(server.taken) == 1


def test_its_owner_settles_what_nobody_knows(ann: Scope) -> None:
    with Mortal("end, taken") as server:
        draft = letter(ann, mailbox(ann, server.port))
        row = outbox.send(ann, draft.id)
        work(ann)
        assert outbox.open_ones(ann) == 1
        outbox.settle(ann, row.id, False)
        assert (state(ann), ann.get(Draft, draft.id).state, outbox.open_ones(ann)) == ("failed", "draft", 0)
        with pytest.raises(Conflict):
            outbox.settle(ann, row.id, True)
        outbox.send(ann, draft.id)
        work(ann)
        assert state(ann) == "sent" and len(server.taken) == 2, "because a person said so"


# ── what is sent ──

def test_what_arrives_is_what_was_written(ann: Scope) -> None:
    with Sink() as sink:
        box = mailbox(ann, sink.port)
        draft = letter(ann, box, "miriam@bücher.example", text="Hallo,\n" + "wort " * 40 + "\n.Punkt\n> zitiert\n\n-- \nAnn")
        enclosures.add(ann, draft.id, "../Prüf\nung.pdf", "application/pdf", [b"%PDF", b"x" * 300_000])
        outbox.send(ann, draft.id)
        work(ann)
    [taken] = sink.taken
    mail = email.message_from_bytes(taken.raw, policy=email.policy.default)
    assert (taken.sender, taken.recipients) == ("ann@home.example", ["miriam@xn--bcher-kva.example"])
    assert (mail["subject"], mail["from"], mail["to"]) == ("Grüße", "Home <ann@home.example>", "Miriam <miriam@xn--bcher-kva.example>")
    assert mail["message-id"].endswith("@home.example>") and mail["date"] and "bcc" not in mail
    body = mail.get_body()
    assert body and body.get_content_type() == "text/plain" and body.get_param("format") == "flowed"
    assert body.get_content().replace("\r\n", "\n").replace(" \n", " ") == "Hallo,\n" + ("wort " * 40).rstrip() + "\n.Punkt\n> zitiert\n\n-- Ann\n"
    [file] = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("Prüf_ung.pdf", b"%PDF" + b"x" * 300_000)
    assert max(map(len, taken.raw.split(b"\r\n"))) < 998 and taken.raw.isascii()


def test_hidden_receivers_get_it_and_stay_hidden(ann: Scope) -> None:
    with Sink() as sink:
        draft = letter(ann, mailbox(ann, sink.port), "miriam@work.example")
        drafts.change(ann, draft.id, {"bcc": [{"name": "", "address": "secret@work.example"}]})
        outbox.send(ann, draft.id)
        work(ann)
    assert sink.taken[0].recipients == ["miriam@work.example", "secret@work.example"] and b"secret" not in sink.taken[0].raw


def test_an_answer_stays_in_its_thread_and_marks_what_it_answers(ann: Scope) -> None:
    with Sink() as sink:
        box = mailbox(ann, sink.port)
        [mail] = keep(ann, folder(ann, box), raw("Contract", id="two@x", References="<zero@x> <one@x>", Cc="Carl <carl@x.example>, ann@home.example"))
        draft = compose.answer(ann, mail.id, "all", "en")
        assert draft.people == {"to": [["Miriam Keller", "miriam@work.example"]], "cc": [["Carl", "carl@x.example"]], "bcc": []}      # type: ignore[comparison-overlap]
        assert "> Dear Ann, could you sign" in str(draft.text) and "Miriam Keller wrote:" in str(draft.text)
        outbox.send(ann, draft.id)
        work(ann)
        sent = email.message_from_bytes(sink.taken[0].raw, policy=email.policy.default)
        assert (sent["in-reply-to"], sent["references"], sent["subject"]) == ("<two@x>", "<zero@x> <one@x> <two@x>", "Re: Contract")
        assert ann.get(Mail, mail.id).answered
        assert {(line.what, line.state) for line in ann.select(Act)} == {("sent", "done"), ("answered", "pending")}
        with pytest.raises(Conflict, match="sent_already"):
            journal.take_back(ann, ann.select(Act).where(Act.what == "sent").get())


def test_a_mail_passed_on_takes_its_files_along(ann: Scope) -> None:
    box = mailbox(ann, 1)
    text = ("--b\r\nContent-Type: text/plain\r\n\r\nSee file\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
            "Content-Disposition: attachment\r\n\r\nPDF\r\n--b--")
    [mail] = keep(ann, folder(ann, box), raw(text=text, Content_Type="multipart/mixed; boundary=b"))
    draft = compose.answer(ann, mail.id, "forward", "de")
    assert str(draft.subject) == "Fwd: Contract" and "Weitergeleitete Nachricht" in str(draft.text) and draft.people["to"] == []
    assert [file["filename"] for file in enclosures.listed(ann, draft.id)] == ["a.pdf"]
    assert b"".join(enclosures.files(ann, draft.id)[0].read()).strip() == b"PDF"


# ── refusals ──

def test_undone_within_its_time_nothing_is_sent(ann: Scope) -> None:
    with Sink() as sink:
        draft = letter(ann, mailbox(ann, sink.port))
        row = outbox.send(ann, draft.id)
        with pytest.raises(Conflict, match="draft_sending"):
            outbox.send(ann, draft.id)
        with pytest.raises(Conflict, match="draft_sending"):
            drafts.change(ann, draft.id, {"text": "other"})
        assert ann.select(Job).get().due > now(), "not at once"
        outbox.undo(ann, row.id)
        work(ann)
        assert sink.taken == [] and (state(ann), ann.get(Draft, draft.id).state, ann.select(Job).get().state) == ("undone", "draft", "cancelled")
        with pytest.raises(Conflict, match="sent_already"):
            outbox.undo(ann, row.id)


@pytest.mark.parametrize(("change", "error"), [
    ({"password": "wrong"}, "login_failed"), ({"security": "starttls"}, "starttls_missing"), ({"security": "tls"}, "tls_failed"),
    ({"port": 1}, "connection_refused"),
])
def test_a_failure_keeps_the_draft_and_says_why(ann: Scope, change: dict[str, Any], error: str) -> None:
    with Sink() as sink:
        draft = letter(ann, mailbox(ann, **{"port": sink.port, **change}))
        outbox.send(ann, draft.id)
        work(ann, 9)
        row = ann.select(Outgoing).get()
        assert (row.state, row.error, ann.get(Draft, draft.id).state, sink.taken) == ("failed", error, "draft", [])
        assert sink.tries <= 1, "a wrong password is tried once"


def test_a_refused_receiver_means_that_nobody_gets_it(ann: Scope) -> None:
    with Sink(refuse=("bob@work.example",)) as sink:
        outbox.send(ann, letter(ann, mailbox(ann, sink.port)).id)
        work(ann)
        row = ann.select(Outgoing).get()
        assert (row.state, row.error, row.error_params["who"], sink.taken) == ("failed", "recipient_refused", "bob@work.example", [])


def test_too_large_for_the_server_is_said_before_it_is_sent(ann: Scope) -> None:
    with Sink(limit=1000) as sink:
        outbox.send(ann, letter(ann, mailbox(ann, sink.port), text="x" * 2000).id)
        work(ann)
        assert ann.select(Outgoing).get().error == "message_too_large" and sink.taken == []


def test_what_cannot_be_sent_at_all_is_said_at_the_click(ann: Scope, bob: Scope) -> None:
    box = mailbox(ann, 1)
    with pytest.raises(Invalid) as wrong:
        outbox.send(ann, compose.blank(ann, box.id).id)
    assert wrong.value.fields.keys() == {"to"}
    with pytest.raises(Invalid, match="address_not_sendable"):
        outbox.send(ann, letter(ann, box, "grüße@work.example").id)
    with pytest.raises(NotFound):
        outbox.send(bob, letter(ann, box).id)
    with ann:
        ann.update(Account, smtp=None).execute()
    with pytest.raises(Conflict, match="no_smtp"):
        outbox.send(ann, letter(ann, box).id)
    assert ann.select(Outgoing).count() == 0


def test_the_connection_is_in_the_ledger(ann: Scope) -> None:
    with Sink() as sink:
        outbox.send(ann, letter(ann, mailbox(ann, sink.port)).id)
        work(ann)
    assert "smtp" in {row.purpose for row in ann.select(Egress)}
    assert Policy(private=True).refuses_name("x", "smtp") == ""


def test_testing_sends_nothing_and_says_what_is_wrong(ann: Scope) -> None:
    with Sink() as sink:
        box = mailbox(ann, sink.port)
        assert accounts.test_sending(ann, None, box.id).ok and sink.taken == []
        wrong = accounts.test_sending(ann, {"host": "127.0.0.1", "port": sink.port, "security": "none", "username": USER, "password": "no"}, box.id)
        assert (wrong.ok, wrong.code) == (False, "login_failed")
    assert smtp.probe(Server("127.0.0.1", 1, "none", "a", "b"), accounts.door(ann)).code == "connection_refused"


def test_files_of_a_draft_have_a_limit(ann: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enclosures, "MOST", 1000)
    draft = compose.blank(ann, mailbox(ann, 1).id)
    enclosures.add(ann, draft.id, "a", "text/plain", [b"x" * 900])
    with pytest.raises(Exception, match="files_too_large"):
        enclosures.add(ann, draft.id, "b", "text/plain", [b"x" * 200])
    assert [file["size"] for file in enclosures.listed(ann, draft.id)] == [900]
