"""Health, readiness and metrics, for machines; nothing of anybody's mail."""

import re
from typing import Any

import pytest

from mailhelper import queue, users
from mailhelper.models import Job
from mailhelper.scope import Scope
from mailhelper.web import app, ops
from mailhelper.web.render import STATIC, asset
from tests.conftest import Client
from tests.world import fill


def test_the_process_is_up_even_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    monkeypatch.setattr(app, "db", None)
    monkeypatch.setattr(app, "is_postgres", None)
    assert client("GET", "/healthz").json == {"status": "ok"}


def test_ready_only_with_a_worker(nobody: Client) -> None:
    answer = nobody("GET", "/readyz", script=True)
    down = {"status": "unavailable", "database": "ok", "queue": "ok", "worker": "unavailable", "watcher": "unavailable"}
    assert (answer.status, answer.json) == (503, down)
    queue.here(queue.WORKER)
    answer = nobody("GET", "/readyz", script=True)
    assert (answer.status, answer.json) == (200, {**down, "status": "ok", "worker": "ok"})      # without a watcher mail comes later, but comes
    queue.here(queue.WATCHER)
    assert nobody("GET", "/readyz", script=True).json["watcher"] == "ok"


def test_inline_jobs_need_no_worker(nobody: Client, settings: Any) -> None:
    settings(jobs="inline")
    assert nobody("GET", "/readyz", script=True).status == 200


def test_not_ready_with_a_broken_queue(nobody: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ConnectionError

    queue.here(queue.WORKER)
    monkeypatch.setattr(queue.huey.storage, "queue_size", broken)
    answer = nobody("GET", "/readyz", script=True)
    assert (answer.status, answer.json["queue"]) == (503, "unavailable")


def test_not_ready_with_an_old_database(nobody: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.here(queue.WORKER)
    monkeypatch.setattr(ops, "pending", lambda: ["0002_next"])
    answer = nobody("GET", "/readyz", script=True)
    assert (answer.status, answer.json["database"]) == (503, "unavailable")


def test_metrics_count_and_tell_nothing_of_mail(ann: Scope, bob: Scope) -> None:
    fill(ann)
    with bob:
        fill(bob)
    ann.create(Job, kind="sync_user_emails", subject=9, state="running", touched="2026-01-01")
    text = Client()("GET", "/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert (lines["mailhelper_users"], lines["mailhelper_mails"], lines["mailhelper_jobs_silent"]) == ("2", "2", "1")
    assert lines['mailhelper_jobs{kind="sync_user_emails",state="completed"}'] == "2"
    assert not any(word in text.lower() for word in ("contract", "miriam", "example", "ann"))


def test_metrics_are_for_this_machine_or_an_admins_token(ann: Scope, bob: Scope) -> None:
    far = "203.0.113.9"
    assert Client(address=far)("GET", "/metrics", script=True).status == 401
    assert Client(address="::1")("GET", "/metrics").status == 200
    assert Client()("GET", "/metrics", headers={"X-Forwarded-For": far}, script=True).status == 401, "a proxy on this machine is not this machine"
    admin = Client(token=users.token(ann, ("read", "admin"), 1), address=far)
    assert admin("GET", "/metrics").status == 200
    assert Client(token=users.token(ann, ("read",), 1), address=far)("GET", "/metrics", script=True).status == 403
    with bob:
        token = users.token(bob, ("read",), 1)
    assert Client(token=token, address=far)("GET", "/metrics", script=True).status == 403


def test_static_files_are_kept_for_ever_under_their_hash(nobody: Client) -> None:
    assert (STATIC / "app.css").exists()
    plain, hashed = nobody("GET", "/static/app.css"), nobody("GET", "/static/app.css?v=abc")
    assert plain.status == 200 and "immutable" not in plain.headers.get("cache-control", "")
    assert "immutable" in hashed.headers["cache-control"] and hashed.headers["content-type"].startswith("text/css")
    assert hashed.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["../setup.cfg", "..%2fsetup.cfg", "/etc/passwd", "nothing.css", "%00", "../mailhelper/config.py"])
def test_nothing_outside_is_served(nobody: Client, name: str) -> None:
    answer = nobody("GET", f"/static/{name}")
    assert answer.status in (403, 404) and "[metadata]" not in answer.text


def test_scripts_and_what_they_import_are_kept_for_ever(nobody: Client) -> None:
    """A module's imports are relative: they inherit the hash only if it stands in the path."""
    path = asset("app.js")
    imported = re.findall(r'from "\./([a-z]+\.js)"', (STATIC / "app.js").read_text())
    assert len(imported) > 3 and re.fullmatch(r"/static/@[0-9a-f]{12}/app\.js", path)
    for name in ("app.js", *imported):
        answer = nobody("GET", path.replace("app.js", name))
        assert answer.status == 200 and "immutable" in answer.headers["cache-control"], name
        assert answer.headers["content-type"].startswith("text/javascript"), name
    assert nobody("GET", "/static/@abc/../../setup.cfg").status in (403, 404)
