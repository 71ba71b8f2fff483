"""Tags: their page, the queue of suggested ones, and tags on a mail."""

from collections.abc import Mapping, Sequence
from typing import Any

from bottle import response

from mailhelper import likeness, mails, tagging, tags
from mailhelper.errors import Conflict, Error, Invalid
from mailhelper.models import Job, Mail, Tag, TagSuggestion
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other

FIELDS = ("name", "colour", "description", "automatic")


# ── pages ──

def index(scope: Scope, errors: Mapping[str, str] | None = None, typed: Mapping[str, Any] | None = None) -> str:
    counts = tags.counts(scope, *mails.kept(scope))
    found = [_item(tag, counts) for tag in tags.listed(scope)]
    return page("tags/index", tags=found, queue=[_suggestion(one) for one in tagging.queue(scope)], colours=tags.COLOURS,
                form=typed or {}, errors=errors or {})


def create(scope: Scope) -> Any:
    typed = {name: form.text(name) for name in ("name", "colour", "description")}
    try:
        tags.create(scope, {name: value for name, value in typed.items() if value or name == "name"})
    except (Invalid, Conflict) as error:
        return _again(error, index(scope, _sentences(error), typed))
    session.toast("tag_saved")
    return see_other("/tags")


def edit(scope: Scope, id: int, errors: Mapping[str, str] | None = None, typed: Mapping[str, Any] | None = None) -> str:
    tag = _item(scope.get(Tag, id), tags.counts(scope, *mails.kept(scope)))
    return page("tags/form", tag=tag, form=typed or tag, errors=errors or {}, colours=tags.COLOURS, needed=likeness.LEARNED_FROM)


def save(scope: Scope, id: int) -> Any:
    typed: dict[str, Any] = {**{name: form.text(name) for name in ("name", "colour", "description")}, "automatic": form.flag("automatic")}
    try:
        tags.change(scope, id, typed)
    except (Invalid, Conflict) as error:
        return _again(error, edit(scope, id, _sentences(error), typed))
    session.toast("tag_saved")
    return see_other("/tags")


def delete(scope: Scope, id: int) -> Any:
    tags.delete(scope, id)
    session.toast("tag_deleted")
    return see_other("/tags")


def approve(scope: Scope, id: int) -> Any:
    """Form: apply=1 to put it on the mails that suggest it."""
    return _decided(tagging.approve(scope, id, {"apply": form.flag("apply")})[1], "tag_saved")


def merge(scope: Scope, id: int) -> Any:
    """Form: tag, an id; apply."""
    return _decided(tagging.merge(scope, id, {"tag": form.text("tag"), "apply": form.flag("apply")})[1], "tag_merged")


def reject(scope: Scope, id: int) -> Any:
    tagging.reject(scope, id)
    return _decided(None, "tag_rejected")


def _decided(job: Job | None, said: str) -> Any:
    session.toast("tag_applying" if job else said)
    return see_other("/tags")


def put_on(scope: Scope, id: int) -> Any:
    """Form: name, of a tag that there is or will be."""
    mail = scope.get(Mail, id)
    try:
        tagging.add(scope, [mail.id], tags.made(scope, [tags.clean(form.text("name"))]))
    except Invalid as error:
        raise Invalid(fields={"name": (error.code, error.params)}) from None
    return see_other(session.local(form.text("next"), f"/email/{id}"))


def take_off(scope: Scope, id: int) -> Any:
    """Form: tag, an id: off this mail, or never suggested for it."""
    mail, tag = scope.get(Mail, id), form.text("tag")
    if not tag:
        raise Invalid(fields={"tag": "missing"})
    tagging.remove(scope, [mail.id], [scope.get(Tag, tag)])
    return see_other(session.local(form.text("next"), f"/email/{id}"))


def on_mail(scope: Scope, id: int, triage: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the mail's page shows of tags: those on it, those to offer, and names for the box."""
    offers, new = tagging.offers(scope, id, triage["suggested_tags"] if triage else [])
    offered = [{"id": offer.tag.id, "name": offer.tag.name, "percent": round(100 * offer.likeness.value)} for offer in offers]
    here = [{"id": tag.id, "name": tag.name, "colour": tag.colour, "by": tag.by} for tag in tags.of(scope, id)]     # type: ignore[attr-defined]
    return {"here": here, "offered": offered, "new": new, "all": [tag.name for tag in tags.listed(scope)]}


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    form.refuse_unknown(form.query(), ())
    counts = tags.counts(scope, *mails.kept(scope))
    return _list([_item(tag, counts) for tag in tags.listed(scope)])


def api_create(scope: Scope) -> dict[str, Any]:
    tag = tags.create(scope, form.body(FIELDS))
    response.status = 201
    return _item(tag, {})


def api_change(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Tag, id)
    return _item(tags.change(scope, id, form.body(FIELDS)), tags.counts(scope, *mails.kept(scope)))


def api_delete(scope: Scope, id: int) -> dict[str, Any]:
    tags.delete(scope, id)
    return {"deleted": True}


def api_put_on(scope: Scope, id: int) -> dict[str, Any]:
    """Names or ids; a name that is no tag yet becomes one."""
    mail = scope.get(Mail, id)
    tagging.add(scope, [mail.id], wanted(scope, form.body({"tags"}).get("tags")))
    return _on(scope, mail.id)


def api_take_off(scope: Scope, id: int) -> dict[str, Any]:
    """Names or ids; one that is not on the mail is never suggested for it again."""
    mail = scope.get(Mail, id)
    values = form.body({"tags"}).get("tags")
    tagging.remove(scope, [mail.id], known(scope, values))
    return _on(scope, mail.id)


def api_suggestions(scope: Scope) -> dict[str, Any]:
    form.refuse_unknown(form.query(), ())
    return _list([_suggestion(one) for one in tagging.queue(scope)])


def api_approve(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(TagSuggestion, id)
    return _tag_and_job(tagging.approve(scope, id, form.body({"name", "colour", "apply"})))


def api_merge(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(TagSuggestion, id)
    return _tag_and_job(tagging.merge(scope, id, form.body({"tag", "apply"})))


def api_reject(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(TagSuggestion, id)
    form.body(())
    return _suggestion(tagging.reject(scope, id))


def wanted(scope: Scope, values: Any) -> list[Tag]:
    """The tags of a list of names or ids, made where missing.  Raises Invalid with the field, NotFound for a foreign id."""
    given = _named(values)
    try:
        names = [tags.clean(one) for one in given if isinstance(one, str)]
    except Invalid as error:
        raise Invalid(fields={"tags": (error.code, error.params)}) from None
    return [scope.get(Tag, one) for one in given if isinstance(one, int)] + tags.made(scope, names)


def known(scope: Scope, values: Any) -> list[Tag]:
    """The tags of a list of names or ids.  Raises Invalid with the field, NotFound."""
    return [tags.find(scope, one) for one in _named(values)]


def _named(values: Any) -> Sequence[int | str]:
    if not isinstance(values, list) or not values or not all(isinstance(one, int | str) and not isinstance(one, bool) for one in values):
        raise Invalid(fields={"tags": "not_a_list"})
    return values


def _on(scope: Scope, mail_id: int) -> dict[str, Any]:
    return {"id": mail_id, "tags": tags.names(scope, [mail_id]).get(mail_id, [])}


def _item(tag: Tag, counts: Mapping[int, int]) -> dict[str, Any]:
    known: Any = tag.profile or {}
    return {"id": tag.id, "name": tag.name, "colour": tag.colour, "description": tag.description or "", "automatic": tag.automatic,       # type: ignore[attr-defined]
            "count": counts.get(tag.id, 0), "learned_from": known.get("mails", 0), "refused": bool(known.get("refused"))}     # type: ignore[attr-defined]


def _suggestion(one: TagSuggestion) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "count": one.count, "state": one.state, "first_at": one.first_at, "last_at": one.last_at}       # type: ignore[attr-defined]


def _tag_and_job(made: tuple[Tag, Job | None]) -> dict[str, Any]:
    tag, job = made
    return {**_item(tag, {}), "task_id": str(job.id) if job else None}      # type: ignore[attr-defined]


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "next": None, "total": len(items)}


def _sentences(error: Error) -> dict[str, str]:
    return error.field_sentences(lang()) if isinstance(error, Invalid) and error.fields else {"name": error.sentence(lang())}


def _again(error: Error, html: str) -> str:
    response.status = error.status
    return html
