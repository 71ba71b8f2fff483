"""The first mailbox: how to rate is chosen while its mail comes in."""

from typing import Any

from mailhelper import accounts, mails, providers
from mailhelper.models import ACTIVE, Account, Job
from mailhelper.scope import Scope
from mailhelper.web import form, side
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other

FIRST = 6           # mails shown while the others come


def show(scope: Scope, id: int) -> str:
    account = scope.get(Account, id)
    syncing = scope.select(Job).where(Job.kind == "sync_user_emails", Job.subject == account.id, Job.state << ACTIVE).first()
    arrived = mails.page(scope, {"account": str(account.id), "limit": str(FIRST)}, lang())
    models = accounts.LLM if providers.listed(scope) else ()
    return page("welcome/mailbox", account={"id": account.id, "name": account.name, "mode": account.mode}, modes=("builtin", *models, "none"),
                syncing=side.shown(syncing, lang()) if syncing else None, arrived=arrived.items, total=arrived.total)


def choose(scope: Scope, id: int) -> Any:
    accounts.change(scope, id, {"mode": form.text("mode")})
    return see_other("/")
