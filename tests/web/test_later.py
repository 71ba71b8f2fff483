"""Putting mail off from page and API."""

import datetime as dt

from mailhelper.db import now
from mailhelper.models import Mail, Snooze
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import fill


def test_put_off_and_back_by_plain_forms(ann: Scope) -> None:
    id, client = fill(ann).id, Client(ann)
    assert 'value="tomorrow"' in client("GET", f"/email/{id}").text
    assert client("POST", f"/email/{id}/snooze", form={"when": "tomorrow"}).headers["location"] == "/inbox"
    shown = client("GET", "/inbox").text
    assert "Put off. You find it" in shown and f"/email/{id}/unsnooze" in shown and f'href="/email/{id}"' not in shown
    assert "Contract" in client("GET", "/later").text and "Put off until" in client("GET", f"/email/{id}").text
    assert client("POST", f"/email/{id}/unsnooze", form={}).status == 303
    assert f'href="/email/{id}"' in client("GET", "/inbox").text and "Nothing is put off" in client("GET", "/later").text


def test_a_time_of_ones_own_or_an_answer(ann: Scope) -> None:
    ann.user.timezone = "UTC"
    id, client = fill(ann).id, Client(ann)
    at = (now() + dt.timedelta(days=3)).replace(second=0, microsecond=0)
    client("POST", f"/email/{id}/snooze", form={"when": "at", "at": at.isoformat(timespec="minutes"), "answer": "1"})
    row = ann.select(Snooze).get()
    assert (row.until, row.answer) == (at, True) and "Waiting for an answer" in client("GET", "/later").text
    for wrong in ({"when": "at", "at": "never"}, {"when": "at", "at": ""}, {"when": "then"}, {"when": "at", "at": "2001-01-01T00:00"}):
        assert client("POST", f"/email/{id}/snooze", form=wrong).status == 400


def test_the_same_by_script(ann: Scope) -> None:
    id, client = fill(ann).id, Client(ann)
    answer = client("POST", f"/api/emails/{id}/snooze", json={"until": "2030-01-01T00:00:00Z"}).json
    assert answer["snooze"] == {"until": "2030-01-01T00:00:00.000Z", "answer": False, "due": False, "answered": False}
    assert client("GET", "/api/emails").json["total"] == 0 and client("GET", "/api/later").json["items"][0]["id"] == id
    for wrong in ({}, {"until": 5}, {"until": "x"}, {"answer": 1}, {"until": "2001-01-01"}, {"when": "tomorrow"}):
        assert client("POST", f"/api/emails/{id}/snooze", json=wrong).status == 400
    client("DELETE", f"/api/emails/{id}/snooze")
    assert ann.select(Snooze).count() == 0 and ann.select(Mail).count() == client("GET", "/api/emails").json["total"]


def test_what_has_come_back_is_counted_beside_every_page(ann: Scope) -> None:
    id, client = fill(ann).id, Client(ann)
    client("POST", f"/api/emails/{id}/snooze", json={"answer": True})
    ann.update(Snooze, until=now(), answered=True).execute()
    client.cookies["changed"] = "1"
    assert "Later (1)" in client("GET", "/inbox").text
    assert "Back now" in client("GET", "/later").text and "An answer came." in client("GET", "/later").text
