"""Which mails of a mailbox are fetched: the form, and how many mails its filters would mean."""

from typing import Any

from bottle import response

from mailhelper import accounts, folders, preview
from mailhelper.errors import Invalid
from mailhelper.language import t
from mailhelper.models import ACTIVE, COMPLETED, Account, Job
from mailhelper.scope import Scope
from mailhelper.web import form, session, side
from mailhelper.web.render import page
from mailhelper.web.routing import accepted, count_start, lang, see_other

NUMBERS = ("newest", "total", "largest")


def show(scope: Scope, id: int) -> str:
    """`preview`: id of a job whose filters and outcome are shown instead of the mailbox's own."""
    account = _account(scope, id)
    job = _preview(scope, account)
    filters: dict[str, Any] = (job.params["filters"] if job else account.filters) or {}
    return _form(scope, account, filters, job)


def save(scope: Scope, id: int) -> Any:
    """Form: keep the filters, or (act=preview) count what they would mean."""
    account = _account(scope, id)
    try:
        filters = _typed(scope, account)
        if form.text("act") == "preview":
            count_start(scope)
            return see_other(f"/accounts/{id}/filters?preview={preview.start(scope, id, filters).id}")
        accounts.change(scope, id, {"filters": filters or None})
    except Invalid as error:
        response.status = error.status
        words = {name.removeprefix("filters."): text for name, text in error.field_sentences(lang()).items()}
        return _form(scope, account, account.filters or {}, None, words)
    session.toast("saved")
    return see_other(f"/accounts/{id}")


def api_preview(scope: Scope, id: int) -> Any:
    """Count what filters would mean: those given, else the mailbox's own."""
    values = form.body({"filters"})
    account = _account(scope, id)
    count_start(scope)
    return accepted(preview.start(scope, id, values.get("filters", account.filters)), t(lang(), "job.message.queued"))


def _account(scope: Scope, id: int) -> Account:
    account = scope.get(Account, id)
    if account.kind != "imap":
        raise Invalid("local_account")
    return account


def _preview(scope: Scope, account: Account) -> Job | None:
    wanted = form.text("preview")
    job = scope.get(Job, wanted) if wanted else None
    return job if job and job.kind == "preview_filters" and job.subject == account.id else None


def _form(scope: Scope, account: Account, filters: dict[str, Any], job: Job | None, errors: dict[str, str] | None = None) -> str:
    result: dict[str, Any] = job.result if job and job.state == COMPLETED else {}
    counted = {row["name"]: row for row in result.get("folders", ())}
    roles = {row["name"]: row["role"] for row in (*accounts.folders(scope, account.id), *counted.values())}
    rows = [{"name": name, "wanted": folders.wanted(filters, name, role), **{key: counted.get(name, {}).get(key) for key in ("there", "mails")}}
            for name, role in sorted(roles.items(), key=lambda pair: folders.rank(*pair))]
    return page("accounts/filters", account={"id": account.id, "name": account.name}, form=filters, folders=rows, total=result.get("total"),
                errors=errors or {}, job=side.shown(job, lang()) if job and (job.state in ACTIVE or job.state != COMPLETED) else None)


def _typed(scope: Scope, account: Account) -> dict[str, Any]:
    """The filters that the form means; folders are named only where they differ from what is usual."""
    known, chosen = set(form.texts("known")), set(form.texts("folder"))
    roles = {row["name"]: row["role"] for row in accounts.folders(scope, account.id)}
    usual = {name for name in known if folders.wanted({}, name, roles.get(name, ""))}
    filters: dict[str, Any] = {name: value for name in NUMBERS if (value := form.whole(name)) is not None}
    if form.text("since"):
        filters["since"] = form.text("since")
    if form.flag("unseen"):
        filters["unseen"] = True
    if chosen - usual:
        filters["include"] = sorted(chosen)
    elif usual - chosen:
        filters["exclude"] = sorted(usual - chosen)
    return filters
