"""Rates many mails, one after the other: those a person chose, and new ones after a sync.

Which of them are done is seen from their ratings, so that a run that was killed, paused or cancelled asks no model twice about a mail.
"""

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from peewee import JOIN

from mailhelper import accounts, brief, jobs, judge, providers
from mailhelper.db import now
from mailhelper.errors import Conflict, Error, Invalid, NotFound
from mailhelper.models import Account, Folder, Job, Mail, Rating
from mailhelper.providers import Provider
from mailhelper.runner import Step
from mailhelper.scope import Scope

MOST = 5000         # mails of one batch
AT_ONCE = 500       # new mails looked for at a time
SURE = 0.7          # the built-in confidence below which a model is asked about a new mail: a third of the labelled mails, and its worst
TRIES = 3           # of a model at a new mail
GIVE_UP = 5         # failures in a row: this model is of no use, and each of them is paid for
NEW = dt.timedelta(days=30)
TYPICAL = 3000      # bytes of a mail
HOPELESS = ("ai_key_refused", "ai_no_credit", "ai_no_such_model")       # what a provider says until a person mends it
UNSEEN = ("sent", "drafts", "trash", "junk")        # roles of folders whose new mail goes to no model


class Estimate(NamedTuple):
    """What rating so many mails takes: about how many of them which model is asked, for how many tokens, at what cost in millionths.

    `left`: the tokens that may still be used today, None without a limit.
    """
    mails: int
    asked: int
    model: str
    host: str
    tokens: int
    cost: int
    left: int | None


# ── chosen mails ──

def estimate(scope: Scope, ids: Sequence[int], provider_id: object | None = None) -> Estimate:
    """What a base pass over these mails would take at most.  Raises NotFound for a provider there is not."""
    provider = _provider(scope, provider_id)
    if provider is None:
        return Estimate(len(ids), 0, "", "", 0, 0, None)
    boxes = _boxes(scope)
    sizes = [size for at in range(0, len(ids), AT_ONCE)
             for size, in scope.select(Mail, Mail.size).where(Mail.id << ids[at:at + AT_ONCE], Mail.account << boxes).tuples()]
    told = providers.estimate(scope, provider, "base", sum(brief.estimate("base", size) for size in sizes), len(sizes))
    return Estimate(len(ids), len(sizes), told.model, provider.host, told.tokens_in + told.tokens_out, told.cost, told.left)


def start(scope: Scope, ids: Sequence[int], provider_id: object | None = None) -> Job:
    """Queue a base pass over these mails.  Raises NotFound, Conflict when one is under way, Invalid for none or too many."""
    if not ids:
        raise Invalid("no_mails")
    if len(ids) > MOST:
        raise Invalid("too_many", count=MOST)
    _provider(scope, provider_id)
    known = {id for at in range(0, len(ids), AT_ONCE) for id, in scope.select(Mail, Mail.id).where(Mail.id << ids[at:at + AT_ONCE]).tuples()}
    if known != set(ids):
        raise NotFound()
    return jobs.start(scope, "batch_reprocess_emails", ids=list(ids), provider_id=provider_id)


@jobs.kind("batch_reprocess_emails", retries=6, wait=60, priority=-5, pausable=True)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """A base pass over each of the mails.  Result: {rated, failed}."""
    ids, provider = jobs.params(job)["ids"], _provider(scope, jobs.params(job).get("provider_id"))
    done = _judged_since(scope, ids, job.created_at, provider)      # type: ignore[arg-type]
    course = Course(scope, step, provider, len(done), len(ids))
    for id in ids:
        if id not in done:
            course.rate(id, anew=True)
    rated = sum(_judged_since(scope, ids, job.created_at, provider).values())       # type: ignore[arg-type]
    return {"rated": rated, "failed": len(ids) - rated}


def _judged_since(scope: Scope, ids: Sequence[int], since: dt.datetime, provider: Provider | None) -> dict[int, bool]:
    """The mails that were judged since then by who was to do it, a model or the rules; and whether that succeeded."""
    boxes = set(_boxes(scope)) if provider else set()
    found: dict[int, bool] = {}
    for at in range(0, len(ids), AT_ONCE):
        rows = (scope.select(Rating, Rating.mail, Mail.account, Rating.layer, Rating.error).join(Mail)
                .where(Rating.mail << ids[at:at + AT_ONCE], Rating.created_at >= since).tuples())
        found |= {mail: error is None for mail, account, layer, error in rows
                  if layer == ("base" if account in boxes else "builtin") and (error is None or error in judge.OF_ONE_MAIL)}
    return found


# ── new mail ──

def start_new(scope: Scope, account: Account) -> None:
    """After a sync: have a model look at new mail, if the mailbox allows one, one is set, and there is something to look at."""
    provider = _provider(scope, None) if account.mode in accounts.LLM else None
    if provider and provider.error not in HOPELESS and _affordable(scope, provider) and _unjudged(scope, account):
        with suppress(Conflict):        # under way; it looks again before it ends
            jobs.start(scope, "judge_new_emails", account.id)


def _affordable(scope: Scope, provider: Provider) -> bool:
    """Whether the day's budget has room for a question about one mail."""
    told = providers.estimate(scope, provider, "base", brief.estimate("base", TYPICAL))
    return told.left is None or told.left >= told.tokens_in + told.tokens_out


@jobs.kind("judge_new_emails", retries=3, wait=120, priority=-5, pausable=True)
def run_new(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Ask a model about each new mail of a mailbox that awaits it.  Result: {rated, failed}."""
    account = scope.get(Account, job.subject)
    provider = _provider(scope, None)
    course = Course(scope, step, provider)
    tried: set[int] = set()
    while account.mode in accounts.LLM and provider and (todo := [id for id in _unjudged(scope, account) if id not in tried]):
        course.total = course.done + len(todo)
        for id in todo:
            course.rate(id)
        tried.update(todo)
    return {"rated": course.done - course.failed, "failed": course.failed}


def _unjudged(scope: Scope, account: Account) -> list[int]:
    """New mails that no model has judged though one should: the newest first."""
    rules, base = Rating.alias(), Rating.alias()
    since = max(account.judge_from or now(), now() - NEW)       # type: ignore[type-var]
    query = (scope.select(Mail, Mail.id, base.detail).join(Folder).switch(Mail)
             .join(rules, on=(rules.mail == Mail.id) & (rules.layer == "builtin") & rules.error.is_null()).switch(Mail)
             .join(base, JOIN.LEFT_OUTER, on=(base.mail == Mail.id) & (base.layer == "base"))
             .where(Mail.account == account, Mail.received >= since, Mail.date >= since - NEW, Folder.role.not_in(UNSEEN), Mail.layer != "user",
                    Mail.done_at.is_null(), base.id.is_null() | base.error.is_null(False))
             .order_by(Mail.date.desc(), Mail.id.desc()).limit(AT_ONCE))
    if account.judge == "unsure":
        query = query.where(rules.confidence < SURE)
    return [id for id, failed in query.tuples() if failed is None or failed["tries"] < TRIES]


# ── both ──

class Course:
    """Goes from mail to mail, tells how far it is, and knows when to give a model up."""

    def __init__(self, scope: Scope, step: Step, provider: Provider | None, done: int = 0, total: int = 0) -> None:
        self.scope, self.provider, self.done, self.total, self.failed = scope, provider, done, total, 0
        self._step, self._in_a_row = step, 0

    def rate(self, mail_id: int, anew: bool = False) -> None:
        """Have one mail rated by the rules (`anew`), and by the model where its mailbox allows that.  Raises what would hinder the next too."""
        self.tell()
        mail = self.scope.select(Mail).where(Mail.id == mail_id).get_or_none()
        if mail and anew:
            judge.builtin(self.scope, mail)
        if mail and self.provider and mail.account_id in _boxes(self.scope):
            self._ask(mail, self.provider)
        self.done += 1

    def tell(self) -> None:
        self._step(self.done, self.total, "judging")

    def _ask(self, mail: Mail, provider: Provider) -> None:
        try:
            judge.ask(self.scope, mail, provider, "base", self.tell)
            self._in_a_row = 0
        except Error as error:
            self.failed, self._in_a_row = self.failed + 1, self._in_a_row + 1
            if error.code not in judge.OF_ONE_MAIL or self._in_a_row >= GIVE_UP:
                raise


def _boxes(scope: Scope) -> list[int]:
    """The mailboxes whose mail a model may see."""
    return [id for id, in scope.select(Account, Account.id).where(Account.mode << accounts.LLM).tuples()]


def _provider(scope: Scope, provider_id: object | None) -> Provider | None:
    """Who is asked; None where no model is set.  Raises NotFound."""
    try:
        return providers.pick(scope, provider_id, "base")
    except Conflict:
        return None
