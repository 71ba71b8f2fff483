"""Drafts: whom an answer goes to, versions, and what a person edited."""

from typing import Any

import pytest

from mailhelper import drafts
from mailhelper.db import rows
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Draft, Mail
from mailhelper.scope import Scope
from tests.world import account, fill, folder, keep, raw, remove


@pytest.fixture
def mail(ann: Scope) -> Mail:
    return fill(ann)


def letter(scope: Scope, **headers: str) -> Mail:
    return keep(scope, folder(scope, account(scope)), raw(**headers))[0]


def addressed(scope: Scope, mail: Mail) -> tuple[list[list[str]], str]:
    people, subject = drafts.answering(scope, mail)
    assert people["cc"] == people["bcc"] == []
    return people["to"], subject


def test_an_answer_goes_to_the_sender(ann: Scope, mail: Mail) -> None:
    assert addressed(ann, mail) == ([["Miriam Keller", "miriam@work.example"]], "Re: Contract")


def test_reply_to_wins_over_the_sender(ann: Scope) -> None:
    assert addressed(ann, letter(ann, Reply_To="Office <office@work.example>"))[0] == [["Office", "office@work.example"]]


def test_an_answer_to_ones_own_mail_goes_to_its_receivers(ann: Scope) -> None:
    own = letter(ann, sender="Ann <ann@home.example>", To="Bob <bob@work.example>, eve@work.example")
    assert addressed(ann, own)[0] == [["Bob", "bob@work.example"], ["", "eve@work.example"]]


@pytest.mark.parametrize("subject,answered", [
    ("Contract", "Re: Contract"), ("Re: Contract", "Re: Contract"), ("AW: Vertrag", "AW: Vertrag"), ("re[2]: x", "re[2]: x"),
    ("Reform", "Re: Reform"),
    ("x" * 2000, "Re: " + "x" * 896)])
def test_the_subject_is_marked_as_an_answer_once(ann: Scope, subject: str, answered: str) -> None:
    assert addressed(ann, letter(ann, subject=subject))[1] == answered


def test_what_is_no_address_is_not_written_to(ann: Scope) -> None:
    assert addressed(ann, letter(ann, sender="Undisclosed <>"))[0] == []


def test_each_answer_is_a_version_and_an_edited_one_stays(ann: Scope, mail: Mail) -> None:
    first = drafts.write(ann, mail, "Dear Miriam, yes.", "formal", "llm:small")
    drafts.change(ann, first.id, {"text": "Dear Miriam, no."})
    second = drafts.write(ann, mail, "Dear Miriam, perhaps.", "brief", "llm:big")
    new, old = drafts.of_mail(ann, mail.id)
    assert (new["id"], new["version"], new["text"], new["edited_at"], new["written_by"]) == (second.id, 2, "Dear Miriam, perhaps.", None, "llm:big")
    assert (old["id"], old["version"], old["text"], old["style"]) == (first.id, 1, "Dear Miriam, no.", "formal") and old["edited_at"]


def test_a_draft_outlives_the_mail_but_not_the_mailbox(ann: Scope, mail: Mail) -> None:
    draft = drafts.write(ann, mail, "Yes.", "formal", "llm:small")
    ann.delete(Mail).execute()
    assert drafts.read(ann, draft.id)["email_id"] is None
    remove(ann, mail.account_id)       # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        drafts.read(ann, draft.id)


def test_each_field_can_be_changed_alone(ann: Scope, mail: Mail) -> None:
    draft = drafts.write(ann, mail, "Yes.", "formal", "llm:small").id
    people = [{"name": "Eve", "address": "eve@work.example"}]
    assert drafts.change(ann, draft, {"cc": people, "subject": " Re:\r\nother "})["subject"] == "Re: other"
    shown = drafts.change(ann, draft, {"to": []})
    assert (shown["to"], shown["cc"], shown["text"]) == ([], people, "Yes.")


@pytest.mark.parametrize("values", [
    {"subject": 5}, {"subject": "x" * 901}, {"text": None}, {"state": "sent"}, {"to": "eve@work.example"}, {"to": ["eve@work.example"]},
    {"to": [{"name": "Eve", "address": "eve"}]}, {"cc": [{"name": "E\nBcc: x@y.z", "address": "eve@work.example"}]}, {"bcc": [{"address": "a@b\nc"}]},
    {"to": [{"address": "a@b.example"}] * 201}, {"to": [{"name": 5, "address": "a@b.example"}]}])
def test_a_wrong_value_is_named_and_changes_nothing(ann: Scope, mail: Mail, values: dict[str, Any]) -> None:
    draft = drafts.write(ann, mail, "Yes.", "formal", "llm:small").id
    before = drafts.read(ann, draft)
    with pytest.raises(Invalid) as caught:
        drafts.change(ann, draft, {"text": "No.", **values})
    assert caught.value.fields.keys() == values.keys() and drafts.read(ann, draft) == before


def test_what_is_typed_reads_as_people() -> None:
    assert drafts.typed('"Keller, Miriam" <miriam@work.example>, eve@work.example') == [
        {"name": "Keller, Miriam", "address": "miriam@work.example"}, {"name": "", "address": "eve@work.example"}]


def test_a_thief_of_the_database_reads_none_of_it(ann: Scope, mail: Mail) -> None:
    drafts.write(ann, mail, "Dear Miriam, secret.", "formal", "llm:small")
    [stored] = rows(ann.select(Draft, Draft.people, Draft.subject, Draft.text))
    assert not any(word in bytes(value) for value in stored for word in (b"secret", b"Contract", b"miriam"))
