"""Answers are small for whoever takes gzip, and plain for others."""

import gzip

from mailhelper.scope import Scope
from tests.conftest import Client

GZIP = {"Accept-Encoding": "br;q=1.0, gzip"}


def test_a_page_is_compressed_when_the_browser_takes_it(ann: Scope) -> None:
    client = Client(ann)
    plain, packed = client("GET", "/inbox", script=False), client("GET", "/inbox", script=False, headers=GZIP)
    assert packed.headers["content-encoding"] == "gzip" and packed.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert len(packed.data) < len(plain.data) / 2
    assert b"<!doctype html>" in gzip.decompress(packed.data)


def test_a_small_answer_is_sent_as_it_is(nobody: Client) -> None:
    assert "content-encoding" not in nobody("GET", "/healthz", headers=GZIP).headers


def test_static_files_are_compressed_and_kept(nobody: Client) -> None:
    answer = nobody("GET", "/static/app.css?v=1", headers=GZIP)
    assert answer.headers["content-encoding"] == "gzip" and "immutable" in answer.headers["cache-control"]
    assert int(answer.headers["content-length"]) == len(answer.data)
    assert gzip.decompress(answer.data) == nobody("GET", "/static/app.css").data


def test_each_page_carries_another_csrf_token(ann: Scope) -> None:
    client = Client(ann)
    tokens = {client("GET", "/settings", script=False).text.split('name="csrf-token" content="')[1].split('"')[0] for _ in range(3)}
    assert len(tokens) == 3
    for token in tokens:
        assert client("POST", "/email/1/done", csrf=False, headers={"X-CSRF-Token": token}, script=True).status == 404


def test_half_a_token_is_refused(ann: Scope) -> None:
    for token in ("", "00", "zz", "0" * 64):
        assert Client(ann)("POST", "/email/1/done", csrf=False, headers={"X-CSRF-Token": token}, script=True).status == 403
