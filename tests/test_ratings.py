"""Which layer of a rating counts, what the user says of it, and rating anew."""

from typing import Any

import pytest

from mailhelper import mails, ratings, triage
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Account, Mail, Rating
from mailhelper.scope import Scope
from tests.world import account, fill, folder, keep, raw


@pytest.fixture
def mail(ann: Scope) -> Mail:
    return fill(ann)


def layer(scope: Scope, mail: Mail, name: str, urgency: int | None) -> None:
    values = {"category": "information", "kind": "person", "spam": False, "needs_reply": False} if urgency else {"error": "rating_failed"}
    scope.create(Rating, mail=mail, layer=name, urgency=urgency, importance=urgency, rated_by=name, detail={}, **values)
    ratings.settle(scope, mail.id)


def counts(scope: Scope, mail: Mail) -> tuple[str, int, int]:
    row = scope.get(Mail, mail.id)
    return row.layer, row.urgency, row.score


def test_the_order_of_the_layers(ann: Scope, mail: Mail) -> None:
    ann.update(Rating, urgency=1, importance=1).execute()
    assert triage.LAYERS == ("user", "rule", "optimize", "base", "pattern", "builtin")
    for number, name in enumerate(reversed(triage.LAYERS[:-1])):
        urgency = 2 + number % 2
        layer(ann, mail, name, urgency)
        assert counts(ann, mail) == (name, urgency, 3 * urgency)
    for number, name in enumerate(triage.LAYERS[:-1]):
        ann.delete(Rating).where(Rating.layer == name).execute()
        ratings.settle(ann, mail.id)
        assert ann.get(Mail, mail.id).layer == triage.LAYERS[number + 1]


def test_a_failed_layer_does_not_hide_one_that_works(ann: Scope, mail: Mail) -> None:
    before = counts(ann, mail)
    layer(ann, mail, "optimize", None)
    assert counts(ann, mail) == before
    assert mails.read(ann, mail.id, "en")["layers"]["optimize"]["failed"] is True


def test_a_correction_counts_and_keeps_the_rest(ann: Scope, mail: Mail) -> None:
    before = mails.read(ann, mail.id, "en")["triage"]
    ratings.correct(ann, mail.id, {"urgency": 1, "kind": "newsletter", "note": "not mine"})
    read = mails.read(ann, mail.id, "en")
    after = read["triage"]
    assert (after["urgency"], after["kind"], after["rated_by"]) == (1, "newsletter", "user")
    for name in ("importance", "category", "needs_reply", "spam", "summary"):
        assert after[name] == before[name], name
    assert read["layers"]["builtin"] == before and read["layers"]["user"] == after
    assert mails.page(ann, {"kind": "newsletter", "urgency": "1"}, "en").total == 1


def test_a_second_correction_adds_to_the_first(ann: Scope, mail: Mail) -> None:
    ratings.correct(ann, mail.id, {"urgency": 1, "note": "calm"})
    ratings.correct(ann, mail.id, {"importance": 3})
    row = ann.select(Rating).where(Rating.layer == "user").get()
    assert (row.urgency, row.importance, row.detail["corrected"], row.detail["note"]) == (1, 3, ["importance", "urgency"], "calm")
    assert counts(ann, mail) == ("user", 1, 5)


def test_taking_it_back_brings_the_layer_below_back(ann: Scope, mail: Mail) -> None:
    before = counts(ann, mail)
    ratings.correct(ann, mail.id, {"urgency": 1 if before[1] != 1 else 3})
    assert counts(ann, mail) != before
    ratings.take_back(ann, mail.id)
    ratings.take_back(ann, mail.id)
    assert counts(ann, mail) == before and mails.read(ann, mail.id, "en")["layers"]["user"] is None


def test_an_unrated_mail_can_be_corrected_and_is_unrated_again(ann: Scope) -> None:
    box = account(ann)
    ann.update(Account, mode="none").execute()
    [mail] = keep(ann, folder(ann, box), raw())
    ratings.correct(ann, mail.id, {"urgency": 3})
    assert counts(ann, mail) == ("user", 3, 7)
    ratings.take_back(ann, mail.id)
    assert counts(ann, mail) == (None, None, 0)
    assert mails.page(ann, {"urgency": "3"}, "en").total == 0
    assert sum(cell["count"] for cell in mails.matrix(ann)["cells"]) == 0


@pytest.mark.parametrize("values", [
    {"urgency": 0}, {"urgency": True}, {"urgency": "3"}, {"urgency": None}, {"importance": 4}, {"importance": [3]}, {"category": "odd"},
    {"kind": "odd"}, {"spam": 1}, {"spam": "no"}, {"needs_reply": None}, {"note": 5}, {"note": "x" * 2001}, {"score": 9}])
def test_a_wrong_value_is_named_and_changes_nothing(ann: Scope, mail: Mail, values: dict[str, Any]) -> None:
    before = counts(ann, mail)
    with pytest.raises(Invalid) as caught:
        ratings.correct(ann, mail.id, {**values, "kind": values.get("kind", "person")})
    assert caught.value.fields.keys() == values.keys()
    assert counts(ann, mail) == before


def test_nothing_said_is_refused(ann: Scope, mail: Mail) -> None:
    with pytest.raises(Invalid):
        ratings.correct(ann, mail.id, {})


def test_a_strangers_mail_is_not_found(ann: Scope, bob: Scope, mail: Mail) -> None:
    with bob:
        acts = (lambda: ratings.correct(bob, mail.id, {"urgency": 1}), lambda: ratings.take_back(bob, mail.id))
        for act in acts:
            with pytest.raises(NotFound):
                act()
