"""Rates one mail anew: by the built-in rater, and by a model where one is set and the mail's mailbox allows it.

A model's word becomes the layer `base` or `optimize` beside the built-in one.  What went wrong is kept as a failed rating with its reason.
"""

from collections.abc import Callable
from typing import Any

from mailhelper import brief, jobs, limits, mails, message, prompts, providers, ratings, ruling, tagging, triage, usage
from mailhelper.accounts import LLM
from mailhelper.config import config
from mailhelper.errors import Cancelled, Conflict, Error, Locked
from mailhelper.intake import Intake
from mailhelper.models import Account, Folder, Job, Mail
from mailhelper.providers import Provider
from mailhelper.runner import Step
from mailhelper.scope import Scope

OPTIMIZE, HOUR = 5, 3600        # optimize passes in so many seconds
# What says something of one mail only; after any other failure the next mail would fare the same.
OF_ONE_MAIL = ("bad_answer", "ai_too_long", "ai_declined", "ai_cut_off", "ai_endless", "ai_silent", "ai_slow", "ai_prompt_cut", "anonymize_failed")

Check = Callable[[], None]


def start_base(scope: Scope, mail_id: object, provider_id: object | None = None) -> Job:
    """Queue a base pass.  Raises NotFound, also for the provider; Conflict when one is under way for that mail."""
    mail = scope.get(Mail, mail_id)
    allowed(scope, mail, "base", provider_id)
    return jobs.start(scope, "reprocess_email_base", mail.id, provider_id=provider_id)


def start_optimize(scope: Scope, mail_id: object, provider_id: object | None = None) -> Job:
    """Queue an optimize pass.  Raises NotFound; Conflict(no_model, model_not_allowed, no_base, already_running); Limited."""
    mail = scope.get(Mail, mail_id)
    required(scope, mail, "optimize", provider_id)
    _base(scope, mail, provider_id)
    if job := jobs.active(scope, "optimize_email_processing", mail.id):
        raise Conflict("already_running", task_id=str(job.id))
    limits.hit(f"optimize:{scope.user.id}", OPTIMIZE, HOUR)
    return jobs.start(scope, "optimize_email_processing", mail.id, provider_id=provider_id)


def required(scope: Scope, mail: Mail, purpose: str, provider_id: object | None = None) -> Provider:
    """The provider to ask about this mail.  Raises NotFound, Conflict(no_model, model_not_allowed)."""
    provider = providers.pick(scope, provider_id, purpose)
    if scope.get(Account, mail.account_id).mode not in LLM:     # type: ignore[attr-defined]
        raise Conflict("model_not_allowed")
    return provider


def allowed(scope: Scope, mail: Mail, purpose: str, provider_id: object | None = None) -> Provider | None:
    """The same; None where there is none, or the mailbox allows none.  Raises NotFound."""
    try:
        return required(scope, mail, purpose, provider_id)
    except Conflict:
        return None


@jobs.kind("reprocess_email_base", timeout=config.base_seconds, retries=3, wait=60, priority=50)
def run_base(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Rate one mail anew.  Result: {status, email_id, score, reasoning, model_used}."""
    mail = scope.get(Mail, job.subject)
    step(20, 100, "reading")
    rating = builtin(scope, mail)
    provider = allowed(scope, mail, "base", jobs.params(job).get("provider_id"))
    step(40, 100, "asking" if provider else "rating")
    if provider:
        rating = ask(scope, mail, provider, "base", lambda: step(40, 100, "asking"))
    step(80, 100, "storing")
    return {"status": "completed", "email_id": mail.id, "score": triage.score(rating.urgency, rating.importance), "reasoning": rating.summary,
            "model_used": rating.rated_by.removeprefix("llm:")}


@jobs.kind("optimize_email_processing", timeout=config.optimize_seconds, retries=3, wait=120, priority=50)
def run_optimize(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Rate one mail by the stronger model.  Result: {status, email_id, score_base, score_optimize, improvement, suggestions, model_used}."""
    mail = scope.get(Mail, job.subject)
    provider_id = jobs.params(job).get("provider_id")
    step(20, 100, "reading")
    provider, base = required(scope, mail, "optimize", provider_id), _base(scope, mail, provider_id)
    step(40, 100, "asking")
    rating = ask(scope, mail, provider, "optimize", lambda: step(40, 100, "asking"))
    step(80, 100, "storing")
    before, after = (triage.score(one.urgency, one.importance) for one in (base, rating))
    return {"status": "completed", "email_id": mail.id, "score_base": before, "score_optimize": after, "improvement": after - before,
            "suggestions": ratings.details(scope, mail.id)["optimize"]["suggestions"], "model_used": rating.rated_by.removeprefix("llm:")}


def builtin(scope: Scope, mail: Mail) -> triage.Rating:
    """What the built-in rater says of a mail now; kept."""
    rating = rules(scope, mail)
    ratings.store(scope, mail.id, "builtin", rating)
    ruling.judged(scope, [mail.id])      # type: ignore[attr-defined]
    return rating


def rules(scope: Scope, mail: Mail) -> triage.Rating:
    """What the built-in rater says of a mail now; not kept."""
    intake = Intake(scope, scope.get(Account, mail.account_id))     # type: ignore[attr-defined]
    return intake.rate(scope.get(Folder, mail.folder_id).role, message.parse(mails.raw(scope, mail.id)), mail.date)      # type: ignore[attr-defined]


def ask(scope: Scope, mail: Mail, provider: Provider, purpose: str, check: Check) -> triage.Rating:
    """Ask a model about one mail, for the layer `purpose`; that it failed is kept there too.  `check` is called each second and may raise."""
    said = ratings.layer(scope, mail.id, "builtin") or rules(scope, mail)
    base = ratings.layer(scope, mail.id, "base") or said if purpose == "optimize" else None
    try:
        letter = brief.read(scope, mail)
        prompt = brief.rating(letter, said, base, stronger=purpose == "optimize")
        answer = providers.ask(scope, provider, purpose, prompt, check)
        rating = prompts.rating(answer.data, said, answer.model, masker=letter.masker, warnings=prompt.warnings)
    except (Cancelled, Locked):
        raise
    except Error as error:
        ratings.fail(scope, mail.id, purpose, f"llm:{provider.model(purpose)}", error, tries=error.code in OF_ONE_MAIL)
        raise
    cost = usage.cost(provider.prices, provider.model(purpose), answer.tokens_in, answer.tokens_out)
    ratings.store(scope, mail.id, purpose, rating, tokens=answer.tokens_in + answer.tokens_out, cost=cost,
                  suggestions=prompts.suggestions(answer.data, letter.masker))
    tagging.heard(scope, rating.suggested_tags)
    ruling.judged(scope, [mail.id])      # type: ignore[attr-defined]
    return rating


def _base(scope: Scope, mail: Mail, provider_id: object | None) -> triage.Rating:
    """The rating that an optimize pass starts from: a model's, or the rules' where no model is set for that.  Raises Conflict("no_base")."""
    rating = ratings.layer(scope, mail.id, "base")
    if rating is None and allowed(scope, mail, "base", provider_id) is None:
        rating = ratings.layer(scope, mail.id, "builtin")
    if rating is None:
        raise Conflict("no_base")
    return rating
