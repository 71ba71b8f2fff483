"""AI servers of a user, and those that an administrator offers to all: add, test, choose one, ask it within policy and budget."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from mailhelper import accounts, ai, aireply, crypto, endpoints, errors, usage
from mailhelper.egress import Door
from mailhelper.endpoints import DETAIL, FIELDS, Provider
from mailhelper.errors import Conflict, Invalid, NotFound, Refused, Unreachable
from mailhelper.models import AiProvider, User
from mailhelper.prompts import Prompt
from mailhelper.scope import Scope, everyone, instance_key

ROOM = {"base": 2000, "optimize": 4000, "reply": 4000, "test": 1000}        # tokens an answer may have, thoughts included
EXPECTED = {"base": 300, "optimize": 500, "reply": 500, "test": 20}         # tokens it usually has
LIST_SECONDS, TEST_SECONDS = 8, 25      # a page waits for it
LOOK_UP_SECONDS = 5
HELLO = ({"role": "system", "content": "You answer with JSON."}, {"role": "user", "content": 'Say {"ok": true}.'})
HELLO_SCHEMA = {"type": "object", "additionalProperties": False, "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}


class Estimate(NamedTuple):
    """What a question would take.  cost in millionths; `left`: tokens that may still be used today, None without a limit."""
    model: str
    tokens_in: int
    tokens_out: int
    cost: int
    left: int | None


class Probe(NamedTuple):
    """What a test found; `code` "" when all is well, else of the sentence; `where`: machine, lan, cloud or "" """
    code: str
    params: dict[str, Any]
    where: str
    models: list[str]
    mode: str


# ── choose and ask ──

def pick(scope: Scope, provider_id: object | None, purpose: str) -> Provider:
    """The provider of that id, or by default the first that has a model for the purpose: the user's own, then offered ones.

    Raises NotFound for an id that is neither the user's nor offered, Conflict("no_model").
    """
    found = listed(scope)
    if provider_id is not None:
        found = [one for one in found if str(one.id) == str(provider_id)]
        if not found:
            raise NotFound()
    for one in found:
        if one.model(purpose):
            return one
    raise Conflict("no_model")


def ask(scope: Scope, provider: Provider, purpose: str, prompt: Prompt, check: Callable[[], None]) -> ai.Answer:
    """An answer to the prompt by the provider's model for base, optimize or reply; never called inside a transaction.

    What works is remembered, what it took is noted.  Raises as ai.ask, and Limited("budget_spent").
    """
    model, column, room = provider.model(purpose), provider.remembers(purpose), ROOM[purpose]
    expected = (prompt.tokens, EXPECTED[purpose])
    row = usage.reserve(scope, provider.id, purpose, model, *expected, usage.cost(provider.prices, model, *expected),
                        0 if provider.mine else provider.budget)
    meter, mode = ai.Meter(), str(getattr(provider, column))
    try:
        with _watched(scope, provider):
            answer = ai.ask(door(scope, provider), provider.endpoint(), model, prompt.messages, prompt.schema, mode=mode, max_tokens=room,
                            check=check, meter=meter)
    finally:
        spent = (meter.tokens_in, meter.tokens_out)
        usage.settle(scope, row, *spent, usage.cost(provider.prices, model, *spent))
    if answer.mode != mode:
        everyone.update(AiProvider, **{column: answer.mode}).where(AiProvider.id == provider.id).execute()
    return answer


def embed(scope: Scope, provider: Provider, texts: list[str], check: Callable[[], None]) -> list[list[float]]:
    """A vector for each text by the provider's embedding model.  Raises as `ask`."""
    model, meter, tokens = provider.embedding_model, ai.Meter(), sum(map(aireply.tokens, texts))
    row = usage.reserve(scope, provider.id, "embed", model, tokens, 0, 0, 0 if provider.mine else provider.budget)
    try:
        with _watched(scope, provider):
            return ai.embed(door(scope, provider), provider.endpoint(), model, texts, check, meter)
    finally:
        usage.settle(scope, row, meter.tokens_in, 0, usage.cost(provider.prices, model, meter.tokens_in, 0))


def estimate(scope: Scope, provider: Provider, purpose: str, tokens_in: int, questions: int = 1) -> Estimate:
    """What so many questions with so many tokens together would take."""
    model, tokens_out = provider.model(purpose), EXPECTED[purpose] * questions
    return Estimate(model, tokens_in, tokens_out, usage.cost(provider.prices, model, tokens_in, tokens_out),
                    usage.left(scope, provider.id, 0 if provider.mine else provider.budget))


# ── rows ──

def listed(scope: Scope) -> list[Provider]:
    """The user's own, then those that administrators offer."""
    with scope:
        own = [_own(row) for row in scope.select(AiProvider).order_by(AiProvider.id)]
    offers = (everyone.select(AiProvider).join(User)
              .where(AiProvider.offered.is_null(False), AiProvider.user != scope.user, User.admin, ~User.disabled).order_by(AiProvider.id))
    return own + [_offer(row) for row in offers]


def get(scope: Scope, provider_id: object) -> Provider:
    """One of the user's own.  Raises NotFound."""
    with scope:
        return _own(scope.get(AiProvider, provider_id))


def create(scope: Scope, values: Mapping[str, Any]) -> Provider:
    """Add one; `values` as in api.md.  Raises Invalid with the wrong fields."""
    clean = _admitted(scope, endpoints.checked(values, None, scope.user.admin))
    with scope:
        return _own(scope.create(AiProvider, **_columns(scope, clean)))


def change(scope: Scope, provider_id: object, values: Mapping[str, Any]) -> Provider:
    """Change some fields; a key that is left out stays, unless the address becomes another.  Raises Invalid, NotFound."""
    old = get(scope, provider_id)
    clean = endpoints.checked(values, old, scope.user.admin)
    if values.keys() & {"base_url", "local"}:
        _admitted(scope, clean)
    forgotten = {f"{purpose}_mode": "" for purpose in ("base", "optimize")
                 if (clean["base_url"], clean[f"{purpose}_model"]) != (old.base_url, getattr(old, f"{purpose}_model"))}
    with scope:
        scope.update(AiProvider, **_columns(scope, clean), **forgotten, error=None).where(AiProvider.id == old.id).execute()
    return get(scope, old.id)


def remove(scope: Scope, provider_id: object) -> None:
    """Raises NotFound."""
    row = scope.get(AiProvider, provider_id)
    scope.delete(AiProvider).where(AiProvider.id == row.id).execute()


def shown(provider: Provider) -> dict[str, Any]:
    """The JSON shape; the key never comes back."""
    names = [name for name in FIELDS if name != "api_key"]
    return {"id": provider.id, **{name: getattr(provider, name) for name in names}, "mine": provider.mine, "has_key": bool(provider.api_key),
            "error": provider.error, "created_at": provider.created_at}


# ── the way out ──

def door(scope: Scope, provider: Provider) -> Door:
    """The user's way out, as far as this server goes: one that must be local is refused elsewhere, an offered one may be on the LAN."""
    way = accounts.door(scope)
    policy = way.policy
    if not provider.mine:
        policy = replace(policy, allowed=(*policy.allowed, provider.host))
    if provider.local or provider.base_url.startswith("http:"):
        policy = replace(policy, local_only=True)       # an unencrypted question never leaves the house
    return Door(policy, way.ledger, way.resolve)


def models(scope: Scope, provider_id: object) -> list[str]:
    """The names of the models that the server has.  Raises NotFound, and as ai.models."""
    provider = get(scope, provider_id)
    with _watched(scope, provider):
        return ai.models(door(scope, provider), provider.endpoint(LIST_SECONDS))


def test(scope: Scope, values: Mapping[str, Any], provider_id: object | None = None) -> Probe:
    """Try a server with these values (those of the provider where left out): is it there, does it take the key, does the model answer.

    Raises Invalid for values that cannot be tried, NotFound.
    """
    old = get(scope, provider_id) if provider_id is not None else None
    provider = replace(old or Provider(), **endpoints.checked(values, old, scope.user.admin))
    place, found = "", list[str]()
    try:
        with _told(scope, provider):
            way = door(scope, provider)
            place = ai.where(way.addresses(provider.host, endpoints.origin(provider.base_url)[2], "ai", LOOK_UP_SECONDS))
            try:
                found = ai.models(way, provider.endpoint(LIST_SECONDS))
            except Refused as refused:
                if refused.code not in ("ai_not_found", "ai_request_refused", "ai_not_ai"):     # some have no list, and answer all the same
                    raise
            mode = _hello(scope, provider, way)
    except errors.Error as error:
        return Probe(error.code, error.params, place, found, "")
    return Probe("", {}, place, found, mode)


def _hello(scope: Scope, provider: Provider, way: Door) -> str:
    """The mode in which the base model answered a small question."""
    model, meter = provider.base_model, ai.Meter()
    row = usage.reserve(scope, provider.id, "test", model, sum(aireply.tokens(one["content"]) for one in HELLO), EXPECTED["test"])
    try:
        return ai.ask(way, provider.endpoint(TEST_SECONDS), model, HELLO, HELLO_SCHEMA, max_tokens=ROOM["test"], check=lambda: None, meter=meter).mode
    finally:
        usage.settle(scope, row, meter.tokens_in, meter.tokens_out, usage.cost(provider.prices, model, meter.tokens_in, meter.tokens_out))


# ── below ──

def _own(row: AiProvider) -> Provider:
    return _opened(row, row.detail, mine=True)


def _offer(row: AiProvider) -> Provider:
    return _opened(row, json.loads(crypto.unwrap(instance_key(), row.offered, _about(row.user_id))), mine=False)      # type: ignore[attr-defined]


def _opened(row: AiProvider, detail: dict[str, Any], mine: bool) -> Provider:
    plain = {name: getattr(row, name) for name in ("local", "timeout", "budget", "id", "base_mode", "optimize_mode", "error", "created_at")}
    return Provider(**detail, **plain, offered=row.offered is not None, mine=mine)


def _columns(scope: Scope, clean: dict[str, Any]) -> dict[str, Any]:
    """The row of checked fields; what is offered is sealed a second time, so that every user's jobs can open it."""
    detail = {name: clean[name] for name in DETAIL}
    offered = crypto.wrap(instance_key(), json.dumps(detail).encode(), _about(scope.user.id)) if clean["offered"] else None
    return {"detail": detail, "offered": offered, **{name: clean[name] for name in ("local", "timeout", "budget")}}


def _about(user_id: int) -> str:
    return f"offer:{user_id}"


def _admitted(scope: Scope, clean: dict[str, Any]) -> dict[str, Any]:
    """The fields, if a server there may be used.  Raises Invalid: private address, cloud taken for local, key and mail in the clear."""
    _, host, port = endpoints.origin(clean["base_url"])
    try:
        place = ai.where(accounts.door(scope).addresses(host, port, "ai", LOOK_UP_SECONDS))
    except Refused as refused:
        raise Invalid(fields={"base_url": (refused.code, {"host": host})}) from None
    except Unreachable:
        place = ""      # a name that is unknown today may be known tomorrow; the door looks again
    if clean["local"] and place not in ("machine", "lan"):
        raise Invalid(fields={"local": ("ai_not_local", {"host": host})})
    if place == "cloud" and clean["base_url"].startswith("http:"):
        raise Invalid(fields={"base_url": ("ai_needs_https", {"host": host})})
    return clean


@contextmanager
def _told(scope: Scope, provider: Provider) -> Iterator[None]:
    """The refusal of our own policy in the words that fit: the user's switch, the server's own, or the missing encryption."""
    try:
        yield
    except Refused as refused:
        if refused.code == "egress_no_cloud" and not usage.limits(scope)["local_only"]:
            refused.code = "ai_not_local" if provider.local else "ai_needs_https"
        raise


@contextmanager
def _watched(scope: Scope, provider: Provider) -> Iterator[None]:
    """Keep the last failure beside the server, until a question succeeds."""
    failure: str | None = provider.error
    try:
        with _told(scope, provider):
            yield
        failure = None
    except (errors.Cancelled, errors.Timeout):
        raise
    except errors.Error as error:
        failure = error.code
        raise
    finally:
        if failure != provider.error:
            everyone.update(AiProvider, error=failure).where(AiProvider.id == provider.id).execute()
