"""What surrounds every request: a database that is away, secrets in the log, headers."""

import io
import logging
from collections.abc import Iterator

import pytest
from peewee import Database

from mailhelper import db as database
from mailhelper import logs
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.servers.process import free_port


@pytest.fixture
def away() -> Iterator[Client]:
    """A client of an instance whose database cannot be reached."""
    before = database.db.obj
    database.connect(f"postgresql://me:s3cret@127.0.0.1:{free_port()}/mail")
    yield Client()
    database.db.initialize(before)


def test_without_its_database_the_program_says_so_calmly(away: Client, caplog: pytest.LogCaptureFixture) -> None:
    away.token = "x"
    answer = away("GET", "/api/me")
    assert (answer.status, answer.json["error"]) == (503, "unavailable")
    assert away("GET", "/login").status == 503
    assert away("GET", "/healthz").json == {"status": "ok"}
    ready = away("GET", "/readyz", script=True)
    assert (ready.status, ready.json["database"]) == (503, "unavailable")
    assert "s3cret" not in caplog.text


def test_an_error_that_nobody_foresaw_is_500_and_its_words_stay_out_of_the_log(
        ann: Scope, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    said, log = "Re: your " + "diagnosis", io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logs.Formatter("%(message)s"))
    logging.getLogger().addHandler(handler)

    def fail(scope: Scope) -> None:
        raise ValueError(said)

    monkeypatch.setattr("mailhelper.web.people.users.shown", fail)
    try:
        answer = Client(ann)("GET", f"/api/me?q={said.replace(' ', '+')}")
    finally:
        logging.getLogger().removeHandler(handler)
    assert (answer.status, answer.json["error"]) == (500, "internal")
    assert said not in answer.text
    assert "GET /api/me" in log.getvalue() and "ValueError" in log.getvalue() and "diagnosis" not in log.getvalue()


@pytest.mark.parametrize("path", ["/login", "/static/app.css", "/nothing", "/healthz", "/api/me", "/api/openapi.json"])
def test_no_answer_is_sniffed_or_framed(nobody: Client, path: str) -> None:
    headers = nobody("GET", path).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("header", ["", ";;;", "de;q=x", "xx-" * 2000, "de-" * 500 + ";q=1", "\xff\xfe", "de;q=0.9,en;q=0.8"])
def test_an_odd_language_header_does_no_harm(nobody: Client, header: str) -> None:
    assert nobody("GET", "/register", headers={"Accept-Language": header}).status == 200


def test_headers_that_are_no_text_do_no_harm(nobody: Client, ann: Scope) -> None:
    odd = dict.fromkeys(("User-Agent", "Accept", "Origin", "Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-CSRF-Token"), "\xff\xfe")
    assert Client(ann)("GET", "/", headers=odd, script=False).status == 200
    for name in ("Authorization", "Cookie"):
        for value in ("\xff", "Bearer \xff", "mailhelper=\xff", "Bearer", "mailhelper", 'mailhelper="\\377"'):
            assert nobody("GET", "/api/me", headers={name: value}).status == 401


def test_a_path_or_query_that_is_no_text_is_refused_or_passed_over(ann: Scope) -> None:
    client = Client(ann)
    assert client("GET", "/inbox?account=%ff", script=False).status in (200, 400, 404)
    assert client("GET", "/static/%ff", script=False).status == 404
    assert client("GET", "/static/../setup.cfg", script=False).status in (403, 404)
