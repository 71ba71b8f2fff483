"""One mail rated anew: by the rules alone, by a model, by the stronger one; what is kept, what is refused, and what never happens."""

from typing import Any

import pytest

from mailhelper import accounts, judge, mails, providers, ratings, runner
from mailhelper.db import now
from mailhelper.errors import Conflict, Limited, NotFound
from mailhelper.models import Account, Act, Egress, Job, Mail, Rating
from mailhelper.scope import Scope
from tests.kinds import change
from tests.model import RATING, SUGGESTIONS, model, rated
from tests.servers.scripted_ai import refused, said, stream
from tests.world import fill


@pytest.fixture
def mail(ann: Scope) -> Mail:
    return fill(ann)


def done(scope: Scope, job: Job) -> Job:
    """Do it, and all its tries at once."""
    for _ in range(5):
        runner.run(job.id)
        with scope:
            if (row := scope.get(Job, job.id)).state != "retrying":
                return row
        change(job, due=now())
    raise AssertionError(row.state)


def layers(scope: Scope, mail: Mail) -> dict[str, Any]:
    return {name: one for name, one in mails.read(scope, mail.id, "en")["layers"].items() if one}


# ── by the rules alone ──

def test_without_a_model_the_base_pass_is_the_rules_anew(ann: Scope, mail: Mail) -> None:
    before = layers(ann, mail)["builtin"]
    ann.update(Rating, urgency=1, importance=1, error="rating_failed").execute()
    job = done(ann, judge.start_base(ann, mail.id))
    assert (job.state, job.error, job.progress) == ("completed", None, 100)
    assert job.result == {"status": "completed", "email_id": mail.id, "score": before["score"], "reasoning": before["summary"],
                          "model_used": "builtin"}
    assert layers(ann, mail) == {"builtin": before}


@pytest.mark.parametrize("mode", ["none", "builtin"])
def test_a_mailbox_that_allows_no_model_has_none_asked(ann: Scope, mail: Mail, mode: str) -> None:
    with model(ann, mode=mode) as (server, _):
        assert done(ann, judge.start_base(ann, mail.id)).result["model_used"] == "builtin"
        for start in (judge.start_optimize,):
            with pytest.raises(Conflict, match="model_not_allowed"):
                start(ann, mail.id)
        assert server.requests == [] and not ann.select(Egress).exists()


def test_a_mailbox_that_stopped_allowing_it_has_no_model_asked_by_a_job_started_before(ann: Scope, mail: Mail) -> None:
    with model(ann) as (server, _):
        ratings.store(ann, mail.id, "base", judge.rules(ann, mail))
        base, optimize = judge.start_base(ann, mail.id), judge.start_optimize(ann, mail.id)
        ann.update(Account, mode="builtin").execute()
        assert done(ann, base).result["model_used"] == "builtin"
        assert done(ann, optimize).error == "model_not_allowed" and server.requests == []


# ── by a model ──

def test_a_model_makes_the_base_layer_beside_the_rules(ann: Scope, mail: Mail) -> None:
    with model(ann) as (server, _):
        job = done(ann, judge.start_base(ann, mail.id))
    assert (job.state, job.result["score"], job.result["model_used"]) == ("completed", 7, "base-70b")
    assert job.result["reasoning"] == RATING["summary"] and len(server.requests) == 1
    both = layers(ann, mail)
    assert both.keys() == {"builtin", "base"} and both["base"]["rated_by"] == "llm:base-70b" and both["base"]["suggested_tags"] == ["contract"]
    row = ann.get(Mail, mail.id)
    assert (row.layer, row.urgency, row.importance) == ("base", 2, 3)
    assert ratings.details(ann, mail.id)["base"]["tokens"] > 100


def test_an_optimize_pass_compares_with_the_base_and_counts_above_it(ann: Scope, mail: Mail) -> None:
    with model(ann, rated(), rated(urgency=3, importance=3)) as (server, _):
        done(ann, judge.start_base(ann, mail.id))
        job = done(ann, judge.start_optimize(ann, mail.id))
    assert job.result == {"status": "completed", "email_id": mail.id, "score_base": 7, "score_optimize": 9, "improvement": 2,
                          "suggestions": SUGGESTIONS, "model_used": "strong-400b"}
    assert [request.body["model"] for request in server.requests] == ["base-70b", "strong-400b"]
    assert ann.get(Mail, mail.id).layer == "optimize" and layers(ann, mail).keys() == {"builtin", "base", "optimize"}


def test_what_the_user_said_stays_on_top_and_as_it_was(ann: Scope, mail: Mail) -> None:
    ratings.correct(ann, mail.id, {"urgency": 1, "importance": 1, "kind": "newsletter", "note": "no"})
    before = layers(ann, mail)["user"]
    with model(ann, rated(urgency=3, layer="user", fixed=True)):
        done(ann, judge.start_base(ann, mail.id))
    assert layers(ann, mail)["user"] == before and ann.get(Mail, mail.id).layer == "user"


def test_a_model_causes_no_act(ann: Scope, mail: Mail) -> None:
    with model(ann, rated(category="urgent", kind="spam", spam=True, action="trash", flags={"read": True})):
        done(ann, judge.start_base(ann, mail.id))
    row = ann.get(Mail, mail.id)
    assert not ann.select(Act).exists() and not row.seen and not row.flagged and row.done_at is None and row.folder_id == mail.folder_id


# ── what goes wrong ──

def test_a_useless_answer_is_kept_as_a_failed_rating_that_never_counts(ann: Scope, mail: Mail) -> None:
    before = ann.get(Mail, mail.id).layer
    with model(ann, stream("I would rather not say.", usage=None)) as (server, _):
        job = done(ann, judge.start_base(ann, mail.id))
    assert (job.state, job.error) == ("failed", "bad_answer") and len(server.requests) == 2
    failed = layers(ann, mail)["base"]
    assert failed["failed"] and failed["score"] is None and failed["reasons"] == [job.error and mails.sentence("en", "bad_answer")]
    assert ann.get(Mail, mail.id).layer == before == "builtin"


def test_the_next_try_replaces_the_failed_rating(ann: Scope, mail: Mail) -> None:
    with model(ann, refused(500), refused(500), refused(500), refused(500), refused(500), rated()):
        job = done(ann, judge.start_base(ann, mail.id))
    assert (job.state, job.failures) == ("completed", 1) and not layers(ann, mail)["base"]["failed"]


def test_a_failure_leaves_a_good_rating_alone(ann: Scope, mail: Mail) -> None:
    with model(ann, rated(), said(401, {"error": {"message": "no"}})):
        done(ann, judge.start_base(ann, mail.id))
        good = layers(ann, mail)["base"]
        assert done(ann, judge.start_base(ann, mail.id)).error == "ai_key_refused"
    assert layers(ann, mail)["base"] == good


@pytest.mark.parametrize("start,wait", [(judge.start_base, 60), (judge.start_optimize, 120)])
def test_tries_wait_twice_as_long_each_time(ann: Scope, mail: Mail, start: Any, wait: int) -> None:
    ratings.store(ann, mail.id, "base", judge.rules(ann, mail))
    with model(ann, refused(503)):
        job, waits = start(ann, mail.id), []
        for _ in range(4):
            runner.run(job.id)
            row = ann.get(Job, job.id)
            waits.append(round((row.due - now()).total_seconds()))
            change(job, due=now())
    assert row.state == "failed" and row.error == "ai_busy" and waits[:3] == [wait, 2 * wait, 4 * wait]


def test_a_wrong_key_is_not_tried_again(ann: Scope, mail: Mail) -> None:
    with model(ann, said(401, {"error": {"message": "no"}})) as (server, _):
        job = judge.start_base(ann, mail.id)
        runner.run(job.id)
    assert ann.get(Job, job.id).state == "failed" and len(server.requests) == 1


# ── who may, how often ──

def test_optimize_needs_a_model_a_base_and_patience(ann: Scope, mail: Mail) -> None:
    with pytest.raises(Conflict, match="no_model"):
        judge.start_optimize(ann, mail.id)
    with model(ann):
        with pytest.raises(Conflict, match="no_base"):
            judge.start_optimize(ann, mail.id)
        ratings.fail(ann, mail.id, "base", "llm:x", Conflict("bad_answer"))
        with pytest.raises(Conflict, match="no_base"):
            judge.start_optimize(ann, mail.id)
        ratings.store(ann, mail.id, "base", judge.rules(ann, mail))
        job = judge.start_optimize(ann, mail.id)
        with pytest.raises(Conflict) as caught:
            judge.start_optimize(ann, mail.id)
        assert caught.value.params["task_id"] == str(job.id)
        done(ann, job)
        for _ in range(4):
            done(ann, judge.start_optimize(ann, mail.id))
        with pytest.raises(Limited) as limited:
            judge.start_optimize(ann, mail.id)
        assert 3500 < limited.value.retry_after <= 3600


def test_a_provider_of_somebody_else_or_none_is_not_found(ann: Scope, bob: Scope, mail: Mail) -> None:
    with model(ann) as (_, provider):
        for start in (judge.start_base, judge.start_optimize):
            with pytest.raises(NotFound):
                start(ann, mail.id, 99)
        theirs = accounts.create(bob, {"name": "B", "address": "bob@home.example", "imap": {
            "host": "h.example", "port": 993, "security": "tls", "username": "b", "password": "p"}})
        assert theirs.user_id == bob.user.id        # type: ignore[attr-defined]
        with bob, pytest.raises(NotFound):
            judge.start_base(bob, mail.id, provider.id)


def test_a_provider_that_is_gone_when_the_job_runs_ends_it_with_a_reason(ann: Scope, mail: Mail) -> None:
    with model(ann) as (server, provider):
        job = judge.start_base(ann, mail.id, provider.id)
        providers.remove(ann, provider.id)
        assert done(ann, job).error == "not_found" and server.requests == []


def test_a_mail_that_is_gone_when_the_job_runs_ends_it_with_a_reason(ann: Scope, mail: Mail) -> None:
    job = judge.start_base(ann, mail.id)
    ann.delete(Mail).execute()
    assert (done(ann, job).state, job.error) == ("failed", None) and ann.get(Job, job.id).error == "not_found"


def test_a_strangers_mail_is_not_found(bob: Scope, mail: Mail) -> None:
    with bob:
        for start in (judge.start_base, judge.start_optimize):
            with pytest.raises(NotFound):
                start(bob, mail.id)
