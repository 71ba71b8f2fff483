"""Mails join by the ids they have and name, in whatever order they come."""

import datetime as dt
import random
import time

import pytest

from mailhelper import db, threads
from mailhelper.models import Mail, Thread, ThreadKey, ThreadSubject
from mailhelper.scope import Scope
from tests.world import account, folder, keep, raw

DAY = dt.datetime(2026, 11, 20)


def assign(scope: Scope, *mails: tuple[str, list[str]] | tuple[str, list[str], int]) -> list[int]:
    """Threads of mails given as (own id, ids named[, day])."""
    links = [threads.link(scope, mail[0], mail[1], DAY + dt.timedelta(days=mail[2] if len(mail) > 2 else 0)) for mail in mails]
    with db.db.atomic():
        return threads.assign(scope, links)


def test_a_reply_joins_its_mail_and_a_stranger_does_not(ann: Scope) -> None:
    first, reply, other = assign(ann, ("a", []), ("b", ["a"]), ("c", []))
    assert first == reply != other


def test_a_late_reply_joins_months_later(ann: Scope) -> None:
    [first] = assign(ann, ("a", []))
    assert assign(ann, ("b", ["a"], 200)) == [first]
    assert ann.get(Thread, first).latest == DAY + dt.timedelta(days=200)


def test_a_mail_that_comes_after_its_reply_joins_it(ann: Scope) -> None:
    [reply] = assign(ann, ("b", ["a"], 5))
    assert assign(ann, ("a", [], 1)) == [reply]
    assert ann.get(Thread, reply).latest == DAY + dt.timedelta(days=5)


def test_a_late_joiner_merges_threads_and_moves_their_mails(ann: Scope) -> None:
    place = folder(ann, account(ann))
    one, two = keep(ann, place, raw(id="a@x"), raw(id="b@x"))
    assert one.thread_id != two.thread_id
    [joiner] = keep(ann, place, raw(id="c@x", References="<a@x> <b@x>"), uid=3)
    assert {mail.thread_id for mail in ann.select(Mail)} == {joiner.thread_id} == {one.thread_id}
    assert ann.select(Thread).count() == 1 and ann.select(ThreadKey).count() == 3


def test_a_merged_thread_is_as_young_as_its_youngest_mail(ann: Scope) -> None:
    keep_id, _ = assign(ann, ("a", [], 1)) + assign(ann, ("b", [], 300))
    assert assign(ann, ("c", ["a", "b"], 50)) == [keep_id]
    assert ann.get(Thread, keep_id).latest == DAY + dt.timedelta(days=300)


def test_several_merges_within_one_batch(ann: Scope) -> None:
    old = [assign(ann, (name, []))[0] for name in "abcdef"]
    new = assign(ann, ("x", ["a", "b"]), ("y", ["c", "d"]), ("lone", []), ("z", ["x", "e"]), ("w", ["y", "f"]))
    assert new[0] == new[3] == min(old[0], old[1], old[4]) and new[1] == new[4] == min(old[2], old[3], old[5])
    assert len({new[0], new[1], new[2]}) == 3 == ann.select(Thread).count()
    assert assign(ann, ("late", ["b", "f"])) == [new[0]] and ann.select(Thread).count() == 2


def test_a_chain_in_any_order_is_one_thread(ann: Scope) -> None:
    chain = [(f"m{n}", [f"m{n - 1}"] if n else []) for n in range(30)]
    random.Random(4).shuffle(chain)
    for at in range(0, 30, 7):
        assign(ann, *chain[at:at + 7])
    assert ann.select(Thread).count() == 1


def test_mails_without_a_message_id_are_alone_unless_they_name_one(ann: Scope) -> None:
    [first] = assign(ann, ("a", []))
    lone, lone_too, reply = assign(ann, ("", []), ("", []), ("", ["a"]))
    assert len({lone, lone_too, first}) == 3 and reply == first


def test_taking_the_same_mails_again_makes_no_empty_threads(ann: Scope) -> None:
    place = folder(ann, account(ann))
    mails = [raw(id="", text=f"no id {number}") for number in range(3)]
    keep(ann, place, *mails)
    keep(ann, place, *mails)
    keep(ann, place, *mails, raw(id="", text="a new one"))
    assert ann.select(Mail).count() == 4 == ann.select(Thread).count()


def test_five_thousand_references_cost_little_and_the_newest_count(ann: Scope) -> None:
    [parent] = assign(ann, ("r4999", []))
    began = time.perf_counter()
    assert assign(ann, ("big", [f"r{n}" for n in range(5_000)])) == [parent]
    assert time.perf_counter() - began < 0.5
    assert ann.select(ThreadKey).count() <= 1 + threads.MOST_REFERENCES


OTHER = "Miriam <miriam@work.example>"


def letters(scope: Scope, *mails: dict[str, str]) -> list[int]:
    """Threads of mails that come one after the other; `day` of November, `to` and `subject` as given."""
    place = folder(scope, account(scope))
    found = []
    for number, given in enumerate(mails):
        values = {"id": f"{number}@x", "subject": "The garden party", "sender": OTHER, "To": "Ann <ann@home.example>", **given}
        values["Date"] = f"{values.pop('day', '20')} Nov 2026 09:12:00 +0000"
        found += keep(scope, place, raw(**values), uid=number + 1)
    return [scope.get(Mail, mail.id).thread_id for mail in found]


def joined(scope: Scope, *mails: dict[str, str]) -> bool:
    return len(set(letters(scope, *mails))) == 1


MINE = {"sender": "Ann <ann@home.example>", "To": OTHER}


@pytest.mark.parametrize("subject", ["Re: The garden party", "AW: The garden  party", "[club] Re: the garden party", "Re[2]: Antw: The Garden Party"])
def test_an_answer_without_ids_finds_its_question_in_whatever_order(ann: Scope, bob: Scope, subject: str) -> None:
    question, answer = {**MINE, "day": "18"}, {"subject": subject, "day": "20"}
    assert joined(ann, question, answer)
    with bob:
        assert joined(bob, answer, question)


@pytest.mark.parametrize("other", [
    {"subject": "The garden party"}, {"subject": "Fwd: The garden party"}, {"subject": "Re: The garden parties"},
    {"subject": "Re: The garden party", "References": "<else@x>"}, {"subject": "Re: The garden party", "sender": "Eve <eve@else.example>"},
    {"subject": "Re: The garden party", "List-Id": "<club.example>"}])
def test_the_same_words_alone_join_nothing(ann: Scope, bob: Scope, other: dict[str, str]) -> None:
    question = {**MINE, "day": "18"}
    assert not joined(ann, question, {**other, "day": "20"})
    with bob:
        assert not joined(bob, {**other, "day": "20"}, question)


def test_an_old_answer_is_of_an_older_question(ann: Scope) -> None:
    _, answer, later = letters(ann, {**MINE, "day": "20"}, {"subject": "Re: The garden party", "day": "18"}, {**MINE, "day": "21"})
    assert later != answer


def test_after_weeks_the_same_subject_is_another_matter(ann: Scope) -> None:
    place = folder(ann, account(ann))
    question, late = keep(ann, place, raw("The garden party", id="1@x", Date="01 Oct 2026 09:12:00 +0000", **MINE),
                          raw("Re: The garden party", id="2@x", Date="19 Nov 2026 09:12:00 +0000"))
    assert late.thread_id != question.thread_id


def test_short_subjects_say_nothing(ann: Scope) -> None:
    assert not joined(ann, {**MINE, "subject": "Hi!"}, {"subject": "Re: Hi!"})


def test_a_monthly_mail_is_answered_in_its_own_thread(ann: Scope) -> None:
    first, second, answer = letters(ann, {"day": "01"}, {"day": "25"}, {**MINE, "subject": "Re: The garden party", "day": "26"})
    assert first != second == answer


def test_two_bare_answers_and_their_late_question_are_one_thread(ann: Scope) -> None:
    bare = {"subject": "Re: The garden party"}
    assert joined(ann, {**bare, "day": "20"}, {**MINE, **bare, "day": "21"}, {**MINE, "day": "19"})


def test_the_answer_of_a_batch_finds_a_question_of_the_same_batch(ann: Scope) -> None:
    place = folder(ann, account(ann))
    mails = keep(ann, place, raw("Re: The garden party", id="1@x", Date="20 Nov 2026 09:12:00 +0000"),
                 raw("The garden party", id="2@x", Date="19 Nov 2026 09:12:00 +0000", **MINE))
    assert mails[0].thread_id == mails[1].thread_id


def test_no_subject_is_readable_in_the_table(ann: Scope) -> None:
    letters(ann, dict(MINE))
    [key] = [bytes(row.key) for row in ann.select(ThreadSubject)]
    assert len(key) == 16 and b"garden" not in key


def test_threads_of_two_people_never_meet(ann: Scope, bob: Scope) -> None:
    [hers] = assign(ann, ("a", []))
    with bob:
        [his] = assign(bob, ("b", ["a"]))
    assert his != hers and bob.select(Thread).count() == 1


def test_no_message_id_is_readable_in_the_table(ann: Scope) -> None:
    assign(ann, ("secret-id@work.example", []))
    [(key,)] = ann.select(ThreadKey, ThreadKey.key).tuples()
    assert len(bytes(key)) == 16 and b"secret" not in bytes(key)
