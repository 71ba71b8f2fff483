"""Jobs: what runs, waits and is past, with its log."""

from typing import Any

from mailhelper import jobs, language
from mailhelper.errors import Invalid, sentence
from mailhelper.language import t
from mailhelper.models import COMPLETED, Job, JobLog
from mailhelper.scope import Scope
from mailhelper.web import form, side
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other


def index(scope: Scope) -> str:
    return page("jobs/index", jobs=[side.shown(job, lang()) for job in jobs.page(scope, 100)])


def show(scope: Scope, id: int) -> str:
    job = scope.get(Job, id)
    log = [{"at": line.at, "text": _line(job, line)} for line in jobs.history(scope, job)]
    return page("jobs/show", job=side.shown(job, lang()), log=log, result=_result(job))


def _line(job: Job, line: JobLog) -> str:
    params = {**(job.error_params or {}), **(line.params or {})}
    text = t(lang(), f"job.log.{line.code}", **params)
    return f"{text} {sentence(lang(), params['code'], params)}" if "code" in params else text


def _result(job: Job) -> str | None:
    """The result in a sentence, where the kind has one."""
    if job.state != COMPLETED or not isinstance(job.result, dict):
        return None
    numbers = {name: language.number(lang(), value) for name, value in job.result.items() if isinstance(value, int)}
    try:
        return t(lang(), f"job.result.{job.kind}", **numbers)
    except KeyError:
        return None


# ── API ──

def task(scope: Scope, id: str) -> dict[str, Any]:
    return jobs.shown(scope.get(Job, id), lang())


def cancel(scope: Scope, id: str) -> Any:
    job = jobs.cancel(scope, id)
    return jobs.shown(job, lang()) if form.wants_json() else see_other(f"/jobs/{job.id}")


def api_list(scope: Scope) -> dict[str, Any]:
    asked = form.query()
    form.refuse_unknown(asked, {"limit", "cursor"})
    limit, cursor = asked.get("limit", "50"), asked.get("cursor")
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= 200:
        raise Invalid(fields={"limit": ("out_of_range", {"low": 1, "high": 200})})
    if cursor and not (cursor.isdecimal() and len(cursor) < 10):
        raise Invalid(fields={"cursor": "bad_cursor"})
    found = jobs.page(scope, int(limit) + 1, int(cursor) if cursor else None)
    items = [jobs.shown(job, lang()) for job in found[:int(limit)]]
    following = str(found[int(limit) - 1].id) if len(found) > int(limit) else None
    return {"items": items, "next": following, "total": scope.select(Job).count()}
