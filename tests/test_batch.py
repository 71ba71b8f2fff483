"""Many mails rated: what it would take, what is left after an interruption, and when a model is given up."""

import datetime as dt
from typing import Any

import pytest

from mailhelper import batch, jobs, judge, ratings, runner, sync
from mailhelper.db import db as database
from mailhelper.db import now
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.models import Account, Folder, Job, Mail, Rating, User
from mailhelper.scope import Scope
from tests.kinds import change
from tests.model import model, rated
from tests.servers.scripted_ai import Step, Talk, refused, said, stream
from tests.world import account, folder, keep, raw

BAD = stream("no", usage=None)


def letters(count: int, start: int = 0) -> list[bytes]:
    return [raw(f"Letter {n}", id=f"{n}@x") for n in range(start, start + count)]


@pytest.fixture
def place(ann: Scope) -> Folder:
    return folder(ann, account(ann))


def run(scope: Scope, job: Job) -> Job:
    runner.run(job.id)
    with scope:
        return scope.get(Job, job.id)


def judged(scope: Scope) -> set[int]:
    return {id for id, in scope.select(Rating, Rating.mail).where(Rating.layer == "base", Rating.error.is_null()).tuples()}


def box(scope: Scope) -> Account:
    return scope.select(Account).get()      # type: ignore[no-any-return]


# ── chosen mails ──

def test_each_chosen_mail_is_asked_about_once(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(4))]
    with model(ann) as (server, _):
        job = run(ann, batch.start(ann, ids[:3]))
    assert (job.state, job.result, job.done, job.total) == ("completed", {"rated": 3, "failed": 0}, 2, 3)
    assert judged(ann) == set(ids[:3]) and len(server.requests) == 3


def test_without_a_model_the_rules_rate_anew(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(2))]
    ann.update(Rating, urgency=1, importance=1, rated_by="old").execute()
    assert run(ann, batch.start(ann, ids)).result == {"rated": 2, "failed": 0}
    assert {row.rated_by for row in ann.select(Rating)} == {"builtin"}


def test_a_run_that_is_interrupted_goes_on_where_it_was(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(4))]
    with model(ann, rated(), rated(), refused(503), rated()) as (server, _):
        job = run(ann, batch.start(ann, ids))
        assert (job.state, job.error) == ("retrying", "ai_busy") and len(judged(ann)) == 2
        change(job, due=now())
        job = run(ann, job)
    assert job.result == {"rated": 4, "failed": 0} and len(server.requests) == 5


def test_a_person_holds_it_and_lets_it_go_on(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(3))]
    job = batch.start(ann, ids)

    def hold(talk: Talk) -> None:
        with database.connection_context():
            jobs.pause(ann, job.id)
        talk.wait(20)

    with model(ann, rated(), hold, rated()) as (server, _):
        held = run(ann, job)
        assert (held.state, held.message) == ("waiting", "paused") and len(judged(ann)) == 1
        jobs.resume(ann)
        assert ann.get(Job, job.id).state == "waiting", "signing in is no wish to go on"
        jobs.go_on(ann, job.id)
        assert run(ann, job).result == {"rated": 3, "failed": 0}
    assert len(server.requests) == 4, "only what was under way was asked twice"


def test_other_jobs_cannot_be_held(ann: Scope, place: Folder) -> None:
    mail = keep(ann, place, raw())[0]
    job = judge.start_base(ann, mail.id)
    with pytest.raises(Conflict, match="not_pausable"):
        jobs.pause(ann, job.id)


def test_a_mail_that_the_model_fails_at_does_not_stop_the_others(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(3))]
    with model(ann, rated(), BAD, BAD, rated()):
        assert run(ann, batch.start(ann, ids)).result == {"rated": 2, "failed": 1}


def test_a_model_that_fails_at_every_mail_is_given_up(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(9))]
    with model(ann, BAD) as (server, _):
        job = run(ann, batch.start(ann, ids))
    assert (job.state, job.error) == ("failed", "bad_answer") and len(server.requests) == 2 * batch.GIVE_UP


def test_a_mail_deleted_meanwhile_is_passed_over(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(2))]
    job = batch.start(ann, ids)
    ann.delete(Mail).where(Mail.id == ids[0]).execute()
    with model(ann):
        assert run(ann, job).state == "completed" and judged(ann) == {ids[1]}


def test_only_mail_of_mailboxes_that_allow_it_goes_to_a_model(ann: Scope, place: Folder) -> None:
    mine = keep(ann, place, raw(id="a@x"))[0]
    other = keep(ann, folder(ann, account(ann)), raw(id="b@x"))[0]
    with model(ann) as (server, _):
        ann.update(Account, mode="builtin").where(Account.id == other.account_id).execute()      # type: ignore[attr-defined]
        told = batch.estimate(ann, [mine.id, other.id])
        assert (told.mails, told.asked, told.model) == (2, 1, "base-70b") and 900 < told.tokens < 2000
        assert run(ann, batch.start(ann, [mine.id, other.id])).result == {"rated": 2, "failed": 0}
    assert judged(ann) == {mine.id} and len(server.requests) == 1


def test_what_cannot_be_chosen_is_refused(ann: Scope, bob: Scope, place: Folder) -> None:
    mail = keep(ann, place, raw())[0]
    with pytest.raises(Invalid, match="no_mails"):
        batch.start(ann, [])
    with pytest.raises(Invalid, match="too_many"):
        batch.start(ann, list(range(batch.MOST + 1)))
    for act in (lambda: batch.start(ann, [mail.id, 999]), lambda: batch.start(bob, [mail.id]), lambda: batch.start(ann, [mail.id], 99)):
        with pytest.raises(NotFound):
            act()
    batch.start(ann, [mail.id])
    with pytest.raises(Conflict, match="already_running"):
        batch.start(ann, [mail.id])


# ── new mail ──

def new(scope: Scope) -> Job | None:
    """The job that a sync would start now."""
    with scope:
        batch.start_new(scope, box(scope))
    return jobs.active(scope, "judge_new_emails", box(scope).id)


@pytest.fixture
def fresh(ann: Scope, place: Folder) -> list[Mail]:
    """Three new mails of which the rules are unsure about the first two."""
    mails = keep(ann, place, *letters(3))
    ann.update(Mail, received=now(), date=now()).execute()
    ann.update(Account, judge_from=now() - dt.timedelta(hours=1)).execute()
    for mail, sure in zip(mails, (0.3, 0.6, 0.9), strict=True):
        ann.update(Rating, confidence=sure).where(Rating.mail == mail).execute()
    return mails


def test_a_model_is_asked_where_the_rules_are_unsure_and_once(ann: Scope, fresh: list[Mail]) -> None:
    with model(ann) as (server, _):
        job = new(ann)
        assert job and run(ann, job).result == {"rated": 2, "failed": 0}
        assert judged(ann) == {fresh[0].id, fresh[1].id} and len(server.requests) == 2
        assert new(ann) is None, "nothing is left to ask"


def test_a_model_is_asked_about_all_where_that_is_wished(ann: Scope, fresh: list[Mail]) -> None:
    ann.update(Account, judge="all").execute()
    with model(ann):
        job = new(ann)
        assert job and run(ann, job).result == {"rated": 3, "failed": 0}


@pytest.mark.parametrize("mode", ["none", "builtin"])
def test_other_modes_ask_nobody(ann: Scope, fresh: list[Mail], mode: str) -> None:
    with model(ann, mode=mode):
        assert new(ann) is None


def test_without_a_model_nothing_is_started(ann: Scope, fresh: list[Mail]) -> None:
    ann.update(Account, mode="llm_original").execute()
    assert new(ann) is None


def leave_out(scope: Scope, mail: Mail, how: str) -> None:
    if how == "old":
        scope.update(Mail, received=now() - dt.timedelta(hours=2)).where(Mail.id == mail.id).execute()
    elif how == "done":
        scope.update(Mail, done_at=now()).where(Mail.id == mail.id).execute()
    elif how == "corrected":
        ratings.correct(scope, mail.id, {"urgency": 1})
    else:
        scope.update(Folder, role=how).execute()


@pytest.mark.parametrize("how", ["old", "done", "corrected", "junk", "trash", "sent"])
def test_mail_that_needs_no_model_goes_to_none(ann: Scope, place: Folder, how: str) -> None:
    mail = keep(ann, place, raw())[0]
    ann.update(Mail, received=now(), date=now()).execute()
    ann.update(Account, judge="all", judge_from=now() - dt.timedelta(hours=1)).execute()
    leave_out(ann, mail, how)
    with model(ann):
        assert new(ann) is None


def test_what_a_model_fails_at_is_tried_three_times_in_all(ann: Scope, fresh: list[Mail]) -> None:
    ann.delete(Mail).where(Mail.id != fresh[0].id).execute()
    with model(ann, BAD) as (server, _):
        for tries in (1, 2, 3):
            job = new(ann)
            assert job and run(ann, job).result == {"rated": 0, "failed": 1}
            assert ratings.details(ann, fresh[0].id)["base"]["tries"] == tries
        assert new(ann) is None and len(server.requests) == 6
    assert ann.get(Mail, fresh[0].id).layer == "builtin"


def test_mail_that_arrives_meanwhile_is_judged_too(ann: Scope, place: Folder, fresh: list[Mail]) -> None:
    def arrive(talk: Talk) -> None:
        with database.connection_context():
            late = keep(ann, place, *letters(1, 7), uid=50)[0]
            ann.update(Mail, received=now(), date=now()).where(Mail.id == late.id).execute()
            ann.update(Rating, confidence=0.2).where(Rating.mail == late).execute()
        rated()(talk)

    with model(ann, arrive, rated()):
        job = new(ann)
        assert job and run(ann, job).result == {"rated": 3, "failed": 0}


def test_a_daily_limit_that_leaves_no_room_starts_nothing(ann: Scope, fresh: list[Mail]) -> None:
    with model(ann):
        User.update(daily_tokens=100).where(User.id == ann.user.id).execute()
        assert new(ann) is None


@pytest.mark.parametrize("step,starts", [(said(401, {"error": {"message": "no"}}), False), (refused(503), True)])
def test_a_server_that_a_person_has_to_mend_is_left_alone(ann: Scope, fresh: list[Mail], step: Step, starts: bool) -> None:
    with model(ann, step):
        job = new(ann)
        assert job and run(ann, job).error
        jobs.cancel(ann, job.id)
        assert (new(ann) is not None) is starts


def test_a_server_that_is_away_costs_no_mail_a_try(ann: Scope, fresh: list[Mail]) -> None:
    with model(ann, refused(503)):
        for _ in range(4):
            job = new(ann)
            assert job and run(ann, job).error == "ai_busy"
            jobs.cancel(ann, job.id)
    assert ratings.details(ann, fresh[1].id)["base"]["tries"] == 0


def test_asking_for_another_batch_leaves_one_that_is_held_alone(ann: Scope, place: Folder) -> None:
    ids = [mail.id for mail in keep(ann, place, *letters(2))]
    job = jobs.pause(ann, batch.start(ann, ids[:1]).id)
    with pytest.raises(Conflict, match="already_running"):
        batch.start(ann, ids[1:])
    assert jobs.is_paused(ann.get(Job, job.id))


def test_a_sync_starts_it(ann: Scope, fresh: list[Mail], monkeypatch: pytest.MonkeyPatch) -> None:
    class Quiet(sync.Sync):
        def run(self, job: Job) -> dict[str, Any]:
            return {}

    monkeypatch.setattr(sync, "Sync", Quiet)
    with model(ann):
        run(ann, sync.start(ann, box(ann).id))
        assert jobs.active(ann, "judge_new_emails", box(ann).id)
