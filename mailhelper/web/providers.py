"""AI servers: the page with budget and privacy, the form that tests before it saves, and the same for scripts."""

from typing import Any

from bottle import response

from mailhelper import language, providers, usage
from mailhelper.endpoints import PRESETS, Provider
from mailhelper.errors import Invalid, sentence
from mailhelper.language import t
from mailhelper.providers import Probe
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import count_start, lang, see_other

PLAIN = ("name", "base_url", "base_model", "optimize_model", "embedding_model")
PRICED = ("optimize", "base")       # whose prices the form asks for; where both are one model, the second counts


def index(scope: Scope, errors: dict[str, str] | None = None, typed: dict[str, Any] | None = None) -> str:
    rows = [{**providers.shown(one), "host": one.host, "failure": _failure(one)} for one in providers.listed(scope)]
    totals = [{**one._asdict(), "cost": language.amount(lang(), one.cost / usage.MILLION)} for one in usage.totals(scope)]
    spent = {"today": usage.today(scope), "left": usage.left(scope), "totals": totals, "priced": any(one["prices"] for one in rows)}
    return page("settings/ai", providers=rows, spent=spent, form=typed or usage.limits(scope), errors=errors or {})


def limit(scope: Scope) -> Any:
    typed: dict[str, Any] = {"local_only": form.flag("local_only"), "daily_tokens": form.text("daily_tokens")}
    try:
        usage.limit(scope, typed["local_only"], form.whole("daily_tokens"))
    except Invalid as error:
        response.status = error.status
        return index(scope, error.field_sentences(lang()), typed)
    session.toast("saved")
    return see_other("/settings/ai")


def new(scope: Scope) -> str:
    """The form, filled in with a preset where one was chosen."""
    preset = PRESETS.get(form.text("preset"))
    return _form(_typed(Provider(*preset[:2], local=preset.local) if preset else Provider()))


def edit(scope: Scope, id: int) -> str:
    provider = providers.get(scope, id)
    return _form(_typed(provider), provider)


def add(scope: Scope) -> Any:
    return _submit(scope, None)


def save(scope: Scope, id: int) -> Any:
    return _submit(scope, providers.get(scope, id))


def delete(scope: Scope, id: int) -> Any:
    providers.remove(scope, id)
    session.toast("provider_removed")
    return see_other("/settings/ai")


def _submit(scope: Scope, provider: Provider | None) -> Any:
    typed = {**form.given(*PLAIN, "timeout", "budget", *(f"{model}_{way}" for model in PRICED for way in ("in", "out"))),
             "local": form.flag("local"), "offered": form.flag("offered")}
    try:
        values = _values(typed, provider)
        if form.text("act") == "test":
            count_start(scope)
            return _form(typed, provider, test=_told(providers.test(scope, values, provider.id if provider else None)))
        row = providers.change(scope, provider.id, values) if provider else providers.create(scope, values)
    except Invalid as error:
        response.status = error.status
        return _form(typed, provider, error.field_sentences(lang()))
    session.toast("provider_saved_without_key" if provider and provider.api_key and not row.api_key else "saved")
    return see_other("/settings/ai")


def _typed(provider: Provider) -> dict[str, Any]:
    """What the form shows of a provider."""
    values = {name: getattr(provider, name) for name in (*PLAIN, "timeout", "budget", "local", "offered")}
    for model in PRICED:
        price = provider.prices.get(getattr(provider, f"{model}_model"), {})
        values |= {f"{model}_{way}": f"{price[way]:g}" if way in price else "" for way in ("in", "out")}
    return values


def _values(typed: dict[str, Any], provider: Provider | None) -> dict[str, Any]:
    """The fields as the API takes them.  Raises Invalid for what is no number."""
    values: dict[str, Any] = {name: typed.get(name, "").strip() for name in PLAIN} | {"local": typed["local"], "offered": typed["offered"]}
    values |= {"timeout": form.whole("timeout"), "budget": form.whole("budget") or 0, "api_key": form.secret("api_key").strip() or None}
    values["prices"] = dict(provider.prices) if provider else {}
    for model in PRICED:
        if name := values[f"{model}_model"]:
            values["prices"].pop(name, None)
            values["prices"] |= {name: price} if (price := _price(typed, model)) else {}
    return values


def _price(typed: dict[str, Any], model: str) -> dict[str, float]:
    price = {}
    for way in ("in", "out"):
        if text := typed.get(f"{model}_{way}", "").strip().replace(",", "."):
            try:
                price[way] = float(text)
            except ValueError:
                raise Invalid(fields={f"{model}_{way}": "bad_prices"}) from None
    return price


def _told(probe: Probe) -> dict[str, Any]:
    """The result of a test in words."""
    words = sentence(lang(), probe.code, probe.params) if probe.code else t(lang(), "ai.test_ok")
    return {"ok": not probe.code, "sentence": words, "where": probe.where, "models": probe.models}


def _failure(provider: Provider) -> str | None:
    if not provider.error:
        return None
    params = {"host": provider.host, "seconds": provider.timeout, "model": provider.base_model, "number": "5xx", "count": 0}
    return sentence(lang(), provider.error, params)


def _form(values: dict[str, Any], provider: Provider | None = None, errors: dict[str, str] | None = None, test: dict[str, Any] | None = None) -> str:
    shown = {"id": provider.id, "name": provider.name, "has_key": bool(provider.api_key)} if provider else None
    return page("settings/provider", form=values, errors=errors or {}, test=test, provider=shown, presets=PRESETS)


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    items = [providers.shown(one) for one in providers.listed(scope)]
    return {"items": items, "next": None, "total": len(items)}


def api_create(scope: Scope) -> dict[str, Any]:
    provider = providers.create(scope, form.body())
    response.status = 201
    return providers.shown(provider)


def api_change(scope: Scope, id: int) -> dict[str, Any]:
    return providers.shown(providers.change(scope, id, form.body()))


def api_delete(scope: Scope, id: int) -> dict[str, Any]:
    providers.remove(scope, id)
    return {"deleted": True}


def api_test(scope: Scope, id: int) -> dict[str, Any]:
    values = form.body()
    providers.get(scope, id)
    count_start(scope)
    probe = providers.test(scope, values, id)
    error = {"code": probe.code, "message": sentence(lang(), probe.code, probe.params)} if probe.code else None
    return {"ok": not probe.code, "error": error, "where": probe.where, "models": probe.models, "mode": probe.mode}


def api_models(scope: Scope, id: int) -> dict[str, Any]:
    items = providers.models(scope, id)
    return {"items": items, "next": None, "total": len(items)}


def api_usage(scope: Scope) -> dict[str, Any]:
    """Tokens and cost of the last thirty days by kind, and what is left for today."""
    items = [{**one._asdict(), "cost": one.cost / usage.MILLION} for one in usage.totals(scope)]
    return {"items": items, "next": None, "total": len(items), "today": usage.today(scope), "left": usage.left(scope), **usage.limits(scope)}


def api_limit(scope: Scope) -> dict[str, Any]:
    """Change the two switches; what is left out stays."""
    values = usage.limits(scope) | form.body({"local_only", "daily_tokens"})
    wrong: dict[str, Any] = {}
    if not isinstance(values["local_only"], bool):
        wrong["local_only"] = "not_a_boolean"
    tokens = values["daily_tokens"]
    if tokens is not None and (isinstance(tokens, bool) or not isinstance(tokens, int) or not 0 <= tokens <= 1_000_000_000):
        wrong["daily_tokens"] = ("out_of_range", {"low": 0, "high": 1_000_000_000})
    if wrong:
        raise Invalid(fields=wrong)
    usage.limit(scope, values["local_only"], tokens)
    return api_usage(scope)
