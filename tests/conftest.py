"""The world of the tests: both databases, three people, an in-process browser.

ann owns things, bob is a stranger with things of his own, nobody is not signed in.
"""

import os
import tempfile

os.environ["MAILHELPER_DATA"] = tempfile.mkdtemp(prefix="mailhelper-tests-")      # before anything reads the settings

import io
import json
import shutil
import wsgiref.util
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from mailhelper import config as configuration
from mailhelper import crypto, queue, users, worker
from mailhelper import db as database
from mailhelper.models import User
from mailhelper.scope import Scope
from mailhelper.web.app import make_app
from tests.servers import postgres

PASSWORD = "correct horse, wrong stable"
assert worker.huey      # imported for the job kinds it registers


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs a real model takes minutes and packages that nothing else needs: only where it is asked for (-m model)."""
    if "model" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("model")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session", autouse=True)
def data_directory() -> Iterator[Path]:
    path = Path(os.environ["MAILHELPER_DATA"])
    queue.prepare()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def empty_queue() -> None:
    queue.huey.flush()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    with database.connect(f"sqlite:///{path}").connection_context():
        database.upgrade()
        database.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """An upgraded database; each test empties it."""
    if not postgres.available():
        pytest.skip("PostgreSQL is not installed")
    with postgres.postgres_server() as server:
        with database.connect(server.url).connection_context():
            database.upgrade()
        yield server.url


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[database.Database]:
    """An empty, upgraded database, connected; every test with it runs on both kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "test.db")
        opened = database.connect(f"sqlite:///{tmp_path}/test.db")
    else:
        opened = database.connect(request.getfixturevalue("postgres_url"))
    with opened.connection_context():
        if request.param == "postgres":
            empty(opened)
        yield opened
        if request.param == "sqlite":
            while opened.transaction_depth():
                opened.pop_transaction()


def empty(opened: database.Database) -> None:
    """Delete all rows of a PostgreSQL database and count from 1 again.  TRUNCATE makes each table's files anew: thirty times as slow."""
    for table in ('"user"', "throttle"):        # everything else belongs to a user and goes with them
        opened.execute_sql(f"DELETE FROM {table}")
    for (name,) in opened.execute_sql("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL").fetchall():
        opened.execute_sql(f'ALTER SEQUENCE "{name}" RESTART')


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """settings(jobs="inline", …) changes settings for one test, wherever they were imported."""
    def change(**values: Any) -> None:
        for name, value in values.items():
            old = getattr(configuration.config, name)
            object.__setattr__(configuration.config, name, value)
            undo.append((name, old))
    undo: list[tuple[str, Any]] = []
    assert replace(configuration.config) == configuration.config
    yield change
    for name, old in reversed(undo):
        object.__setattr__(configuration.config, name, old)


def make_scope(name: str, admin: bool = False) -> Scope:
    """A user whose password is not hashed for real, since that takes a quarter of a second."""
    return Scope(User.create(name=name, wrapped_key="", admin=admin), crypto.new_key())


@pytest.fixture
def ann(db: database.Database) -> Iterator[Scope]:
    with make_scope("ann", admin=True) as scope:
        yield scope


@pytest.fixture
def bob(db: database.Database) -> Scope:
    return make_scope("bob")


class Answer(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@cache
def _app() -> Any:
    """The application keeps nothing of a request, and all its routes take ten milliseconds to set up."""
    return make_app()


class Client:
    """A browser without a network: cookies, forms with their CSRF token, JSON."""

    def __init__(self, scope: Scope | None = None, token: str = "", address: str = "127.0.0.1") -> None:
        self.app, self.token, self.address = _app(), token, address
        self.cookies: dict[str, str] = {}
        if scope:
            self.cookies["mailhelper"] = users.open_session(scope, "test")

    @property
    def csrf(self) -> str:
        secret = self.cookies.get("mailhelper", "")
        proof = crypto.derive(secret.encode(), "csrf")
        return (bytes(len(proof)) + proof).hex() if secret else ""      # masked by nothing

    def __call__(self, method: str, path: str, *, json: Any = None, form: dict[str, Any] | None = None, csrf: bool = True,
                 headers: dict[str, str] | None = None, script: bool | None = None) -> Answer:
        """`script`: ask for JSON like one; by default when the path is one of the API or `json` is given."""
        path, _, query = path.partition("?")
        body = b""
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": query, "REMOTE_ADDR": self.address}
        if json is not None:
            body, environ["CONTENT_TYPE"] = _dumps(json), "application/json"
        elif form is not None or method == "POST":
            body = urlencode({**(form or {}), **({"csrf": self.csrf} if csrf and self.csrf else {})}, doseq=True).encode()
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
        environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO()}
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.token:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        if script or (script is None and (json is not None or path.startswith(("/api/", "/tasks/")))):
            environ["HTTP_ACCEPT"] = "application/json"
            if csrf and self.csrf:
                environ["HTTP_X_CSRF_TOKEN"] = self.csrf
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        wsgiref.util.setup_testing_defaults(environ)
        return self._send(environ)

    def _send(self, environ: dict[str, Any]) -> Answer:
        got: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc: object = None) -> None:
            got.update(status=int(status[:3]), headers=headers)

        data = b"".join(self.app(environ, start_response))
        for name, value in got["headers"]:
            if name.lower() == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    self.cookies.pop(key, None)
                    if morsel.value and morsel["max-age"] != "-1":
                        self.cookies[key] = morsel.value
        return Answer(got["status"], data.decode("utf-8", "replace"), {name.lower(): value for name, value in got["headers"]}, data)


def _dumps(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@pytest.fixture
def nobody(db: database.Database) -> Client:
    return Client()
