"""What stands beside every page: counts, mailboxes, the job under way."""

import datetime as dt
import time
from typing import Any

from mailhelper import accounts, jobs, journal, language, later, mails, outbox, pace, tags
from mailhelper.db import now
from mailhelper.errors import sentence
from mailhelper.models import ACTIVE, COMPLETED, Account, Job
from mailhelper.scope import Scope

FRESH = 2.0         # seconds; a list page would spend half its time on what stands beside it
MOST = 1000         # people; then the memory starts anew
SOON = dt.timedelta(days=5)     # before an opt-in runs out, its owner is told
_seen: dict[tuple[bytes, str], tuple[float, dict[str, Any]]] = {}


def side(scope: Scope, lang: str, fresh: bool = False) -> dict[str, Any]:
    """The values of render.View that come from the user's data; at most FRESH seconds old, or asked anew when `fresh`.

    Kept under a hash that takes the user's key, so nobody gets another's, not even under the number of a user who is gone.
    """
    mine = _mine(scope)
    at, values = _seen.get((mine, lang), (0.0, {}))
    if fresh or time.monotonic() - at > FRESH:
        values = _look(scope, lang)
        if len(_seen) >= MOST:
            _seen.clear()
        _seen[mine, lang] = time.monotonic(), values
    return values


def _mine(scope: Scope) -> bytes:
    return scope.vault.lookup("side", "")


def _look(scope: Scope, lang: str) -> dict[str, Any]:
    active = list(scope.select(Job).where(Job.state << ACTIVE).order_by(Job.id.desc()).limit(20))
    busy = {job.subject for job in active if job.kind == "sync_user_emails"}
    folders = accounts.folder_names(scope)
    listed = accounts.listed(scope)
    boxes = [{"id": one.id, "name": one.name, "kind": one.kind, "state": state(one, busy), "folders": folders.get(one.id, [])}
             for one in listed]
    return {"nav": {**mails.waiting(scope), "jobs": len(active), "later": later.due(scope)}, "accounts": boxes,
            "alerts": _alerts(scope, lang, listed), "tags": {tag.name: tag.colour for tag in tags.listed(scope)},
            "job": shown(active[0], lang) if active else None}


def _alerts(scope: Scope, lang: str, listed: list[Account]) -> list[dict[str, Any]]:
    """What the reader has to know on whatever page: mailboxes that are left alone until they act, acts that a server refused,
    and an opt-in that runs out."""
    stopped = [{"text": language.t(lang, "alert.stopped", name=one.name, sentence=told(one, lang)), "kind": "bad", "url": f"/accounts/{one.id}"}
               for one in listed if pace.stops(one.error)]
    names = {one.id: one.name for one in listed if one.background}
    ends = {id: at for id, at in accounts.background_ends(scope).items() if at < now() + SOON} if names else {}
    ending = [{"text": language.t(lang, "alert.ending", name=names[id], day=language.day(lang, at.date())), "kind": "info", "url": ""}
              for id, at in ends.items() if id in names]
    count = journal.untold(scope)
    refused = [{"text": language.t(lang, "journal.refused", count=count), "kind": "bad", "url": "/journal"}] if count else []
    open_ones = outbox.open_ones(scope)
    unknown = [{"text": language.t(lang, "outbox.unknown", count=open_ones), "kind": "bad", "url": "/outbox"}] if open_ones else []
    return stopped + unknown + refused + ending


def told(account: Account, lang: str) -> str:
    """Why its last sync failed, in words; "" when it did not."""
    server: dict[str, Any] = account.imap or {}
    return sentence(lang, account.error, {name: server.get(name, "") for name in ("host", "port")}) if account.error else ""


def state(account: Any, busy: set[int]) -> str:
    """ok, busy, bad or new."""
    if account.id in busy:
        return "busy"
    if account.error:
        return "bad"
    return "ok" if account.synced_at or account.kind == "local" else "new"


def shown(job: Job, lang: str) -> dict[str, Any]:
    """A job for a page: jobs.shown with words."""
    values = jobs.shown(job, lang)
    return {**values, "label": language.t(lang, f"job.kind.{job.kind}"), "error": values["error"]["message"] if values["error"] else None,
            "cancellable": job.state in ACTIVE, "pausable": jobs.pausable(job), "paused": jobs.is_paused(job), "url": f"/jobs/{job.id}"}


def outcome(job: Job, lang: str) -> str | None:
    """The result of a job in a sentence, where its kind has one; inside the owner's scope."""
    if job.state != COMPLETED or not isinstance(job.result, dict):
        return None
    values: dict[str, Any] = job.result
    words = {name: language.number(lang, value) if isinstance(value, int) else value for name, value in values.items()}
    try:
        return language.t(lang, f"job.result.{job.kind}", **words)
    except KeyError:
        return None
