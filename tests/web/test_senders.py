"""Senders and trust in the browser and by script."""

from html import unescape

import pytest

from mailhelper import habits, trusted
from mailhelper.models import Job, Mail, Sender, Trusted
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import fill

SAID = {"urgency": "3", "importance": "3", "category": "urgent", "kind": "person"}


@pytest.fixture
def mail(ann: Scope) -> Mail:
    return fill(ann)


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


@pytest.fixture
def sender(ann: Scope, mail: Mail) -> int:
    return int(ann.select(Sender, Sender.id).scalar())


def test_the_list_shows_who_writes_and_what_is_learned(ann: Scope, client: Client, sender: int) -> None:
    assert "miriam@work.example" in client("GET", "/senders").text and "nothing learned" in client("GET", "/senders").text
    assert "Nobody here" in client("GET", "/senders?learned=1").text
    habits.say(ann, sender, {"urgency": 3})
    shown = client("GET", "/senders?learned=1&q=MIRIAM").text
    assert "70 %" in shown and "not applied yet" in shown
    assert "Nobody here" in client("GET", "/senders?q=nobody").text


def test_a_sender_is_shown_with_their_mails_said_and_forgotten(ann: Scope, client: Client, mail: Mail, sender: int) -> None:
    url = f"/senders/{sender}"
    shown = client("GET", url).text
    assert f"/email/{mail.id}" in shown and "Nothing is learned yet." in shown
    assert client("POST", url, form=SAID).headers["location"] == url
    assert "70 % sure" in unescape(client("GET", url).text)
    wrong = client("POST", url, form={**SAID, "kind": "friend"})
    assert wrong.status == 400 and "person, newsletter" in wrong.text
    client("POST", f"{url}/forget")
    assert "Nothing is learned yet." in client("GET", url).text


def test_the_mails_of_a_sender_are_a_filter(client: Client, mail: Mail, sender: int) -> None:
    assert client("GET", f"/api/emails?sender={sender}").json["total"] == 1
    assert "From: miriam@work.example" in client("GET", f"/inbox?sender={sender}").text
    assert client("GET", "/api/emails?sender=999").status == 404


def test_trust_is_given_and_taken_by_forms(ann: Scope, client: Client, sender: int) -> None:
    page = f"/senders/{sender}"
    assert client("POST", "/trusted-senders", form={"entry": "@work.example", "next": page}).headers["location"] == page
    assert "You trust this sender." in client("GET", page).text
    again = client("POST", "/trusted-senders", form={"entry": "@work.example"})
    assert again.status == 409 and "You trust that already." in again.text
    assert client("POST", "/trusted-senders", form={"entry": "nonsense"}).status == 400
    client("POST", f"/trusted-senders/{ann.select(Trusted, Trusted.id).scalar()}/delete")
    assert "Nobody yet" in client("GET", "/trusted-senders").text


def test_senders_by_script(ann: Scope, client: Client, sender: int) -> None:
    url = f"/api/senders/{sender}"
    assert client("GET", "/api/senders").json["items"][0]["pattern"] is None
    changed = client("PATCH", url, json={"urgency": 3}).json["pattern"]
    assert (changed["urgency"], changed["confidence"], changed["corrected"], changed["applied"]) == (3, 70, 1, False)
    assert client("PATCH", url, json={"urgency": 4}).json["fields"].keys() == {"urgency"}
    assert client("PATCH", url, json={}).status == 400 and client("PATCH", url, json={"urgency": True}).status == 400
    assert client("GET", "/api/senders/statistics").json["corrected"] == 1
    assert client("DELETE", url).json["pattern"] is None
    queued = client("POST", "/api/senders/scan", json={})
    assert queued.status == 202 and ann.get(Job, queued.json["task_id"]).kind == "scan_sender_patterns"
    assert client("POST", "/api/senders/scan", json={}).status == 409


def test_trust_by_script(ann: Scope, client: Client, mail: Mail) -> None:
    made = client("POST", "/api/trusted-senders", json={"entry": "Work.Example", "account_id": mail.account_id})
    assert made.status == 201 and made.json["entry"] == "work.example" and made.json["account_id"] == mail.account_id
    assert client("GET", "/api/trusted-senders").json["total"] == 1
    assert client("POST", "/api/trusted-senders", json={"entry": "work.example", "account_id": 999}).status == 404
    assert client("DELETE", f"/api/trusted-senders?id={made.json['id']}").json == {"deleted": True}
    assert client("DELETE", "/api/trusted-senders?id=7").status == 404
    assert trusted.listed(ann) == []


def test_a_correction_by_script_is_learned_by_a_job(ann: Scope, client: Client, mail: Mail) -> None:
    client("POST", f"/api/emails/{mail.id}/correct", json={"urgency": 3})
    assert ann.select(Job).where(Job.kind == "update_pattern_from_correction", Job.subject == mail.id).count() == 1
    assert client("POST", f"/api/emails/{mail.id}/correct", json={"urgency": 1}).status == 200, "while that job is under way"
