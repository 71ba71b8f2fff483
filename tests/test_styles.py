"""The styles of replies: what there is before anything is set, and what may be set."""

from typing import Any

import pytest

from mailhelper import styles
from mailhelper.errors import Invalid, NotFound
from mailhelper.scope import Scope


def test_there_are_five_and_each_is_plain_at_first(ann: Scope) -> None:
    assert [style["name"] for style in styles.all_of(ann)] == ["professional", "formal", "friendly", "brief", "decline"]
    assert styles.read(ann, "formal") == {"name": "formal", "address": "auto", "greeting": "", "closing": "", "signature": "", "instructions": ""}


def test_each_field_can_be_set_alone(ann: Scope) -> None:
    styles.change(ann, "formal", {"closing": " Hochachtungsvoll ", "address": "sie"})
    styles.change(ann, "formal", {"signature": "Ann\nBeck"})
    kept = {"name": "formal", "address": "sie", "greeting": "", "closing": "Hochachtungsvoll", "signature": "Ann\nBeck", "instructions": ""}
    assert styles.read(ann, "formal") == kept == styles.all_of(ann)[1]
    assert styles.read(ann, "brief")["closing"] == ""


def test_one_persons_styles_are_not_anothers(ann: Scope, bob: Scope) -> None:
    styles.change(ann, "formal", {"signature": "Ann"})
    assert styles.read(bob, "formal")["signature"] == ""
    styles.change(bob, "formal", {"signature": "Bob"})
    assert styles.read(ann, "formal")["signature"] == "Ann"


@pytest.mark.parametrize("values", [
    {"address": "ihr"}, {"address": []}, {"greeting": "x" * 201}, {"signature": 5}, {"instructions": None}, {"name": "mine"}])
def test_a_wrong_value_is_named_and_changes_nothing(ann: Scope, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        styles.change(ann, "brief", {"closing": "Bye", **values})
    assert caught.value.fields.keys() == values.keys() and styles.read(ann, "brief")["closing"] == ""


def test_a_style_there_is_not_is_not_found(ann: Scope) -> None:
    for act in (lambda: styles.read(ann, "rude"), lambda: styles.change(ann, "rude", {"closing": "Bye"})):
        with pytest.raises(NotFound):
            act()
