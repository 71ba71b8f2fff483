"""Lists of mail, their filters, sorts and pages; the matrix; and one mail to read."""

import datetime as dt
import logging
from typing import Any

import pytest

from mailhelper import mails, ratings
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Account, Folder, Mail, Rating
from mailhelper.scope import Scope
from mailhelper.web.examples import MAIL, ROW, TRIAGE
from tests.world import account, fill, folder, keep, raw

NOON = dt.datetime(2026, 11, 20, 12)


def put(scope: Scope, id: int, **values: Any) -> None:
    scope.update(Mail, **values).where(Mail.id == id).execute()


@pytest.fixture
def place(ann: Scope) -> Folder:
    return folder(ann, account(ann))


@pytest.fixture
def rows(ann: Scope, place: Folder) -> list[int]:
    """Ids of five mails, a day apart, the first the oldest; each unlike the others."""
    made = keep(ann, place, *(raw(f"Mail {n}", "x" * n * 100, id=f"{n}@x") for n in range(5)))
    ids = [mail.id for mail in made]
    for n, id in enumerate(ids):
        put(ann, id, date=NOON + dt.timedelta(days=n), urgency=1 + n % 3, importance=1 + n // 2, score=2 * (1 + n % 3) + 1 + n // 2,
            category="information", kind="person", needs_reply=False)
    put(ann, ids[0], seen=True, done_at=NOON)
    put(ann, ids[1], flagged=True, category="urgent")
    put(ann, ids[2], answered=True, kind="newsletter")
    put(ann, ids[3], needs_reply=True)
    return ids


def listed(scope: Scope, **asked: str) -> list[int]:
    page = mails.page(scope, asked, "en")
    assert page.total == len(page.items) and page.next is None
    return [row["id"] for row in page.items]


@pytest.mark.parametrize("name,value,places", [
    ("urgency", "3", [2]), ("urgency", "1", [3, 0]), ("importance", "2", [3, 2]), ("category", "urgent", [1]), ("kind", "newsletter", [2]),
    ("unread", "1", [4, 3, 2, 1]), ("unread", "0", [0]), ("unread", "false", [0]), ("flagged", "true", [1]), ("flagged", "0", [4, 3, 2, 0]),
    ("answered", "1", [2]), ("needs_reply", "1", [3]), ("needs_reply", "0", [4, 2, 1, 0]), ("done", "1", [0]), ("done", "0", [4, 3, 2, 1]),
    ("since", "2026-11-22", [4, 3, 2]), ("before", "2026-11-22", [1, 0]), ("since", "2026-11-23T12:00:00Z", [4, 3]),
    ("before", "2026-11-23T14:00:00+02:00", [2, 1, 0]), ("sort", "date", [4, 3, 2, 1, 0]), ("sort", "size", [4, 3, 2, 1, 0]),
    ("sort", "score", [2, 4, 1, 3, 0]), ("folder", "INBOX", [4, 3, 2, 1, 0]), ("folder", "Nowhere", []), ("urgency", "", [4, 3, 2, 1, 0]),
])  # fmt: skip
def test_each_filter_and_sort(ann: Scope, rows: list[int], name: str, value: str, places: list[int]) -> None:
    assert listed(ann, **{name: value}) == [rows[place] for place in places]


def test_filters_are_met_together(ann: Scope, rows: list[int]) -> None:
    assert listed(ann, importance="2", unread="1", needs_reply="1") == [rows[3]]
    assert listed(ann, urgency="3", importance="1") == []


def test_accounts_and_folders_by_number(ann: Scope, rows: list[int], place: Folder) -> None:
    other = folder(ann, account(ann), "INBOX")
    [elsewhere] = keep(ann, other, raw(id="else@x", Date="Thu, 01 Oct 2026 09:00:00 +0000"))
    assert listed(ann, account=str(place.account_id)) == rows[::-1] == listed(ann, folder=str(place.id))
    assert listed(ann, account=str(other.account_id)) == [elsewhere.id]
    assert len(listed(ann, folder="INBOX")) == 6, "a name means that folder of every mailbox"
    for asked in ({"account": "999"}, {"folder": "999"}, {"account": "x"}):
        with pytest.raises(NotFound):
            mails.page(ann, asked, "en")


def test_a_folder_may_be_called_by_a_number(ann: Scope, place: Folder) -> None:
    year = folder(ann, ann.get(Account, place.account_id), "2026", "")
    [mail] = keep(ann, year, raw(id="1@x"))
    assert listed(ann, folder="2026") == [mail.id] == listed(ann, folder=str(year.id))
    with pytest.raises(NotFound):
        mails.page(ann, {"folder": "2027"}, "en")


@pytest.mark.parametrize("asked", [
    {"urgency": "4"}, {"importance": "high"}, {"category": "odd"}, {"kind": "odd"}, {"unread": "yes"}, {"flagged": "2"}, {"since": "soon"},
    {"before": "2026-02-30"}, {"since": "0001-01-01T00:00:00+10:00"}, {"sort": "colour"}, {"limit": "0"}, {"limit": "201"}, {"limit": "-1"},
    {"limit": "²"}, {"limit": "9" * 5_000}, {"cursor": "x"}, {"cursor": "é"}, {"cursor": "W10"}, {"cursor": "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTk5Il0"},
    {"odd": "1"}, {"label": "x", "color": "y"}])  # fmt: skip
def test_a_bad_parameter_is_named(ann: Scope, rows: list[int], asked: dict[str, str]) -> None:
    for sort in {asked.get("sort", "date"), asked.get("sort", "size"), asked.get("sort", "score")}:
        with pytest.raises(Invalid) as caught:
            mails.page(ann, {"sort": sort, **asked}, "en")
        assert caught.value.field_sentences("de").keys() == asked.keys()


def test_a_cursor_of_another_sort_is_refused(ann: Scope, rows: list[int]) -> None:
    cursor = mails.page(ann, {"limit": "2", "sort": "date"}, "en").next
    for sort in ("score", "size"):
        with pytest.raises(Invalid):
            mails.page(ann, {"limit": "2", "sort": sort, "cursor": cursor or ""}, "en")


@pytest.mark.parametrize("sort", ["date", "score", "size"])
def test_pages_have_no_gaps_and_no_doubles_while_mail_arrives(ann: Scope, place: Folder, sort: str) -> None:
    kept = keep(ann, place, *(raw(id=f"{n}@x") for n in range(23)))      # many of them alike, so that only the id tells them apart
    seen: list[int] = []
    asked = {"limit": "5", "sort": sort}
    for number in range(10):
        page = mails.page(ann, asked, "en")
        seen += [row["id"] for row in page.items]
        new = keep(ann, place, raw(id=f"new{number}@x", Date="Sat, 21 Nov 2026 09:00:00 +0000"), uid=100 + number)
        put(ann, new[0].id, size=10 ** 9, score=9)
        assert page.total == 23 + number
        if page.next is None:
            break
        asked = {**asked, "cursor": page.next}
    assert sorted(seen) == [mail.id for mail in kept] and len(seen) == 23
    assert number == 4


def test_pages_hold_when_mails_of_a_page_are_deleted(ann: Scope, rows: list[int]) -> None:
    first = mails.page(ann, {"limit": "2"}, "en")
    ann.delete(Mail).where(Mail.id == first.items[-1]["id"]).execute()
    second = mails.page(ann, {"limit": "2", "cursor": first.next or ""}, "en")
    assert [row["id"] for row in second.items] == [rows[2], rows[1]] and second.total == 4


def test_the_page_that_fits_exactly_is_the_last(ann: Scope, rows: list[int]) -> None:
    assert mails.page(ann, {"limit": "5"}, "en").next is None
    assert mails.page(ann, {"limit": "4"}, "en").next


def test_rows_and_mails_have_exactly_the_keys_of_the_api(ann: Scope) -> None:
    mail = fill(ann)
    [row] = mails.page(ann, {}, "en").items
    assert row.keys() == ROW.keys() and row["triage"].keys() == TRIAGE.keys()
    assert row["flags"].keys() == {"read", "flagged", "answered"} and row["from"].keys() == {"name", "address"} == row["to"][0].keys()
    read = mails.read(ann, mail.id, "en")
    assert read.keys() | {"invitation"} == MAIL.keys() and read["layers"].keys() == {"builtin", "base", "optimize", "pattern", "rule", "user"}
    assert read["layers"]["builtin"] == row["triage"] and read["layers"]["user"] is None
    assert {name: value for name, value in read.items() if name in row} == row


def test_a_row_says_what_the_mail_says(ann: Scope) -> None:
    fill(ann)
    [row] = mails.page(ann, {}, "en").items
    assert (row["from"], row["subject"], row["folder"]) == ({"name": "Miriam Keller", "address": "miriam@work.example"}, "Contract", "INBOX")
    assert row["date"] == dt.datetime(2026, 11, 20, 9, 12) and row["has_attachments"] is True and row["done"] is False
    assert row["flags"] == {"read": False, "flagged": False, "answered": False}
    assert row["triage"]["score"] == 2 * row["triage"]["urgency"] + row["triage"]["importance"]
    assert all(isinstance(reason, str) and reason for reason in row["triage"]["reasons"])


def test_the_matrix_counts_every_rated_mail_in_its_cell(ann: Scope, rows: list[int]) -> None:
    put(ann, rows[4], urgency=None, importance=None, score=0)
    counted = mails.matrix(ann)
    assert [cell["score"] for cell in counted["cells"]] == [7, 8, 9, 5, 6, 7, 3, 4, 5]
    assert [cell["colour"] for cell in counted["cells"]] == ["yellow", "red", "red", "yellow", "yellow", "yellow", "green", "green", "yellow"]
    assert {(cell["urgency"], cell["importance"]): (cell["count"], cell["open"]) for cell in counted["cells"] if cell["count"]} == {
        (1, 1): (1, 0), (2, 1): (1, 1), (3, 2): (1, 1), (1, 2): (1, 1)}
    assert counted["colours"] == {"red": 1, "yellow": 1, "green": 1}
    assert (counted["open"], counted["done"], counted["total"]) == (4, 1, 5)
    assert [mails.latest(ann, *cell) for cell in ((2, 1), (3, 2), (1, 2), (1, 1))] == ["Mail 1", "Mail 2", "Mail 3", None]


def test_an_empty_matrix_is_nine_zeros(ann: Scope) -> None:
    counted = mails.matrix(ann)
    assert len(counted["cells"]) == 9 and {cell["count"] for cell in counted["cells"]} == {0} and counted["total"] == 0
    assert mails.waiting(ann) == {"inbox": 0, "reply": 0} and mails.latest(ann, 3, 3) is None


def test_what_waits_is_what_is_not_done(ann: Scope, rows: list[int]) -> None:
    assert mails.waiting(ann) == {"inbox": 4, "reply": 1}
    mails.mark_done(ann, rows[3], True)
    assert mails.waiting(ann) == {"inbox": 3, "reply": 0}
    mails.mark_done(ann, rows[3], False)
    assert mails.waiting(ann) == {"inbox": 4, "reply": 1}


def test_layers_stand_side_by_side_and_the_highest_counts(ann: Scope) -> None:
    mail = fill(ann)
    ann.create(Rating, mail=mail, layer="optimize", urgency=3, importance=3, category="urgent", kind="person", spam=False, needs_reply=True,
               confidence=0.9, rated_by="llm:big", detail={"summary": "Sign.", "tags": ["a"], "reasons": []})
    ratings.settle(ann, mail.id)
    read = mails.read(ann, mail.id, "en")
    assert (read["triage"]["rated_by"], read["triage"]["score"], read["triage"]["colour"]) == ("llm:big", 9, "red")
    assert read["layers"]["optimize"] == read["triage"] and read["layers"]["builtin"]["rated_by"] == "builtin"


def test_a_mail_of_somebody_else_is_not_found(ann: Scope, bob: Scope) -> None:
    mail = fill(ann)
    with bob:
        for act in (lambda: mails.read(bob, mail.id, "en"), lambda: mails.raw(bob, mail.id), lambda: mails.attachment(bob, mail.id, 1),
                    lambda: mails.mark_done(bob, mail.id, True)):
            with pytest.raises(NotFound):
                act()
        assert mails.page(bob, {}, "en") == ([], None, 0)


def test_attachments_come_by_number(ann: Scope) -> None:
    mail = fill(ann)
    part, data = mails.attachment(ann, mail.id, 1)
    assert (part.filename, part.mime, data.strip()) == ("contract.pdf", "application/pdf", b"PDF")
    for number in (0, 2, 10 ** 9):
        with pytest.raises(NotFound):
            mails.attachment(ann, mail.id, number)


def test_reasons_are_told_in_the_readers_language(ann: Scope) -> None:
    mail = fill(ann)
    english, german = (mails.read(ann, mail.id, lang)["triage"]["reasons"] for lang in ("en", "de"))
    assert len(english) == len(german) > 0 and english != german


def test_a_list_costs_the_same_statements_whatever_its_length(ann: Scope, place: Folder, caplog: pytest.LogCaptureFixture) -> None:
    keep(ann, place, *(raw(id=f"{n}@x", sender=f"s{n}@x.example") for n in range(40)))
    ann.update(Account, name="x").execute()
    counts = []
    for act in (lambda: mails.page(ann, {"limit": "2"}, "en"), lambda: mails.page(ann, {"limit": "40", "folder": "INBOX"}, "en"),
                lambda: mails.find(ann, "contract", 40, "en")):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "peewee"):
            act()
        counts.append(len([line for line in caplog.records if line.name == "peewee"]))
    assert 2 <= min(counts) <= max(counts) <= 3


def test_a_list_does_not_touch_bodies(ann: Scope, rows: list[int], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "peewee"):
        mails.page(ann, {}, "en")
    assert not any('"raw"' in str(line.msg) or '"body"' in str(line.msg) for line in caplog.records)


def test_a_list_asked_again_sees_what_has_changed(ann: Scope) -> None:
    """Its SQL is remembered, its rows are not, and neither is what a name or an id means."""
    place = folder(ann, account(ann))
    [first] = keep(ann, place, raw("One", id="1@x"))
    for asked in ({}, {"urgency": str(first.urgency)}, {"folder": "INBOX"}):
        assert [row["subject"] for row in mails.page(ann, asked, "en").items] == ["One"]
    keep(ann, place, raw("Two", id="2@x"), uid=2)
    for asked in ({}, {"urgency": str(first.urgency)}, {"folder": "INBOX"}):
        page = mails.page(ann, asked, "en")
        assert ([row["subject"] for row in page.items], page.total) == (["Two", "One"], 2)
    assert mails.page(ann, {}, "en", total=7).total == 7
