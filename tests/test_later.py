"""Mail put off leaves lists and counts, and comes back by time or by an answer."""

import datetime as dt

import pytest

from mailhelper import later, mails
from mailhelper.db import now
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Mail, Snooze
from mailhelper.scope import Scope
from tests.world import ADDRESS, account, folder, keep, raw

SOON = dt.timedelta(hours=1)


@pytest.fixture
def two(ann: Scope) -> list[Mail]:
    return keep(ann, folder(ann, account(ann)), raw("One", id="one@x"), raw("Two", id="two@x"))


def here(scope: Scope) -> set[str]:
    found = mails.page(scope, {}, "en")
    assert found.total == len(found.items) == mails.matrix(scope)["total"]
    return {row["subject"] for row in found.items}


def pass_time(scope: Scope, until: dt.datetime) -> None:
    """As if it were after `until`."""
    scope.update(Snooze, until=now() - (until - now())).execute()


def test_a_mail_put_off_is_in_no_list_and_no_count_until_its_time(ann: Scope, two: list[Mail]) -> None:
    later.snooze(ann, two[0].id, now() + SOON)
    assert here(ann) == {"Two"} and mails.waiting(ann)["inbox"] == 1 and mails.find(ann, "contract", 9, "en").total == 1
    [row] = later.listed(ann, "en")
    assert row["subject"] == "One" and row["snooze"]["due"] is False and later.due(ann) == 0
    pass_time(ann, now() + SOON)
    assert here(ann) == {"One", "Two"} and later.due(ann) == 1 and later.listed(ann, "en")[0]["snooze"]["due"]
    mails.mark_done(ann, two[0].id, True)
    assert later.listed(ann, "en") == [], "dealt with"


def test_asked_for_its_folder_it_is_shown(ann: Scope, two: list[Mail]) -> None:
    later.snooze(ann, two[0].id, now() + SOON)
    assert mails.page(ann, {"folder": "INBOX"}, "en").total == 2


@pytest.mark.parametrize(("sender", "thread", "back"), [
    ("Miriam <miriam@work.example>", "<one@x>", True), (f"Ann <{ADDRESS}>", "<one@x>", False), ("Miriam <miriam@work.example>", "<other@x>", False),
])
def test_an_answer_of_somebody_else_in_the_same_thread_brings_it_back(ann: Scope, two: list[Mail], sender: str, thread: str, back: bool) -> None:
    later.snooze(ann, two[0].id, None, answer=True)
    later.snooze(ann, two[1].id, now() + SOON)
    place = ann.get(Mail, two[0].id).folder
    keep(ann, place, raw("Re: One", sender=sender, id="re@x", In_Reply_To=thread), uid=50)
    assert ("One" in here(ann)) is back and "Two" not in here(ann)
    assert [row["snooze"]["answered"] for row in later.listed(ann, "en") if row["subject"] == "One"] == [back]


def test_what_the_owner_sends_is_no_answer(ann: Scope, two: list[Mail]) -> None:
    later.snooze(ann, two[0].id, None, answer=True)
    keep(ann, folder(ann, ann.get(Mail, two[0].id).account, "Sent", "sent"), raw("Re: One", id="re@x", In_Reply_To="<one@x>"), uid=50)
    assert "One" not in here(ann)


def test_brought_back_by_hand(ann: Scope, two: list[Mail]) -> None:
    later.snooze(ann, two[0].id, now() + SOON)
    assert later.wake(ann, two[0].id) and not later.wake(ann, two[0].id) and here(ann) == {"One", "Two"}


@pytest.mark.parametrize("until", [None, dt.timedelta(minutes=-1), dt.timedelta(days=40_000)])
def test_a_time_must_lie_ahead(ann: Scope, two: list[Mail], until: dt.timedelta | None) -> None:
    with pytest.raises(Invalid):
        later.snooze(ann, two[0].id, now() + until if until else None)


def test_a_strangers_mail_is_not_found(ann: Scope, bob: Scope, two: list[Mail]) -> None:
    for act in (lambda: later.snooze(bob, two[0].id, now() + SOON), lambda: later.wake(bob, two[0].id)):
        with pytest.raises(NotFound):
            act()


@pytest.mark.parametrize(("at", "expected"), [
    ("2026-11-20T09:00", {"evening": "2026-11-20T17:00", "tomorrow": "2026-11-21T07:00", "week": "2026-11-23T07:00", "month": "2026-12-20T07:00"}),
    ("2026-11-20T17:30", {"tomorrow": "2026-11-21T07:00", "week": "2026-11-23T07:00", "month": "2026-12-20T07:00"}),
    ("2026-03-28T23:30", {"evening": "2026-03-29T16:00", "tomorrow": "2026-03-30T06:00", "week": "2026-03-30T06:00", "month": "2026-04-28T06:00"}),
])
def test_times_are_those_of_the_owners_clock(at: str, expected: dict[str, str]) -> None:
    found = later.times("Europe/Berlin", dt.datetime.fromisoformat(at))
    assert {name: time.isoformat(timespec="minutes") for name, time in found.items()} == expected


def test_a_typed_time_is_on_the_owners_clock_unless_it_names_a_zone() -> None:
    assert later.typed("2026-11-30T09:00", "Europe/Berlin") == later.typed("2026-11-30T08:00:00Z", "Europe/Berlin") == dt.datetime(2026, 11, 30, 8)
    for wrong in ("", "tomorrow", "2026-13-01", "0001-01-01T00:00+14:00"):
        with pytest.raises(Invalid):
            later.typed(wrong, "Europe/Berlin")


