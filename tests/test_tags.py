"""Tags on mails, and the words that ratings suggest as tags."""

from typing import Any

import pytest

from mailhelper import judge, mails, ratings, runner, tagging, tags
from mailhelper.errors import Conflict, Invalid, NotFound
from mailhelper.models import Folder, Mail, MailTag, Rating, Tag, TagRefusal, TagSuggestion
from mailhelper.scope import Scope
from tests.world import account, folder, keep, raw

BOARD = "The board meets for the training plan of the handball club in the gym."


@pytest.fixture
def place(ann: Scope) -> Folder:
    return folder(ann, account(ann))


def letters(scope: Scope, place: Folder, subject: str, count: int, uid: int, text: str = BOARD) -> list[int]:
    made = [raw(f"{subject} {n}", text, sender=f"Club <board{n}@club.example>", id=f"{subject}{n}@x") for n in range(count)]
    return [mail.id for mail in keep(scope, place, *made, uid=uid)]


def names(scope: Scope, id: int) -> list[str]:
    return list(mails.read(scope, id, "en")["tags"])


def tag(scope: Scope, name: str = "Verein", **more: Any) -> Tag:
    return tags.create(scope, {"name": name, **more})


# ── on mails ──

def test_tags_are_on_mails_in_lists_filters_and_search(ann: Scope, place: Folder) -> None:
    first, second = letters(ann, place, "Training", 2, 1)
    club = tag(ann, "Straßen Club")
    tagging.add(ann, [first], [club])
    assert names(ann, first) == ["Straßen Club"] and names(ann, second) == []
    for asked in (str(club.id), "strassen club"):
        assert [row["id"] for row in mails.page(ann, {"tag": asked}, "en").items] == [first]
    assert mails.page(ann, {"tag": "unheard of"}, "en").items == []
    assert [row["id"] for row in mails.find(ann, 'tag:"strassen club"', 9, "en").items] == [first]
    assert [row["id"] for row in mails.find(ann, 'training -tag:"Straßen Club"', 9, "en").items] == [second]
    with pytest.raises(Invalid):
        mails.find(ann, "tag:", 9, "en")
    assert tags.counts(ann) == {club.id: 1}


def test_a_tag_is_put_on_once_and_taken_off(ann: Scope, place: Folder) -> None:
    ids = letters(ann, place, "Training", 3, 1)
    club = tag(ann)
    assert tags.put_on(ann, ids, [club]) == 3 and tags.put_on(ann, ids, [club]) == 0
    tagging.remove(ann, ids[:1], [club])
    assert tags.counts(ann) == {club.id: 2} and ann.select(TagRefusal).count() == 0, "taking off what one put on oneself is no refusal"


def test_a_mail_that_moves_keeps_its_tags(ann: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Training", 1, 1)
    tagging.add(ann, [id], [tag(ann)])
    ann.update(Mail, folder=folder(ann, place.account, "Work", ""), uid=9).where(Mail.id == id).execute()
    assert names(ann, id) == ["Verein"]


@pytest.mark.parametrize(("values", "wrong"), [
    ({}, "name"), ({"name": " \n"}, "name"), ({"name": "x" * 51}, "name"), ({"name": 'a"b'}, "name"), ({"name": 5}, "name"),
    ({"name": "x", "odd": 1}, "odd"), ({"name": "x", "colour": "mauve"}, "colour"), ({"name": "x", "automatic": 1}, "automatic"),
    ({"name": "x", "description": "y" * 301}, "description"),
])
def test_a_wrong_tag_is_named(ann: Scope, values: dict[str, Any], wrong: str) -> None:
    with pytest.raises(Invalid) as caught:
        tags.create(ann, values)
    assert wrong in caught.value.field_sentences("de") and ann.select(Tag).count() == 0


def test_two_spellings_are_one_tag(ann: Scope) -> None:
    first = tag(ann, "Straße")
    with pytest.raises(Conflict):
        tag(ann, "STRASSE")
    assert [one.id for one in tags.made(ann, ["strasse", "Straße"])] == [first.id]
    other = tag(ann, "Weg")
    with pytest.raises(Conflict):
        tags.change(ann, other.id, {"name": "strasse"})
    assert tags.change(ann, first.id, {"name": "strasse", "colour": "pink"}).colour == "pink"


def test_deleting_a_tag_leaves_the_mails(ann: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Training", 1, 1)
    club = tag(ann)
    tagging.add(ann, [id], [club])
    tags.delete(ann, club.id)
    assert names(ann, id) == [] and ann.select(MailTag).count() == 0


def test_nobody_else_has_my_tags(ann: Scope, bob: Scope, place: Folder) -> None:
    club = tag(ann)
    with bob:
        for act in (lambda: tags.find(bob, club.id), lambda: tags.change(bob, club.id, {"name": "x"}), lambda: tags.delete(bob, club.id)):
            with pytest.raises(NotFound):
                act()
        assert tags.listed(bob) == [] and tags.made(bob, ["Verein"])[0].id != club.id


# ── learning ──

def offered(scope: Scope, id: int) -> list[str]:
    return [offer.tag.name for offer in tagging.offers(scope, id, [])[0]]


def test_three_tagged_mails_teach_and_two_do_not(ann: Scope, place: Folder) -> None:
    ids = letters(ann, place, "Training", 4, 1)
    letters(ann, place, "Invoice", 4, 20, "Your invoice for November, due on Friday, is attached.")
    stranger = letters(ann, place, "Weather", 1, 40, "Sunny with some wind from the north.")[0]
    club = tag(ann)
    tagging.add(ann, ids[:2], [club])
    assert offered(ann, ids[3]) == []
    tagging.add(ann, ids[2:3], [club])
    assert offered(ann, ids[3]) == ["Verein"] and offered(ann, stranger) == [] and offered(ann, ids[0]) == [], "it has it already"


def test_what_was_put_on_by_itself_teaches_nothing(ann: Scope, place: Folder) -> None:
    ids = letters(ann, place, "Training", 4, 1)
    club = tag(ann)
    tags.put_on(ann, ids, [club], "auto")
    tagging.learn(ann, [club])
    assert ann.get(Tag, club.id).profile["mails"] == 0


def test_a_refusal_holds_for_its_mail_and_lowers_the_rest(ann: Scope, place: Folder) -> None:
    ids = letters(ann, place, "Verein", 3, 1)
    club = tag(ann)

    def value(id: int) -> float:
        return max((offer.likeness.value for offer in tagging.offers(ann, id, [])[0]), default=0)

    before = value(ids[1])
    assert before == 1
    tagging.remove(ann, ids[:1], [club])
    assert value(ids[0]) == 0 and before - .2 <= value(ids[1]) < before
    tags.change(ann, club.id, {"automatic": True})
    assert tagging.Suggester(ann, only_automatic=True).put_on({id: [] for id in ids}).keys() == set(ids[1:]) and names(ann, ids[0]) == []
    tagging.add(ann, ids[:1], [club])
    assert ann.select(TagRefusal).count() == 0 and value(ids[1]) == 0


@pytest.mark.parametrize("automatic", [False, True])
def test_only_where_it_is_switched_on_a_tag_goes_on_by_itself(ann: Scope, place: Folder, automatic: bool) -> None:
    ids = letters(ann, place, "Verein", 3, 1)
    tag(ann, automatic=automatic)
    assert tagging.Suggester(ann, only_automatic=True).put_on({id: [] for id in ids}).keys() == (set(ids) if automatic else set())
    assert [names(ann, id) for id in ids] == [["Verein"] * automatic] * 3


def test_correcting_the_tags_sets_exactly_these(ann: Scope, place: Folder) -> None:
    [id] = letters(ann, place, "Training", 1, 1)
    tagging.add(ann, [id], tags.made(ann, ["old", "kept"]))
    ratings.correct(ann, id, {"tags": ["kept", "new"]})
    assert sorted(names(ann, id)) == ["kept", "new"] and not ann.select(Rating).where(Rating.layer == "user").exists()
    ratings.correct(ann, id, {"tags": [], "urgency": 3})
    assert names(ann, id) == [] and ann.get(Mail, id).urgency == 3
    for wrong in ("x", [1], [""], ["x" * 51]):
        with pytest.raises(Invalid) as caught:
            ratings.correct(ann, id, {"tags": wrong})
        assert caught.value.fields.keys() == {"tags"}


# ── the queue ──

def suggest(scope: Scope, place: Folder, *uids: int) -> None:
    """Mails that the built-in rater files under "invoice"."""
    for uid in uids:
        keep(scope, place, raw("Your invoice", "The invoice for November is attached, amount due 20 EUR.", id=f"{uid}@i"), uid=uid)


def queued(scope: Scope) -> dict[str, int]:
    return {one.name: one.count for one in tagging.queue(scope)}


def waiting(scope: Scope, name: str) -> TagSuggestion:
    return next(one for one in tagging.queue(scope) if one.name == name)


def test_what_ratings_suggest_is_counted(ann: Scope, place: Folder) -> None:
    suggest(ann, place, 1, 2)
    suggest(ann, place, 2)
    assert queued(ann)["invoice"] == 2, "a mail that is here already counts once"


def test_approving_makes_a_tag_and_a_job_puts_it_on_the_mails(ann: Scope, place: Folder) -> None:
    suggest(ann, place, 1, 2, 3)
    ids = [id for id, in ann.select(Mail, Mail.id).order_by(Mail.id).tuples()]
    made, job = tagging.approve(ann, waiting(ann, "invoice").id, {"colour": "teal", "apply": True})
    tagging.remove(ann, ids[:1], [made])
    assert job and made.colour == "teal" and "invoice" not in queued(ann)
    runner.run(job.id)
    assert [names(ann, id) for id in ids] == [[], ["invoice"], ["invoice"]]
    suggest(ann, place, 9)
    assert "invoice" not in queued(ann)


def test_approved_under_another_name_the_word_means_that_tag(ann: Scope, place: Folder) -> None:
    suggest(ann, place, 1)
    made, _ = tagging.approve(ann, waiting(ann, "invoice").id, {"name": "Rechnung"})
    id = ann.select(Mail, Mail.id).scalar()
    assert made.name == "Rechnung" and [offer.tag.id for offer in tagging.offers(ann, id, ["invoice"])[0]] == [made.id]


def test_a_rejected_word_that_is_suggested_again_breaks_nothing(ann: Scope, place: Folder) -> None:
    suggest(ann, place, 1)
    tagging.reject(ann, waiting(ann, "invoice").id)
    suggest(ann, place, 2, 3)
    rated = list(ann.select(Mail).order_by(Mail.id))
    assert len(rated) == 3 and all(mail.urgency for mail in rated), "the rating is stored as ever"
    assert "invoice" not in queued(ann) and tagging.offers(ann, rated[2].id, ["invoice"])[1] == []
    runner.run(judge.start_base(ann, rated[2].id).id)
    assert ann.get(Mail, rated[2].id).urgency


def test_a_merged_word_means_the_tag_until_that_is_deleted(ann: Scope, place: Folder) -> None:
    suggest(ann, place, 1)
    bill = tag(ann, "Bill")
    _, job = tagging.merge(ann, waiting(ann, "invoice").id, {"tag": "bill", "apply": True})
    assert job
    runner.run(job.id)
    id = ann.select(Mail, Mail.id).scalar()
    assert names(ann, id) == ["Bill"] and "invoice" not in queued(ann)
    tags.delete(ann, bill.id)
    suggest(ann, place, 2)
    assert queued(ann)["invoice"] == 1


@pytest.mark.parametrize("values", [{"apply": 1}, {"tag": ""}, {"tag": "x", "odd": 1}])
def test_a_wrong_decision_changes_nothing(ann: Scope, place: Folder, values: dict[str, Any]) -> None:
    suggest(ann, place, 1)
    before = queued(ann)
    with pytest.raises(Invalid):
        tagging.merge(ann, waiting(ann, "invoice").id, values)
    assert queued(ann) == before


def test_a_name_that_no_tag_may_have_is_passed_over(ann: Scope) -> None:
    heard = tagging.Heard(ann)
    rows = heard.rows(['say "x"', "", "x" * 60, "Fine", "fine"], mails.now())
    assert [row["count"] for row in rows] == [2]
