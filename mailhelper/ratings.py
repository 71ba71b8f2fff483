"""The layers of a mail's rating: which one counts, what each says, and what the user says it should have been."""

from collections.abc import Mapping
from typing import Any

from mailhelper import ageing, habits, intake, tagging, tags, triage
from mailhelper.db import db
from mailhelper.errors import Error, Invalid
from mailhelper.models import Mail, Rating
from mailhelper.scope import Scope
from mailhelper.triage import Reason

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
        habits.corrected(scope, mail.id)


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


def store(scope: Scope, mail_id: int, layer: str, rating: triage.Rating, **detail: Any) -> None:
    """Put a rating in the place of what this layer said before; `detail` is kept beside its summary and reasons.  Never the user's layer."""
    row = intake.rating_row(layer, rating, detail)
    with scope, db.atomic():
        scope.delete(Rating).where(Rating.mail == mail_id, Rating.layer == layer).execute()
        scope.insert(Rating, intake.RATING, [(mail_id, *row)])
        settle(scope, mail_id)


def fail(scope: Scope, mail_id: int, layer: str, rated_by: str, error: Error, tries: int = 1) -> None:
    """Note that a layer could not be rated, and how many tries that took; a rating that it has already stays.  A failed one never counts."""
    with scope, db.atomic():
        old = scope.select(Rating).where(Rating.mail == mail_id, Rating.layer == layer).get_or_none()
        if old and old.error is None:
            return
        detail = {"params": error.params, "tries": (old.detail.get("tries", 0) if old else 0) + tries}
        scope.delete(Rating).where(Rating.mail == mail_id, Rating.layer == layer).execute()
        scope.create(Rating, mail=mail_id, layer=layer, rated_by=rated_by[:100], error=error.code, detail=detail)


def details(scope: Scope, mail_id: int) -> dict[str, dict[str, Any]]:
    """{layer: what is kept beside its rating}: {summary, tags, reasons, …}."""
    with scope:
        return {row.layer: row.detail for row in scope.select(Rating, Rating.layer, Rating.detail).where(Rating.mail == mail_id)}


def layer(scope: Scope, mail_id: int, name: str) -> triage.Rating | None:
    """What one layer says of a mail; None where it says nothing, or failed."""
    with scope:
        row = scope.select(Rating).where(Rating.mail == mail_id, Rating.layer == name, Rating.error.is_null()).get_or_none()
        if row is None:
            return None
        kept = row.detail
    reasons = tuple(Reason(code, params) for code, params in kept.get("reasons", ()))
    return triage.Rating(
        row.urgency, row.importance, row.category, row.kind, bool(row.spam), bool(row.needs_reply), kept.get("summary", ""),
        tuple(kept.get("tags", ())), reasons, row.confidence, row.rated_by, row.due)


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
