"""The pages and the API of AI servers: forms that test before they save, budget, privacy, and whose is whose."""

from typing import Any

import pytest

from mailhelper import providers, usage
from mailhelper.models import AiProvider
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.servers.scripted_ai import refused, said, serving, stream
from tests.world import ai_server

BODY = {"name": "Box", "base_url": "http://127.0.0.1:1/v1", "base_model": "small"}
FORM = BODY | {"api_key": "sk-1", "optimize_model": "", "embedding_model": "", "timeout": "60",
               "base_in": "0,5", "base_out": "1.5", "optimize_in": "", "optimize_out": ""}


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


def test_the_api_adds_lists_changes_and_removes(client: Client) -> None:
    made = client("POST", "/api/ai-providers", json=BODY | {"api_key": "sk-1", "local": True})
    assert made.status == 201 and made.json["has_key"] and "sk-1" not in made.text
    id = made.json["id"]
    assert client("GET", "/api/ai-providers").json == {"items": [made.json], "next": None, "total": 1}
    changed = client("PATCH", f"/api/ai-providers/{id}", json={"base_url": "http://127.0.0.1:2/v1", "timeout": 90}).json
    assert (changed["timeout"], changed["has_key"]) == (90, False)       # another port may be somebody else's
    assert client("DELETE", f"/api/ai-providers/{id}").json == {"deleted": True}
    assert client("GET", "/api/ai-providers").json["items"] == []


def test_the_api_names_the_wrong_field_in_words(client: Client) -> None:
    answer = client("POST", "/api/ai-providers", json=BODY | {"base_url": "box"}, headers={"Accept-Language": "de"})
    assert answer.status == 400 and answer.json["fields"] == {"base_url": "Nimm eine Adresse wie http://127.0.0.1:11434/v1 oder https://api.example.org/v1."}


def test_the_api_tests_with_other_values_and_saves_nothing(client: Client, ann: Scope) -> None:
    with serving(said(200, {"data": [{"id": "large"}, {"id": "small"}]}), stream('{"ok": true}')) as scripted:
        id = ai_server(ann)
        answer = client("POST", f"/api/ai-providers/{id}/test", json={"base_url": scripted.url}).json
        assert answer == {"ok": True, "error": None, "where": "machine", "models": ["large", "small"], "mode": "json_schema"}
        assert "authorization" not in scripted.requests[0].headers
    assert providers.get(ann, id).base_url == "http://127.0.0.1:1/v1"
    failed = client("POST", f"/api/ai-providers/{id}/test", json={}).json
    assert not failed["ok"] and failed["error"]["code"] == "connection_refused" and "127.0.0.1" in failed["error"]["message"]


def test_the_models_of_a_server_are_listed_or_the_failure_told(client: Client, ann: Scope) -> None:
    with serving(said(200, {"data": [{"id": "small"}]})) as scripted:
        id = providers.create(ann, BODY | {"base_url": scripted.url}).id
        assert client("GET", f"/api/ai-providers/{id}/models").json == {"items": ["small"], "next": None, "total": 1}
    failed = client("GET", f"/api/ai-providers/{id}/models")
    assert (failed.status, failed.json["error"]) == (502, "connection_refused")


def test_the_limits_are_read_and_changed_by_scripts(client: Client, ann: Scope) -> None:
    assert client("PATCH", "/api/ai-usage", json={"local_only": True}).json["local_only"]
    changed = client("PATCH", "/api/ai-usage", json={"daily_tokens": 500}).json
    assert (changed["local_only"], changed["daily_tokens"], changed["left"]) == (True, 500, 500)
    assert client("PATCH", "/api/ai-usage", json={"daily_tokens": None}).json["left"] is None
    for wrong in ({"daily_tokens": -1}, {"daily_tokens": "many"}, {"local_only": "yes"}, {"daily_tokens": True}):
        assert client("PATCH", "/api/ai-usage", json=wrong).status == 400
    assert usage.limits(ann) == {"local_only": True, "daily_tokens": None}


# ── pages ──

def test_a_preset_fills_the_form_in(client: Client) -> None:
    page = client("GET", "/settings/ai/new?preset=ollama", script=False).text
    assert 'value="http://127.0.0.1:11434/v1"' in page and 'value="Ollama"' in page and 'name="local" value="1" checked' in page
    assert client("GET", "/settings/ai/new?preset=nothing", script=False).status == 200


def test_the_form_tests_without_saving_and_then_saves(client: Client, ann: Scope) -> None:
    with serving(said(200, {"data": [{"id": "small"}]}), stream('{"ok": true}')) as scripted:
        typed = FORM | {"base_url": scripted.url, "local": "1"}
        tested = client("POST", "/settings/ai/new", form=typed | {"act": "test"}).text
    assert "It works" in tested and "It is on this machine." in tested and '<option value="small">' in tested and "sk-1" not in tested
    assert providers.listed(ann) == []
    assert client("POST", "/settings/ai/new", form=typed | {"act": "save"}).headers["location"] == "/settings/ai"
    kept, = providers.listed(ann)
    assert (kept.api_key, kept.timeout, kept.local, kept.prices) == ("sk-1", 60, True, {"small": {"in": 0.5, "out": 1.5}})
    assert "small" in client("GET", "/settings/ai", script=False).text
    again = client("GET", f"/settings/ai/{kept.id}", script=False).text
    assert 'value="0.5"' in again and "sk-1" not in again and "Leave empty to keep" in again


def test_a_test_that_fails_is_told_in_the_form_and_what_was_typed_stays(client: Client) -> None:
    with serving(refused(401)) as scripted:
        page = client("POST", "/settings/ai/new", form=FORM | {"base_url": scripted.url, "act": "test"}).text
    assert "did not accept the API key" in page and 'value="0,5"' in page and "sk-1" not in page


@pytest.mark.parametrize("change,words", [
    ({"base_url": "box"}, "Use an address such as"), ({"base_in": "cheap"}, "Use numbers of 0 or more"), ({"timeout": "soon"}, "Use a number from"),
    ({"local": "1", "base_url": "https://8.8.8.8/v1"}, "is not on this machine or in your network"), ({"base_model": ""}, "Please fill this in."),
])
def test_what_is_wrong_is_said_beside_its_field(client: Client, ann: Scope, change: dict[str, str], words: str) -> None:
    answer = client("POST", "/settings/ai/new", form=FORM | change)
    assert answer.status == 400 and words in answer.text and "sk-1" not in answer.text
    assert providers.listed(ann) == []


def test_another_address_drops_the_key_and_says_so(client: Client, ann: Scope) -> None:
    id = ai_server(ann)
    client("POST", f"/settings/ai/{id}", form=FORM | {"base_url": "http://127.0.0.1:2/v1", "api_key": ""})
    assert providers.get(ann, id).api_key == ""
    assert "the old key was dropped" in client("GET", "/settings/ai", script=False).text


def test_a_field_left_empty_keeps_the_key_of_the_same_address(client: Client, ann: Scope) -> None:
    id = ai_server(ann)
    client("POST", f"/settings/ai/{id}", form=FORM | {"base_url": "http://127.0.0.1:1/v1/", "api_key": "", "name": "Other"})
    assert (providers.get(ann, id).api_key, providers.get(ann, id).name) == ("key-of-ann", "Other")


def test_a_server_is_removed(client: Client, ann: Scope) -> None:
    assert client("POST", f"/settings/ai/{ai_server(ann)}/delete", form={}).headers["location"] == "/settings/ai"
    assert ann.select(AiProvider).count() == 0


def test_no_cloud_and_the_budget_are_set_on_the_page(client: Client, ann: Scope) -> None:
    client("POST", "/settings/ai", form={"local_only": "1", "daily_tokens": "20000"})
    assert usage.limits(ann) == {"local_only": True, "daily_tokens": 20_000}
    wrong = client("POST", "/settings/ai", form={"daily_tokens": "many"})
    assert wrong.status == 400 and usage.limits(ann)["daily_tokens"] == 20_000
    client("POST", "/settings/ai", form={"daily_tokens": ""})
    assert usage.limits(ann) == {"local_only": False, "daily_tokens": None}


def test_only_an_administrator_is_asked_whether_to_offer(ann: Scope, bob: Scope, settings: Any) -> None:
    settings(allow_private=("127.0.0.1",))
    assert 'name="offered"' in Client(ann)("GET", "/settings/ai/new", script=False).text
    assert 'name="offered"' not in Client(bob)("GET", "/settings/ai/new", script=False).text
    assert Client(bob)("POST", "/settings/ai/new", form=FORM | {"offered": "1"}).status == 400


def test_an_offered_server_is_shown_to_all_without_a_way_to_change_it(ann: Scope, bob: Scope) -> None:
    offered = providers.change(ann, ai_server(ann), {"offered": True, "budget": 5000})
    page = Client(bob)("GET", "/settings/ai", script=False).text
    assert "Box" in page and "from your administrator" in page and "5,000" in page
    assert f"/settings/ai/{offered.id}" not in page and "key-of-ann" not in page
    assert Client(bob)("GET", f"/settings/ai/{offered.id}", script=False).status == 404
