"""Tries rules out without doing anything: what one would match, what stands against it, and why it matches a mail or not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailhelper import rulebook, rules
from mailhelper.models import Mail, Rule
from mailhelper.rulefacts import PREVIEWED, READ_AT_ONCE, Known, Reader, latest
from mailhelper.rules import Compiled
from mailhelper.scope import Scope


def preview(scope: Scope, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule would match: {tested, matched: ids, conflicts: [{id, name, count}], too_slow}; inside the owner's scope.

    `values` as rules.checked gives them, with `id` where it is a rule already.
    """
    tried = Compiled(values.get("id", 0), values)
    others = [one for one in rulebook.compiled(rulebook.enabled(scope))
              if one.id != tried.id and rules.contradict(one.rule["actions"], tried.rule["actions"])]
    reader = Reader(scope, {kind for rule in (tried, *others) for kind in rule.types})
    ids, matched, both = latest(scope, PREVIEWED), [], Counter[int]()
    try:
        for one in _read(reader, ids):
            if tried.matches(one.facts):
                matched.append(one.facts.id)
                both.update(rule.id for rule in others if rule.matches(one.facts))
    except rules.Slow as slow:
        return {"tested": len(ids), "matched": [], "conflicts": [], "too_slow": slow.rule.id == tried.id}
    conflicts = [{"id": rule.id, "name": rule.name, "count": both[rule.id]} for rule in others if both[rule.id]]
    order = {id: number for number, id in enumerate(ids)}
    return {"tested": len(ids), "matched": sorted(matched, key=order.__getitem__), "conflicts": conflicts, "too_slow": False}


def explain(scope: Scope, rule: Rule, mail_id: object) -> dict[str, Any]:
    """Whether a rule matches one mail, condition by condition, and what it would do.  Raises NotFound, rules.Slow."""
    tried = Compiled(rule.id, rulebook.content(rule))      # type: ignore[attr-defined]
    [one] = Reader(scope, tried.types).read([scope.get(Mail, mail_id).id], chosen=True)     # type: ignore[attr-defined]
    matches, conditions = tried.matches(one.facts), zip(tried.rule["conditions"], tried.met(one.facts), strict=True)
    return {"matches": matches, "conditions": [{**condition, "met": met} for condition, met in conditions],
            "actions": tried.rule["actions"] if matches else []}


def _read(reader: Reader, ids: Sequence[int], chosen: bool = False) -> Iterator[Known]:
    for at in range(0, len(ids), READ_AT_ONCE):
        yield from reader.read(ids[at:at + READ_AT_ONCE], chosen)
