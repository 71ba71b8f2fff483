"""The first page: the matrix of urgency and importance, and what needs the reader today."""

from typing import Any

from mailhelper import accounts, language, mails, sample
from mailhelper.db import now
from mailhelper.models import ACTIVE, Job
from mailhelper.scope import Scope
from mailhelper.web import session, side
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other

MOST_URGENT = 8


def index(scope: Scope) -> str:
    counted = mails.matrix(scope)
    for cell in counted["cells"]:
        cell["latest"] = mails.latest(scope, cell["urgency"], cell["importance"]) if cell["open"] else None
    hour = language.local(now(), scope.user.timezone).hour
    syncing = scope.select(Job).where(Job.kind == "sync_user_emails", Job.state << ACTIVE).order_by(Job.id.desc()).first()
    return page(
        "matrix/index", greeting={"name": scope.user.name, "hour": hour}, cells=counted["cells"],
        counts={**counted["colours"], "open": counted["open"], "done": counted["done"], "total": counted["total"]},
        urgent=mails.page(scope, {"urgency": "3", "done": "0", "sort": "date", "limit": str(MOST_URGENT)}, lang()).items,
        syncing=side.shown(syncing, lang()) if syncing else None, accounts=accounts.listed(scope))


def load_sample(scope: Scope) -> Any:
    """For somebody without a mailbox here yet; a second click adds nothing."""
    sample.load(scope, now(), lang())
    session.toast("sample_loaded")
    return see_other("/")


def api(scope: Scope) -> dict[str, Any]:
    return mails.matrix(scope)
