"""Lists of threads: paged by their newest mail, with who is waited for and why, in few statements."""

import logging
from typing import Any

import pytest

from mailhelper import mails, removal, threadlist
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Account, Asked, Folder, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import ADDRESS, account, folder, keep, raw

MIRIAM = "Miriam Keller <miriam@work.example>"
ASKS = "Dear Ann, could you please send me the signed contract by Friday?\n\nBest, Miriam"
TELLS = "Dear Ann, the contract has arrived here.\n\nBest, Miriam"
MY_QUESTION = "Dear Miriam, could you please tell me when you will be back?\n\nAnn"
MY_ANSWER = "Dear Miriam, here is the contract.\n\nAnn"


class Mailbox:
    """An inbox and a sent folder; mails come day by day."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.account = account(scope)
        self.places = {"inbox": folder(scope, self.account), "sent": folder(scope, self.account, "Sent", "sent"),
                       "drafts": folder(scope, self.account, "Drafts", "drafts"), "trash": folder(scope, self.account, "Trash", "trash")}
        self.number = 0

    def take(self, text: str, place: str = "inbox", answers: str = "", id: str = "", **headers: str) -> Mail:
        self.number += 1
        own = place in ("sent", "drafts")
        headers = {"sender": f"Ann <{ADDRESS}>" if own else MIRIAM, "To": MIRIAM if own else f"Ann <{ADDRESS}>", **headers}
        headers |= {"References": f"<{answers}@x>"} if answers else {}
        letter = raw("Contract", text, id=f"{id or self.number}@x", Date=f"{self.number:02} Nov 2026 09:12:00 +0000", **headers)
        return keep(self.scope, self.places[place], letter, uid=self.number)[0]

    def states(self, state: str = "") -> list[tuple[str, str]]:
        asked = {"state": state} if state else {}
        return [(row["state"], row["reason"]) for row in threadlist.page(self.scope, asked, "en").items]


@pytest.fixture
def box(ann: Scope) -> Mailbox:
    return Mailbox(ann)


def test_who_wrote_last_and_what_was_asked_decides(box: Mailbox) -> None:
    box.take(ASKS, id="a")
    [(state, reason)] = box.states()
    assert state == "needs_reply" and reason.startswith("Miriam Keller wrote last; asks") and "please send me" in reason
    box.take(MY_ANSWER, "sent", "a")
    assert box.states() == [("", "")]
    box.take(MY_QUESTION, "sent", "a")
    [(state, reason)] = box.states()
    assert state == "awaiting_reply" and reason.startswith("You wrote last, on ") and "tell me" in reason
    box.take(TELLS, "inbox", "a")
    assert box.states() == [("", "")]
    assert "Du hast zuletzt" not in str(threadlist.page(box.scope, {}, "de").items)


def test_the_views_hold_just_those_threads(box: Mailbox) -> None:
    box.take(ASKS, id="needs")
    box.take(MY_QUESTION, "sent", id="waits")
    box.take(TELLS, id="neither")
    box.take(ASKS, id="answered")
    box.take(MY_ANSWER, "sent", "answered")
    assert [state for state, _ in box.states()] == ["", "", "awaiting_reply", "needs_reply"]
    for state in threadlist.STATES[1:]:
        page = threadlist.page(box.scope, {"state": state}, "en")
        assert ([row["state"] for row in page.items], page.total) == ([state], 1)


@pytest.mark.parametrize("change", [{"done_at": "2026-11-20"}, {"answered": True}])
def test_what_is_done_or_answered_elsewhere_needs_no_reply(box: Mailbox, change: dict[str, Any]) -> None:
    box.take(ASKS)
    box.scope.update(Mail, **change).execute()
    assert box.states() == [("", "")] and box.states("needs_reply") == []


def test_a_mail_in_ones_own_name_is_no_request_to_oneself(box: Mailbox) -> None:
    box.take(ASKS, sender=f"Ann <{ADDRESS}>")
    assert box.states() == [("", "")] and box.states("needs_reply") == []


def test_drafts_and_what_was_thrown_away_are_not_of_a_thread(box: Mailbox) -> None:
    box.take(ASKS, id="a")
    box.take(MY_ANSWER, "drafts", "a")
    box.take(TELLS, "trash", "a")
    box.take(TELLS, "trash", id="alone")
    page = threadlist.page(box.scope, {}, "en")
    assert [(row["state"], row["count"]) for row in page.items] == [("needs_reply", 1)] and page.total == 1


def test_a_mailbox_that_is_being_removed_has_no_threads(box: Mailbox) -> None:
    thread = box.take(ASKS).thread_id      # type: ignore[attr-defined]
    removal.remove(box.scope, box.account.id)
    assert threadlist.page(box.scope, {}, "en") == mails.Page([], None, 0)
    with pytest.raises(NotFound):
        threadlist.read(box.scope, thread, "en")


def test_a_thread_has_its_mails_in_order_and_each_person_once(box: Mailbox) -> None:
    box.take(ASKS, id="a")
    box.take(MY_ANSWER, "sent", "a")
    box.take(TELLS, "inbox", "a", sender="Carl <carl@work.example>")
    last = box.take(TELLS, "inbox", "a")
    thread = threadlist.read(box.scope, last.thread_id, "en")      # type: ignore[attr-defined]
    assert [row["date"].day for row in thread["items"]] == [1, 2, 3, 4] and (thread["count"], thread["unread"]) == (4, 4)
    assert [who["name"] for who in thread["people"]] == ["Miriam Keller", "Carl", "Ann"]


def test_dealing_with_a_thread_leaves_nothing_open_and_waits_for_nobody(box: Mailbox) -> None:
    box.take(ASKS, id="a")
    thread = box.take(MY_QUESTION, "sent", "a").thread_id      # type: ignore[attr-defined]
    other = box.take(ASKS, id="other")
    client = Client(box.scope)
    assert client("POST", f"/thread/{thread}/done", form={}).headers["location"] == "/threads"
    assert box.states("awaiting_reply") == [] and box.scope.select(Asked).count() == 0
    assert [mail.id for mail in box.scope.select(Mail).where(Mail.done_at.is_null())] == [other.id]


def test_the_list_pages_through_every_thread_once(box: Mailbox) -> None:
    with box.scope:
        keep(box.scope, box.places["inbox"], *(raw(f"Mail {n}", id=f"{n // 2}-{n % 2}@x", References=f"<{n // 2}-0@x>",
                                                   Date=f"20 Nov 2026 09:{n // 4:02}:00 +0000") for n in range(60)))
    seen: list[int] = []
    asked: dict[str, str] = {"limit": "7"}
    while True:
        page = threadlist.page(box.scope, asked, "en")
        assert page.total == 30
        seen += [row["id"] for row in page.items]
        if not page.next:
            break
        asked = {"limit": "7", "cursor": page.next}
    assert len(seen) == 30 == len(set(seen))
    dates = [row["date"] for row in threadlist.page(box.scope, {"limit": "200"}, "en").items]
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize("asked,field", [({"state": "odd"}, "state"), ({"limit": "0"}, "limit"), ({"cursor": "x"}, "cursor"), ({"odd": "1"}, "odd")])
def test_a_bad_question_is_named(box: Mailbox, asked: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        threadlist.page(box.scope, asked, "en")
    assert list(refused.value.fields) == [field]
    assert Client(box.scope)("GET", f"/threads?{field}=0").status == 200


def test_a_list_costs_the_same_statements_whatever_its_length_and_touches_no_body(box: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    keep(box.scope, box.places["inbox"], *(raw("Contract", ASKS, id=f"{n}@x") for n in range(40)))
    keep(box.scope, box.places["sent"], *(raw("Re", MY_QUESTION, f"Ann <{ADDRESS}>", f"{n}@y", References=f"<{n}@x>", To=MIRIAM) for n in range(20)))
    counts = []
    for asked in ({"limit": "2"}, {"limit": "40"}, {"state": "awaiting_reply"}, {"state": "needs_reply"}):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "peewee"):
            threadlist.page(box.scope, asked, "en")
        said = [str(line.msg) for line in caplog.records if line.name == "peewee"]
        assert not any('"raw"' in line or '"body"' in line for line in said)
        counts.append(len(said))
    assert max(counts) <= 9 and counts[0] == counts[1]


def test_nobody_else_sees_a_thread(box: Mailbox, bob: Scope) -> None:
    thread = box.take(ASKS).thread_id      # type: ignore[attr-defined]
    with bob:
        assert threadlist.page(bob, {}, "en").items == []
        with pytest.raises(NotFound):
            threadlist.read(bob, thread, "en")
        with pytest.raises(NotFound):
            threadlist.settle(bob, thread)


def test_the_pages_show_threads_with_their_reasons(box: Mailbox) -> None:
    thread = box.take(ASKS, id="a").thread_id      # type: ignore[attr-defined]
    box.take(TELLS, "inbox", "a")
    box.take(ASKS, id="b")
    client = Client(box.scope)
    index, page = client("GET", "/threads").text, client("GET", f"/thread/{thread}").text
    assert f'href="/thread/{thread}"' in index and "Miriam Keller wrote last" in index
    assert page.count('class="row ') == 2 and "With Miriam Keller" in page
    assert "Nobody waits for you" not in index and "You wait for nobody" in client("GET", "/threads?state=awaiting_reply").text


def test_an_account_that_is_not_rated_asks_nothing(box: Mailbox) -> None:
    box.scope.update(Account, mode="none").execute()
    box.places["sent"] = box.scope.get(Folder, box.places["sent"].id)
    box.take(MY_QUESTION, "sent")
    assert box.scope.select(Asked).count() == 0
