"""A rule as a form: rows of conditions and actions, and the same in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from mailhelper import rules
from mailhelper.language import t
from mailhelper.triage import CATEGORIES, KINDS
from mailhelper.web import form

SPARE = {"conditions": 2, "actions": 1}         # empty rows below those filled in
LEAST = {"conditions": 3, "actions": 2}
NAMED = {rules.LEVEL: (3, 2, 1), rules.CATEGORY: CATEGORIES, rules.KIND: KINDS, rules.YES: (True, False)}


def read() -> dict[str, Any]:
    """What the editor sent, in the shape of rules.checked."""
    return {
        "name": form.text("name"), "enabled": form.flag("enabled"), "match": form.text("match", "all"),
        "priority": _whole("priority", rules.PRIORITY), "threshold": _whole("threshold", rules.THRESHOLD),
        "conditions": _parts("when", "value", rules.CONDITIONS), "actions": _parts("do", "target", rules.ACTIONS)}


def rows(values: Mapping[str, Any], more: int = 0) -> dict[str, list[dict[str, Any]]]:
    """{conditions, actions: [{choice, value}]} as the rows show them, with empty ones below."""
    found = {}
    for name, types in (("conditions", rules.CONDITIONS), ("actions", rules.ACTIONS)):
        filled = [_row(part, types) for part in values[name]]
        empty = max(SPARE[name], LEAST[name] - len(filled)) + more
        found[name] = filled + [{"choice": "", "value": ""}] * empty
    return found


def choices(lang: str) -> dict[str, list[tuple[str, str, bool]]]:
    """{conditions, actions: [(choice, words, whether a value is typed beside it)]}."""
    return {"conditions": _choices(rules.CONDITIONS, "rule_when.", lang), "actions": _choices(rules.ACTIONS, "rule_do.", lang)}


def words(rule: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """{when: […], do: […]}: a rule in words."""
    return {"when": [_words(one, rules.CONDITIONS, "rule_when.", lang) for one in rule["conditions"]],
            "do": [action(one, lang) for one in rule["actions"]]}


def action(one: Mapping[str, Any], lang: str) -> str:
    """An action in words: move to “Archive”."""
    return _words(one, rules.ACTIONS, "rule_do.", lang)


def _words(one: Mapping[str, Any], types: Mapping[str, str], area: str, lang: str) -> str:
    kind, value = one["type"], one.get("value")
    if types[kind] in NAMED:
        return _named(kind, types[kind], value, area, lang)
    text = t(lang, area + kind)
    return f"{text} “{value}”" if types[kind] != rules.NOTHING else text


def _named(kind: str, sort: str, value: Any, area: str, lang: str) -> str:
    if sort == rules.YES:
        return t(lang, ("rule_yes." if value else "rule_no.") + kind)
    name = kind.removeprefix("set_")
    return f"{t(lang, area + kind)} {t(lang, f'{name}.{value}')}"


def _choices(types: Mapping[str, str], area: str, lang: str) -> list[tuple[str, str, bool]]:
    found = []
    for kind, sort in types.items():
        if sort in NAMED:
            found += [(_choice(kind, value), _named(kind, sort, value, area, lang), False) for value in NAMED[sort]]
        else:
            found.append((kind, t(lang, area + kind), sort != rules.NOTHING))
    return found


def _choice(kind: str, value: Any) -> str:
    return f"{kind}:{('no', 'yes')[value] if isinstance(value, bool) else value}"


def _row(part: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    value = part.get("value")
    if types.get(part["type"]) in NAMED:
        return {"choice": _choice(part["type"], value), "value": ""}
    return {"choice": part["type"], "value": value or ""}


def _parts(choice: str, value: str, types: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows that somebody chose something in."""
    chosen, typed = form.texts(choice), form.texts(value)
    rows: Sequence[tuple[str, str]] = list(zip(chosen, [*typed, *[""] * len(chosen)], strict=False))
    return [_part(*row, types) for row in rows if row[0]]


def _part(choice: str, typed: str, types: Mapping[str, str]) -> dict[str, Any]:
    kind, named, own = choice.partition(":")
    sort = types.get(kind)
    if sort == rules.NOTHING:
        return {"type": kind}
    if not named:
        return {"type": kind, "value": typed}
    return {"type": kind, "value": {"yes": True, "no": False}.get(own) if sort == rules.YES else int(own) if own.isdecimal() else own}


def _whole(name: str, default: int) -> Any:
    text = form.text(name)
    return int(text) if text.isdecimal() and len(text) < 7 else text or default
