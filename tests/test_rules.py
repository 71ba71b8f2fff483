"""Which mails a rule matches: each condition, all and any, the threshold, and expressions meant to never end."""

import time
from typing import Any

import pytest

from mailhelper import rules
from mailhelper.errors import Invalid
from mailhelper.rules import Compiled, Facts

MAIL = {
    "name": "Müller, Jörg", "address": "Joerg@Mail.Verein.example", "subject": "Straßenfest: Protokoll", "folder": "INBOX/Verein",
    "has_attachment": True, "tags": {"verein"}, "suggested": frozenset({"invoice"}),
    "list_id": "Vorstand.verein.example", "text": "Bitte\nPrüfen. Danke",
    "rating": {"urgency": 2, "importance": 3, "category": "action_required", "kind": "person", "needs_reply": True, "confidence": 85},
}  # fmt: skip


def rule(*conditions: tuple[str, Any], match: str = "all", actions: tuple[Any, ...] = (("flag", None),), **more: Any) -> Compiled:
    parts = [{"type": kind, "value": value} for kind, value in conditions]
    acts = [{"type": kind, **({} if value is None else {"value": value})} for kind, value in actions]
    return Compiled(more.pop("id", 1), rules.checked({"name": "x", "match": match, "conditions": parts, "actions": acts, **more}))


def mail(**more: Any) -> Facts:
    return Facts(1, **{**MAIL, "tags": set(MAIL["tags"]), **more})      # type: ignore[arg-type, call-overload]


@pytest.mark.parametrize(("kind", "yes", "no"), [
    ("sender_equals", "joerg@mail.verein.EXAMPLE", "joerg@verein.example"), ("sender_contains", "müller", "meier"),
    ("sender_not_contains", "meier", "JORG"), ("sender_domain", "verein.example", "erein.example"),
    ("sender_domain", "@mail.verein.example", "example.org"),     ("subject_equals", "strassenfest: protokoll", "Straßenfest"),
    ("subject_contains", "STRASSEN", "Gasse"), ("subject_not_contains", "Gasse", "fest"),
    ("subject_regex", r"fest:\s+P", r"^Protokoll"), ("body_contains", "prufen", "zahlen"), ("body_not_contains", "zahlen", "danke"),
    ("body_regex", r"(?s)bitte.{1,3}prüf", r"^Danke"), ("has_attachment", True, False), ("folder_equals", "inbox/VEREIN", "INBOX"),
    ("list_id", "vorstand.verein", "andere"), ("has_tag", "Verein", "club"), ("not_has_tag", "club", "verein"),
    ("ai_suggested_tag", "Invoice", "verein"),
    ("urgency", 2, 3), ("importance", 3, 2), ("category", "action_required", "urgent"), ("kind", "person", "spam"), ("needs_reply", True, False),
])
def test_each_condition(kind: str, yes: Any, no: Any) -> None:
    assert rule((kind, yes)).matches(mail()) and not rule((kind, no)).matches(mail())
    assert rule((kind, yes)).met(mail()) == [True]


def test_every_condition_is_tried_here() -> None:
    tried = {mark.args[1][at][0] for mark in test_each_condition.pytestmark for at in range(len(mark.args[1]))}      # type: ignore[attr-defined]
    assert tried == rules.CONDITIONS.keys()


def test_a_domain_is_not_its_look_alikes() -> None:
    wanted = rule(("sender_domain", "verein.example"))
    for address, expected in (("a@verein.example", True), ("a@x.verein.example", True), ("a@badverein.example", False),
                              ("a@verein.example.evil.test", False), ("verein.example", True), ("", False)):
        assert wanted.matches(mail(address=address)) == expected, address


def test_all_and_any_and_none() -> None:
    yes, no = ("has_attachment", True), ("subject_contains", "nothing like it")
    assert rule(yes, no, match="any").matches(mail()) and not rule(yes, no).matches(mail())
    assert rule(yes, yes).matches(mail()) and not rule(no, no, match="any").matches(mail())
    assert not rule().matches(mail()) and not rule(match="any").matches(mail())


@pytest.mark.parametrize(("threshold", "confidence", "expected"), [(85, 85, True), (85, 84, False), (50, 50, True), (100, 99, False),
    (100, 100, True)])
def test_a_rating_counts_from_the_threshold_on(threshold: int, confidence: int, expected: bool) -> None:
    rated = {**MAIL["rating"], "confidence": confidence}        # type: ignore[dict-item]
    assert rule(("urgency", 2), threshold=threshold).matches(mail(rating=rated)) == expected
    assert rule(("urgency", 2),
    ("has_attachment", True), threshold=threshold).matches(mail(rating=rated)) == expected, "the threshold is no condition"
    assert not rule(("urgency", 2), threshold=threshold).matches(mail(rating={}))


# ── what happens ──

def done(*book: Compiled, **more: Any) -> list[tuple[int, list[str]]]:
    return [(one.id, [action.type for action in actions]) for one, actions in rules.plan(book, mail(**more))]


def test_rules_are_tried_in_order_until_one_says_stop() -> None:
    first, second = rule(("has_attachment", True), id=1), rule(("has_attachment", True), id=2, actions=(("mark_read", None), ("stop", None)))
    assert done(first, second, rule(("has_attachment", True), id=3)) == [(1, ["flag"]), (2, ["mark_read", "stop"])]
    assert done(second, first) == [(2, ["mark_read", "stop"])]


def test_the_first_rule_that_wants_a_place_or_a_rating_has_it() -> None:
    move = rule(("has_attachment", True), id=1, actions=(("move", "A"), ("set_urgency", 1)))
    other = rule(("has_attachment", True), id=2, actions=(("trash", None), ("set_urgency", 3), ("set_importance", 3)))
    assert done(move, other) == [(1, ["move", "set_urgency"]), (2, ["set_importance"])]
    assert rules.contradict(move.rule["actions"], other.rule["actions"])
    assert not rules.contradict(move.rule["actions"], rule(actions=(("move", "A"), ("flag", None))).rule["actions"])
    assert not rules.contradict(move.rule["actions"], rule(actions=(("set_importance", 3),)).rule["actions"])


def test_a_tag_of_one_rule_counts_for_the_next() -> None:
    tag = rule(("has_attachment", True), id=1, actions=(("tag", "Straße"),))
    assert done(tag, rule(("has_tag", "strasse"), id=2)) == [(1, ["tag"]), (2, ["flag"])]
    assert done(rule(("has_tag", "strasse"), id=2), tag) == [(1, ["tag"])]


# ── expressions ──

BOMBS = ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*)*x", "(?:a?){300}a{300}", "((a*)*)*b", "(?:a|b)*a(?:a|b){500}c", "(" * 90 + "a" + ")*" * 90,
         r"(\w+\s?)*:$", "(?:(?:(?:a{1000}){1000}){1000})", "a{4294967295}", "(?:a|b)*a(?:a|b){900}c"]


@pytest.mark.parametrize("bomb", BOMBS)
def test_an_expression_meant_to_never_end_ends_within_a_second(bomb: str) -> None:
    began = time.thread_time()
    try:
        wanted = rule(("subject_regex", bomb), ("body_regex", bomb), match="any")
        for text in ("a" * 200_000 + "!", "ab" * 100_000 + "!", "word and word " * 20_000):
            wanted.matches(mail(subject=text, text=text))
    except Invalid as error:
        assert error.code in ("rule_slow", "invalid")
    assert time.thread_time() - began < 1


def test_many_slow_mails_end_too() -> None:
    wanted = rule(("body_regex", "(?:a|b)*a(?:a|b){500}c"))
    with pytest.raises(rules.Slow) as caught:
        for _ in range(500):
            wanted.matches(mail(text="abba" * 5000))
    assert caught.value.rule is wanted and "regular expression" in caught.value.sentence("en")


@pytest.mark.parametrize("pattern", ["(", "a**", r"(?=x)", r"(a)\1", "[z-a]", "x" * 301, "", "(?P<n>"])
def test_an_expression_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid) as caught:
        rule(("subject_regex", pattern))
    assert caught.value.field_sentences("de").keys() == {"conditions.0.value"}


# ── what comes from outside ──

@pytest.mark.parametrize(("values", "wrong"), [
    ({"name": ""}, "name"), ({"name": "x" * 81}, "name"), ({"match": "some"}, "match"), ({"threshold": 49}, "threshold"),
    ({"threshold": 101}, "threshold"),
    ({"threshold": True}, "threshold"), ({"priority": -1}, "priority"), ({"priority": "1"}, "priority"), ({"enabled": 1}, "enabled"),
    ({"odd": 1}, "odd"),
    ({"conditions": {}}, "conditions"), ({"conditions": ["x"]}, "conditions"), ({"conditions": [{}] * 31}, "conditions"),
    ({"conditions": [{"type": "odd", "value": "x"}]}, "conditions.0.type"), ({"conditions": [{"type": "urgency", "value": 4}]}, "conditions.0.value"),
    ({"conditions": [{"type": "urgency", "value": True}]}, "conditions.0.value"),
    ({"conditions": [{"type": "needs_reply", "value": 1}]}, "conditions.0.value"),
    ({"conditions": [{"type": "subject_equals", "value": " "}]}, "conditions.0.value"), ({"conditions": [{"type": "kind"}]}, "conditions.0.value"),
    ({"conditions": [{"type": "subject_equals", "value": "x", "odd": 1}]}, "conditions.0.odd"), ({"actions": [{"type": "delete"}]}, "actions.0.type"),
    ({"actions": [{"type": "move"}]}, "actions.0.value"), ({"actions": [{"type": "tag", "value": 'a"b'}]}, "actions.0.value"),
    ({"actions": [{"type": "set_urgency", "value": 0}]}, "actions.0.value"), ({"actions": [{"type": "move", "value": "x" * 501}]}, "actions.0.value"),
])
def test_a_wrong_rule_is_named(values: dict[str, Any], wrong: str) -> None:
    with pytest.raises(Invalid) as caught:
        rules.checked({"name": "x", **values})
    assert caught.value.field_sentences("en").keys() == {wrong} and caught.value.field_sentences("de")


def test_what_is_left_out_has_its_default() -> None:
    assert rules.checked({"name": " My  rule "}) == {
        "name": "My rule", "enabled": True, "match": "all", "priority": 100, "threshold": 85, "conditions": [], "actions": []}
