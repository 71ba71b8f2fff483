"""The three buttons, many mails at once and the preview, in the browser and for scripts."""

import json
from typing import Any

import pytest

from mailhelper import batch, jobs, judge, providers, ratings, runner
from mailhelper.anonymize import KINDS
from mailhelper.db import now
from mailhelper.language import LANGUAGES, load
from mailhelper.models import Account, Job, Mail, Rating
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.kinds import change
from tests.model import DRAFT, model, rated
from tests.servers.scripted_ai import stream
from tests.world import ai, fill, folder, keep, raw

BUTTONS = ("reprocess", "optimize", "generate-reply")


@pytest.fixture
def mail(ann: Scope) -> int:
    return int(fill(ann).id)


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


# ── the three buttons ──

@pytest.mark.parametrize("place", ["email", "emails"])
@pytest.mark.parametrize("button", BUTTONS)
def test_a_script_gets_202_and_the_task(client: Client, ann: Scope, mail: int, button: str, place: str) -> None:
    ai(ann)
    answer = client("POST", f"/{place}/{mail}/{button}", json={})
    assert answer.status == 202 and answer.json.keys() == {"status", "task_id", "task_type", "message"}
    assert client("GET", f"/tasks/{answer.json['task_id']}").json["status"] == "queued"
    again = client("POST", f"/{place}/{mail}/{button}", json={})
    assert (again.status, again.json["error"], again.json["task_id"]) == (409, "already_running", answer.json["task_id"])


@pytest.mark.parametrize("button", BUTTONS)
def test_a_form_is_sent_to_the_page_of_the_job(client: Client, ann: Scope, mail: int, button: str) -> None:
    ai(ann)
    answer = client("POST", f"/email/{mail}/{button}", form={"style": "brief", "instructions": ""} if "reply" in button else {})
    assert answer.status == 303 and answer.headers["location"] == f"/jobs/{ann.select(Job, Job.id).order_by(Job.id.desc()).scalar()}"
    assert client("GET", answer.headers["location"]).status == 200


@pytest.mark.parametrize("button", BUTTONS[1:])
def test_without_a_model_it_is_409_and_with_a_mailbox_that_allows_none_too(client: Client, ann: Scope, mail: int, button: str) -> None:
    answer = client("POST", f"/email/{mail}/{button}", json={})
    assert (answer.status, answer.json["error"]) == (409, "no_model")
    ai(ann)
    ann.update(Account, mode="builtin").execute()
    answer = client("POST", f"/email/{mail}/{button}", json={})
    assert (answer.status, answer.json["error"]) == (409, "model_not_allowed")


def test_optimize_without_a_base_rating_is_409(client: Client, ann: Scope, mail: int) -> None:
    ai(ann)
    ann.delete(Rating).where(Rating.layer == "base").execute()
    answer = client("POST", f"/email/{mail}/optimize", json={})
    assert (answer.status, answer.json["error"]) == (409, "no_base")


def test_the_sixth_optimize_pass_of_an_hour_is_429(client: Client, ann: Scope) -> None:
    place = folder(ann, fill(ann).account, "Other", "")
    ids = [mail.id for mail in keep(ann, place, *(raw(id=f"{n}@x") for n in range(7)))]
    ai(ann)
    answers = [client("POST", f"/email/{id}/optimize", json={}) for id in ids]
    assert [answer.status for answer in answers] == [202] * 5 + [429] * 2
    assert 3500 < int(answers[5].headers["retry-after"]) <= 3600


@pytest.mark.parametrize("name", ["provider_id", "service_token_id"])
@pytest.mark.parametrize("button", BUTTONS)
def test_the_provider_is_checked_by_either_name(client: Client, ann: Scope, mail: int, button: str, name: str) -> None:
    known = ai(ann)
    assert client("POST", f"/email/{mail}/{button}", json={name: 99}).status == 404
    for value in ("x", True, 1.5, [], {}, -1, "9" * 30):
        answer = client("POST", f"/email/{mail}/{button}", json={name: value})
        assert answer.status == 400 and answer.json["fields"].keys() == {name}, value
    assert client("POST", f"/email/{mail}/{button}", json={name: str(known)}).status == 202


def test_what_is_asked_of_a_reply_is_checked(client: Client, ann: Scope, mail: int) -> None:
    ai(ann)
    answer = client("POST", f"/email/{mail}/generate-reply", json={"style": "rude", "instructions": 5})
    assert answer.status == 400 and answer.json["fields"].keys() == {"style", "instructions"}
    assert client("POST", f"/email/{mail}/generate-reply", json={"style": [], "instructions": {}}).status == 400


# ── on the mail's page ──

def test_the_buttons_of_models_are_there_only_with_a_model(client: Client, ann: Scope, mail: int) -> None:
    page = client("GET", f"/email/{mail}").text
    assert f"/email/{mail}/reprocess" in page and f"/email/{mail}/optimize" not in page and "/settings/ai" in page
    ai(ann)
    page = client("GET", f"/email/{mail}").text
    assert all(f'action="/email/{mail}/{button}"' in page for button in BUTTONS) and 'data-key="r"' in page
    assert "large" in page and "127.0.0.1" in page and "tokens" in page, "whom it would ask, and for how much"
    ann.update(Account, mode="builtin").execute()
    page = client("GET", f"/email/{mail}").text
    assert f'action="/email/{mail}/optimize"' not in page and "lets no model see" in page


def test_the_page_tells_how_it_ended_and_shows_the_result(client: Client, ann: Scope, mail: int) -> None:
    with model(ann):
        for start in ("reprocess", "optimize", "generate-reply"):
            runner.run(int(client("POST", f"/email/{mail}/{start}", json={}).json["task_id"]))
        page = client("GET", f"/email/{mail}").text
    assert "strong-400b" in page and "Sign the contract." in page and "I will sign it on [date]" in page and "Score 7 before, 7 now" in page


def test_the_page_tells_why_it_did_not_work_for_a_while(client: Client, ann: Scope, mail: int) -> None:
    with model(ann, stream("no", usage=None)):
        job = judge.start_base(ann, mail)
        runner.run(job.id)
        sentence = "The model"
        assert client("GET", f"/email/{mail}").text.count(sentence) >= 2
        change(job, finished_at=now().replace(year=2020))
        assert "note bad" not in client("GET", f"/email/{mail}").text


# ── what a model would be told ──

def test_the_preview_shows_word_for_word_what_would_be_sent(client: Client, ann: Scope, mail: int) -> None:
    page = client("GET", f"/email/{mail}?view=model&masked=0").text
    assert "could you sign the contract by Friday?" in page and "Miriam Keller" in page and "nothing of this is sent" in page
    with model(ann) as (server, _):
        page = client("GET", f"/email/{mail}?view=model&masked=1").text
        assert "[NAME_1]" in page and server.requests == []


@pytest.mark.parametrize("purpose", ["base", "optimize", "reply", "odd"])
def test_each_purpose_has_its_preview(client: Client, mail: int, purpose: str) -> None:
    assert "<<<MAIL" in client("GET", f"/email/{mail}?view=model&purpose={purpose}").text.replace("&lt;", "<")


def test_each_kind_of_personal_data_has_its_word() -> None:
    assert all(f"masked.{kind}" in load(lang) for kind in KINDS for lang in LANGUAGES)


# ── many mails ──

def test_a_script_hears_what_many_mails_would_take_and_starts_them(client: Client, ann: Scope, mail: int) -> None:
    known = ai(ann)
    told = client("POST", "/api/emails/reprocess", json={"ids": [mail], "estimate": True, "provider_id": known}).json
    assert (told["mails"], told["asked"], told["model"], told["host"]) == (1, 1, "small", "127.0.0.1") and told["tokens"] > 900
    assert jobs.active(ann, "batch_reprocess_emails", 0) is None
    assert client("POST", "/api/emails/reprocess", json={"ids": [mail, mail]}).status == 202
    with ann:
        assert jobs.params(jobs.active(ann, "batch_reprocess_emails", 0)) == {"ids": [mail], "provider_id": None}       # type: ignore[arg-type]


def test_mails_are_chosen_by_the_filters_of_the_list(client: Client, ann: Scope, mail: int) -> None:
    assert client("POST", "/api/emails/reprocess", json={"unread": True, "urgency": 3, "estimate": True}).json["mails"] <= 1
    assert client("POST", "/api/emails/reprocess", json={"flagged": True}).json["error"] == "no_mails"
    assert client("POST", "/api/emails/reprocess", json={"urgency": 9}).status == 400
    assert client("POST", "/api/emails/reprocess", json={"account": 99}).status == 404
    for ids in ("1", [True], ["1"], {}):
        assert client("POST", "/api/emails/reprocess", json={"ids": ids}).json["fields"].keys() == {"ids"}


def test_foreign_ids_are_not_found(ann: Scope, bob: Scope, mail: int) -> None:
    assert Client(bob)("POST", "/api/emails/reprocess", json={"ids": [mail]}).status == 404


def test_the_page_asks_before_it_starts(client: Client, ann: Scope, mail: int) -> None:
    assert "the built-in rules rate" in client("GET", "/batch").text.lower()
    ai(ann)
    assert "small at 127.0.0.1 is asked about 1 of them" in client("GET", "/batch?unread=1").text
    assert not ann.select(Job).where(Job.kind == "batch_reprocess_emails").exists()
    assert client("POST", "/batch", form={"unread": "1"}).status == 303
    assert "Hold" in client("GET", "/batch").text


def test_a_long_job_is_held_and_goes_on(client: Client, ann: Scope, mail: int) -> None:
    id = batch.start(ann, [mail]).id
    assert client("POST", f"/tasks/{id}/pause", json={}).json["status"] == "waiting"
    assert client("POST", f"/tasks/{id}/pause", json={}).json["error"] == "not_pausable"
    page = client("GET", f"/jobs/{id}").text
    assert "On hold" in page and "Go on" in page
    assert client("POST", f"/tasks/{id}/resume", script=False).headers["location"] == f"/jobs/{id}"
    runner.run(id)
    assert client("GET", f"/tasks/{id}").json["result"] == {"rated": 1, "failed": 0}


def test_nothing_of_a_mail_is_in_what_the_queue_and_the_log_hold(client: Client, ann: Scope, mail: int, caplog: Any) -> None:
    with model(ann, rated(draft=DRAFT)):
        for button in BUTTONS:
            runner.run(int(client("POST", f"/email/{mail}/{button}", json={"style": "brief"} if "reply" in button else {}).json["task_id"]))
    assert not any(word in caplog.text for word in ("Miriam", "miriam", "contract", "sign it on"))
    assert providers.listed(ann) and json.dumps(ratings.details(ann, mail)) and ann.get(Mail, mail)
