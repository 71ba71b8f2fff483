"""Ratings age: a deadline presses more as its day comes, and no more when that has passed; what a person fixed stays."""

import datetime as dt

import pytest

from mailhelper import ageing, db, ratings
from mailhelper.models import Mail, Rating
from mailhelper.scope import Scope
from tests.world import account, folder, keep, raw

TEXT = "Dear Ann, please sign the contract and send it to me by 18 December 2026."      # the mail is of Friday, 20 November


@pytest.fixture
def mail(ann: Scope) -> Mail:
    return keep(ann, folder(ann, account(ann)), raw(text=TEXT))[0]


def on(monkeypatch: pytest.MonkeyPatch, ann: Scope, day: str, hour: int = 12) -> tuple[int, str, int]:
    """(urgency, category, score) of the mail when the clock has come to a day, in UTC."""
    with monkeypatch.context() as clock:
        clock.setattr(db, "now", lambda: dt.datetime.fromisoformat(day) + dt.timedelta(hours=hour))
        ageing.run()
    row = ann.select(Mail).get()
    return row.urgency, row.category, row.score


def test_a_deadline_rises_as_its_day_comes_and_falls_behind_it(ann: Scope, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ann.select(Rating).get().due == dt.date(2026, 12, 18)
    low = mail.urgency, mail.category, mail.score
    assert low == (1, "action_required", 5)
    assert on(monkeypatch, ann, "2026-12-10") == low
    assert on(monkeypatch, ann, "2026-12-11") == (2, "action_required", 7)
    assert on(monkeypatch, ann, "2026-12-17") == on(monkeypatch, ann, "2026-12-18") == (3, "urgent", 9)
    assert on(monkeypatch, ann, "2026-12-19") == (1, "action_required", 5)
    assert on(monkeypatch, ann, "2027-01-03") == (1, "action_required", 5)
    assert ann.select(Rating).get().urgency == 1     # the layer says what was thought when the mail came


def test_the_day_begins_where_the_reader_lives(ann: Scope, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    ann.user.timezone = "Pacific/Auckland"
    ann.user.save()
    assert on(monkeypatch, ann, "2026-12-16", hour=10)[0] == 2
    assert on(monkeypatch, ann, "2026-12-16", hour=12)[0] == 3


def test_what_is_done_or_corrected_stays(ann: Scope, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    ann.update(Mail, done_at=db.now()).execute()
    assert on(monkeypatch, ann, "2026-12-18")[0] == 1
    ann.update(Mail, done_at=None).execute()
    ratings.correct(ann, mail.id, {"urgency": 1})
    assert on(monkeypatch, ann, "2026-12-18")[0] == 1


def test_a_correction_of_one_field_keeps_what_the_day_has_made_of_the_others(ann: Scope, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "now", lambda: dt.datetime(2026, 12, 18, 9))
    ageing.run()
    ratings.correct(ann, mail.id, {"importance": 1})
    row = ann.get(Mail, mail.id)
    assert (row.urgency, row.importance, row.category) == (3, 1, "urgent")
    ratings.take_back(ann, mail.id)
    assert ann.get(Mail, mail.id).urgency == 3


def test_old_mail_that_is_taken_in_now_stays_as_it_was_rated(ann: Scope, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on(monkeypatch, ann, "2028-02-01") == (1, "action_required", 5)


@pytest.mark.parametrize("text", [
    "Dear Ann, the office is closed until 18 December 2026.",
    "Your appointment on 18 December 2026 at 9:20 is confirmed.",
    "Dear Ann, please send it by 18 December 2026. It is not urgent.",
    "Dear Ann, please have a look some day next week.",
])
def test_a_day_that_presses_for_nothing_does_not_rise(ann: Scope, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(ann, folder(ann, account(ann)), raw(text=text))
    assert on(monkeypatch, ann, "2026-12-18")[0] < 3
