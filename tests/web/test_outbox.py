"""Writing and sending by plain forms."""

import re

from mailhelper.models import Account, Draft, Job, Outgoing
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import SERVER, fill, outgoing


def test_answer_write_send_undo(ann: Scope) -> None:
    mail, client = fill(ann), Client(ann)
    ann.update(Account, smtp=SERVER).execute()
    assert f'action="/email/{mail.id}/answer"' in client("GET", f"/email/{mail.id}").text
    editor = client("POST", f"/email/{mail.id}/answer", form={"how": "reply"}).headers["location"]
    shown = client("GET", editor).text
    assert "Miriam Keller wrote:" in shown and "miriam@work.example" in shown
    form = {"to": "Miriam <miriam@work.example>", "cc": "", "bcc": "", "subject": "Re: Contract", "text": "Yes."}
    assert client("POST", f"{editor}/send", form=form).headers["location"] == f"/email/{mail.id}"
    assert str(ann.select(Draft).get().text) == "Yes." and ann.select(Job).where(Job.kind == "send_mail").count() == 1
    undo = re.search(r"/outbox/\d+/undo", client("GET", f"/email/{mail.id}").text)
    assert undo and client("POST", undo[0], form={}).headers["location"] == editor
    assert ann.select(Outgoing).get().state == "undone" and "Not sent, as you asked" in client("GET", "/outbox").text


def test_what_is_wrong_is_shown_beside_what_was_typed(ann: Scope) -> None:
    fill(ann)
    ann.update(Account, smtp=SERVER).execute()
    client = Client(ann)
    editor = client("POST", "/compose", form={"to": "bob@x.example"}).headers["location"]
    for to, words in (("", "who is to get it"), ("grüße@x.example", "only plain letters")):
        answer = client("POST", f"{editor}/send", form={"to": to, "subject": "Hi", "text": "typed"})
        assert answer.status == 400 and words in answer.text and "typed" in answer.text
    assert ann.select(Outgoing).count() == 0


def test_what_nobody_knows_stands_on_every_page_and_asks(ann: Scope) -> None:
    fill(ann)
    row, client = outgoing(ann, "unknown"), Client(ann)
    ann.update(Draft, state="sending").execute()
    client.cookies["changed"] = "1"
    assert "it is not known whether it was sent" in client("GET", "/inbox").text
    assert client("POST", f"/outbox/{row.id}/settle", form={"sent": "0"}).headers["location"] == f"/drafts/{row.draft_id}"
    assert ann.select(Draft).get().state == "draft"


def test_the_server_that_sends_is_proposed_and_kept(ann: Scope) -> None:
    fill(ann)
    id, client = ann.select(Account, Account.id).scalar(), Client(ann)
    assert "smtp.home.example" in client("GET", f"/accounts/{id}/sending").text
    form = {"host": "smtp.home.example", "port": "465", "security": "tls", "username": "ann", "password": "pw", "act": "save"}
    assert client("POST", f"/accounts/{id}/sending", form=form).status == 303
    shown = client("GET", f"/api/accounts/{id}").json["smtp"]
    assert shown["host"] == "smtp.home.example" and "password" not in shown
    client("PATCH", f"/api/accounts/{id}", json={"signature": "Ann\nHome"})
    editor = client("POST", "/compose", form={}).headers["location"]
    assert "-- \nAnn\nHome" in client("GET", editor).text
    assert client("POST", f"/accounts/{id}/sending", form={**form, "host": ""}).status == 400


def test_a_file_is_enclosed_by_script_and_taken_out(ann: Scope) -> None:
    fill(ann)
    client = Client(ann)
    id = client("POST", "/api/drafts", json={}).json["id"]
    made = client("POST", f"/api/drafts/{id}/files?filename=a.txt", json=b"some bytes")
    assert made.status == 201 and made.json["size"] == 10
    assert "a.txt" in client("GET", f"/drafts/{id}").text
    client("POST", f"/enclosures/{made.json['id']}/delete", form={})
    assert client("GET", f"/api/drafts/{id}/files").json["items"] == []
