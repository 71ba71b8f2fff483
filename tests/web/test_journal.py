"""Acting on mail from the browser and the API, and the page that tells of it."""

import re
from typing import Any

import pytest

from mailhelper.models import Account, Act, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import account, folder, keep, raw


@pytest.fixture
def ids(ann: Scope) -> list[int]:
    place = account(ann)
    folder(ann, place, "Trash", "trash"), folder(ann, place, "Work", "")
    return [mail.id for mail in keep(ann, folder(ann, place), *(raw(f"Mail {number}", id=f"{number}@x") for number in range(3)))]


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


@pytest.mark.parametrize(("path", "form", "words"), [
    ("read", {"read": "1"}, "Marked as read."), ("flag", {"flagged": "1"}, "Flagged."), ("trash", {}, "Put into the trash."),
])
def test_a_form_acts_says_so_and_offers_the_way_back(ann: Scope, client: Client, ids: list[int], path: str, form: dict[str, str], words: str) -> None:
    before = list(ann.select(Mail).order_by(Mail.id).dicts())
    answer = client("POST", f"/email/{ids[0]}/{path}", form={**form, "next": "/inbox"})
    assert (answer.status, answer.headers["location"]) == (303, "/inbox") and list(ann.select(Mail).order_by(Mail.id).dicts()) != before
    shown = client("GET", "/inbox").text
    assert words in shown
    undo = re.search(r"/journal/\d+/undo", shown)
    assert undo and client("POST", undo[0], form={"next": "/inbox"}).status == 303
    assert list(ann.select(Mail).order_by(Mail.id).dicts()) == before


def test_a_mail_put_into_the_trash_is_not_what_is_shown_next(client: Client, ids: list[int]) -> None:
    for form in ({}, {"next": f"/email/{ids[0]}"}):
        assert client("POST", f"/email/{ids[0]}/trash", form=form).headers["location"] == "/inbox"


def test_flags_by_script(ann: Scope, client: Client, ids: list[int]) -> None:
    answer = client("POST", f"/api/emails/{ids[0]}/flags", json={"read": True, "flagged": True, "done": True}).json
    mail = ann.get(Mail, ids[0])
    assert (mail.seen, mail.flagged, mail.done_at is not None) == (True, True, True)
    assert answer["flags"] == {"read": True, "flagged": True, "answered": False} and answer["done"] and len(answer["acts"]) == 2
    assert client("POST", f"/api/emails/{ids[0]}/flags", json={"read": True}).json["acts"] == [], "it is so already"


@pytest.mark.parametrize("body", [{"read": 1}, {"flagged": "yes"}, {"read": None}, {}, {"seen": True}])
def test_wrong_flags_are_named_and_change_nothing(ann: Scope, client: Client, ids: list[int], body: dict[str, Any]) -> None:
    answer = client("POST", f"/api/emails/{ids[0]}/flags", json=body)
    assert answer.status == 400 and answer.json["fields"].keys() == (body.keys() or {"read"})
    assert ann.select(Act).count() == 0


def test_move_by_name_and_by_id(ann: Scope, client: Client, ids: list[int]) -> None:
    listed = client("GET", f"/api/accounts/{ann.get(Mail, ids[0]).account_id}/folders").json["items"]
    work = next(one["id"] for one in listed if one["name"] == "Work")
    for id, to in ((ids[0], "Work"), (ids[1], work)):
        assert client("POST", f"/api/emails/{id}/move", json={"folder": to}).json["folder"] == "Work"
    for wrong in ("Nowhere", "", None, True, 1.5):
        answer = client("POST", f"/api/emails/{ids[2]}/move", json={"folder": wrong})
        assert answer.status == 400 and answer.json["fields"].keys() == {"folder"}
    assert client("POST", f"/api/emails/{ids[2]}/move", json={"folder": 999999}).status == 404


def test_without_a_trash_folder_a_plain_sentence(ann: Scope, client: Client) -> None:
    [mail] = keep(ann, folder(ann, account(ann)), raw())
    answer = client("POST", f"/api/emails/{mail.id}/trash", json={})
    assert (answer.status, answer.json["error"]) == (409, "no_trash") and "trash folder" in answer.json["message"]


@pytest.mark.parametrize(("body", "check"), [
    ({"action": "read"}, lambda row: row["flags"]["read"]), ({"action": "flag"}, lambda row: row["flags"]["flagged"]),
    ({"action": "flags", "read": True, "done": True}, lambda row: row["flags"]["read"] and row["done"]),
    ({"action": "move", "folder": "Work"}, lambda row: row["folder"] == "Work"), ({"action": "trash"}, lambda row: row["folder"] == "Trash"),
])
def test_bulk_has_a_result_for_each(client: Client, ids: list[int], body: dict[str, Any], check: Any) -> None:
    answer = client("POST", "/api/emails/bulk", json={"ids": [*ids, ids[0], 999999], **body})
    assert answer.status == 200
    good, bad = answer.json["items"][:3], answer.json["items"][3]
    assert [row["id"] for row in good] == ids and all(check(row) and row["error"] is None for row in good)
    assert bad["id"] == 999999 and bad["error"]["code"] == "not_found" and len(answer.json["items"]) == 4


def test_bulk_never_reaches_a_strangers_mail(ann: Scope, bob: Scope, ids: list[int]) -> None:
    before = list(ann.select(Mail).order_by(Mail.id).dicts())
    answer = Client(bob)("POST", "/api/emails/bulk", json={"ids": ids, "action": "trash"})
    assert {row["error"]["code"] for row in answer.json["items"]} == {"not_found"} and list(ann.select(Mail).order_by(Mail.id).dicts()) == before


@pytest.mark.parametrize(("body", "field"), [
    ({"ids": list(range(201)), "action": "read"}, "ids"), ({"ids": [], "action": "read"}, "ids"), ({"ids": ["1"], "action": "read"}, "ids"),
    ({"ids": 1, "action": "read"}, "ids"), ({"ids": [1], "action": "burn"}, "action"), ({"ids": [1]}, "action"),
    ({"ids": [1], "action": []}, "action"),
    ({"ids": [1], "action": "move"}, "folder"), ({"ids": [1], "action": "trash", "folder": "x"}, "folder"),
    ({"ids": [1], "action": "flags", "read": 1}, "read"), ({"ids": [1], "action": "read", "read": False}, "read"),
])
def test_a_wrong_bulk_is_refused_as_a_whole(ann: Scope, client: Client, ids: list[int], body: dict[str, Any], field: str) -> None:
    answer = client("POST", "/api/emails/bulk", json=body)
    assert answer.status == 400 and field in answer.json["fields"] and ann.select(Act).count() == 0


def test_the_journal_tells_what_when_by_whom_and_takes_back(ann: Scope, client: Client, ids: list[int]) -> None:
    client("POST", f"/api/emails/{ids[0]}/trash", json={})
    [line] = client("GET", "/api/journal").json["items"]
    assert (line["what"], line["from"], line["to"]) == ("trash", "INBOX", "Trash")
    assert (line["state"], line["by"], line["can_undo"]) == ("pending", "user", True)
    shown = client("GET", "/journal").text
    for words in ("Put into the trash", "Mail 0", "Waits for the server", "by you", f"/journal/{line['id']}/undo"):
        assert words in shown
    assert client("POST", f"/api/journal/{line['id']}/undo", json={}).json["state"] == "undone"
    assert client("POST", f"/api/journal/{line['id']}/undo", json={}).status == 409
    assert "Taken back" in client("GET", "/journal").text and f"/journal/{line['id']}/undo" not in client("GET", "/journal").text


def test_the_journal_is_paged(client: Client, ids: list[int]) -> None:
    client("POST", "/api/emails/bulk", json={"ids": ids, "action": "read"})
    first = client("GET", "/api/journal?limit=2").json
    rest = client("GET", f"/api/journal?limit=2&cursor={first['next']}").json
    assert (len(first["items"]), len(rest["items"]), first["total"], rest["next"]) == (2, 1, 3, None)
    for wrong in ("limit=0", "limit=x", "cursor=x", "colour=blue"):
        assert client("GET", f"/api/journal?{wrong}").status == 400


def test_what_is_in_the_trash_is_in_no_list_and_no_count_unless_asked_for(client: Client, ids: list[int]) -> None:
    before = client("GET", "/api/matrix").json["total"]
    client("POST", f"/api/emails/{ids[0]}/trash", json={})
    assert client("GET", "/api/emails").json["total"] == 2 and client("GET", "/api/matrix").json["total"] == before - 1
    assert client("GET", "/api/search?q=mail").json["total"] == 2
    assert [row["id"] for row in client("GET", "/api/emails?folder=Trash").json["items"]] == [ids[0]]


def test_looking_at_a_mail_marks_nothing(ann: Scope, client: Client, ids: list[int]) -> None:
    page = client("GET", f"/email/{ids[0]}").text
    assert "data-unread" in page and f"/email/{ids[0]}/trash" in page
    for path in (f"/email/{ids[0]}/body", f"/api/emails/{ids[0]}", f"/api/emails/{ids[0]}/raw", "/inbox"):
        client("GET", path)
    assert ann.select(Act).count() == 0 and not ann.get(Mail, ids[0]).seen
    client("POST", f"/api/emails/{ids[0]}/flags", json={"read": True})
    assert "data-unread" not in client("GET", f"/email/{ids[0]}").text


def test_a_mailbox_with_a_journal_can_be_removed(ann: Scope, client: Client, ids: list[int]) -> None:
    client("POST", "/api/emails/bulk", json={"ids": ids, "action": "trash"})
    assert client("DELETE", f"/api/accounts/{ann.select(Account, Account.id).scalar()}").status == 200
    assert ann.select(Act).count() == 0
