"""Reply drafts by a model: in the style and signature of the user, from the thread, never over what a person wrote, never sent."""

import json
from typing import Any

import pytest

from mailhelper import drafts, replies, runner, styles
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.models import Account, Act, Draft, Job, Mail
from mailhelper.scope import Scope
from tests.model import DRAFT, model, rated
from tests.world import account, fill, folder, keep, raw


@pytest.fixture
def mail(ann: Scope) -> Mail:
    return fill(ann)


def done(scope: Scope, job: Job) -> Job:
    runner.run(job.id)
    with scope:
        return scope.get(Job, job.id)


def told(server: Any) -> str:
    """All that the model was told."""
    return json.dumps([request.body["messages"] for request in server.requests], ensure_ascii=False)


def test_a_draft_is_kept_as_a_version_to_edit_and_nothing_is_sent(ann: Scope, mail: Mail) -> None:
    with model(ann) as (server, _):
        job = done(ann, replies.start(ann, mail.id))
    [draft] = drafts.of_mail(ann, mail.id)
    assert job.result == {"status": "completed", "email_id": mail.id, "draft": DRAFT, "style": "professional", "draft_id": draft["id"],
                          "model_used": "base-70b"}
    assert (draft["text"], draft["written_by"], draft["edited_at"]) == (DRAFT, "llm:base-70b", None) and "[date]" in draft["text"]
    assert len(server.requests) == 1 and not ann.select(Act).exists() and not ann.get(Mail, mail.id).answered


def test_what_was_edited_stays_when_another_is_asked_for(ann: Scope, mail: Mail) -> None:
    with model(ann):
        first = done(ann, replies.start(ann, mail.id)).result["draft_id"]
        drafts.change(ann, first, {"text": "My own words."})
        done(ann, replies.start(ann, mail.id, "brief"))
    new, old = drafts.of_mail(ann, mail.id)
    assert (new["version"], new["style"], new["text"]) == (2, "brief", DRAFT) and old["text"] == "My own words."


def test_the_signature_of_the_mailbox_wins_and_no_model_sees_either(ann: Scope, mail: Mail) -> None:
    styles.change(ann, "formal", {"signature": "Ann Beck\nof the style", "instructions": "Never promise a date."})
    with model(ann) as (server, _):
        assert done(ann, replies.start(ann, mail.id, "formal")).result["draft"].endswith("\n\nAnn Beck\nof the style")
        ann.update(Account, signature="Ann Beck\nof the mailbox").execute()
        assert done(ann, replies.start(ann, mail.id, "formal", "Say yes.")).result["draft"].endswith("\n\nAnn Beck\nof the mailbox")
        assert "of the style" not in told(server) and "of the mailbox" not in told(server)
        assert "Never promise a date." in told(server) and "Say yes." in told(server)


def test_the_thread_before_it_is_told_and_what_came_later_is_not(ann: Scope) -> None:
    place = folder(ann, account(ann))
    headers = {"References": "<one@x>", "In-Reply-To": "<one@x>"}
    mails = keep(ann, place, raw("Plan", "The first word.", id="one@x"),
                 raw("Re: Plan", "The second word, could you answer?", id="two@x", Date="Fri, 20 Nov 2026 10:00:00 +0000", **headers),
                 raw("Re: Plan", "The third word.", id="three@x", Date="Fri, 20 Nov 2026 11:00:00 +0000", **headers))
    with model(ann) as (server, _):
        done(ann, replies.start(ann, mails[1].id))
    assert "The first word." in told(server) and "The second word" in told(server) and "The third word." not in told(server)


def test_an_answer_of_no_use_leaves_no_draft(ann: Scope, mail: Mail) -> None:
    with model(ann, rated(draft="")):
        assert done(ann, replies.start(ann, mail.id)).error == "bad_answer"
    assert not ann.select(Draft).exists()


def test_what_is_asked_wrongly_is_named(ann: Scope, mail: Mail) -> None:
    with model(ann), pytest.raises(Invalid) as caught:
        replies.start(ann, mail.id, "rude", "x" * 2001)
    assert caught.value.fields.keys() == {"style", "instructions"} and not ann.select(Job).where(Job.kind == "generate_reply_draft").exists()


def test_without_a_model_or_leave_there_is_none(ann: Scope, bob: Scope, mail: Mail) -> None:
    with pytest.raises(Conflict, match="no_model"):
        replies.start(ann, mail.id)
    with model(ann, mode="builtin"), pytest.raises(Conflict, match="model_not_allowed"):
        replies.start(ann, mail.id)
    with bob, pytest.raises(NotFound):
        replies.start(bob, mail.id)
