"""AI servers of a user: what may be entered, whose is whose, what is asked within policy and budget."""

import datetime as dt
import threading
from typing import Any

import pytest

from mailhelper import accounts, ai, errors, providers, usage
from mailhelper.db import Database
from mailhelper.db import db as database
from mailhelper.egress import Door, addresses_of
from mailhelper.endpoints import PRESETS, checked
from mailhelper.errors import Invalid
from mailhelper.models import AiProvider, Egress, Usage, User
from mailhelper.prompts import Prompt
from mailhelper.scope import Scope
from tests.conftest import make_scope
from tests.servers import scripted_ai as server
from tests.servers.scripted_ai import refused, said, serving, stream, whole
from tests.world import account

CLOUD = {"name": "Cloud", "base_url": "https://ai.example/v1", "api_key": "sk-1", "base_model": "small", "optimize_model": "large"}
SCHEMA = {"type": "object", "required": ["urgency", "summary"], "properties": {"urgency": {"type": "integer"}, "summary": {"type": "string"}}}
PLACES = {"ai.example": "8.8.8.8", "lan.example": "192.168.1.9", "box.example": "127.0.0.1", "both.example": "127.0.0.1 8.8.8.8"}


def prompt(tokens: int = 100) -> Prompt:
    return Prompt(({"role": "user", "content": "Dear Ann, could you sign by Friday?"},), SCHEMA, tokens, ())


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of PLACES lead where they say, as the system's resolver would have it."""
    def resolve(host: str, port: int) -> list[str]:
        if host.endswith(".example") and host not in PLACES:
            raise errors.Unreachable("host_unknown")
        return PLACES[host].split() if host in PLACES else addresses_of(host, port)

    monkeypatch.setattr(Door.__init__, "__defaults__", (resolve,))


def ask(scope: Scope, provider: providers.Provider, purpose: str = "base", tokens: int = 100) -> ai.Answer:
    return providers.ask(scope, provider, purpose, prompt(tokens), lambda: None)


def local(scope: Scope, url: str, **more: Any) -> providers.Provider:
    return providers.create(scope, {"name": "Box", "base_url": url, "base_model": "small", **more})


# ── what may be entered ──

def test_a_provider_comes_back_as_it_was_entered_but_for_its_key(ann: Scope) -> None:
    made = providers.shown(providers.create(ann, CLOUD | {"prices": {"small": {"in": 0.5, "out": 1.5}}}))
    assert {name: made[name] for name in CLOUD if name != "api_key"} == {name: value for name, value in CLOUD.items() if name != "api_key"}
    assert made["has_key"] and "sk-1" not in repr(made) and "sk-1" not in repr(providers.get(ann, made["id"]))


@pytest.mark.parametrize("change,field,code", [
    ({"name": " "}, "name", "missing"), ({"name": "x" * 51}, "name", "too_long"), ({"base_model": ""}, "base_model", "missing"),
    ({"base_model": "m" * 91}, "base_model", "too_long"), ({"base_model": "a\nb"}, "base_model", "missing"),
    ({"base_url": "ai.example/v1"}, "base_url", "bad_url"), ({"base_url": "ftp://ai.example"}, "base_url", "bad_url"),
    ({"base_url": "https://user:pw@ai.example/v1"}, "base_url", "bad_url"), ({"base_url": "https://ai.example/v1?key=1"}, "base_url", "bad_url"),
    ({"base_url": "https://ai.example:99999/v1"}, "base_url", "bad_url"), ({"base_url": "https://[::1/v1"}, "base_url", "bad_url"),
    ({"base_url": "https://a b/v1"}, "base_url", "bad_url"), ({"base_url": 5}, "base_url", "bad_url"),
    ({"base_url": "https://"}, "base_url", "bad_url"),
    ({"base_url": "http://ai.example/v1"}, "base_url", "ai_needs_https"),
    ({"api_key": "two words"}, "api_key", "bad_key"), ({"api_key": "x\r\nHost: y"}, "api_key", "bad_key"), ({"api_key": 5}, "api_key", "bad_key"),
    ({"local": True}, "local", "ai_not_local"), ({"local": "yes"}, "local", "not_a_boolean"),
    ({"local": True, "base_url": "https://nowhere.example/v1"}, "local", "ai_not_local"),
    ({"local": True, "base_url": "https://both.example/v1"}, "local", "ai_not_local"),
    ({"timeout": 4}, "timeout", "out_of_range"), ({"timeout": True}, "timeout", "out_of_range"), ({"budget": -1}, "budget", "out_of_range"),
    ({"prices": {"small": {"in": -1}}}, "prices", "bad_prices"), ({"prices": {"small": {"in": float("nan")}}}, "prices", "bad_prices"),
    ({"prices": [1]}, "prices", "bad_prices"), ({"prices": {"small": {"each": 1}}}, "prices", "bad_prices"),
    ({"colour": "red"}, "colour", "unknown_field"),
])
def test_what_cannot_be_right_is_refused_by_its_field(ann: Scope, change: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        providers.create(ann, CLOUD | change)
    found = caught.value.fields[field]
    assert (found if isinstance(found, str) else found[0]) == code
    assert providers.listed(ann) == []


@pytest.mark.parametrize("typed,kept", [
    (" https://AI.Example/v1/ ", "https://ai.example/v1"), ("https://ai.example", "https://ai.example"),
    ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"), ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1"),
])
def test_an_address_is_kept_in_one_form(ann: Scope, typed: str, kept: str) -> None:
    assert providers.create(ann, CLOUD | {"base_url": typed}).base_url == kept


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_preset_is_a_valid_address(preset: Any) -> None:
    assert checked({"name": preset.name, "base_url": preset.base_url, "base_model": "x"}, None, False)["base_url"] == preset.base_url


@pytest.mark.parametrize("url,dropped", [
    ("https://ai.example/other", False), ("https://other.example/v1", True), ("https://ai.example:8443/v1", True), ("http://lan.example/v1", True),
])
def test_a_key_stays_with_the_host_it_was_given_for(ann: Scope, url: str, dropped: bool) -> None:
    made = providers.create(ann, CLOUD)
    assert (providers.change(ann, made.id, {"base_url": url}).api_key == "") is dropped
    assert providers.change(ann, made.id, {"base_url": CLOUD["base_url"], "api_key": "sk-2"}).api_key == "sk-2"


def test_a_test_sends_the_stored_key_to_no_other_host(ann: Scope) -> None:
    with serving(said(200, {"data": []})) as one, serving(said(200, {"data": []})) as other:
        made = local(ann, one.url, api_key="sk-1")
        providers.test(ann, {"base_url": other.url}, made.id)
        providers.test(ann, {}, made.id)
        assert one.requests[0].headers["authorization"] == "Bearer sk-1"
        assert not any("authorization" in request.headers for request in other.requests)


def test_ordinary_users_cannot_aim_at_private_addresses_unless_allowed(bob: Scope, settings: Any) -> None:
    for url in ("http://127.0.0.1:11434/v1", "http://lan.example/v1", "http://169.254.169.254/v1", "http://[::ffff:10.0.0.1]/v1"):
        with pytest.raises(Invalid) as caught:
            providers.create(bob, CLOUD | {"base_url": url})
        assert caught.value.fields["base_url"][0] == "egress_refused"
    settings(allow_private=("192.168.1.0/24",))
    assert providers.create(bob, CLOUD | {"base_url": "http://lan.example/v1", "local": True}).local


# ── whose is whose ──

def test_strangers_see_nothing_and_get_nothing(ann: Scope, bob: Scope) -> None:
    made = providers.create(ann, CLOUD)
    assert providers.listed(bob) == []
    for act in (lambda: providers.get(bob, made.id), lambda: providers.change(bob, made.id, {"name": "mine"}), lambda: providers.remove(bob, made.id),
                lambda: providers.test(bob, {}, made.id), lambda: providers.models(bob, made.id), lambda: providers.pick(bob, made.id, "base")):
        with pytest.raises(errors.NotFound):
            act()
    assert providers.get(ann, made.id).name == "Cloud"


def test_an_offer_is_for_all_to_use_and_for_none_to_change(ann: Scope, bob: Scope) -> None:
    made = providers.create(ann, CLOUD | {"offered": True, "budget": 500})
    seen = providers.pick(bob, None, "base")
    assert (seen.id, seen.mine, seen.api_key, seen.budget) == (made.id, False, "sk-1", 500)
    assert not providers.shown(seen)["mine"] and "sk-1" not in repr(providers.shown(seen))
    with pytest.raises(errors.NotFound):
        providers.change(bob, made.id, {"name": "mine"})
    providers.change(ann, made.id, {"name": "Ours", "api_key": "sk-2"})
    assert (providers.pick(bob, made.id, "base").name, providers.pick(bob, made.id, "base").api_key) == ("Ours", "sk-2")
    providers.change(ann, made.id, {"offered": False})
    assert providers.listed(bob) == []


@pytest.mark.parametrize("lost", [{"admin": False}, {"disabled": True}])
def test_an_offer_ends_with_the_right_to_make_it(ann: Scope, bob: Scope, lost: dict[str, bool]) -> None:
    providers.create(ann, CLOUD | {"offered": True})
    User.update(**lost).where(User.id == ann.user.id).execute()
    assert providers.listed(bob) == []


def test_only_an_administrator_offers(bob: Scope) -> None:
    with pytest.raises(Invalid) as caught:
        providers.create(bob, CLOUD | {"offered": True})
    assert caught.value.fields == {"offered": "not_admin"}


def test_neither_host_nor_key_nor_model_stands_in_the_database(ann: Scope, db: Database) -> None:
    made = providers.create(ann, CLOUD | {"offered": True})
    with serving(stream()) as scripted:
        providers.change(ann, made.id, {"base_url": scripted.url})
        ask(ann, providers.pick(ann, made.id, "base"))
    for table in ("ai_provider", "usage"):
        stored = repr([[bytes(value) if isinstance(value, memoryview) else value for value in row]
                       for row in database.execute_sql(f'SELECT * FROM "{table}"').fetchall()])
        for word in ("Cloud", "ai.example", "sk-1", "small", "large", "127.0.0.1"):
            assert word not in stored


# ── choose ──

def test_the_own_server_is_picked_before_an_offered_one(ann: Scope, bob: Scope) -> None:
    providers.create(ann, CLOUD | {"offered": True})
    own = providers.create(bob, CLOUD | {"name": "Own"})
    assert providers.pick(bob, None, "base").id == own.id


def test_models_of_the_purposes(ann: Scope) -> None:
    both, one = providers.create(ann, CLOUD), providers.create(ann, CLOUD | {"optimize_model": ""})
    assert [both.model(purpose) for purpose in ("base", "reply", "optimize", "embed")] == ["small", "small", "large", ""]
    assert one.model("optimize") == "small"
    assert [both.remembers(purpose) for purpose in ("base", "reply", "optimize")] == ["base_mode", "base_mode", "optimize_mode"]
    assert one.remembers("optimize") == "base_mode"


def test_without_a_model_there_is_nothing_to_pick(ann: Scope) -> None:
    for _ in range(2):
        with pytest.raises(errors.Conflict) as caught:
            providers.pick(ann, None, "embed")
        assert caught.value.code == "no_model"
        providers.create(ann, CLOUD)


# ── ask ──

def test_an_answer_is_noted_with_tokens_and_cost(ann: Scope) -> None:
    with serving(stream()) as scripted:
        made = local(ann, scripted.url, prices={"small": {"in": 2, "out": 10}})
        answer = ask(ann, made)
    assert (answer.data, answer.model) == (server.GOOD, "small")
    with ann:
        row = ann.select(Usage).get()
        assert (row.provider, row.kind, row.model, row.tokens_in, row.tokens_out, row.cost) == (made.id, "base", "small", 120, 12, 360)
        assert [entry.purpose for entry in ann.select(Egress)] == ["ai"]
    assert usage.totals(ann) == [("base", 1, 132, 360)] and usage.today(ann) == 132


def test_what_works_is_remembered_for_each_model(ann: Scope) -> None:
    with serving(refused(400), refused(400), stream(), stream(), stream()) as scripted:
        made = local(ann, scripted.url, optimize_model="large")
        ask(ann, made)
        ask(ann, providers.pick(ann, made.id, "base"))
        ask(ann, providers.pick(ann, made.id, "optimize"), "optimize")
        asked = [(request.body["model"], request.body.get("response_format", {}).get("type")) for request in scripted.requests]
    assert asked == [("small", "json_schema"), ("small", "json_object"), ("small", "json_object"), ("small", "json_object"), ("large", "json_schema")]
    kept = providers.get(ann, made.id)
    assert (kept.base_mode, kept.optimize_mode) == ("json_object", "json_schema")
    assert providers.change(ann, made.id, {"base_model": "other"}).base_mode == ""


def test_others_remember_for_an_offered_server_too(ann: Scope, bob: Scope) -> None:
    with serving(refused(400), stream()) as scripted:
        local(ann, scripted.url, offered=True)
        ask(bob, providers.pick(bob, None, "base"))
    assert providers.listed(ann)[0].base_mode == "json_schema_object"


def test_an_offered_server_on_this_machine_is_reached_by_ordinary_users(ann: Scope, bob: Scope) -> None:
    with serving(stream()) as scripted:
        local(ann, scripted.url, offered=True)
        assert ask(bob, providers.pick(bob, None, "base")).data == server.GOOD


def test_the_last_failure_is_kept_until_an_answer_comes(ann: Scope) -> None:
    with serving(refused(401), stream()) as scripted:
        made = local(ann, scripted.url)
        with pytest.raises(errors.BadLogin):
            ask(ann, made)
        assert providers.get(ann, made.id).error == "ai_key_refused"
        ask(ann, providers.get(ann, made.id))
        assert providers.get(ann, made.id).error is None


def test_a_question_that_was_never_asked_takes_nothing(ann: Scope) -> None:
    made = local(ann, "http://127.0.0.1:1/v1")
    with pytest.raises(errors.Unreachable):
        ask(ann, made)
    assert usage.totals(ann) == []


def test_a_question_that_broke_off_counts_as_asked(ann: Scope) -> None:
    with serving(server.cut) as scripted, pytest.raises(errors.Unreachable):
        ask(ann, local(ann, scripted.url))
    assert usage.today(ann) > 0


# ── policy at the door ──

def test_no_cloud_refuses_the_cloud_and_lets_the_house_pass(ann: Scope) -> None:
    away = providers.create(ann, CLOUD)
    usage.limit(ann, True, None)
    with pytest.raises(errors.Refused) as caught:
        ask(ann, away)
    assert caught.value.code == "egress_no_cloud"
    with pytest.raises(Invalid):
        providers.create(ann, CLOUD)
    with serving(stream()) as scripted:
        assert ask(ann, local(ann, scripted.url)).data == server.GOOD
    with ann:
        assert [(entry.host, entry.refused, entry.sent > 0) for entry in ann.select(Egress).order_by(Egress.id)] == [
            ("ai.example", True, False), ("127.0.0.1", False, True)]


def test_no_cloud_leaves_the_mail_servers_reachable_and_nothing_else(ann: Scope) -> None:
    account(ann)
    usage.limit(ann, True, None)
    policy = accounts.door(ann).policy
    assert policy.refuses_name("127.0.0.1", "imap") == ""       # the host of ann's mailbox
    assert policy.refuses_name("elsewhere.example", "imap") == "egress_no_cloud"
    assert policy.refuses_name("elsewhere.example", "unsubscribe") == "egress_no_cloud"
    assert accounts.door(ann, "typed.example").policy.refuses_name("typed.example", "imap") == ""


def test_no_cloud_counts_at_once_for_a_scope_opened_before(ann: Scope) -> None:
    old = Scope(User.get_by_id(ann.user.id), ann.vault.key)
    usage.limit(ann, True, None)
    assert accounts.door(old).policy.local_only


@pytest.mark.parametrize("url,local_,code", [("https://box.example/v1", True, "ai_not_local"), ("http://box.example/v1", False, "ai_needs_https")])
def test_a_name_that_moves_to_the_cloud_is_refused_when_used(ann: Scope, monkeypatch: pytest.MonkeyPatch, url: str, local_: bool, code: str) -> None:
    made = providers.create(ann, CLOUD | {"base_url": url, "local": local_})
    monkeypatch.setitem(PLACES, "box.example", "8.8.8.8")
    with pytest.raises(errors.Refused) as caught:
        ask(ann, made)
    assert caught.value.code == code and providers.get(ann, made.id).error == code
    assert usage.totals(ann) == []


# ── budget ──

def test_the_daily_budget_is_kept_and_says_when_it_goes_on(ann: Scope) -> None:
    usage.limit(ann, False, 1000)
    with serving(stream(usage={"prompt_tokens": 400, "completion_tokens": 100})) as scripted:
        made = local(ann, scripted.url)
        ask(ann, made)
        assert providers.estimate(ann, made, "base", 100).left == 500
        with pytest.raises(errors.Limited) as caught:
            ask(ann, made, tokens=201)       # and 300 for the answer
        assert len(scripted.requests) == 1
    assert caught.value.code == "budget_spent" and 0 < caught.value.retry_after <= 86_400 and caught.value.params["count"] == 500
    assert usage.totals(ann)[0].questions == 1


def test_an_offered_server_has_a_budget_for_each(ann: Scope, bob: Scope) -> None:
    carl = make_scope("carl")
    with serving(stream(usage={"prompt_tokens": 400, "completion_tokens": 100})) as scripted:
        local(ann, scripted.url, offered=True, budget=600)
        for scope in (bob, carl, ann):
            ask(scope, providers.pick(scope, None, "base"))
        with pytest.raises(errors.Limited):
            ask(bob, providers.pick(bob, None, "base"))
        ask(ann, providers.pick(ann, None, "base"))      # it is her own


def test_questions_at_the_same_moment_cannot_pass_the_budget_together(ann: Scope, db: Database) -> None:
    usage.limit(ann, False, 1000)
    outcomes: list[str] = []

    def reserve() -> None:
        with db.connection_context():
            scope = Scope(User.get_by_id(ann.user.id), ann.vault.key)
            try:
                usage.reserve(scope, 1, "base", "small", 300, 100)
                outcomes.append("asked")
            except errors.Limited:
                outcomes.append("refused")

    threads = [threading.Thread(target=reserve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["asked", "asked", "refused", "refused"]


def test_a_day_is_the_users_day(ann: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    at = dt.datetime(2026, 11, 20, 22, 30)
    monkeypatch.setattr(usage, "now", lambda: at)
    ann.user.timezone = "Europe/Berlin"
    with ann:
        for back in (0, 10, 26):
            ann.create(Usage, provider=1, kind="base", model="m", tokens_in=10 + back, tokens_out=0, at=at - dt.timedelta(hours=back))
    assert usage.today(ann) == 10 + 20
    at += dt.timedelta(hours=1)         # past midnight in Berlin
    assert usage.today(ann) == 0


# ── test and models ──

def test_a_test_says_in_one_word_where_the_server_is_and_that_it_works(ann: Scope) -> None:
    with serving(said(200, {"data": [{"id": "small"}]}), stream('{"ok": true}')) as scripted:
        probe = providers.test(ann, {"name": "Box", "base_url": scripted.url, "base_model": "small"})
    assert probe == providers.Probe("", {}, "machine", ["small"], "json_schema")
    assert providers.listed(ann) == [] and usage.totals(ann)[0].kind == "test"


@pytest.mark.parametrize("steps,code", [
    ([refused(401)], "ai_key_refused"), ([said(404, b"nope"), refused(404, "model not found")], "ai_no_such_model"),
    ([said(200, {"data": []}), stream("hello"), stream("hello")], "bad_answer"), ([server.hang_up], "connection_lost"),
    ([said(404, b"nope"), whole('{"ok": true}')], ""),
])
def test_a_test_that_fails_says_why(ann: Scope, steps: list[server.Step], code: str) -> None:
    with serving(*steps) as scripted:
        probe = providers.test(ann, {"name": "Box", "base_url": scripted.url, "base_model": "small"})
    assert probe.code == code
    assert "{" not in errors.sentence("de", code or "internal", probe.params)


def test_embeddings_are_noted_too(ann: Scope) -> None:
    with serving(said(200, {"data": [{"index": 0, "embedding": [1, 2]}]})) as scripted:
        made = local(ann, scripted.url, embedding_model="e5")
        assert providers.embed(ann, made, ["one"], lambda: None) == [[1.0, 2.0]]
    assert usage.totals(ann)[0].kind == "embed"


def test_the_row_of_a_deleted_server_is_gone_and_its_usage_stays(ann: Scope) -> None:
    with serving(stream()) as scripted:
        made = local(ann, scripted.url)
        ask(ann, made)
    providers.remove(ann, made.id)
    assert providers.listed(ann) == [] and ann.select(AiProvider).count() == 0
    assert usage.totals(ann)[0].questions == 1
