"""The API's description of itself: whole, valid, and true of the answers that the server really gives."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from mailhelper import acts, users
from mailhelper.filters import FILTERS
from mailhelper.models import Account, Act, AiProvider, Draft, Job, JobLog, Mail, Rule, Sender, Tag, TagSuggestion, Trusted
from mailhelper.scope import Scope
from mailhelper.web import openapi
from mailhelper.web.routes import ROUTES
from mailhelper.web.routing import Route
from tests.conftest import Client
from tests.world import SERVER, account, ai, ai_server, done, draft, enclosed, fill, folder, outgoing, ruled, tagged, trust

TYPES: dict[str, Any] = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "array": list, "object": dict}
API = [route for route in ROUTES if route.path.startswith(("/api/", "/tasks/", "/mail-account", "/emails/")) or route.path.endswith("/reprocess")]


@pytest.fixture
def document() -> dict[str, Any]:
    return openapi.describe(ROUTES)


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def meets(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value fits one of the schemas we write; null fits everywhere, as our API says "nothing" that way."""
    if value is None or not schema:
        return True
    kind = TYPES[schema["type"]]
    if not isinstance(value, kind) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return False
    if schema["type"] == "array":
        return all(meets(schema["items"], item) for item in value)
    return all(meets(schema["properties"][key], value[key]) for key in schema.get("properties", {}).keys() & (value.keys() if kind is dict else ()))


def differences(example: Any, real: Any, path: str = "") -> list[str]:
    """Where the keys of an answer are other than those of its example; what is null or empty in either says nothing."""
    if isinstance(example, dict) and isinstance(real, dict):
        found = [f"{path}.{key}" for key in example.keys() ^ real.keys()]
        return found + [line for key in example.keys() & real.keys() for line in differences(example[key], real[key], f"{path}.{key}")]
    if isinstance(example, list) and isinstance(real, list) and example and real:
        return differences(example[0], real[0], f"{path}[]")
    return []


def test_the_document_is_public_and_of_version_3_1(nobody: Client, document: dict[str, Any]) -> None:
    answer = nobody("GET", "/api/openapi.json")
    assert answer.status == 200 and answer.json == document
    assert document["openapi"] == "3.1.0" and document["info"].keys() >= {"title", "version"}


@pytest.mark.parametrize("route", [route for route in API if route.path != "/api/openapi.json"], ids=name)
def test_every_route_of_the_api_is_described(route: Route, document: dict[str, Any]) -> None:
    assert route.summary
    operation = document["paths"][re.sub(r"<(\w+)(:\w+)?>", r"{\1}", route.path)][route.method.lower()]
    assert operation["summary"] == route.summary and str(route.status) in operation["responses"]


def test_every_operation_is_whole(document: dict[str, Any]) -> None:
    names = []
    for path, operations in document["paths"].items():
        assert path.startswith("/") and "<" not in path
        for method, operation in operations.items():
            assert method in ("get", "post", "put", "patch", "delete")
            names.append(operation["operationId"])
            in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path)) and all(one["required"] for one in operation["parameters"] if one["in"] == "path")
            assert all(one["in"] in ("path", "query") and one["schema"]["type"] in TYPES for one in operation["parameters"])
            assert "default" in operation["responses"] and all(answer["description"] for answer in operation["responses"].values())
            assert method != "get" or "requestBody" not in operation
            assert operation["security"] in ([], [{"token": []}])
    assert len(names) == len(set(names)) and all(re.fullmatch(r"\w+", one) for one in names)
    assert document["components"]["schemas"]["Error"]["properties"].keys() >= {"error", "message"}


def test_every_example_meets_its_schema(document: dict[str, Any]) -> None:
    contents = [content for operations in document["paths"].values() for operation in operations.values()
                for holder in (*operation["responses"].values(), operation.get("requestBody", {}))
                for content in holder.get("content", {}).values() if "example" in content]
    assert len(contents) > 20 and all(meets(content["schema"], content["example"]) for content in contents)


def test_a_value_of_another_kind_does_not_meet_a_schema() -> None:
    made = openapi.schema({"a": 1, "b": [{"c": "x"}], "d": None})
    assert meets(made, {"a": 2, "b": [], "d": "anything"}) and not meets(made, {"a": "2"}) and not meets(made, {"b": [{"c": 5}]})
    assert not meets(made, {"a": True}) and differences({"a": {"b": 1}}, {"a": {"c": 1}}) != []


def ann_trusts(scope: Scope) -> int:
    return int(scope.select(Trusted, Trusted.id).scalar() or 0)


def ask(client: Client, scope: Scope, route: Route) -> Any:
    """The real answer of a route in a small world."""
    table: Any = Job if re.search("/(tasks|task_status)/", route.path) else Rule if "/rules/<id" in route.path \
        else Account if "account" in route.path else Act if "journal" in route.path \
        else Sender if "senders" in route.path else AiProvider if "/ai-providers" in route.path \
        else Draft if "drafts" in route.path else TagSuggestion if "tag-suggestions" in route.path else Tag if "/tags/<id" in route.path else Mail
    id = scope.select(table, table.id).scalar()
    if "outbox" in route.path:
        id = outgoing(scope, "unknown" if "settle" in route.path else "waiting").id
    elif "enclosures" in route.path or route.path.endswith("/files"):
        file = enclosed(scope)
        id = file.draft_id if route.path.endswith("/files") else file.id
    query = {"/api/search": "?q=contract", "/api/sessions": f"?id={scope.grant.id if scope.grant else 0}", "/api/tokens": "?id=1",
             "/api/trusted-senders": f"?id={ann_trusts(scope)}"}
    path = re.sub(r"<id(:int)?>", str(id), route.path).replace("<number:int>", "1").replace("<style>", "formal")
    if route.path == "/api/search" or route.method == "DELETE":
        path += query.get(route.path, "")
    body = {**(route.body or {}), "ids": [id]} if route.path in ("/api/emails/bulk", "/api/emails/reprocess") else route.body
    if route.path == "/api/drafts":
        body = {**(route.body or {}), "email_id": scope.select(Mail, Mail.id).scalar()}
    return client(route.method, path, json=body if body is not None else {} if route.method == "POST" else None)


ELSEWHERE = ("/readyz", "/api/sessions", "/email/<id:int>/attachments/<number:int>/fetch",
             "/api/newsletters/<id:int>/unsubscribe")       # tested where they are at home
ANSWERED = [route for route in ROUTES if route.summary and route.example is not None and not route.path.endswith(("/test", "/models", "/pause"))
            and (route.method == "GET" and route.path != "/readyz" or route.path not in ELSEWHERE)]


@pytest.mark.parametrize("route", ANSWERED, ids=name)
def test_real_answers_have_exactly_the_keys_of_the_example(ann: Scope, route: Route, document: dict[str, Any]) -> None:
    place = fill(ann).account
    folder(ann, place, "Trash", "trash"), folder(ann, place, "Archive", "archive")
    done(ann), draft(ann), tagged(ann), trust(ann), ruled(ann)
    ann.update(Sender, urgency=1, importance=2, category="information", kind="person", confidence=40, rated=1, agreed=1, corrected=0).execute()
    if "/ai-providers" in route.path:
        ai_server(ann)
    provider = ai(ann) if "provider_id" in (route.body or {}) else 0
    assert provider in (0, 1)       # as the examples have it
    if route.path.endswith("/undelete"):
        acts.act(ann, ann.select(Mail, Mail.id).scalar(), "trash")
    users.token(ann, ("read",), 1)
    ann.update(Account, filters=None, smtp=SERVER).execute()
    client = Client(ann)
    if route.path == "/api/tokens" and route.method == "DELETE":
        made = client("GET", "/api/tokens").json["items"][0]["id"]
        answer = client("DELETE", f"/api/tokens?id={made}")
    else:
        answer = ask(client, ann, route)
    assert answer.status == route.status, answer.text
    assert differences(route.example, answer.json) == []
    path = re.sub(r"<(\w+)(:\w+)?>", r"{\1}", route.path)
    assert meets(document["paths"][path][route.method.lower()]["responses"][str(route.status)]["content"]["application/json"]["schema"], answer.json)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.token in ("write", "triage") and route.method in ("POST", "PATCH", "PUT")
                                   and (route.body is not None or route.summary) and not re.search("/cancel|/files$", route.path)], ids=name)
def test_an_unknown_field_is_refused_by_name_and_changes_nothing(ann: Scope, route: Route) -> None:
    fill(ann)
    tables: list[Callable[[], int]] = [lambda: ann.select(Mail).count(), lambda: ann.select(Job).count(), lambda: ann.select(Account).count(),
                                       lambda: ann.select(JobLog).count()]
    before = [count() for count in tables]
    tag, rule = tagged(ann).id, ruled(ann).id
    suggestion = ann.select(TagSuggestion, TagSuggestion.id).scalar()
    id = tag if "/tags/<id" in route.path else rule if "/rules/<id" in route.path \
        else suggestion if "suggestions" in route.path else account(ann).id if "account" in route.path \
        else ann.select(Sender, Sender.id).scalar() if "senders" in route.path \
        else done(ann).id if "journal" in route.path else outgoing(ann).id if "outbox" in route.path else draft(ann).id if "drafts" in route.path \
        else ai_server(ann) if "/ai-providers" in route.path else ann.select(Mail, Mail.id).scalar()
    before[2] += "account" in route.path
    path = re.sub(r"<id(:int)?>", str(id), route.path).replace("<style>", "formal").replace("<number:int>", "1")
    answer = Client(ann)(route.method, path, json={**(route.body or {}), "colour_of_the_sky": "blue"})
    assert (answer.status, answer.json["error"]) == (400, "invalid") and "colour_of_the_sky" in answer.json["fields"]
    assert [count() for count in tables] == before


def test_every_parameter_of_the_list_is_described() -> None:
    route = next(route for route in ROUTES if route.path == "/api/emails")
    assert route.query.keys() == FILTERS.keys()
