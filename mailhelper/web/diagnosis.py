"""The examination of a mailbox and its status: the page with the report, and both as JSON."""

from typing import Any

from mailhelper import diagnosis, status
from mailhelper.language import t
from mailhelper.models import ACTIVE, COMPLETED, Account
from mailhelper.scope import Scope
from mailhelper.web import form, side
from mailhelper.web.render import page
from mailhelper.web.routing import accepted, count_start, lang, see_other


def show(scope: Scope, id: int) -> str:
    account = scope.get(Account, id)
    job = diagnosis.latest(scope, id)
    lines = diagnosis.report(job, lang()) if job and job.state == COMPLETED else []
    return page("accounts/diagnosis", account={"id": account.id, "name": account.name}, lines=lines, at=job.finished_at if job else None,
                job=side.shown(job, lang()) if job and job.state != COMPLETED else None, busy=bool(job and job.state in ACTIVE))


def start(scope: Scope, id: int) -> Any:
    """From the page, or by the API."""
    form.body(())
    count_start(scope)
    job = diagnosis.start(scope, id)
    return accepted(job, t(lang(), "job.message.queued")) if form.wants_json() else see_other(f"/accounts/{id}/diagnosis")


# ── API ──

def api_show(scope: Scope, id: int) -> dict[str, Any]:
    """The newest report; findings are empty before the first one, and when it did not get that far."""
    job = diagnosis.latest(scope, id)
    return {"task_id": str(job.id) if job else None, "status": job.state if job else None, "at": job.finished_at if job else None,
            "findings": diagnosis.report(job, lang()) if job else []}


def api_status(scope: Scope, id: int) -> dict[str, Any]:
    return status.of(scope, id, lang())
