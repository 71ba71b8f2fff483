"""Drafts of replies by a model: in the user's style and the mail's language, for a person to check, never sent by itself."""

from typing import Any

from mailhelper import brief, drafts, jobs, judge, prompts, providers, styles
from mailhelper.config import config
from mailhelper.errors import Invalid
from mailhelper.models import Account, Job, Mail
from mailhelper.prompts import Style
from mailhelper.runner import Step
from mailhelper.scope import Scope

LONGEST = 2000      # characters of instructions for one reply


def start(scope: Scope, mail_id: object, style: str = styles.NAMES[0], instructions: str = "", provider_id: object | None = None) -> Job:
    """Queue a reply draft.  Raises NotFound, Invalid with the wrong fields, Conflict(no_model, model_not_allowed, already_running)."""
    mail = scope.get(Mail, mail_id)
    wrong: dict[str, Any] = {}
    if style not in styles.NAMES:
        wrong["style"] = ("bad_choice", {"choices": ", ".join(styles.NAMES)})
    if not isinstance(instructions, str) or len(instructions) > LONGEST:
        wrong["instructions"] = ("too_long", {"count": LONGEST})
    if wrong:
        raise Invalid(fields=wrong)
    judge.required(scope, mail, "reply", provider_id)
    return jobs.start(scope, "generate_reply_draft", mail.id, style=style, instructions=instructions, provider_id=provider_id)


@jobs.kind("generate_reply_draft", timeout=config.reply_seconds, retries=3, wait=60, priority=50)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Have a model write a draft; it becomes a new version.  Result: {status, email_id, draft, style, draft_id, model_used}."""
    mail, asked = scope.get(Mail, job.subject), jobs.params(job)
    step(20, 100, "reading")
    provider = judge.required(scope, mail, "reply", asked.get("provider_id"))
    style = written(scope, mail, asked["style"])
    letter = brief.read(scope, mail)
    prompt = brief.reply(letter, style, asked["instructions"])
    step(40, 100, "writing")
    answer = providers.ask(scope, provider, "reply", prompt, lambda: step(40, 100, "writing"))
    text = prompts.draft(answer.data, letter.masker, style=style, language=prompt.language)
    step(60, 100, "storing")
    draft = drafts.write(scope, mail, text, style.name, f"llm:{answer.model}"[:100])
    return {"status": "completed", "email_id": mail.id, "draft": text, "style": style.name, "draft_id": draft.id, "model_used": answer.model}


def written(scope: Scope, mail: Mail, name: str) -> Style:
    """A style with the signature of the mail's mailbox, where that has one."""
    values = styles.read(scope, name)
    with scope:
        signature = scope.get(Account, mail.account_id).signature       # type: ignore[attr-defined]
    return Style(**{**values, "signature": signature or values["signature"]})
