"""Acting on mail from the browser and the API, and the page that tells of it."""

import re
from typing import Any

import pytest

from mailhelper import acts, journal, runner
from mailhelper.models import Account, Act, Folder, Job, Mail
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
    runner.run(ann.select(Job, Job.id).where(Job.kind == "remove_account").get().id)
    assert ann.select(Act).count() == 0


# ── chosen rows, folders, the archive ──

@pytest.mark.parametrize(("action", "check"), [
    ("read", lambda mail: mail.seen), ("flag", lambda mail: mail.flagged), ("done", lambda mail: mail.done_at),
    ("trash", lambda mail: mail.folder.role == "trash"),
])
def test_chosen_rows_are_changed_by_a_plain_form_and_back_by_one_click(ann: Scope, client: Client, ids: list[int], action: str, check: Any) -> None:
    shown = client("GET", "/inbox").text
    assert shown.count('form="bulk" name="id"') == 3 and 'action="/inbox/bulk"' in shown
    before = list(ann.select(Mail).order_by(Mail.id).dicts())
    answer = client("POST", "/inbox/bulk", form={"id": ids[:2], "act": action, "next": "/inbox?sort=date"})
    assert (answer.status, answer.headers["location"]) == (303, "/inbox?sort=date")
    assert [bool(check(ann.get(Mail, id))) for id in ids] == [True, True, False]
    undo = re.search(r'action="(/journal/undo\?batch=\d+)"', client("GET", "/inbox").text)
    if action != "done":        # which no server hears of
        assert undo and client("POST", undo[1], form={}).status == 303
        assert list(ann.select(Mail).order_by(Mail.id).dicts()) == before


def test_nothing_chosen_is_said(client: Client, ids: list[int]) -> None:
    assert client("POST", "/inbox/bulk", form={"act": "read"}).status == 303
    assert "Choose mails first" in client("GET", "/inbox").text
    assert client("POST", "/inbox/bulk", form={"act": "burn", "id": ids}).status == 400


def test_chosen_rows_are_moved_and_only_to_an_own_folder(ann: Scope, bob: Scope, client: Client, ids: list[int]) -> None:
    foreign = folder(bob, account(bob), "Bob's", "")
    assert client("POST", "/inbox/bulk", form={"act": "move", "id": ids, "folder": foreign.id}).status == 404
    work = ann.select(Folder).where(Folder.role == "").get()
    client("POST", "/inbox/bulk", form={"act": "move", "id": [*ids[:2], 999999], "folder": work.id})
    assert [ann.get(Mail, id).folder_id == work.id for id in ids] == [True, True, False]
    assert "Not all of them" in client("GET", "/inbox").text


def test_the_mail_page_moves_by_a_plain_form(ann: Scope, client: Client, ids: list[int]) -> None:
    shown = client("GET", f"/email/{ids[0]}").text
    work = ann.select(Folder).where(Folder.role == "").get()
    assert f'<option value="{work.id}">Work</option>' in shown and ">INBOX</option>" not in shown
    assert client("POST", f"/email/{ids[0]}/move", form={"folder": work.id}).headers["location"] == "/inbox"
    assert ann.get(Mail, ids[0]).folder_id == work.id and "Moved." in client("GET", "/inbox").text
    assert client("POST", f"/email/{ids[0]}/move", form={}).status == 400


def test_the_archive_is_made_only_after_asking(ann: Scope, client: Client, ids: list[int]) -> None:
    asked = client("POST", f"/email/{ids[0]}/archive", form={})
    assert asked.status == 200 and "Make an archive folder?" in asked.text and ann.select(Act).count() == 0
    for path, form in ((f"/email/{ids[0]}/archive", {"create": "1"}), ("/inbox/bulk", {"id": ids[1:], "act": "archive"})):
        assert client("POST", path, form=form).status == 303
    assert {ann.get(Mail, id).folder.role for id in ids} == {"archive"}
    assert client("POST", f"/email/{ids[0]}/trash", form={}).status == 303
    shown = client("GET", f"/email/{ids[0]}").text
    assert f"/email/{ids[0]}/undelete" in shown and f"/email/{ids[0]}/trash" not in shown
    client("POST", f"/email/{ids[0]}/undelete", form={})
    assert ann.get(Mail, ids[0]).folder.role == "archive"


def test_a_bulk_archive_asks_for_those_that_have_none(ann: Scope, client: Client, ids: list[int]) -> None:
    asked = client("POST", "/inbox/bulk", form={"id": ids, "act": "archive"})
    assert all(f'name="id" value="{id}"' in asked.text for id in ids)
    assert client("POST", f"/api/emails/{ids[0]}/archive", json={}).json["error"] == "no_archive"
    assert client("POST", f"/api/emails/{ids[0]}/archive", json={"create": 1}).status == 400
    assert client("POST", f"/api/emails/{ids[0]}/archive", json={"create": True}).json["folder"] == "Archive"
    items = client("POST", "/api/emails/bulk", json={"ids": ids[1:], "action": "archive"}).json["items"]
    assert {row["folder"] for row in items} == {"Archive"}


def test_an_opened_mail_stays_unread_where_its_owner_wants_that(ann: Scope, client: Client, ids: list[int]) -> None:
    assert "data-unread" in client("GET", f"/email/{ids[0]}").text
    form = {"language": "en", "theme": "auto", "density": "compact", "timezone": "UTC", "idle_minutes": "30"}
    client("POST", "/settings", form=form)
    assert "data-unread" not in client("GET", f"/email/{ids[0]}").text
    client("POST", "/settings", form={**form, "mark_read": "1"})
    assert "data-unread" in client("GET", f"/email/{ids[0]}").text


def test_a_day_and_a_rule_are_taken_back_from_their_page(ann: Scope, client: Client, ids: list[int]) -> None:
    acts.act(ann, ids[0], "seen", True, why=acts.Why("rule", 5, "Newsletters"))
    acts.act(ann, ids[1], "flagged", True)
    shown = client("GET", "/journal?rule=5").text.partition("<template")[0]
    assert "Newsletters" in shown and "Marked as read" in shown and "Flagged" not in shown
    assert [one["reference"] for one in client("GET", "/api/journal?rule=5").json["items"]] == [5]
    assert client("POST", "/journal/undo", form={"rule": "5"}).status == 303
    assert not ann.get(Mail, ids[0]).seen and ann.get(Mail, ids[1]).flagged
    today = ann.select(Act).order_by(Act.id.desc()).first().at.date().isoformat()
    assert client("POST", "/api/journal/undo", json={"day": today}).json == {"undone": 1, "left": 0}
    assert not ann.get(Mail, ids[1]).flagged
    for wrong in ({}, {"rule": 1, "day": today}, {"day": "yesterday"}, {"rule": "x"}, {"batch": -1}, {"all": True}):
        assert client("POST", "/api/journal/undo", json=wrong).status == 400


def test_nobody_takes_back_what_another_did(ann: Scope, bob: Scope, client: Client, ids: list[int]) -> None:
    act = acts.act(ann, ids[0], "seen", True, why=acts.Why("rule", 5))
    for body in ({"rule": 5}, {"batch": act.id if act else 0}):
        assert Client(bob)("POST", "/api/journal/undo", json=body).json == {"undone": 0, "left": 0}
    assert ann.get(Mail, ids[0]).seen


def test_a_refusal_stands_on_every_page_until_it_was_read(ann: Scope, client: Client, ids: list[int]) -> None:
    act = acts.act(ann, ids[0], "trash")
    assert act and "could not be made" not in client("GET", "/inbox").text
    journal.refuse(ann, act, "act_gone")
    for path in ("/inbox", "/jobs", "/journal"):
        client.cookies["changed"] = "1"      # what the side bar knew a moment ago does not count
        assert "1 change could not be made on the mail server" in client("GET", path).text
    assert "was not made on its server" in client("GET", f"/email/{ids[0]}").text
    assert client("POST", "/journal/told", form={}).status == 303
    assert "could not be made" not in client("GET", "/journal").text and "was not made" not in client("GET", f"/email/{ids[0]}").text


def test_a_long_journal_has_a_next_page(ann: Scope, client: Client, ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailhelper.web.journal.SHOWN", 2)
    client("POST", "/api/emails/bulk", json={"ids": ids, "action": "read"})
    older = re.search(r'href="(/journal\?before=\d+)"', client("GET", "/journal").text)
    assert older and "Mail 0" in client("GET", older[1]).text and "Mail 2" not in client("GET", older[1]).text
