"""What was asked of models and what it took: tokens and cost of each question, and the daily budgets."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from peewee import fn

from mailhelper import language
from mailhelper.db import db, now
from mailhelper.errors import Limited
from mailhelper.models import Usage, User
from mailhelper.scope import Scope

MILLION = 1_000_000     # prices are per so many tokens, costs are counted in such parts

Prices = Mapping[str, Mapping[str, float]]      # {model: {"in": per million tokens, "out": …}}


class Total(NamedTuple):
    """Questions of one kind together; cost in millionths of the currency that the prices are in."""
    kind: str
    questions: int
    tokens: int
    cost: int


def reserve(scope: Scope, provider: int, kind: str, model: str, tokens_in: int, tokens_out: int, cost: int = 0, budget: int = 0) -> int:
    """Note a question before it is asked, with what it will take; the row's id, for `settle`.

    `budget`: tokens a day that this provider gives the user; 0: any number.  Raises Limited("budget_spent") when that, or the user's own
    daily limit, would be passed.  Several at once cannot pass it together.
    """
    with scope, db.atomic():
        User.update(disabled=User.disabled).where(User.id == scope.user.id).execute()       # one after the other, on both databases
        check(scope, tokens_in + tokens_out, provider, budget)
        row = scope.create(Usage, provider=provider, kind=kind, model=model, tokens_in=tokens_in, tokens_out=tokens_out, cost=cost)
    return int(row.id)


def settle(scope: Scope, id: int, tokens_in: int, tokens_out: int, cost: int) -> None:
    """Put what it really took in the place of the estimate; nothing is left of a question that was never asked."""
    row = Usage.id == id
    if tokens_in or tokens_out:
        scope.update(Usage, tokens_in=tokens_in, tokens_out=tokens_out, cost=cost).where(row).execute()
    else:
        scope.delete(Usage).where(row).execute()


def check(scope: Scope, tokens: int, provider: int = 0, budget: int = 0) -> None:
    """Raise Limited("budget_spent"), until midnight, when so many tokens more are not in the budget."""
    if (room := left(scope, provider, budget)) is not None and tokens > room:
        raise Limited("budget_spent", retry_after=_until_midnight(scope), count=room)


def left(scope: Scope, provider: int = 0, budget: int = 0) -> int | None:
    """Tokens that may still be used today, None without a limit."""
    own = User.select(User.daily_tokens).where(User.id == scope.user.id).scalar()
    rooms = [own - today(scope)] if own else []
    rooms += [budget - today(scope, provider)] if budget else []
    return max(0, min(rooms)) if rooms else None


def today(scope: Scope, provider: int = 0) -> int:
    """Tokens used since midnight of the user's clock, in all or of one provider."""
    query = scope.select(Usage, fn.SUM(Usage.tokens_in + Usage.tokens_out)).where(Usage.at >= _midnight(scope))
    return int((query.where(Usage.provider == provider) if provider else query).scalar() or 0)


def cost(prices: Prices, model: str, tokens_in: int, tokens_out: int) -> int:
    """Millionths of the currency, 0 where the user entered no price."""
    price = prices.get(model, {})
    return round(tokens_in * price.get("in", 0) + tokens_out * price.get("out", 0))


def totals(scope: Scope, days: int = 30) -> list[Total]:
    """What the last days took, by kind."""
    query = (scope.select(Usage, Usage.kind, fn.COUNT(Usage.id), fn.SUM(Usage.tokens_in + Usage.tokens_out), fn.SUM(Usage.cost))
             .where(Usage.at >= now() - dt.timedelta(days)).group_by(Usage.kind).order_by(Usage.kind))
    return [Total(kind, count, int(tokens), int(cost)) for kind, count, tokens, cost in query.tuples()]


def limits(scope: Scope) -> dict[str, Any]:
    """The user's two switches: {local_only, daily_tokens}."""
    user = User.select(User.local_only, User.daily_tokens).where(User.id == scope.user.id).get()
    return {"local_only": bool(user.local_only), "daily_tokens": user.daily_tokens}


def limit(scope: Scope, local_only: bool, daily_tokens: int | None) -> None:
    """Set them."""
    User.update(local_only=local_only, daily_tokens=daily_tokens or None).where(User.id == scope.user.id).execute()


def _midnight(scope: Scope) -> dt.datetime:
    """The last midnight of the user's clock, naive UTC."""
    here = language.local(now(), scope.user.timezone)
    start = here.replace(hour=0, minute=0, second=0, microsecond=0)
    return start.astimezone(dt.UTC).replace(tzinfo=None)


def _until_midnight(scope: Scope) -> int:
    here = language.local(now(), scope.user.timezone)
    tomorrow = (here + dt.timedelta(1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, round((tomorrow.astimezone(dt.UTC).replace(tzinfo=None) - now()).total_seconds()))
