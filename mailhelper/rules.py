"""What a rule is and which mails it matches: pure, over what is known of one mail.

A rule is {name, enabled, priority, match: all | any, threshold, conditions: [{type, value}], actions: [{type, value}]}.  Regular expressions
are RE2's, whose time grows with the text alone; one that is slow all the same ends with Slow.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import re2

from mailhelper.errors import Invalid
from mailhelper.text import fold
from mailhelper.triage import CATEGORIES, KINDS

PRIORITY, THRESHOLD = 100, 85       # defaults; the threshold is the confidence in percent from which a rating counts
MATCHES = ("all", "any")
LONGEST, PATTERN, NAME = 500, 300, 80       # characters of a value, of a regular expression, of a rule's name
MOST = 30                           # conditions, or actions, of a rule
LOOKED_AT = 20_000                  # characters of a mail that a regular expression sees
MEMORY = 1 << 18                    # bytes that a compiled expression may take; larger ones are refused
PATIENCE = 0.4                      # seconds of computing that a rule's expressions may take, and MORE for each mail
MORE = 0.001
LEVELS = (1, 2, 3)

TEXT, FOLDER, TAG, REGEX, YES, LEVEL, CATEGORY, KIND, NOTHING = "text", "folder", "tag", "regex", "yes", "level", "category", "kind", "nothing"
CONDITIONS = {       # type → what its value is
    "sender_equals": TEXT, "sender_contains": TEXT, "sender_not_contains": TEXT, "sender_domain": TEXT,
    "subject_equals": TEXT, "subject_contains": TEXT, "subject_not_contains": TEXT, "subject_regex": REGEX,
    "body_contains": TEXT, "body_not_contains": TEXT, "body_regex": REGEX, "has_attachment": YES, "folder_equals": FOLDER, "list_id": TEXT,
    "has_tag": TAG, "not_has_tag": TAG, "ai_suggested_tag": TAG,
    "urgency": LEVEL, "importance": LEVEL, "category": CATEGORY, "kind": KIND, "needs_reply": YES,
}  # fmt: skip
ACTIONS = {
    "move": FOLDER, "mark_read": NOTHING, "flag": NOTHING, "tag": TAG, "set_urgency": LEVEL, "set_importance": LEVEL, "trash": NOTHING,
    "stop": NOTHING,
}  # fmt: skip
RATED = ("urgency", "importance", "category", "kind", "needs_reply")       # conditions on a rating, which the threshold is for
OF_TEXT = ("body_contains", "body_not_contains", "body_regex", "list_id")      # conditions that need the mail's bytes
SLOTS = {"move": "place", "trash": "place", "set_urgency": "urgency", "set_importance": "importance"}      # the first rule takes these


@dataclass
class Facts:
    """What rules look at of one mail.  `rating`: RATED and `confidence`, 0–100, of what counts; empty for an unrated mail."""
    id: int
    name: str = ""
    address: str = ""
    subject: str = ""
    folder: str = ""
    has_attachment: bool = False
    tags: set[str] = field(default_factory=set)             # folded
    suggested: frozenset[str] = frozenset()                 # folded
    rating: Mapping[str, Any] = field(default_factory=dict)
    list_id: str = ""
    text: str = ""

    @cached_property
    def sender(self) -> str:
        return fold(f"{self.name} <{self.address}>")

    @cached_property
    def folded_subject(self) -> str:
        return fold(self.subject)

    @cached_property
    def folded_text(self) -> str:
        return fold(self.text)


class Action(NamedTuple):
    """One thing a rule does."""
    type: str
    value: Any


Test = Callable[[Facts], bool]


class Slow(Invalid):
    """The regular expressions of this rule take too long."""
    code = "rule_slow"

    def __init__(self, rule: "Compiled") -> None:
        super().__init__()
        self.rule = rule


class Compiled:
    """A rule made ready to be compared with many mails.  Keeps account of the time its expressions take."""

    def __init__(self, id: int, rule: Mapping[str, Any]) -> None:
        self.id, self.rule, self.name = id, rule, rule["name"]
        self.actions = [Action(one["type"], one.get("value")) for one in rule["actions"]]
        self.stops = any(action.type == "stop" for action in self.actions)
        self.types = {one["type"] for one in rule["conditions"]}
        self.tests = [self._test(one["type"], one["value"]) for one in rule["conditions"]]
        cheap = sorted(range(len(self.tests)), key=lambda at: rule["conditions"][at]["type"] in OF_TEXT)
        self._quick = [self.tests[at] for at in cheap]
        self._every = rule["match"] == "all"
        self._left = PATIENCE

    def matches(self, facts: Facts) -> bool:
        """Whether a mail meets all, or any, of the conditions; none at all is met by no mail.  Raises Slow."""
        self._left += MORE
        if not self._quick:
            return False
        return all(test(facts) for test in self._quick) if self._every else any(test(facts) for test in self._quick)

    def met(self, facts: Facts) -> list[bool]:
        """Which conditions a mail meets, in their order."""
        return [test(facts) for test in self.tests]

    def _test(self, kind: str, value: Any) -> Test:
        if kind.endswith("_regex"):
            found = self._searcher(value)
            return (lambda facts: found(facts.subject)) if kind == "subject_regex" else (lambda facts: found(facts.text))
        if kind in RATED:
            threshold = self.rule["threshold"]
            return lambda facts: facts.rating.get(kind) == value and facts.rating["confidence"] >= threshold
        return PLAIN[kind](fold(value) if isinstance(value, str) else value)

    def _searcher(self, text: str) -> Callable[[str], bool]:
        compiled = pattern(text)

        def search(where: str) -> bool:
            began = time.thread_time()
            found = compiled.search(where[:LOOKED_AT]) is not None
            self._left -= time.thread_time() - began
            if self._left < 0:
                raise Slow(self)
            return found
        return search


def _domain(domain: str) -> Test:
    """The domain itself and what is below it; example.org.evil.example and badexample.org are neither."""
    domain = domain.lstrip("@.")
    below = f".{domain}"
    return lambda facts: (own := fold(facts.address).rpartition("@")[2]) == domain or own.endswith(below)


PLAIN: dict[str, Callable[[Any], Test]] = {
    "sender_equals": lambda wanted: lambda facts: fold(facts.address) == wanted,
    "sender_contains": lambda wanted: lambda facts: wanted in facts.sender,
    "sender_not_contains": lambda wanted: lambda facts: wanted not in facts.sender,
    "sender_domain": _domain,
    "subject_equals": lambda wanted: lambda facts: facts.folded_subject == wanted,
    "subject_contains": lambda wanted: lambda facts: wanted in facts.folded_subject,
    "subject_not_contains": lambda wanted: lambda facts: wanted not in facts.folded_subject,
    "body_contains": lambda wanted: lambda facts: wanted in facts.folded_text,
    "body_not_contains": lambda wanted: lambda facts: wanted not in facts.folded_text,
    "has_attachment": lambda wanted: lambda facts: facts.has_attachment == wanted,
    "folder_equals": lambda wanted: lambda facts: fold(facts.folder) == wanted,
    "list_id": lambda wanted: lambda facts: wanted in fold(facts.list_id),
    "has_tag": lambda wanted: lambda facts: wanted in facts.tags,
    "not_has_tag": lambda wanted: lambda facts: wanted not in facts.tags,
    "ai_suggested_tag": lambda wanted: lambda facts: wanted in facts.suggested,
}


@lru_cache(256)
def pattern(text: str) -> Any:
    """A compiled expression, capitals or not.  Raises Invalid for what RE2 does not understand or holds too large."""
    options = re2.Options()
    options.case_sensitive, options.never_capture, options.log_errors, options.max_mem = False, True, False, MEMORY
    try:
        return re2.compile(text, options)
    except re2.error:
        raise Invalid("bad_regex") from None


def plan(book: Iterable[Compiled], facts: Facts) -> Iterator[tuple[Compiled, list[Action]]]:
    """The rules that match a mail, in their order, with what each does to it.

    Where two want different things of one kind, the first has its way; a tag counts for the rules behind; stop ends it.
    """
    taken: set[str] = set()
    for rule in book:
        if not rule.matches(facts):
            continue
        wanted = [action for action in rule.actions if SLOTS.get(action.type) not in taken]
        taken |= {SLOTS[action.type] for action in wanted if action.type in SLOTS}
        facts.tags |= {fold(action.value) for action in wanted if action.type == "tag"}
        yield rule, wanted
        if rule.stops:
            return


def contradict(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the actions of two rules cannot both be had: two places for a mail, two urgencies."""
    mine, theirs = _slots(one), _slots(other)
    return any(mine[slot] != theirs[slot] for slot in mine.keys() & theirs.keys())


def _slots(actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {SLOTS[one["type"]]: (one["type"], one.get("value")) for one in actions if one["type"] in SLOTS}


# ── checking what came from outside ──

def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A whole rule of what was given, defaults for what is left out.  Raises Invalid with the wrong fields, such as conditions.0.value."""
    wrong: dict[str, Any] = {name: "unknown_field" for name in values if name not in FIELDS}
    rule: dict[str, Any] = {"name": _name(values.get("name"), wrong), "enabled": values.get("enabled", True), "match": values.get("match", "all"),
                            "priority": values.get("priority", PRIORITY), "threshold": values.get("threshold", THRESHOLD)}
    if not isinstance(rule["enabled"], bool):
        wrong["enabled"] = "not_a_boolean"
    if rule["match"] not in MATCHES:
        wrong["match"] = ("bad_choice", {"choices": ", ".join(MATCHES)})
    for name, low, high in (("priority", 0, 9999), ("threshold", 50, 100)):
        if isinstance(rule[name], bool) or not isinstance(rule[name], int) or not low <= rule[name] <= high:
            wrong[name] = ("out_of_range", {"low": low, "high": high})
    for name, types in (("conditions", CONDITIONS), ("actions", ACTIONS)):
        rule[name] = _parts(name, values.get(name, []), types, wrong)
    if wrong:
        raise Invalid(fields=wrong)
    return rule


FIELDS = ("name", "enabled", "priority", "match", "threshold", "conditions", "actions")


def _name(value: Any, wrong: dict[str, Any]) -> str:
    name = " ".join(value.split()) if isinstance(value, str) else ""
    if not name:
        wrong["name"] = "missing"
    elif len(name) > NAME:
        wrong["name"] = ("too_long", {"count": NAME})
    return name


def _parts(name: str, given: Any, types: Mapping[str, str], wrong: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(given, list) or len(given) > MOST or not all(isinstance(one, dict) for one in given):
        wrong[name] = ("rule_parts", {"count": MOST})
        return []
    parts = []
    for number, one in enumerate(given):
        try:
            parts.append(_part(one, types))
        except Invalid as error:
            wrong |= {f"{name}.{number}.{part}": code for part, code in error.fields.items()}
    return parts


def _part(one: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    unknown = [name for name in one if name not in ("type", "value")]
    if unknown:
        raise Invalid(fields=dict.fromkeys(unknown, "unknown_field"))
    kind = one.get("type")
    if not isinstance(kind, str) or kind not in types:
        raise Invalid(fields={"type": ("bad_choice", {"choices": ", ".join(types)})})
    if types[kind] == NOTHING:
        return {"type": kind}
    try:
        return {"type": kind, "value": _value(types[kind], one.get("value"))}
    except Invalid as error:
        raise Invalid(fields={"value": (error.code, error.params)}) from None


def _value(sort: str, value: Any) -> Any:
    choices: dict[str, tuple[Any, ...]] = {YES: (True, False), LEVEL: LEVELS, CATEGORY: CATEGORIES, KIND: KINDS}
    if sort in choices:
        if value not in choices[sort] or isinstance(value, bool) != (sort == YES):
            raise Invalid("bad_choice", choices=", ".join(str(choice).lower() for choice in choices[sort]))
        return value
    text = value if sort == REGEX and isinstance(value, str) else value.strip() if isinstance(value, str) else ""
    if not text:
        raise Invalid("missing")
    if len(text) > (most := PATTERN if sort == REGEX else 50 if sort == TAG else LONGEST):
        raise Invalid("too_long", count=most)
    if not text.isprintable():
        raise Invalid("not_printable")
    if sort == TAG and '"' in text:
        raise Invalid("tag_name")
    if sort == REGEX:
        pattern(text)
    return text
