"""Jobs: what runs, waits and is past, with its log."""

from typing import Any

from mailhelper import jobs
from mailhelper.errors import sentence
from mailhelper.language import t
from mailhelper.models import Job, JobLog
from mailhelper.scope import Scope
from mailhelper.web import form, side
from mailhelper.web.render import page
from mailhelper.web.routing import lang, listed, see_other


def index(scope: Scope) -> str:
    return page("jobs/index", jobs=[side.shown(job, lang()) for job in jobs.page(scope, 100)])


def show(scope: Scope, id: int) -> str:
    job = scope.get(Job, id)
    log = [{"at": line.at, "text": _line(job, line)} for line in jobs.history(scope, job)]
    return page("jobs/show", job=side.shown(job, lang()), log=log, result=side.outcome(job, lang()))


def _line(job: Job, line: JobLog) -> str:
    params = {**(job.error_params or {}), **(line.params or {})}
    text = t(lang(), f"job.log.{line.code}", **params)
    return f"{text} {sentence(lang(), params['code'], params)}" if "code" in params else text


# ── API ──

def task(scope: Scope, id: str) -> dict[str, Any]:
    return jobs.shown(scope.get(Job, id), lang())


def cancel(scope: Scope, id: str) -> Any:
    return _shown(jobs.cancel(scope, id))


def _shown(job: Job) -> Any:
    return jobs.shown(job, lang()) if form.wants_json() else see_other(f"/jobs/{job.id}")


def pause(scope: Scope, id: str) -> Any:
    form.body(set())
    return _shown(jobs.pause(scope, id))


def resume(scope: Scope, id: str) -> Any:
    form.body(set())
    return _shown(jobs.go_on(scope, id))


def api_list(scope: Scope) -> dict[str, Any]:
    limit, before = form.paging()
    return listed(jobs.page(scope, limit + 1, before), limit, lambda job: jobs.shown(job, lang()), scope.select(Job).count())
