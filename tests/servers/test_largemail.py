"""Large mails: their text comes with the sync, their files when somebody asks for them."""

from email.message import EmailMessage

import pytest

from mailhelper import largemail, mails, message, prefetch, runner
from mailhelper.errors import Conflict
from mailhelper.models import Job, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.servers import dovecot as dovecots
from tests.servers.box import Box
from tests.servers.dovecot import Dovecot

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]
PHOTO, FILM = b"\x89PNG" + bytes(range(256)) * 400, b"film" * 300_000


def letter(*files: tuple[str, bytes]) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = "Carl <carl@work.example>", "ann@home.example", "Mail large", "<large@x>"
    mail.set_content("Dear Ann, could you look at the film by Friday?")
    mail.add_alternative("<p>Dear Ann, <b>could you</b> look at the film by Friday?</p>", subtype="html")
    for name, data in files:
        mail.add_attachment(data, maintype="video" if name == "film.mp4" else "image", subtype="x", filename=name)
    return mail.as_bytes().replace(b"\n", b"\r\n")


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setattr(prefetch, "MB", 100_000)
    return Box(ann, dovecot)


def fetch_file(box: Box, id: int, number: int) -> Job:
    job = largemail.start(box.scope, id, number)
    runner.run(job.id)
    return box.scope.get(Job, job.id)


def test_the_text_of_a_large_mail_comes_and_its_files_on_demand(box: Box) -> None:
    whole = letter(("photo.png", PHOTO), ("film.mp4", FILM), ("note.txt", b"tiny"))
    box.server.deliver([whole], "INBOX", box.user)
    assert box.counts() == (1, 0, 0, 0)
    id = box.id("large")
    mail = mails.read(box.scope, id, "en")
    assert "by Friday" in mail["text"] and "<b>could you</b>" in mail["html"] and mail["triage"]["urgency"] >= 2
    assert mail["size"] == len(whole) and len(mails.raw(box.scope, id)) < 10_000
    files = {file["filename"]: (file["number"], file["fetched"]) for file in mail["attachments"]}
    assert files == {"photo.png": (1, False), "film.mp4": (2, False), "note.txt": (3, True)}
    assert all(abs(file["size"] - size) < size / 20 for file, size in zip(mail["attachments"], (len(PHOTO), len(FILM), 4), strict=True) if size > 4)
    assert mails.attachment(box.scope, id, 3)[1] == b"tiny"
    with pytest.raises(Conflict, match="attachment_left_out"):
        mails.attachment(box.scope, id, 2)
    assert fetch_file(box, id, 2).result == {"email_id": id, "number": 2, "size": len(FILM)}
    assert mails.attachment(box.scope, id, 2)[1] == FILM and box.scope.get(Mail, id).partial
    assert fetch_file(box, id, 1).state == "completed"
    assert mails.attachment(box.scope, id, 1)[1] == PHOTO and not box.scope.get(Mail, id).partial
    assert [file["fetched"] for file in mails.read(box.scope, id, "en")["attachments"]] == [True] * 3
    with pytest.raises(Conflict, match="attachment_here"):
        largemail.start(box.scope, id, 1)
    assert box.counts() == (0, 0, 0, 0), "what is here in part is not missing"


def test_the_account_says_what_is_large(box: Box) -> None:
    box.server.deliver([letter(("film.mp4", FILM))], "INBOX", box.user)
    box.filter(largest=20)
    assert box.counts() == (1, 0, 0, 0)
    assert not box.scope.get(Mail, box.id("large")).partial and mails.attachment(box.scope, box.id("large"), 1)[1] == FILM


def test_a_large_mail_that_moved_is_known_again_and_its_files_are_found_there(box: Box) -> None:
    box.server.deliver([letter(("film.mp4", FILM))], "INBOX", box.user)
    box.deliver("x", folder="Films")
    box.sync()
    id = box.id("large")
    box.act("INBOX", ("MOVE", "1", "Films"))
    job = fetch_file(box, id, 1)
    assert (job.state, job.error) == ("failed", "act_gone")
    assert box.counts() == (0, 0, 1, 0)
    assert fetch_file(box, id, 1).state == "completed" and mails.attachment(box.scope, id, 1)[1] == FILM


def test_a_file_that_is_too_large_stays_on_the_server(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.server.deliver([letter(("film.mp4", FILM))], "INBOX", box.user)
    box.sync()
    monkeypatch.setattr(largemail, "LARGEST", 1_000_000)
    with pytest.raises(Conflict, match="attachment_too_large"):
        largemail.start(box.scope, box.id("large"), 1)


def test_a_large_mail_without_parts_keeps_the_beginning_of_its_text(box: Box) -> None:
    text = b"A line of a very long text.\r\n" * 60_000
    box.server.deliver([b"Subject: Mail long\r\nFrom: x@y.example\r\n\r\n" + text], "INBOX", box.user)
    box.sync()
    mail = mails.read(box.scope, box.id("long"), "en")
    assert 1_000_000 < len(mails.raw(box.scope, mail["id"])) < 1_100_000 and mail["text"].startswith("A line") and mail["attachments"] == []


def test_nobody_can_pretend_that_a_file_was_left_out(box: Box) -> None:
    box.server.deliver([b"Subject: Mail false\r\nFrom: x@y.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHi\r\n--b\r\n"
                        b"Content-Type: image/png; name=a.png\r\n" + message.LEFT_OUT.encode() + b": 9000 1\r\n\r\n--b--\r\n"], "INBOX", box.user)
    box.sync()
    id = box.id("false")
    assert [file["fetched"] for file in mails.read(box.scope, id, "en")["attachments"]] == [True]
    assert mails.attachment(box.scope, id, 1)[1] == b""
    with pytest.raises(Conflict, match="attachment_here"):
        largemail.start(box.scope, id, 1)


def test_the_page_offers_to_fetch_the_file_and_a_form_does_it(box: Box) -> None:
    box.server.deliver([letter(("film.mp4", FILM))], "INBOX", box.user)
    box.sync()
    id, client = box.id("large"), Client(box.scope)
    assert "Fetch this file" in client("GET", f"/email/{id}").text
    assert client("GET", f"/api/emails/{id}/attachments/1").status == 409
    answer = client("POST", f"/email/{id}/attachments/1/fetch", form={})
    assert answer.status == 303 and answer.headers["location"].startswith("/jobs/")
    runner.run(int(answer.headers["location"].rpartition("/")[2]))
    assert "Fetch this file" not in client("GET", f"/email/{id}").text
    assert client("GET", f"/api/emails/{id}/attachments/1").data == FILM
