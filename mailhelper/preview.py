"""What filters of a mailbox would mean: how many mails of each folder, asked of the server without fetching any."""

from collections.abc import Mapping
from typing import Any

from mailhelper import accounts, folders, imap, jobs
from mailhelper.errors import Invalid, Refused
from mailhelper.imap import Mailbox
from mailhelper.models import Account, Job
from mailhelper.runner import Step
from mailhelper.scope import Scope


def start(scope: Scope, account_id: object, filters: Mapping[str, Any] | None) -> Job:
    """Queue counting under these filters.  Raises NotFound, Invalid("local_account") or with the wrong fields, Conflict."""
    account = scope.get(Account, account_id)
    if account.kind != "imap":
        raise Invalid("local_account")
    return jobs.start(scope, "preview_filters", account.id, filters=accounts.checked_filters(filters))


@jobs.kind("preview_filters", timeout=300, retries=1, wait=15, priority=50)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Count; its result is {total, folders: [{name, role, there, mails}], errors}, `mails` being those that would be here."""
    account, filters = scope.get(Account, job.subject), jobs.params(job).get("filters") or {}
    step(0, 0, "connecting")
    rows: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    with imap.open(accounts.server(account), accounts.door(scope)) as box:
        census = sorted((pair for pair in box.census() if pair[0].selectable), key=lambda pair: folders.rank(pair[0].name, pair[0].role))
        for number, (one, numbers) in enumerate(census):
            step(number, len(census), "looking", number=number + 1, folders=len(census))
            wanted = folders.wanted(filters, one.name, one.role)
            try:
                there = numbers.exists if numbers else box.status(one.name).exists
                rows.append({"name": one.name, "role": one.role, "there": there, "mails": _count(box, one.name, there, filters) if wanted else 0})
            except Refused as error:
                errors.append({"folder": one.name, "code": error.code})
    room = filters.get("total") or sum(row["mails"] for row in rows)
    for row in rows:
        row["mails"] = min(row["mails"], room)
        room -= row["mails"]
    return {"total": sum(row["mails"] for row in rows), "folders": rows, "errors": errors}


def _count(box: Mailbox, name: str, there: int, filters: Mapping[str, Any]) -> int:
    """How many mails of a folder the filters want, but for the limit over all folders."""
    wanted, newest = folders.criteria(filters), filters.get("newest") or there
    if not wanted or not there:
        return min(there, newest)
    box.examine(name)
    found = set(box.uids(wanted))
    return len(found.intersection(box.uids()[-newest:]) if newest < there else found)
