"""What is learned of senders: the numbers of the contract step by step, without anybody's key, and what new mail makes of it."""

import datetime as dt
from typing import Any

import pytest

from mailhelper import db, habits, jobs, ratings, runner, senders
from mailhelper.habits import Habit
from mailhelper.models import Job, Mail, Rating, Sender
from mailhelper.scope import Scope, everyone
from tests.world import account, fill, folder, keep, raw

SEEN = Habit(1, 2, "information", "person")
OTHER = Habit(3, 3, "urgent", "person")
NEWS = "Anna's list <list@news.example>"


def run(scope: Scope, kind: str, subject: int = 0) -> Job:
    """Start a job and let a worker do it that has no key."""
    return done(scope, jobs.start(scope, kind, subject))


def done(scope: Scope, job: Job) -> Job:
    scope.__exit__()
    try:
        runner.run(job.id)      # type: ignore[attr-defined]
    finally:
        scope.__enter__()
    return finished(scope, job.kind)        # type: ignore[arg-type]


def finished(scope: Scope, kind: str) -> Job:
    job: Job = scope.select(Job).where(Job.kind == kind).order_by(Job.id.desc()).first()
    return job


def learned(scope: Scope) -> Habit | None:
    with scope:
        return habits.of(scope.select(Sender).where(Sender.received > 0).get())


def letters(scope: Scope, count: int, start: int = 1, text: str = "Here is our news of the week.", sender: str = NEWS, place: Any = None) -> Any:
    """Mails of one sender in an inbox; the inbox."""
    place = place or folder(scope, account(scope))
    keep(scope, place, *(raw("News", text, sender, id=f"{number}@news.example") for number in range(start, start + count)), uid=start)
    return place


def correct(scope: Scope, mail_id: int, **values: Any) -> None:
    ratings.correct(scope, mail_id, values)
    done(scope, finished(scope, "update_pattern_from_correction"))


def test_agreement_adds_two_up_to_eighty() -> None:
    habit = habits.rated(None, SEEN)
    assert (habit.confidence, habit.rated, habit.agreed) == (40, 1, 1)
    steps = []
    for _ in range(22):
        habit = habits.rated(habit, SEEN)
        steps.append(habit.confidence)
    assert steps[:4] == [42, 44, 46, 48] and steps[18:] == [78, 80, 80, 80] and habit.rated == 23


def test_disagreement_adds_nothing() -> None:
    habit = habits.rated(habits.rated(habits.rated(None, SEEN), SEEN), OTHER)
    assert habit == SEEN._replace(confidence=42, rated=3, agreed=2)


def test_what_mostly_disagrees_is_learned_anew_unless_the_user_said_it() -> None:
    habit = habits.rated(habits.rated(habits.rated(None, SEEN), OTHER), OTHER)
    assert habit == OTHER._replace(confidence=40, rated=1, agreed=1)
    said = habits.told(None, SEEN)
    for _ in range(5):
        said = habits.rated(said, OTHER)
    assert said[:5] == (*SEEN[:4], 70)


def test_a_correction_begins_at_seventy_and_adds_ten_up_to_ninety_five() -> None:
    habit = habits.told(None, SEEN)
    assert (habit.confidence, habit.corrected) == (70, 1)
    steps = []
    for said in (OTHER, SEEN, OTHER, OTHER):
        habit = habits.told(habit, said)
        steps.append((habit.confidence, habit[:4] == said[:4]))
    assert steps == [(80, True), (90, True), (95, True), (95, True)]
    assert habits.rated(habit, OTHER).confidence == 95, "a rating that agrees takes nothing away"
    assert habits.told(habits.rated(None, SEEN), OTHER).confidence == 50


def test_applied_from_seventy_and_three_mails_on() -> None:
    assert not SEEN._replace(confidence=69).applies(3) and not SEEN._replace(confidence=70).applies(2)
    assert SEEN._replace(confidence=70).applies(3)


def test_a_scan_learns_from_new_mail_only_and_needs_no_key(ann: Scope) -> None:
    place = letters(ann, 3)
    assert run(ann, "scan_sender_patterns").state == "completed"
    habit = learned(ann)
    assert habit and (habit.confidence, habit.rated, habit.agreed, habit.newsletter) == (44, 3, 3, habit.kind in ("newsletter", "marketing"))
    run(ann, "scan_sender_patterns")
    assert learned(ann) == habit
    letters(ann, 2, start=10, place=place)
    job = run(ann, "scan_sender_patterns")
    assert learned(ann) == habit._replace(confidence=48, rated=5, agreed=5)
    assert (job.done, job.total) == (1, 1)


def test_a_failed_rating_teaches_nothing(ann: Scope) -> None:
    letters(ann, 2)
    first = ann.select(Mail).order_by(Mail.id).first()
    ann.update(Rating, urgency=None, error="rating_failed").where(Rating.mail == first).execute()
    run(ann, "scan_sender_patterns")
    habit = learned(ann)
    assert habit and habit.rated == 1


def test_a_corrected_mail_counts_as_correction_and_not_as_rating_too(ann: Scope) -> None:
    letters(ann, 1)
    correct(ann, ann.select(Mail, Mail.id).scalar(), urgency=3, importance=3, category="urgent")
    run(ann, "scan_sender_patterns")
    habit = learned(ann)
    assert habit and habit[:5] == (3, 3, "urgent", habit.kind, 70) and (habit.rated, habit.corrected) == (0, 1)


def test_a_correction_is_learned_though_its_user_has_signed_out(ann: Scope) -> None:
    mail = fill(ann)
    ratings.correct(ann, mail.id, {"importance": 3})
    jobs.park(ann)
    done(ann, finished(ann, "update_pattern_from_correction"))
    assert finished(ann, "update_pattern_from_correction").state == "completed"
    habit = learned(ann)
    assert habit and habit.importance == 3 and habit.confidence == 70


def test_a_correction_that_was_taken_back_teaches_nothing(ann: Scope) -> None:
    mail = fill(ann)
    ratings.correct(ann, mail.id, {"importance": 3})
    ratings.take_back(ann, mail.id)
    done(ann, finished(ann, "update_pattern_from_correction"))
    assert learned(ann) is None


def test_new_mail_is_rated_as_the_user_corrected_it_with_the_reason(ann: Scope) -> None:
    place = letters(ann, 2)
    correct(ann, ann.select(Mail, Mail.id).limit(1).scalar(), urgency=2, importance=3, category="action_required", kind="person")
    letters(ann, 1, start=5, place=place)
    third = ann.select(Mail).order_by(Mail.id.desc()).first()
    assert third.layer == "builtin", "the third mail: only two had come before"
    letters(ann, 1, start=6, place=place)
    fourth = ann.select(Mail).order_by(Mail.id.desc()).first()
    assert (fourth.layer, fourth.urgency, fourth.importance, fourth.category, fourth.score) == ("pattern", 2, 3, "action_required", 7)
    with ann:
        row = ann.select(Rating).where(Rating.mail == fourth, Rating.layer == "pattern").get()
        assert row.detail["reasons"] == [["sender_told", {"count": 1}]] and row.rated_by == "pattern" and row.confidence == 0.7
        assert ann.select(Rating).where(Rating.mail == fourth, Rating.layer == "builtin").exists()


def test_fraud_under_a_known_address_is_not_rated_by_its_habits(ann: Scope) -> None:
    place = letters(ann, 3, sender="PayPal <service@paypa1-konto.com>")
    correct(ann, ann.select(Mail, Mail.id).order_by(Mail.id).first().id, urgency=1, importance=2, category="information", kind="receipt", spam=False)
    letters(ann, 1, 9, "Ihr Konto wurde gesperrt. Bitte bestätigen Sie Ihre Daten.", "PayPal <service@paypa1-konto.com>", place)
    last = ann.select(Mail).order_by(Mail.id.desc()).first()
    assert (last.layer, last.kind) == ("builtin", "phishing")


def test_the_user_may_say_how_a_sender_is_rated_and_have_it_forgotten(ann: Scope) -> None:
    letters(ann, 3)
    id = ann.select(Sender, Sender.id).scalar()
    habits.say(ann, id, {"urgency": 3})
    habit = learned(ann)
    assert habit and (habit.urgency, habit.confidence, habit.corrected) == (3, 70, 1)
    habits.forget(ann, id)
    run(ann, "scan_sender_patterns")
    assert learned(ann) is None, "what was forgotten is not learned from the same mails again"


def test_old_and_rare_patterns_are_cleaned_up(ann: Scope) -> None:
    day = dt.timedelta(days=1)
    for name, received, age in (("old", 1, 181 * day), ("young", 1, 179 * day), ("often", 2, 400 * day)):
        with db.db.atomic():
            at = habits.now() - age
            senders.keep(ann, senders.rows(ann, [senders.Seen(f"{name}@x.example", at, False)] * received))
    ann.update(Sender, **SEEN._replace(confidence=44)._asdict()).execute()
    assert run(ann, "cleanup_old_patterns").done == 1
    with ann:
        assert {row.address: row.confidence for row in ann.select(Sender)} == {"old@x.example": None, "young@x.example": 44, "often@x.example": 44}


def test_statistics_count_and_the_job_says_the_same(ann: Scope) -> None:
    letters(ann, 3)
    ann.update(Sender, **Habit(1, 1, "information", "newsletter", 72, 20, 20)._asdict()).execute()
    assert habits.statistics(ann) == {"senders": 1, "learned": 1, "applied": 1, "corrected": 0, "newsletters": 1}
    job = run(ann, "get_pattern_statistics")
    assert (job.state, job.done, job.total) == ("completed", 1, 1)


def test_a_scan_looks_at_ones_own_mail_only(ann: Scope, bob: Scope) -> None:
    letters(ann, 2)
    letters(bob, 3)
    run(ann, "scan_sender_patterns")
    assert [row.rated for row in everyone.select(Sender, Sender.rated).order_by(Sender.id)] == [2, None]


def test_everybody_is_scanned_at_night_without_keys(ann: Scope, bob: Scope) -> None:
    habits.start_for_all("scan_sender_patterns")
    habits.start_for_all("scan_sender_patterns")        # one is under way already
    assert sorted(job.user_id for job in everyone.select(Job, Job.user).where(Job.kind == "scan_sender_patterns")) == [ann.user.id, bob.user.id]


@pytest.mark.parametrize("kind", ["scan_sender_patterns", "cleanup_old_patterns", "get_pattern_statistics", "update_pattern_from_correction"])
def test_the_kinds_are_as_the_contract_says(kind: str) -> None:
    assert jobs.KINDS[kind].retries == 2 and not jobs.KINDS[kind].needs_key


def test_a_scan_of_many_senders_keeps_its_place(ann: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(habits, "CHUNK", 2)
    place = folder(ann, account(ann))
    keep(ann, place, *(raw(id=f"{number}@x", sender=f"s{number}@x.example") for number in range(5)))
    job = run(ann, "scan_sender_patterns")
    assert (job.done, job.total) == (5, 5) and ann.select(Sender).where(Sender.confidence == 40).count() == 5
