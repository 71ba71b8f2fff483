"""Drafts and reply styles in the browser and in the API."""

import pytest

from mailhelper import drafts, styles
from mailhelper.models import Draft
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import draft, fill


@pytest.fixture
def letter(ann: Scope) -> Draft:
    fill(ann)
    return draft(ann)


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


def test_the_mails_page_shows_the_newest_draft_to_edit(client: Client, ann: Scope, letter: Draft) -> None:
    drafts.write(ann, letter.mail, "Dear Miriam, <no>.", "brief", "llm:big")
    shown = client("GET", f"/email/{letter.mail_id}").text      # type: ignore[attr-defined]
    assert "Dear Miriam, &lt;no&gt;." in shown and "yes, on [day]" not in shown
    assert f'href="/drafts/{letter.id}"' in shown and "big" in shown


def test_saving_on_the_mails_page_leads_back_there_and_keeps_whom_it_goes_to(client: Client, ann: Scope, letter: Draft) -> None:
    here = f"/email/{letter.mail_id}"       # type: ignore[attr-defined]
    answer = client("POST", f"/drafts/{letter.id}", form={"text": "Dear Miriam,\r\nno.", "next": here})
    assert (answer.status, answer.headers["location"]) == (303, here)
    kept = drafts.read(ann, letter.id)
    assert (kept["text"], kept["to"][0]["address"], kept["subject"]) == ("Dear Miriam,\nno.", "miriam@work.example", "Re: Contract")


def test_the_drafts_own_page_edits_everything(client: Client, ann: Scope, letter: Draft) -> None:
    assert "yes, on [day]" in client("GET", f"/drafts/{letter.id}").text
    typed = {"to": '"Keller, M" <m@work.example>', "cc": "eve@work.example", "bcc": "", "subject": "Other", "text": "No."}
    assert client("POST", f"/drafts/{letter.id}", form=typed).status == 303
    kept = drafts.read(ann, letter.id)
    assert kept["to"] == [{"name": "Keller, M", "address": "m@work.example"}] and kept["cc"] == [{"name": "", "address": "eve@work.example"}]
    assert "&quot;Keller, M&quot; &lt;m@work.example&gt;" in client("GET", f"/drafts/{letter.id}").text


def test_what_is_typed_wrong_is_shown_again_with_the_reason(client: Client, letter: Draft) -> None:
    answer = client("POST", f"/drafts/{letter.id}", form={"to": "nobody", "text": "my words"})
    assert answer.status == 400 and "parted by commas" in answer.text and "my words" in answer.text


def test_deleting_leads_back_to_the_mail(client: Client, ann: Scope, letter: Draft) -> None:
    answer = client("POST", f"/drafts/{letter.id}/delete")
    assert (answer.status, answer.headers["location"]) == (303, f"/email/{letter.mail_id}")     # type: ignore[attr-defined]
    assert not ann.select(Draft).exists()


def test_a_script_reads_changes_and_deletes(client: Client, letter: Draft) -> None:
    path = f"/api/drafts/{letter.id}"
    assert client("GET", path).json["text"].startswith("Dear Miriam")
    assert client("PUT", path, json={"subject": "Other"}).json["subject"] == "Other"
    wrong = client("PUT", path, json={"state": "sent"})
    assert wrong.status == 400 and wrong.json["fields"].keys() == {"state"}
    assert client("DELETE", path).json == {"deleted": True} and client("GET", path).status == 404


def test_styles_are_set_by_page_and_by_script(client: Client, ann: Scope) -> None:
    typed = {"style": "formal", "address": "sie", "greeting": "", "closing": "Gruß", "signature": "A", "instructions": ""}
    answer = client("POST", "/settings/styles", form=typed)
    assert (answer.status, answer.headers["location"]) == (303, "/settings/styles?style=formal")
    assert "Gruß" in client("GET", "/settings/styles?style=formal").text
    assert client("GET", "/api/reply-styles").json["items"][1]["closing"] == "Gruß"
    assert client("PUT", "/api/reply-styles/formal", json={"closing": "Bye"}).json == {**styles.read(ann, "formal"), "closing": "Bye"}


def test_a_wrong_style_is_refused(client: Client) -> None:
    answer = client("POST", "/settings/styles", form={"style": "formal", "signature": "x" * 2001})
    assert answer.status == 400 and "2,000" in answer.text
    for method, path in (("GET", "/settings/styles?style=rude"), ("POST", "/settings/styles"), ("GET", "/api/reply-styles/rude")):
        assert client(method, path).status == 404
    assert client("PUT", "/api/reply-styles/rude", json={"closing": "Bye"}).status == 404
