"""Rules: the list, the editor with its preview, the log, and the same for scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from bottle import response
from peewee import Expression

from mailhelper import limits, mails, rulebook, rules, ruling, trial
from mailhelper.errors import Invalid, sentence
from mailhelper.language import t
from mailhelper.models import Folder, Job, Mail, Rule, RuleHit
from mailhelper.scope import Scope
from mailhelper.web import form, jobs, ruleform, session
from mailhelper.web.render import page
from mailhelper.web.routing import accepted, download, lang, see_other

MOST = 200
SHOWN = 100             # log lines a page
MATCHED = 20            # mails that a preview shows
PREVIEWS = 120          # a minute and user
FILTERS = ("rule", "what", "state", "email")


# ── the list ──

def index(scope: Scope, wrong: str = "", text: str = "") -> str:
    found = [{**_item(rule), "words": ruleform.words(rulebook.content(rule), lang())} for rule in rulebook.listed(scope)]
    return page("rules/index", rules=found, templates=rulebook.templates(lang()), wrong=wrong, text=text)


def switch(scope: Scope, id: int) -> Any:
    """Form: enabled=1 or 0."""
    rulebook.switch(scope, id, form.flag("enabled"))
    session.toast("rule_on" if form.flag("enabled") else "rule_off")
    return see_other("/rules")


def delete(scope: Scope, id: int) -> Any:
    rulebook.delete(scope, id)
    session.toast("rule_deleted")
    return see_other("/rules")


def apply(scope: Scope) -> Any:
    """Form: rule, an id, or none for all that are switched on."""
    rule = form.whole("rule")
    return _started(ruling.start(scope, {"rule_ids": [rule]} if rule else {}))


def undo(scope: Scope, id: int) -> Any:
    _, left = ruling.undo(scope, id)
    session.toast("rule_partly_undone" if left else "rule_undone")
    return see_other("/rules")


def export(scope: Scope) -> Any:
    return download(rulebook.dumps(rulebook.listed(scope)).encode(), "text/plain; charset=utf-8", "rules.toml")


def take(scope: Scope) -> Any:
    """Form: text."""
    text = form.text("text")
    try:
        rulebook.take(scope, text)
    except Invalid as error:
        response.status = error.status
        told = [f"{name}: {words}" for name, words in error.field_sentences(lang()).items()]
        return index(scope, " ".join(told) or error.sentence(lang()), text)
    session.toast("rules_added")
    return see_other("/rules")


# ── the editor ──

def new(scope: Scope) -> str:
    """Query: template, or mail, an id, to begin with."""
    name, mail = form.text("template"), form.whole("mail")
    template = next((one["rule"] for one in rulebook.templates(lang()) if one["id"] == name), None)
    values = rulebook.from_mail(scope, mail, lang()) if mail else template or {**rules.checked({"name": "-"}), "name": ""}
    return _editor(scope, None, values)


def edit(scope: Scope, id: int) -> str:
    rule = scope.get(Rule, id)
    return _editor(scope, rule, rulebook.content(rule))


def add(scope: Scope) -> Any:
    return _submitted(scope, None)


def save(scope: Scope, id: int) -> Any:
    return _submitted(scope, scope.get(Rule, id))


def _submitted(scope: Scope, rule: Rule | None) -> Any:
    """Form: the fields of the editor; act: save, preview or more (rows)."""
    values = ruleform.read()
    act = form.text("act", "save")
    if act == "more":
        return _editor(scope, rule, values, more=3)
    try:
        if act == "preview":
            limits.hit(f"preview:{scope.user.id}", PREVIEWS, 60)
            rules.checked({**values, "name": values["name"] or "-"})        # which may come last
            return _editor(scope, rule, values)
        checked = rules.checked(values)
        if rule:
            rulebook.change(scope, rule.id, checked)        # type: ignore[attr-defined]
        else:
            rulebook.create(scope, checked)
    except Invalid as error:
        if act != "preview":
            response.status = error.status
        return _editor(scope, rule, values, errors=error.field_sentences(lang()) or {"": error.sentence(lang())})
    session.toast("rule_saved")
    return see_other("/rules")


def _editor(scope: Scope, rule: Rule | None, values: dict[str, Any], errors: Mapping[str, str] | None = None, more: int = 0) -> str:
    folders = sorted({name for name, in scope.select(Folder, Folder.name).where(Folder.gone_at.is_null()).tuples()}, key=str.casefold)
    preview = None if errors or more else _preview(scope, {"id": rule.id if rule else 0, **values})     # type: ignore[attr-defined]
    return page("rules/form", rule=_item(rule) if rule else None, form=values, errors=errors or {}, preview=preview, folders=folders,
                rows=ruleform.rows(values, more), choices=ruleform.choices(lang()))


def _preview(scope: Scope, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """What it would match, for the page; None while there is nothing to compare."""
    if not values["conditions"]:
        return None
    found = trial.preview(scope, values)
    return {**found, "count": len(found["matched"]), "items": mails.some(scope, found["matched"][:MATCHED], lang())}


# ── the log ──

def log(scope: Scope) -> str:
    asked = form.query()
    before = form.whole("before")
    which = _which(scope, {name: value for name, value in asked.items() if name != "before"})
    found = rulebook.log(scope, which, SHOWN + 1, before)
    kept = "&".join(f"{name}={asked[name]}" for name in FILTERS if name in asked)
    older = f"/rules/log?{kept}&before={found[SHOWN - 1].id}" if len(found) > SHOWN else None       # type: ignore[attr-defined]
    names = [(rule.id, rulebook.content(rule)["name"]) for rule in rulebook.listed(scope)]       # type: ignore[attr-defined]
    return page("rules/log", hits=[_hit(hit) for hit in found[:SHOWN]], older=older, newer=f"/rules/log?{kept}" if before else None,
                names=names, asked=asked, whats=tuple(rules.ACTIONS), states=rulebook.STATES)


def _which(scope: Scope, asked: Mapping[str, str]) -> list[Expression]:
    """The conditions of what was asked for.  Raises Invalid with what is wrong, NotFound for foreign ids."""
    form.refuse_unknown(asked, FILTERS)
    found: list[Expression] = []
    choices = {"what": tuple(rules.ACTIONS), "state": rulebook.STATES}
    wrong = {name: ("bad_choice", {"choices": ", ".join(choices[name])}) for name in choices if asked.get(name) and asked[name] not in choices[name]}
    if wrong:
        raise Invalid(fields=wrong)
    if asked.get("rule"):
        found.append(RuleHit.rule == scope.get(Rule, asked["rule"]))
    if asked.get("email"):
        found.append(RuleHit.mail == scope.get(Mail, asked["email"]))
    if asked.get("what"):
        found.append(RuleHit.what == asked["what"])
    if asked.get("state"):
        found.append(rulebook.in_state(asked["state"]))
    return found


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    form.refuse_unknown(form.query(), ())
    return _list([_item(rule) for rule in rulebook.listed(scope)])


def api_show(scope: Scope, id: int) -> dict[str, Any]:
    return _item(scope.get(Rule, id))


def api_create(scope: Scope) -> dict[str, Any]:
    rule = rulebook.create(scope, form.body(rules.FIELDS))
    response.status = 201
    return _item(rule)


def api_save(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Rule, id)
    return _item(rulebook.change(scope, id, form.body(rules.FIELDS)))


def api_delete(scope: Scope, id: int) -> dict[str, Any]:
    rulebook.delete(scope, id)
    return {"deleted": True}


def api_test(scope: Scope, id: int) -> Any:
    """One mail: answered at once, condition by condition.  Without email_id: a job tries the newest mails."""
    rule = scope.get(Rule, id)
    values = form.body({"email_id"})
    if "email_id" not in values:
        return _started(ruling.start_test(scope, rule.id))      # type: ignore[attr-defined]
    return trial.explain(scope, rule, values["email_id"])


def api_preview(scope: Scope) -> dict[str, Any]:
    limits.hit(f"preview:{scope.user.id}", PREVIEWS, 60)
    found = trial.preview(scope, rules.checked(form.body(rules.FIELDS)))
    return {"tested": found["tested"], "matched": len(found["matched"]), "conflicts": found["conflicts"], "too_slow": found["too_slow"],
            "items": mails.some(scope, found["matched"][:MATCHED], lang())}


def api_apply(scope: Scope) -> Any:
    return _started(ruling.start(scope, form.body({"rule_ids", "email_ids", "dry_run"})))


def api_undo(scope: Scope, id: int) -> dict[str, Any]:
    scope.get(Rule, id)
    form.body(())
    undone, left = ruling.undo(scope, id)
    return {"undone": undone, "left": left}


def api_log(scope: Scope) -> dict[str, Any]:
    asked = form.query()
    which = _which(scope, {name: value for name, value in asked.items() if name not in ("limit", "cursor")})
    limit, before = form.paging(MOST, FILTERS)
    found = rulebook.log(scope, which, limit + 1, before)
    following = str(found[limit - 1].id) if len(found) > limit else None        # type: ignore[attr-defined]
    return {"items": [_line(hit) for hit in found[:limit]], "next": following, "total": rulebook.log_size(scope, which)}


def api_templates(scope: Scope) -> dict[str, Any]:
    return _list(rulebook.templates(lang()))


def api_export(scope: Scope) -> dict[str, Any]:
    return {"text": rulebook.dumps(rulebook.listed(scope))}


def api_import(scope: Scope) -> dict[str, Any]:
    text = form.body({"text"}).get("text")
    if not isinstance(text, str):
        raise Invalid(fields={"text": "missing"})
    return {"added": rulebook.take(scope, text)}


def api_task(scope: Scope, id: str) -> dict[str, Any]:
    return jobs.task(scope, id)


# ── inside ──

def _started(job: Job) -> Any:
    return accepted(job, t(lang(), "job.message.queued"))


def _item(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, **rulebook.content(rule), "hits": rule.hits, "last_hit": rule.hit_at,        # type: ignore[attr-defined]
            "error": {"code": rule.error, "message": sentence(lang(), rule.error)} if rule.error else None}


def _line(hit: RuleHit) -> dict[str, Any]:
    detail: Any = hit.detail
    return {
        "id": hit.id, "rule_id": hit.rule_id, "rule": detail["rule"], "email_id": hit.mail_id, "subject": detail["subject"],      # type: ignore[attr-defined]
        "action": hit.what, "value": detail["value"], "state": hit.shown_state, "at": hit.at, "act_id": hit.act_id,     # type: ignore[attr-defined]
        "error": {"code": hit.shown_error, "message": sentence(lang(), hit.shown_error)} if hit.shown_error else None,      # type: ignore[attr-defined]
    }


def _hit(hit: RuleHit) -> dict[str, Any]:
    line = _line(hit)
    return {**line, "words": ruleform.action({"type": line["action"], "value": line["value"]}, lang())}


def _list(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"items": list(items), "next": None, "total": len(items)}


