"""How it stands with a mailbox: when it was and will be synced, whether its server is listened to, what failed and why, the last runs."""

from typing import Any

from mailhelper import accounts, pace
from mailhelper.db import now
from mailhelper.errors import sentence
from mailhelper.models import Account, Folder, Job, Watch
from mailhelper.scope import Scope

RUNS = 10


def of(scope: Scope, account_id: object, lang: str) -> dict[str, Any]:
    """The shape of GET /api/accounts/<id>/status, with failures in words.  Raises NotFound."""
    with scope:
        account = scope.get(Account, account_id)
        row = pace.row(account)
        until = accounts.background_ends(scope).get(account.id) if account.background else None
        until = until if until and until > now() else None
        stopped = pace.stops(account.error)
        return {
            "synced_at": account.synced_at, "tried_at": row.tried_at, "next_at": max(row.due, now()) if until and not stopped else None,
            "listening": _listening(row), "stopped": stopped, "failures": row.failures, "error": _told(account.error, account, lang),
            "background_until": until, "folders_failed": _folders(scope, account, lang), "runs": _runs(scope, account, lang),
        }


def _listening(row: Watch) -> str:
    """idle: its server tells of new mail at this moment; poll: it cannot; off: nobody listens."""
    if row.way == "poll":
        return "poll"
    return "idle" if row.way and row.leased_until and row.leased_until > now() else "off"


def _told(code: str | None, account: Account, lang: str, **params: Any) -> dict[str, str] | None:
    server: dict[str, Any] = account.imap or {}
    known = {name: server.get(name, "") for name in ("host", "port")}
    return {"code": code, "message": sentence(lang, code, {**known, **params})} if code else None


def _folders(scope: Scope, account: Account, lang: str) -> list[dict[str, Any]]:
    rows = scope.select(Folder).where(Folder.account == account, Folder.error.is_null(False), Folder.gone_at.is_null())
    return [{"id": row.id, "name": row.name, "error": _told(row.error, account, lang, folder=row.name)} for row in rows]


def _runs(scope: Scope, account: Account, lang: str) -> list[dict[str, Any]]:
    jobs = scope.select(Job).where(Job.kind == "sync_user_emails", Job.subject == account.id).order_by(Job.id.desc()).limit(RUNS)
    return [{"task_id": str(job.id), "status": job.state, "at": job.finished_at or job.started_at or job.created_at,
             "by_itself": bool((job.params or {}).get("unattended")), "new": (job.result or {}).get("email_count"),
             "error": _told(job.error, account, lang, **(job.error_params or {}))} for job in jobs]
