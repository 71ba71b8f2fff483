"""The doctor says in words what is wrong, whatever is wrong."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from mailhelper import db as database
from mailhelper import doctor, queue
from mailhelper.scope import Scope, instance_key
from tests.servers.process import free_port


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory of its own, with a queue."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    settings(data=path, jobs="queue")
    made = queue.make()
    monkeypatch.setattr(queue.huey, "storage", made.storage)
    monkeypatch.setattr(queue.huey, "serializer", made.serializer)
    yield path


def found() -> dict[str, tuple[bool, bool, str]]:
    """{name: (ok, grave, text)}."""
    return {check["name"]: (check["ok"], check["grave"], check["text"]) for check in doctor.checks()}


def test_all_is_well(ann: Scope, data: Path) -> None:
    queue.prepare()
    queue.here(queue.WORKER)
    queue.here(queue.WATCHER)
    checks = found()
    assert [name for name, (ok, _, _) in checks.items() if not ok] == []
    assert checks["users"][2] == "1"


def test_nobody_and_no_worker_are_no_grave_matter(db: Database) -> None:
    bad = {name: grave for name, (ok, grave, _) in found().items() if not ok}
    assert bad == {"worker": False, "watcher": False, "users": False}


def test_a_worker_that_is_silent_for_minutes_is_noticed(db: Database) -> None:
    queue.prepare()
    queue.huey.put("worker-seen", time.time() - 200)
    assert not found()["worker"][0]


def test_what_others_can_read_is_said_with_its_cure(db: Database, data: Path) -> None:
    instance_key()
    os.chmod(data / "instance.key", 0o644)
    os.chmod(data, 0o755)
    checks = found()
    assert not checks["data"][0] and "chmod 700" in checks["data"][2]
    assert checks["instance key"][:2] == (False, True) and "chmod 600" in checks["instance key"][2]


def test_a_damaged_key_is_noticed_and_not_shown(db: Database, data: Path) -> None:
    (data / "instance.key").write_text("not a key")
    ok, grave, text = found()["instance key"]
    assert not ok and grave and "not a key" not in text


def test_a_database_that_is_away_is_noticed_and_everything_else_still_looked_at() -> None:
    before = database.db.obj
    database.connect(f"postgresql://me:s3cret@127.0.0.1:{free_port()}/mail")
    try:
        checks = found()
    finally:
        database.db.initialize(before)
    assert checks["database"] == (False, True, "cannot be reached: OperationalError")
    assert checks["queue"][0] and not checks["users"][0]
    assert "s3cret" not in str(checks)


def test_a_database_without_tables_is_told_to_upgrade(tmp_path: Path) -> None:
    with database.connect(f"sqlite:///{tmp_path}/empty.db").connection_context():
        ok, grave, text = found()["database"]
    assert not ok and grave and "mailhelper db upgrade" in text


def test_a_queue_that_is_away_is_noticed(db: Database, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setattr(queue.huey, "storage", queue.make().storage)
    checks = found()
    assert checks["queue"] == (False, True, "does not answer") and not checks["worker"][0]


def test_inline_needs_neither_queue_nor_worker(ann: Scope, settings: Any) -> None:
    settings(jobs="inline")
    checks = found()
    assert checks["queue"][0] and checks["worker"][0]
