"""The rules of a user: kept, offered as templates, made from a mail, written down as text and read back, and the log of what they did."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from peewee import JOIN, Case, Expression, fn

from mailhelper import mails, rules
from mailhelper.db import db
from mailhelper.errors import Invalid
from mailhelper.language import t
from mailhelper.message import parse
from mailhelper.models import DONE, PENDING, REFUSED, UNDONE, Account, Act, Mail, Rule, RuleCursor, RuleHit, Tag
from mailhelper.rules import CONDITIONS, LEVEL, YES, Compiled
from mailhelper.scope import Scope

MOST = 500          # rules of a user
MOST_TEXT = 200_000
YES_NO = {"yes": True, "no": False}
# Ready-made beginnings; their names and descriptions are in the catalogue.
TEMPLATES: dict[str, dict[str, Any]] = {
    "newsletter_archive": {"match": "all", "conditions": [{"type": "kind", "value": "newsletter"}],
                           "actions": [{"type": "move", "value": "Archive"}, {"type": "mark_read"}]},
    "spam": {"match": "any", "priority": 20, "threshold": 90,
             "conditions": [{"type": "kind", "value": "spam"}, {"type": "kind", "value": "phishing"}],
             "actions": [{"type": "trash"}, {"type": "stop"}]},
    "important_sender": {"match": "any", "priority": 50, "conditions": [{"type": "sender_equals", "value": "boss@example.org"}],
                         "actions": [{"type": "flag"}, {"type": "set_importance", "value": 3}]},
    "attachment_archive": {"match": "all", "conditions": [{"type": "has_attachment", "value": True}, {"type": "kind", "value": "receipt"}],
                           "actions": [{"type": "tag", "value": "documents"}, {"type": "move", "value": "Archive"}]},
}  # fmt: skip


# ── kept ──

def listed(scope: Scope, which: Iterable[int] | None = None) -> list[Rule]:
    """All rules, or some, in the order in which they are tried; inside the owner's scope."""
    query = scope.select(Rule).order_by(Rule.priority, Rule.id)
    return list(query if which is None else query.where(Rule.id << list(which)))


def enabled(scope: Scope) -> list[Rule]:
    """Those that are switched on, in their order."""
    return [rule for rule in listed(scope) if rule.enabled]


def create(scope: Scope, values: Mapping[str, Any]) -> Rule:
    """A new rule, for mail that arrives from now on.  Raises Invalid with the wrong fields."""
    rule = rules.checked(values)
    with scope, db.atomic():
        if scope.select(Rule).count() >= MOST:
            raise Invalid("rule_many", count=MOST)
        if rule["enabled"]:
            begin(scope)
        return scope.create(Rule, **_columns(rule))


def change(scope: Scope, rule_id: object, values: Mapping[str, Any]) -> Rule:
    """Put these values in the place of a rule's.  Raises NotFound, Invalid with the wrong fields."""
    old = scope.get(Rule, rule_id)
    rule = rules.checked(values)
    with scope, db.atomic():
        if rule["enabled"] and not old.enabled:
            begin(scope)
        scope.update(Rule, error=None, **_columns(rule)).where(Rule.id == old.id).execute()
        return scope.get(Rule, old.id)


def switch(scope: Scope, rule_id: object, enabled: bool) -> Rule:
    """Switch a rule on or off.  Raises NotFound."""
    return change(scope, rule_id, {**content(scope.get(Rule, rule_id)), "enabled": enabled})


def delete(scope: Scope, rule_id: object) -> None:
    """Forget a rule; what it did stays done, and in the log.  Raises NotFound."""
    scope.delete(Rule).where(Rule.id == scope.get(Rule, rule_id).id).execute()


def content(rule: Rule) -> dict[str, Any]:
    """What it says, in the shape of `rules.checked`; inside the owner's scope."""
    kept: Any = rule.content
    return {"name": kept["name"], "enabled": rule.enabled, "priority": rule.priority, "match": kept["match"], "threshold": kept["threshold"],
            "conditions": kept["conditions"], "actions": kept["actions"]}


def compiled(found: Iterable[Rule]) -> list[Compiled]:
    return [Compiled(rule.id, content(rule)) for rule in found]      # type: ignore[attr-defined]


def active(scope: Scope) -> bool:
    """Whether anything is to be done by itself with mail that arrives."""
    return scope.select(Rule, Rule.id).where(Rule.enabled).exists() or scope.select(Tag, Tag.id).where(Tag.automatic).exists()


def begin(scope: Scope) -> None:
    """Before the first rule or automatic tag is switched on: what is here already is old mail, which is touched only when that is asked for."""
    if active(scope):
        return
    newest = dict(scope.select(Mail, Mail.account, fn.MAX(Mail.id)).group_by(Mail.account).tuples())
    scope.delete(RuleCursor).execute()
    for account, in scope.select(Account, Account.id).tuples():
        scope.create(RuleCursor, account=account, after=newest.get(account, 0))


def _columns(rule: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: rule[name] for name in ("name", "match", "threshold", "conditions", "actions")}
    return {"content": kept, "priority": rule["priority"], "enabled": rule["enabled"]}


# ── beginnings ──

def templates(lang: str) -> list[dict[str, Any]]:
    """[{id, name, description, rule}] in the reader's language."""
    return [{"id": id, "name": t(lang, f"rule_template.{id}"), "description": t(lang, f"rule_template_text.{id}"),
             "rule": rules.checked({**rule, "name": t(lang, f"rule_template.{id}")})} for id, rule in TEMPLATES.items()]


def from_mail(scope: Scope, mail_id: object, lang: str) -> dict[str, Any]:
    """The beginning of a rule for mail like this one: by its list, else by who sent it.  Raises NotFound."""
    mail = scope.get(Mail, mail_id)
    name, address = mail.head["from"]
    list_id = list_of(parse(mails.raw(scope, mail.id)).header("List-Id"))     # type: ignore[attr-defined]
    condition = {"type": "list_id", "value": list_id} if list_id else {"type": "sender_equals", "value": address}
    title = t(lang, "rules.from_name", name=name or address)[:rules.NAME]
    given = {"name": title, "conditions": [condition] if condition["value"] else [], "actions": []}
    return rules.checked(given)


def list_of(field: str) -> str:
    """The id of RFC 2919 in a List-Id field, without the words before it."""
    return field.rpartition("<")[2].partition(">")[0].strip() if "<" in field else field.strip()


# ── as text ──

def dumps(found: Iterable[Rule]) -> str:
    """Rules as TOML that people can read and change; inside the owner's scope."""
    lines = ["# Rules of mailhelper, in the order in which they are tried."]
    for one in map(content, found):
        lines += ["", "[[rule]]", f"name = {_quoted(one['name'])}", f"enabled = {str(one['enabled']).lower()}", f"priority = {one['priority']}",
                  f"match = {_quoted(one['match'])}", f"threshold = {one['threshold']}"]
        for name, parts in (("when", one["conditions"]), ("do", one["actions"])):
            lines += [f"{name} = [", *(f"    {_quoted(_line(part))}," for part in parts), "]"]
    return "\n".join(lines) + "\n"


def loads(text: str) -> list[dict[str, Any]]:
    """The rules of such a text, checked.  Raises Invalid: "rule_text" where it is no such text, else with the wrong fields of each rule."""
    if len(text) > MOST_TEXT:
        raise Invalid("too_long", count=MOST_TEXT)
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        raise Invalid("rule_text") from None
    tables = found.get("rule", [])
    if found.keys() - {"rule"} or not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise Invalid("rule_text")
    return [_read(one, number) for number, one in enumerate(tables, 1)]


def take(scope: Scope, text: str) -> int:
    """Add the rules of a text; all, or none where one is wrong.  How many."""
    found = loads(text)
    with scope, db.atomic():
        for one in found:
            create(scope, one)
    return len(found)


def _read(table: Mapping[str, Any], number: int) -> dict[str, Any]:
    try:
        values = {name: value for name, value in table.items() if name not in ("when", "do")}
        return rules.checked({**values, "conditions": _parts(table.get("when")), "actions": _parts(table.get("do"))})
    except Invalid as error:
        raise Invalid(fields={f"rule {number}: {name}": code for name, code in error.fields.items()}) from None


def _parts(lines: Any) -> Any:
    return [_part(line) for line in lines] if isinstance(lines, list) and all(isinstance(line, str) for line in lines) else lines or []


def _part(line: str) -> dict[str, Any]:
    kind, _, words = (piece.strip() for piece in line.partition(":"))
    sort = {**CONDITIONS, **rules.ACTIONS}.get(kind)
    value: Any = YES_NO.get(words.lower(), words) if sort == YES else int(words) if sort == LEVEL and words.isdecimal() else words
    return {"type": kind, "value": value}


def _line(part: Mapping[str, Any]) -> str:
    if "value" not in part:
        return str(part["type"])
    value = part["value"]
    return f"{part['type']}: {('no', 'yes')[value] if isinstance(value, bool) else value}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# ── the log ──

STATES = (PENDING, DONE, REFUSED, UNDONE)


def in_state(state: str) -> Expression:
    """True of log lines in this state; of an act, the server's word counts."""
    return Case(None, [(RuleHit.act.is_null(), RuleHit.state)], Act.state) == state     # type: ignore[no-any-return]


def log_size(scope: Scope, which: Sequence[Expression]) -> int:
    return int(scope.select(RuleHit).join(Act, JOIN.LEFT_OUTER).where(*which).count())


def log(scope: Scope, which: Sequence[Expression], limit: int, before: int | None = None) -> list[RuleHit]:
    """What rules did, the newest first, each with `shown_state`: a server's act is done only when the server confirmed it."""
    query = scope.select(RuleHit, RuleHit, Act.id, Act.state, Act.error).join(Act, JOIN.LEFT_OUTER).where(*which)
    found = list((query.where(RuleHit.id < before) if before else query).order_by(RuleHit.id.desc()).limit(limit))
    for hit in found:
        told = hit.act if hit.act_id else hit
        hit.shown_state, hit.shown_error = told.state, told.error
    return found
