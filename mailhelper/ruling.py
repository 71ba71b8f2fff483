"""Rules at work: does what they say to the mails they match, here at once and on the server by acts, and takes it back.

The acts, tags, ratings and log lines of up to AT_ONCE mails are one transaction, so that a run which was cut off is begun again
without doing anything twice.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from mailhelper import acts, jobs, journal, ratings, rulebook, rules, tagging, tags, triage
from mailhelper.db import db, now
from mailhelper.errors import Conflict, Error, Invalid, NotFound
from mailhelper.journal import Why
from mailhelper.models import DONE, REFUSED, UNDONE, Account, Job, Mail, MailTag, Rating, Rule, RuleCursor, RuleHit, Tag
from mailhelper.rulefacts import PREVIEWED, READ_AT_ONCE, Known, Reader, counting, latest
from mailhelper.rules import Action, Compiled
from mailhelper.runner import Step
from mailhelper.scope import Scope
from mailhelper.text import fold

AT_ONCE = 50                        # mails a transaction
SHOWN = 200                         # ids in the result of a dry run
LEEWAY = dt.timedelta(days=1)       # a mail is new that reached its server since its account was added here, by whatever clock
ACTS: dict[str, tuple[str, Any]] = {"mark_read": ("seen", True), "flag": ("flagged", True), "trash": ("trash", None)}
SETS = {"set_urgency": "urgency", "set_importance": "importance"}
HIT = ("rule", "mail", "act", "what", "state", "error", "detail", "at")

LAYER = ("layer", "urgency", "importance", "category", "kind", "spam", "needs_reply", "confidence", "rated_by", "error", "detail",
         "created_at", "due")
COUNTED = ("urgency", "importance", "category", "kind", "needs_reply")     # of a Rating, repeated in Mail

Wanted = list[tuple[Compiled, list[Action]]]
Set = dict[str, list[Any]]


class Applier:
    """Applies rules to mails.  Inside the owner's scope.  A rule that is too slow is left out from there on, and says so."""

    def __init__(self, scope: Scope, book: Sequence[Compiled]) -> None:
        self.scope, self.book = scope, list(book)
        self.reader = Reader(scope, {kind for rule in book for kind in rule.types})
        self.counts: Counter[str] = Counter()
        self.matched: list[int] = []
        self._tags: dict[str, Tag] = {}
        self._on: set[tuple[int, int]] = set()          # (mail, tag) of the transaction's mails
        self._pairs: list[tuple[int, int]] = []

    def plan(self, found: Sequence[Known]) -> list[tuple[Known, Wanted]]:
        """The mails that rules match, with what is to be done to each."""
        planned = []
        for one in found:
            wanted = self._plan(one)
            self.counts["processed"] += 1
            if wanted:
                planned.append((one, wanted))
                self.matched.append(one.facts.id)
        self.counts["matched"] += len(planned)
        return planned

    def _plan(self, one: Known) -> Wanted:
        wanted: Wanted = []
        before = set(one.facts.tags)
        try:
            for rule, actions in rules.plan(self.book, one.facts):
                wanted.append((rule, actions))
        except rules.Slow as slow:
            self._leave_out(slow.rule)
            one.facts.tags = before
            return self._plan(one)
        return wanted

    def _leave_out(self, slow: Compiled) -> None:
        self.book.remove(slow)
        self.counts["too_slow"] += 1
        self.scope.update(Rule, error="rule_slow").where(Rule.id == slow.id).execute()

    def apply(self, planned: Sequence[tuple[Known, Wanted]], done: Callable[[], None] | None = None) -> None:
        """Do it; `done`: called in the last transaction."""
        for at in range(0, len(planned) or 1, AT_ONCE):
            portion = planned[at:at + AT_ONCE]
            with db.atomic():
                accounts = self._apply(portion)
                if done and at + AT_ONCE >= len(planned):
                    done()
            acts.tell(self.scope, accounts)

    def _apply(self, planned: Sequence[tuple[Known, Wanted]]) -> set[int]:
        """The accounts whose servers are to be told."""
        hits: list[tuple[Any, ...]] = []
        accounts: set[int] = set()
        ids = [one.facts.id for one, _ in planned]
        self._on = set(self.scope.select(MailTag, MailTag.mail, MailTag.tag).where(MailTag.mail << ids).tuples()) if ids else set()
        self._pairs = []
        for one, wanted in planned:
            for rule, actions in wanted:
                for action in actions:
                    hit = self._act(one, rule, action, accounts)
                    if hit:
                        hits.append(self._line(one, rule, action, *hit))
        hits += self._rate([(one, rule, action) for one, wanted in planned for rule, actions in wanted for action in actions if action.type in SETS])
        self.scope.insert(MailTag, ("mail", "tag", "by", "at"), [(*pair, "rule", now()) for pair in self._pairs])
        self.scope.insert(RuleHit, HIT, hits)
        effects: dict[int, set[int]] = {}
        for hit in hits:
            effects.setdefault(hit[0], set()).add(hit[1])
            self.counts["actions"] += 1
        for rule_id, mail_ids in effects.items():
            self.scope.update(Rule, hits=Rule.hits + len(mail_ids), hit_at=now()).where(Rule.id == rule_id).execute()
        return accounts

    def _act(self, one: Known, rule: Compiled, action: Action, accounts: set[int]) -> tuple[Any, ...] | None:
        """(act id or None, state, error) of what was done; None where nothing was to do, or another does it."""
        if action.type == "tag":
            return (None, DONE, None) if self._put_on(one.facts.id, self._tag(action.value).id) else None      # type: ignore[attr-defined]
        if action.type == "stop":
            return (None, DONE, None) if len(rule.actions) == 1 else None
        if action.type in SETS:
            return None
        what, to = ("move", action.value) if action.type == "move" else ACTS[action.type]
        try:
            act = journal.record(self.scope, one.facts.id, what, to, Why("rule", rule.id, rule.name))
        except Error as error:
            code = next(iter(error.fields.values()), error.code) if isinstance(error, Invalid) else error.code
            return None, REFUSED, str(code)
        if act is None:
            return None
        accounts.add(act.account_id)      # type: ignore[attr-defined]
        return act.id, act.state, None      # type: ignore[attr-defined]

    def _put_on(self, mail_id: int, tag_id: int) -> bool:
        """Whether the mail has not got it yet; then it gets it with the others of the transaction."""
        if new := (mail_id, tag_id) not in self._on:
            self._on.add((mail_id, tag_id))
            self._pairs.append((mail_id, tag_id))
        return new

    def _tag(self, name: str) -> Tag:
        """Made if missing."""
        if name not in self._tags:
            [self._tags[name]] = tags.made(self.scope, [name])
        return self._tags[name]

    def _line(self, one: Known, rule: Compiled, action: Action, act: int | None, state: str, error: str | None,
              before: Any = None) -> tuple[Any, ...]:
        detail = {"rule": rule.name, "subject": one.subject, "value": action.value, "before": before}
        return rule.id, one.facts.id, act, action.type, state, error, RuleHit.detail.db_value(detail), now()

    def _rate(self, wanted: Sequence[tuple[Known, Compiled, Action]]) -> list[tuple[Any, ...]]:
        """Set urgency and importance in the layer of rules, of all mails in a few statements."""
        hits: list[tuple[Any, ...]] = []
        fresh: dict[int, tuple[Known, Set]] = {}
        for one, rule, action in wanted:
            _, chosen = fresh.get(one.facts.id, (one, _chosen(one.layers)))
            name = SETS[action.type]
            if (before := chosen.get(name)) is None or before[:2] != [action.value, rule.id]:
                fresh[one.facts.id] = one, {**chosen, name: [action.value, rule.id, rule.name]}
                hits.append(self._line(one, rule, action, None, DONE, None, before))
        rated = [(one, _merged(one.layers, chosen)) for one, chosen in fresh.values()]
        if rated:
            self.scope.delete(Rating).where(Rating.mail << list(fresh), Rating.layer == "rule").execute()
            self.scope.insert(Rating, ("mail", *LAYER), [(one.facts.id, *(values[name] for name in LAYER)) for one, values in rated])
            self._count(rated)
        return hits

    def _count(self, rated: Sequence[tuple[Known, dict[str, Any]]]) -> None:
        """Repeat what counts now in the mails' own rows, unless their owner's correction counts."""
        same: dict[tuple[Any, ...], list[int]] = {}
        for one, values in rated:
            if values["due"]:
                ratings.settle(self.scope, one.facts.id)        # which knows whether that day is over
            elif "user" not in one.layers:
                same.setdefault(tuple(values[name] for name in COUNTED), []).append(one.facts.id)
        for values_, ids in same.items():
            columns = dict(zip(COUNTED, values_, strict=True))
            score = triage.score(columns["urgency"], columns["importance"])
            self.scope.update(Mail, layer="rule", score=score, **columns).where(Mail.id << ids).execute()

    def finish(self) -> None:
        """Learn from the tags that were put on."""
        tagging.learn(self.scope, self._tags.values())

    def result(self, dry_run: bool) -> dict[str, Any]:
        counts = {name: self.counts[name] for name in ("processed", "matched", "actions", "too_slow")}
        return {**counts, "dry_run": dry_run, "email_ids": self.matched[:SHOWN]}


def _chosen(layers: Mapping[str, Rating]) -> Set:
    """What rules set so far: {urgency, importance: [value, rule id, rule name]}."""
    return dict(layers["rule"].detail["set"]) if "rule" in layers else {}


def _merged(layers: Mapping[str, Rating], chosen: Set) -> dict[str, Any]:
    """The layer of rules: what they set, over what would count without them."""
    below = counting(layers, ("user", "rule"))
    values: dict[str, Any] = {"urgency": 1, "importance": 1, "category": "information", "kind": "person", "spam": False, "needs_reply": False}
    values |= {name: getattr(below, name) for name in values if below and getattr(below, name) is not None}
    detail = {"summary": below.detail.get("summary", "") if below else "", "tags": [], "set": chosen,
              "reasons": [["rule", {"name": name}] for name in dict.fromkeys(name for _, _, name in chosen.values())]}
    values |= {name: value for name, (value, *_) in chosen.items()}
    values["due"] = below.due if below and "urgency" not in chosen else None
    return {**values, "layer": "rule", "confidence": 1.0, "rated_by": "rule", "error": None, "detail": Rating.detail.db_value(detail),
            "created_at": now()}


# ── jobs ──

def start(scope: Scope, values: Mapping[str, Any]) -> Job:
    """Queue applying rules to mail that is here: {rule_ids?, email_ids?, dry_run?}.  Raises NotFound for foreign ids, Invalid, Conflict."""
    wrong: dict[str, Any] = {name: "unknown_field" for name in values if name not in ("rule_ids", "email_ids", "dry_run")}
    for name in ("rule_ids", "email_ids"):
        given = values.get(name)
        if given is not None and not (isinstance(given, list) and given and all(isinstance(id, int) and not isinstance(id, bool) for id in given)):
            wrong[name] = "not_ids"
    if not isinstance(values.get("dry_run", False), bool):
        wrong["dry_run"] = "not_a_boolean"
    if wrong:
        raise Invalid(fields=wrong)
    for id in values.get("rule_ids") or ():
        scope.get(Rule, id)
    mail_ids = values.get("email_ids")
    if mail_ids and len(tags.owned(scope, mail_ids)) != len(set(mail_ids)):
        raise NotFound()
    params = {"rule_ids": values.get("rule_ids"), "email_ids": mail_ids, "dry_run": values.get("dry_run", False)}
    return jobs.start(scope, "apply_rules_to_emails", 0, **params)


def start_test(scope: Scope, rule_id: object) -> Job:
    """Queue a dry run on the newest mails.  Raises NotFound, Conflict."""
    return jobs.start(scope, "test_rule", scope.get(Rule, rule_id).id)     # type: ignore[attr-defined]


def start_new(scope: Scope, account: Account) -> None:
    """After a sync: apply rules and automatic tags to what is new, if there is any of each."""
    if not rulebook.active(scope) or not _new(scope, account, _cursor(scope, account), 1):
        return
    with suppress(Conflict):        # that job takes what is new until there is nothing more
        jobs.start(scope, "apply_rules_to_new_emails", account.id)     # type: ignore[attr-defined]


@jobs.kind("apply_rules_to_emails", retries=3, priority=30)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Apply rules to chosen mails or all; its result is {processed, matched, actions, too_slow, dry_run, email_ids}."""
    asked = jobs.params(job)
    found = rulebook.listed(scope, asked["rule_ids"]) if asked["rule_ids"] else rulebook.enabled(scope)
    applier = Applier(scope, rulebook.compiled(found))
    ids = tags.owned(scope, asked["email_ids"]) if asked["email_ids"] else latest(scope, None)
    for at in range(0, len(ids), READ_AT_ONCE):
        step(at, len(ids), "applying_rules")
        planned = applier.plan(applier.reader.read(ids[at:at + READ_AT_ONCE], chosen=bool(asked["email_ids"])))
        if not asked["dry_run"]:
            applier.apply(planned)
    applier.finish()
    return applier.result(asked["dry_run"])


@jobs.kind("test_rule", retries=2, wait=30, priority=40)
def run_test(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Which of the newest mails a rule would match; nothing is done.  Its result is that of a dry run."""
    applier = Applier(scope, rulebook.compiled([scope.get(Rule, job.subject)]))
    ids = latest(scope, PREVIEWED)
    for at in range(0, len(ids), READ_AT_ONCE):
        step(at, len(ids), "applying_rules")
        applier.plan(applier.reader.read(ids[at:at + READ_AT_ONCE]))
    return applier.result(True)


@jobs.kind("apply_rules_to_new_emails", retries=3, priority=25)
def run_new(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Put automatic tags on the new mails of an account and apply the rules; its result is {processed, matched, actions, too_slow, …}."""
    account = scope.get(Account, job.subject)
    applier, suggester = Applier(scope, rulebook.compiled(rulebook.enabled(scope))), tagging.Suggester(scope, only_automatic=True)
    after = _cursor(scope, account)
    while ids := _new(scope, account, after, READ_AT_ONCE):
        step(applier.counts["processed"], 0, "applying_rules")
        found = applier.reader.read(ids)
        for id, tagged in suggester.put_on({one.facts.id: one.names for one in found}).items():
            next(one for one in found if one.facts.id == id).facts.tags.update(fold(tag.name) for tag in tagged)
        after = ids[-1]
        applier.apply(applier.plan(found), partial(_move_cursor, scope, account, after))
    applier.finish()
    return applier.result(False)


def judged(scope: Scope, mail_ids: Sequence[int]) -> None:
    """A rating of these mails is new: apply the rules that ask for one.  The others saw the mails when they came.  Inside the owner's scope."""
    book = [one for one in rulebook.compiled(rulebook.enabled(scope)) if not one.types.isdisjoint((*rules.RATED, "ai_suggested_tag"))]
    if book:
        applier = Applier(scope, book)
        applier.apply(applier.plan(applier.reader.read(mail_ids)))
        applier.finish()


def _new(scope: Scope, account: Account, after: int, count: int) -> list[int]:
    """Ids above `after` of mails that reached their server since the account was added here: what was there before is old mail."""
    since = Mail.received >= account.created_at - LEEWAY
    query = scope.select(Mail, Mail.id).where(Mail.account == account, Mail.id > after, since).order_by(Mail.id).limit(count)
    return [id for id, in query.tuples()]


def _cursor(scope: Scope, account: Account) -> int:
    return scope.select(RuleCursor, RuleCursor.after).where(RuleCursor.account == account).scalar() or 0


def _move_cursor(scope: Scope, account: Account, after: int) -> None:
    if not scope.update(RuleCursor, after=after).where(RuleCursor.account == account).execute():
        scope.create(RuleCursor, account=account, after=after)


# ── taking back ──

def undo(scope: Scope, rule_id: object) -> tuple[int, int]:
    """Take back all that a rule did, the newest first; how many acts, tags and ratings, and how many could not be.  Raises NotFound."""
    rule = scope.get(Rule, rule_id)
    undone, left = acts.undo_all(scope, journal.of_rule(rule.id))       # type: ignore[attr-defined]
    with scope:
        which = RuleHit.rule == rule, RuleHit.act.is_null(), RuleHit.state == DONE, RuleHit.what != "stop"
        for hit in list(scope.select(RuleHit).where(*which).order_by(RuleHit.id.desc())):
            with db.atomic():
                if hit.mail_id is not None:
                    _take_back(scope, hit, rule.id)     # type: ignore[attr-defined]
                    undone += 1
                scope.update(RuleHit, state=UNDONE).where(RuleHit.id == hit.id).execute()
    return undone, left


def _take_back(scope: Scope, hit: RuleHit, rule_id: int) -> None:
    detail: Any = hit.detail
    mail_id: int = hit.mail_id      # type: ignore[attr-defined]
    if hit.what == "tag":
        tag = scope.select(Tag, Tag.id).where(Tag.name_key == tags.key(scope, detail["value"]))
        scope.delete(MailTag).where(MailTag.mail == mail_id, MailTag.tag << tag, MailTag.by == "rule").execute()
        return
    layers = {row.layer: row for row in scope.select(Rating).where(Rating.mail == mail_id)}
    chosen, name = _chosen(layers), SETS[hit.what]
    if chosen.get(name, [None, None])[1] != rule_id:        # another rule has set it since
        return
    chosen = {**{other: value for other, value in chosen.items() if other != name}, **({name: detail["before"]} if detail["before"] else {})}
    scope.delete(Rating).where(Rating.mail == mail_id, Rating.layer == "rule").execute()
    if chosen:
        values = _merged(layers, chosen)
        scope.insert(Rating, ("mail", *LAYER), [(mail_id, *(values[name] for name in LAYER))])
    ratings.settle(scope, mail_id)
