"""What models do with mail: the three buttons, many mails at once, what it would cost, and what a model would be told."""

from collections.abc import Mapping
from typing import Any

from mailhelper import accounts, batch, brief, filters, jobs, judge, language, mails, providers, ratings, replies, styles, usage
from mailhelper.db import now
from mailhelper.errors import Error, Invalid
from mailhelper.language import t
from mailhelper.models import Account, Job, Mail
from mailhelper.prompts import Prompt
from mailhelper.providers import Provider
from mailhelper.scope import Scope
from mailhelper.web import form, side
from mailhelper.web.render import page
from mailhelper.web.routing import accepted, count_start, lang

KINDS = {"reprocess": "reprocess_email_base", "optimize": "optimize_email_processing", "reply": "generate_reply_draft"}
TOLD = 3600         # seconds for which the page of a mail tells how a job ended
PROVIDER = ("provider_id", "service_token_id")      # the second is what the predecessor calls it


# ── the three buttons ──

def reprocess(scope: Scope, id: int) -> Any:
    asked = _asked()
    return _started(scope, lambda: judge.start_base(scope, id, _provider_id(asked)))


def optimize(scope: Scope, id: int) -> Any:
    asked = _asked()
    return _started(scope, lambda: judge.start_optimize(scope, id, _provider_id(asked)))


def reply(scope: Scope, id: int) -> Any:
    asked = _asked("style", "instructions")
    wishes = {name: asked[name] for name in ("style", "instructions") if asked.get(name) not in (None, "")}
    return _started(scope, lambda: replies.start(scope, id, provider_id=_provider_id(asked), **wishes))


def _asked(*fields: str) -> dict[str, Any]:
    return form.body({*PROVIDER, *fields}) if form.is_json() else form.given(*PROVIDER, *fields)


def _started(scope: Scope, start: Any) -> Any:
    count_start(scope)
    return accepted(start(), t(lang(), "job.message.queued"))


def _provider_id(asked: Mapping[str, Any]) -> int | None:
    """Which provider is to be asked.  Raises Invalid for what is no id."""
    for name in PROVIDER:
        value = asked.get(name)
        if value in (None, ""):
            continue
        if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal() or len(str(value)) > 9:
            raise Invalid(fields={name: "bad_id"})
        return int(value)
    return None


# ── on the mail's page ──

def under_way(scope: Scope, mail_id: int) -> dict[str, dict[str, Any] | None]:
    """For each button its newest job, while it is under way or ended just now; `outcome` says how."""
    newest = jobs.latest(scope, list(KINDS.values()), mail_id)
    return {button: _told(newest.get(kind)) for button, kind in KINDS.items()}


def _told(job: Job | None) -> dict[str, Any] | None:
    if job is None or job.finished_at and (now() - job.finished_at).total_seconds() > TOLD:
        return None
    return {**side.shown(job, lang()), "outcome": side.outcome(job, lang())}


def panel(scope: Scope, mail: Mapping[str, Any]) -> dict[str, Any]:
    """Whom the buttons would ask, for how much, and whether the mailbox allows it."""
    found = providers.listed(scope)
    base, strong = (next((one for one in found if one.model(purpose)), None) for purpose in ("base", "optimize"))
    allowed = scope.get(Account, mail["account_id"]).mode in accounts.LLM
    rated = mail["layers"]["base"] or (None if base else mail["layers"]["builtin"])
    whom = _whom(base, "base") if base and allowed else None
    return {"any": bool(base or strong), "allowed": allowed, "styles": styles.NAMES, "has_base": bool(rated and not rated["failed"]), "base": whom,
            "reply": whom, "optimize": _price(scope, strong, len(mail["text"])) if strong and allowed else None}


def _whom(provider: Provider, purpose: str) -> dict[str, Any]:
    return {"model": provider.model(purpose), "host": provider.host, "where": "local" if provider.local else "remote"}


def _price(scope: Scope, provider: Provider, size: int) -> dict[str, Any]:
    told = providers.estimate(scope, provider, "optimize", brief.estimate("optimize", size))
    return {**_whom(provider, "optimize"), "tokens": told.tokens_in + told.tokens_out, "cost": money(told.cost)}


def taken(scope: Scope, mail_id: int) -> dict[str, dict[str, Any]]:
    """What each model's rating of a mail took and proposes, by layer."""
    return {layer: {"tokens": detail["tokens"], "cost": money(detail["cost"]), "suggestions": detail["suggestions"]}
            for layer, detail in ratings.details(scope, mail_id).items() if "tokens" in detail}


def money(millionths: int) -> str:
    """An amount in whatever currency the prices were entered in; "" for none."""
    return language.amount(lang(), millionths / usage.MILLION) if millionths else ""


def preview(scope: Scope, mail_id: int) -> dict[str, Any]:
    """What a model would be told of this mail, word for word; nothing is sent."""
    mail = scope.get(Mail, mail_id)
    mode = scope.get(Account, mail.account_id).mode     # type: ignore[attr-defined]
    purpose = form.text("purpose") if form.text("purpose") in brief.BUDGETS else "base"
    masked = form.text("masked", "0" if mode == "llm_original" else "1") != "0"
    shown: dict[str, Any] = {"mode": mode, "purpose": purpose, "masked": masked, "error": None}
    try:
        letter = brief.read(scope, mail, masked)
        prompt = _question(scope, mail, letter, purpose)
    except Error as error:
        return shown | {"error": error.sentence(lang())}
    found = [(t(lang(), f"masked.{kind}"), count) for kind, count in (letter.masker.found.items() if letter.masker else ())]
    warnings = [t(lang(), f"warning.{code}") for code in prompt.warnings]
    return shown | {"warnings": warnings, "messages": prompt.messages, "tokens": prompt.tokens, "found": found}


def _question(scope: Scope, mail: Mail, letter: brief.Letter, purpose: str) -> Prompt:
    if purpose == "reply":
        return brief.reply(letter, replies.written(scope, mail, styles.NAMES[0]), "")
    rules = ratings.layer(scope, mail.id, "builtin") or judge.rules(scope, mail)
    base = ratings.layer(scope, mail.id, "base") if purpose == "optimize" else None
    return brief.rating(letter, rules, base, stronger=purpose == "optimize")


# ── many mails ──

def chosen(scope: Scope) -> str:
    """The page that says what rating the mails of a list anew would take, before it is done."""
    asked = {name: value for name, value in form.query().items() if name in filters.CHOOSING}
    ids = mails.ids(scope, asked, batch.MOST)
    told = batch.estimate(scope, ids)
    running = jobs.active(scope, "batch_reprocess_emails", 0)
    return page("batch/index", told=told, cost=money(told.cost), filters=asked, most=batch.MOST,
                job=side.shown(running, lang()) if running else None)


def start_chosen(scope: Scope) -> Any:
    """Form: the filters of the list."""
    asked = form.given(*filters.CHOOSING)
    return _started(scope, lambda: batch.start(scope, mails.ids(scope, asked, batch.MOST)))


def api_batch(scope: Scope) -> Any:
    """`ids`, or filters of the list; with `estimate` nothing is started, and the answer says what it would take."""
    asked = form.body({*PROVIDER, "ids", "estimate", *filters.CHOOSING})
    ids = _ids(scope, asked)
    if asked.get("estimate"):
        told = batch.estimate(scope, ids, _provider_id(asked))
        return {**told._asdict(), "cost": told.cost / usage.MILLION}
    return _started(scope, lambda: batch.start(scope, ids, _provider_id(asked)))


def _ids(scope: Scope, asked: Mapping[str, Any]) -> list[int]:
    ids = asked.get("ids")
    if ids is None:
        return mails.ids(scope, {name: _word(asked[name]) for name in filters.CHOOSING if name in asked}, batch.MOST)
    if not isinstance(ids, list) or not all(isinstance(id, int) and not isinstance(id, bool) for id in ids):
        raise Invalid(fields={"ids": "not_ids"})
    return list(dict.fromkeys(ids))


def _word(value: Any) -> str:
    """A filter as the query of a list has it."""
    return str(int(value)) if isinstance(value, bool) else str(value)
