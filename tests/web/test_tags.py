"""Tags in the browser and by script: making, changing, on a mail, and the queue of suggestions."""

from html import unescape

import pytest

from mailhelper import tagging
from mailhelper.models import Job, Mail, Tag
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import fill, tagged


@pytest.fixture
def mail(ann: Scope) -> Mail:
    return fill(ann)


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


def test_a_tag_is_made_changed_and_deleted_by_forms(ann: Scope, client: Client) -> None:
    assert client("POST", "/tags", form={"name": "Club", "description": "board and training"}).headers["location"] == "/tags"
    shown = unescape(client("GET", "/tags").text)
    assert "Tag saved." in shown and "board and training" in shown
    again = client("POST", "/tags", form={"name": "club"})
    assert again.status == 409 and "There is a tag of this name already." in again.text
    assert 'value="club"' in again.text and 'class="app"' in again.text
    id = ann.select(Tag, Tag.id).scalar()
    assert client("POST", f"/tags/{id}", form={"name": "Verein", "colour": "pink", "automatic": "1"}).status == 303
    tag = ann.get(Tag, id)
    assert (tag.name, tag.colour, tag.automatic, tag.description) == ("Verein", "pink", True, None)
    wrong = client("POST", f"/tags/{id}", form={"name": "", "colour": "pink"})
    assert wrong.status == 400 and "Please fill this in." in wrong.text and ann.get(Tag, id).name == "Verein"
    client("POST", f"/tags/{id}/delete")
    assert ann.select(Tag).count() == 0


def test_a_mail_gets_and_loses_tags_by_forms(ann: Scope, client: Client, mail: Mail) -> None:
    page = f"/email/{mail.id}"
    assert client("POST", f"{page}/tags", form={"name": "House & home"}).headers["location"] == page
    tag = ann.select(Tag).get()
    for path in (page, "/inbox", f"/inbox?tag={tag.id}", "/search?q=tag:%22house+%26+home%22"):
        assert "House & home" in unescape(client("GET", path).text), path
    assert client("POST", f"{page}/tags", form={"name": ""}).status == 400
    client("POST", f"{page}/tags/remove", form={"tag": tag.id, "next": "/inbox"})
    assert f'/inbox?tag={tag.id}' not in client("GET", page).text


def test_a_mails_page_offers_what_fits(ann: Scope, client: Client, mail: Mail) -> None:
    client("POST", "/api/tags", json={"name": "Contract"})
    shown = unescape(client("GET", f"/email/{mail.id}").text)
    assert "Add the tag Contract (100 % alike)" in shown and "Not Contract: do not suggest it here" in shown
    client("POST", f"/email/{mail.id}/tags/remove", form={"tag": ann.select(Tag, Tag.id).scalar()})
    assert "Add the tag Contract" not in unescape(client("GET", f"/email/{mail.id}").text)


def test_the_queue_is_decided_by_forms(ann: Scope, client: Client, mail: Mail) -> None:
    tag = tagged(ann)
    first, *rest = tagging.queue(ann)
    assert first.name in client("GET", "/tags").text
    assert client("POST", f"/tag-suggestions/{first.id}/approve", form={"apply": "1"}).status == 303
    assert "A job is putting it on the mails now." in client("GET", "/tags").text
    assert ann.select(Job).where(Job.kind == "tag_suggested_mails").count() == 1
    for act in ("reject", "merge"):
        one = rest.pop() if rest else None
        if one:
            client("POST", f"/tag-suggestions/{one.id}/{act}", form={"tag": tag.id})
            assert one.id not in [left.id for left in tagging.queue(ann)]


def test_tags_by_script(ann: Scope, client: Client, mail: Mail) -> None:
    url = f"/api/emails/{mail.id}/tags"
    made = client("POST", "/api/tags", json={"name": "Club"}).json
    assert client("POST", url, json={"tags": [made["id"], "New one"]}).json == {"id": mail.id, "tags": ["Club", "New one"]}
    assert client("GET", f"/api/emails/{mail.id}").json["tags"] == ["Club", "New one"]
    assert {one["name"]: one["count"] for one in client("GET", "/api/tags").json["items"]} == {"Club": 1, "New one": 1}
    assert client("DELETE", url, json={"tags": ["club"]}).json["tags"] == ["New one"]
    assert client("DELETE", url, json={"tags": ["unheard of"]}).status == 404
    for wrong in ({}, {"tags": []}, {"tags": "Club"}, {"tags": [True]}, {"tags": [""]}, {"tags": ["x" * 51]}):
        assert client("POST", url, json=wrong).status == 400, wrong
    assert client("POST", f"/api/emails/{mail.id}/correct", json={"tags": ["Only"], "urgency": 1}).json["tags"] == ["Only"]


def test_many_mails_at_once(ann: Scope, client: Client, mail: Mail) -> None:
    items = client("POST", "/api/emails/bulk", json={"ids": [mail.id, 10 ** 6], "action": "tag", "tags": ["Club"]}).json["items"]
    assert [one["error"] and one["error"]["code"] for one in items] == [None, "not_found"]
    assert client("GET", f"/api/emails/{mail.id}").json["tags"] == ["Club"]
    client("POST", "/api/emails/bulk", json={"ids": [mail.id], "action": "correct", "urgency": 1, "importance": 1})
    assert ann.get(Mail, mail.id).layer == "user"
    for form, tags in (({"act": "untag", "tag": "club"}, []), ({"act": "tag", "tag": "Other"}, ["Other"]),
                       ({"act": "correct", "rating": "3-2"}, ["Other"])):
        assert client("POST", "/inbox/bulk", form={"id": mail.id, **form}).status == 303
        assert client("GET", f"/api/emails/{mail.id}").json["tags"] == tags
    assert (ann.get(Mail, mail.id).urgency, ann.get(Mail, mail.id).importance) == (3, 2)
    for wrong in ({"action": "tag"}, {"action": "correct"}, {"action": "correct", "urgency": 9}, {"action": "read", "tags": ["x"]}):
        answer = client("POST", "/api/emails/bulk", json={"ids": [mail.id], **wrong})
        assert answer.status == 400 or answer.json["items"][0]["error"], wrong
