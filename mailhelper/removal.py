"""Removes a mailbox: hidden from its owner at once, deleted by a job in portions, since others want to write meanwhile."""

import datetime as dt
from collections.abc import Callable

from mailhelper import jobs, senders, threads
from mailhelper.db import db, now
from mailhelper.models import ACTIVE, REMOVED, Account, Draft, Folder, Grant, Job, Mail, User
from mailhelper.runner import Step
from mailhelper.scope import Keyless, Scope, drop_grants, everyone

KIND = "remove_account"
ABOUT_ACCOUNTS = ("sync_user_emails", "import_mail", "apply_acts", "diagnose_account", "judge_new_emails")      # kinds whose subject is a mailbox
AT_ONCE = 200                           # mails a transaction
PATIENCE = dt.timedelta(hours=6)        # a removal that is not through by then is taken up again


def remove(scope: Scope, account_id: object) -> None:
    """Forget a mailbox and all its mail here; the server is not touched.  Raises NotFound."""
    account = scope.get(Account, account_id)
    for job in scope.select(Job, Job.id).where(Job.subject == account.id, Job.kind << ABOUT_ACCOUNTS, Job.state << ACTIVE):
        jobs.cancel(scope, job.id)
    with db.atomic():
        drop_grants(scope, Grant.purpose == "background", Grant.subject == account.id)
        _hide(scope, account.id)
        scope.delete(Draft).where(Draft.account == account).execute()
        scope.update(Account, removed_at=now()).where(Account.id == account.id).execute()
        jobs.start(scope, KIND, account.id)


@jobs.kind(KIND, retries=8, needs_key=False)
def run(scope: None, job: Job, step: Step) -> None:
    """Delete what was removed; its owner may be signed out."""
    _delete(Keyless(User.get_by_id(job.user_id)), job.subject, step)        # type: ignore[attr-defined]


def finish() -> None:
    """Delete what removals that failed have left over."""
    for account in everyone.select(Account).where(Account.removed_at < now() - PATIENCE):
        _delete(Keyless(User.get_by_id(account.user_id)), account.id, lambda done, total, message: None)       # type: ignore[attr-defined]


def _delete(scope: Scope, account_id: int, step: Callable[[int, int, str], None]) -> None:
    _hide(scope, account_id)        # again: a sync that was under way may have found its folders anew
    which = scope.select(Mail, Mail.id).where(Mail.account == account_id)
    done, total = 0, which.count()
    while ids := [id for id, in which.limit(AT_ONCE).tuples()]:
        step(done, max(total, done + len(ids)), "removing")
        scope.delete(Mail).where(Mail.id << ids).execute()
        done += len(ids)
    with db.atomic():
        scope.delete(Account).where(Account.id == account_id).execute()
        threads.drop_empty(scope)
        senders.drop_unknown(scope)


def _hide(scope: Scope, account_id: int) -> None:
    """Lists and counts leave such folders out; Scope.select finds neither them nor the mailbox."""
    scope.update(Folder, role=REMOVED).where(Folder.account == account_id).execute()
