"""Every route, asked by a stranger and by nobody; generated from the route table, so that none can be forgotten."""

import re
from typing import Any

import pytest

from mailhelper import db as database
from mailhelper import jobs, users
from mailhelper.models import (
    Account,
    Act,
    AiProvider,
    Draft,
    Enclosure,
    Job,
    Mail,
    MailTag,
    Outgoing,
    Rule,
    RuleHit,
    Sender,
    Tag,
    TagSuggestion,
    Thread,
    Trusted,
)
from mailhelper.scope import Scope
from mailhelper.web.routes import ROUTES
from mailhelper.web.routing import Route
from tests.conftest import Client
from tests.world import ai_server, done, draft, enclosed, fill, outgoing, ruled, tagged, trust

WITH_ID = [route for route in ROUTES if "<id" in route.path]
PRIVATE = [route for route in ROUTES if route.access != "public"]
BODIES: dict[str, Any] = {
    "/api/emails/<id:int>/correct": {"urgency": 1}, "/api/emails/<id:int>/flags": {"done": True, "read": True},
    "/api/emails/<id:int>/move": {"folder": "INBOX"}, "/api/drafts/<id:int>": {"text": "mine now"}, "/api/accounts/<id:int>": {"name": "mine now"},
    "/api/ai-providers/<id:int>": {"name": "mine now"}, "/api/tags/<id:int>": {"name": "mine now"}, "/api/rules/<id:int>": {"name": "mine now"},
    "/api/emails/<id:int>/tags": {"tags": ["Club"]},
    "/api/tag-suggestions/<id:int>/merge": {"tag": "Club"}, "/api/outbox/<id:int>/settle": {"sent": True},
    "/api/senders/<id:int>": {"urgency": 3},
}


TABLES: tuple[Any, ...] = (Account, Mail, Job, Act, Draft, Tag, MailTag, TagSuggestion, Outgoing, Enclosure, Sender, Trusted, AiProvider, Rule,
                           RuleHit)


def rows() -> list[Any]:
    """All that is stored of the things that routes change, as the database gives it: cheap, since each route is swept several times."""
    return [database.db.execute_sql(f'SELECT * FROM "{table._meta.table_name}" ORDER BY 1').fetchall() for table in TABLES]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def filled(path: str, id: int) -> str:
    return re.sub(r"<(\w+)(:\w+)?>", lambda found: str(id if found[1] == "id" else 1), path)


def id_of(scope: Scope, route: Route) -> int:
    """A row of the kind that the route's id means."""
    table: Any = Job if re.search("/(tasks|jobs|task_status)/", route.path) else Account if "account" in route.path \
        else TagSuggestion if "tag-suggestions" in route.path else Mail
    tag, trusted = tagged(scope).id, trust(scope).id
    if "trusted" in route.path:
        return trusted
    if "senders" in route.path:
        return int(scope.select(Sender, Sender.id).limit(1).scalar())
    if "/tags/<id" in route.path:
        return tag
    if "/thread" in route.path:
        return int(scope.select(Thread, Thread.id).limit(1).scalar())
    if "/rules/<id" in route.path:
        return ruled(scope).id
    if "journal" in route.path:
        return done(scope).id
    if "outbox" in route.path:
        return outgoing(scope, "unknown" if "settle" in route.path else "waiting").id
    if "enclosures" in route.path:
        return enclosed(scope).id
    if "/ai" in route.path:
        return ai_server(scope)
    if "drafts" in route.path:
        return draft(scope).id
    if "sessions" in route.path:
        users.open_session(scope, "another browser")
        return scope.grant.id if scope.grant else 0
    return int(scope.select(table, table.id).limit(1).scalar())


@pytest.mark.parametrize("route", WITH_ID, ids=name)
def test_a_stranger_gets_404_and_changes_nothing(ann: Scope, bob: Scope, route: Route) -> None:
    fill(ann)
    path = filled(route.path, id_of(ann, route))
    before = rows()
    answer = Client(bob)(route.method, path, json=BODIES.get(route.path), script=True)
    assert answer.status == 404
    assert answer.json["error"] == "not_found"
    assert rows() == before


@pytest.mark.parametrize("route", WITH_ID, ids=name)
def test_the_owner_is_not_mistaken_for_a_stranger(ann: Scope, route: Route, settings: Any) -> None:
    fill(ann)
    path = filled(route.path, id_of(ann, route))
    assert Client(ann)(route.method, path, json=BODIES.get(route.path)).status != 404


@pytest.mark.parametrize("route", PRIVATE, ids=name)
def test_nobody_gets_401(nobody: Client, route: Route) -> None:
    answer = nobody(route.method, filled(route.path, 1), json={} if route.method != "GET" else None, script=True)
    assert answer.status == 401
    assert answer.json["error"] == "sign_in"


@pytest.mark.parametrize("route", [route for route in PRIVATE if not route.path.startswith(("/api/", "/tasks/"))], ids=name)
def test_nobody_with_a_browser_is_shown_the_sign_in(nobody: Client, route: Route) -> None:
    answer = nobody(route.method, filled(route.path, 1), script=False)
    assert answer.status == 303 and answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("route", [route for route in PRIVATE if route.method != "GET"], ids=name)
def test_a_change_without_csrf_token_is_refused(ann: Scope, route: Route) -> None:
    fill(ann)
    path = filled(route.path, id_of(ann, route))
    before = rows()
    answer = Client(ann)(route.method, path, csrf=False, script=True)
    assert answer.status == 403
    assert rows() == before


@pytest.mark.parametrize("route", [route for route in PRIVATE if route.token], ids=name)
def test_a_token_without_the_scope_is_refused(ann: Scope, route: Route) -> None:
    other = "triage" if route.token == "read" else "read"
    answer = Client(token=users.token(ann, (other,), 1))(route.method, filled(route.path, 1), json={} if route.method != "GET" else None)
    assert (answer.status, answer.json["error"]) == (403, "scope_missing")


@pytest.mark.parametrize("field,path", [(field, "/api/emails") for field in ("account", "folder", "tag", "sender")])
def test_a_foreign_id_in_the_query_is_404(ann: Scope, bob: Scope, field: str, path: str) -> None:
    mail = fill(ann)
    foreign = {"account": mail.account_id, "folder": mail.folder_id, "tag": tagged(ann).id, "sender": ann.select(Sender, Sender.id).scalar()}[field]
    assert Client(bob)("GET", f"{path}?{field}={foreign}").status == 404


def test_what_another_user_owns_is_in_no_count(ann: Scope, bob: Scope) -> None:
    fill(ann)
    client = Client(bob)
    assert client("GET", "/api/emails").json == {"items": [], "next": None, "total": 0}
    assert client("GET", "/api/matrix").json["total"] == 0
    assert client("GET", "/api/search?q=contract").json["total"] == 0
    assert client("GET", "/api/jobs").json["total"] == 0
    assert client("GET", "/api/accounts").json["items"] == []


def test_an_unknown_address_is_404_for_all(ann: Scope, nobody: Client) -> None:
    for client in (nobody, Client(ann)):
        assert client("GET", "/api/nothing").json["error"] == "not_found"
        assert client("GET", "/nothing", script=False).status == 404


def test_every_answer_carries_the_security_headers(ann: Scope) -> None:
    answer = Client(ann)("GET", "/inbox", script=False)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_odd_id_is_404(ann: Scope) -> None:
    for id in ("0", "999999999999999999999999", "x", "-1"):
        assert Client(ann)("GET", f"/tasks/{id}").status == 404
    assert jobs.page(ann) == []
