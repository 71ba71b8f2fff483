"""The layers of a mail's rating: which one counts, what the user says it should have been, and rating anew."""

from collections.abc import Mapping
from typing import Any

from mailhelper import ageing, intake, jobs, message, tagging, tags, triage
from mailhelper.db import db
from mailhelper.errors import Invalid
from mailhelper.intake import Intake
from mailhelper.models import Account, Folder, Job, Mail, Rating, Raw
from mailhelper.runner import Step
from mailhelper.scope import Scope

RATED = ("urgency", "importance", "category", "kind", "spam", "needs_reply")
LEVELS = (1, 2, 3)


def correct(scope: Scope, mail_id: object, values: Mapping[str, Any]) -> None:
    """Put the user's layer over what counts now; `values` as in api.md.  Raises Invalid with the wrong fields, NotFound."""
    mail = scope.get(Mail, mail_id)
    _check(values)
    if "tags" in values:
        tagging.replace(scope, mail.id, [tags.clean(name) for name in values["tags"]])
        if len(values) == 1:
            return
    with scope, db.atomic():
        user = scope.select(Rating).where(Rating.mail == mail, Rating.layer == "user").get_or_none()
        below = user or _best(scope, mail.id)
        merged = {name: getattr(below, name, None) for name in RATED} | ageing.now(scope, below)
        merged |= {name: values[name] for name in RATED if name in values}
        merged = {"urgency": 1, "importance": 1, "category": "information", "kind": "person"} | {k: v for k, v in merged.items() if v is not None}
        old = below.detail if below else {}
        corrected = sorted({*old.get("corrected", ()), *(name for name in RATED if name in values)})
        detail = {**old, "corrected": corrected, "reasons": [["corrected", {}]]} | ({"note": values["note"]} if values.get("note") else {})
        detail |= {"tags": values["tags"]} if "tags" in values else {}
        scope.delete(Rating).where(Rating.mail == mail, Rating.layer == "user").execute()
        scope.create(Rating, mail=mail, layer="user", confidence=1.0, rated_by="user", detail=detail, **merged)
        settle(scope, mail.id)


def take_back(scope: Scope, mail_id: object) -> None:
    """Forget what the user said of a mail's rating.  Raises NotFound."""
    mail = scope.get(Mail, mail_id)
    with scope, db.atomic():
        scope.delete(Rating).where(Rating.mail == mail, Rating.layer == "user").execute()
        settle(scope, mail.id)


def settle(scope: Scope, mail_id: int) -> None:
    """Repeat the layer that counts in the mail's own row, where lists look."""
    best = _best(scope, mail_id)
    values = {name: getattr(best, name, None) for name in ("layer", "urgency", "importance", "category", "kind", "needs_reply")}
    values |= ageing.now(scope, best)
    score = triage.score(values["urgency"] or 0, values["importance"] or 0)
    scope.update(Mail, score=score, **values).where(Mail.id == mail_id).execute()


def start(scope: Scope, mail_id: object) -> Job:
    """Queue a base pass.  Raises NotFound, Conflict when one is under way for that mail."""
    return jobs.start(scope, "reprocess_email_base", scope.get(Mail, mail_id).id)


@jobs.kind("reprocess_email_base", timeout=120, retries=3, wait=60, priority=50)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Rate one mail anew; where no model is set that is the built-in rater.  Result: {status, email_id, score, reasoning, model_used}."""
    mail = scope.get(Mail, job.subject)
    step(20, 100, "reading")
    parsed = message.parse(scope.get(Raw, mail.id).data)
    step(40, 100, "rating")
    rating = Intake(scope, scope.get(Account, mail.account_id)).rate(scope.get(Folder, mail.folder_id).role, parsed, mail.date)
    step(80, 100, "storing")
    with db.atomic():
        scope.delete(Rating).where(Rating.mail == mail, Rating.layer == "builtin").execute()
        scope.insert(Rating, intake.RATING, [(mail.id, *intake.rating_row("builtin", rating))])
        settle(scope, mail.id)
    return {"status": "completed", "email_id": mail.id, "score": triage.score(rating.urgency, rating.importance), "reasoning": rating.summary,
            "model_used": "builtin"}


def _best(scope: Scope, mail_id: int) -> Rating | None:
    """The layer that counts: the highest that did not fail."""
    rows = {row.layer: row for row in scope.select(Rating).where(Rating.mail == mail_id)}
    for layer in triage.LAYERS:
        if layer in rows and rows[layer].urgency:
            return rows[layer]      # type: ignore[no-any-return]
    return rows.get("builtin")


def _check(values: Mapping[str, Any]) -> None:
    wrong: dict[str, Any] = {name: "unknown_field" for name in values if name not in (*RATED, "note", "tags")}
    choices: dict[str, tuple[Any, ...]] = {
        "urgency": LEVELS, "importance": LEVELS, "category": triage.CATEGORIES, "kind": triage.KINDS, "spam": (True, False),
        "needs_reply": (True, False)}
    for name, allowed in choices.items():
        if name in values and (values[name] not in allowed or isinstance(values[name], bool) != isinstance(allowed[0], bool)):
            wrong[name] = ("bad_choice", {"choices": ", ".join(str(choice).lower() for choice in allowed)})
    if not isinstance(values.get("note", ""), str) or len(values.get("note", "")) > 2000:
        wrong["note"] = ("too_long", {"count": 2000})
    wrong |= _check_tags(values)
    if wrong or not values:
        raise Invalid(fields=wrong)


def _check_tags(values: Mapping[str, Any]) -> dict[str, Any]:
    names = values.get("tags", [])
    if not isinstance(names, list):
        return {"tags": "not_a_list"}
    try:
        for name in names:
            tags.clean(name)
    except Invalid as error:
        return {"tags": (error.code, error.params)}
    return {}
