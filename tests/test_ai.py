"""Asking AI servers: forty and more ways to misbehave end in a valid answer or a stated error, in bounded time."""

import gzip
import json
import logging
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailhelper import ai, errors
from mailhelper.ai import Endpoint
from mailhelper.egress import Door, Entry, Policy
from tests.servers import scripted_ai as server
from tests.servers.scripted_ai import GOOD, events, refused, said, serving, stream, whole

SCHEMA = {"type": "object", "additionalProperties": False, "required": ["urgency", "summary"], "properties": {
    "urgency": {"type": "integer", "minimum": 1, "maximum": 3}, "summary": {"type": "string", "minLength": 1, "maxLength": 15}}}
MESSAGES = [{"role": "system", "content": "You rate mail."}, {"role": "user", "content": "Dear Ann, could you sign by Friday? Miriam"}]
JSON = server.GOOD_TEXT
LATIN = b'{"choices": [{"message": {"content": "f\xfcr dich: %s"}}]}' % JSON.replace('"', '\\"').encode()


def door(ledger: list[Entry] | None = None, **policy: Any) -> Door:
    return Door(Policy(**{"private": True, **policy}), (ledger if ledger is not None else []).append)


def ask(url: str, **more: Any) -> ai.Answer:
    options = {"max_tokens": 200, "check": lambda: None, **more}
    endpoint = Endpoint(url, options.pop("key", "secret"), options.pop("timeout", 4.0))
    return ai.ask(options.pop("door", None) or door(), endpoint, "small", options.pop("messages", MESSAGES), SCHEMA, **options)


class Case(NamedTuple):
    steps: list[server.Step]
    error: type[errors.Error] | None = None
    code: str = ""
    mode: str = "json_schema"
    calls: int = 1


CASES = {
    # ── right, in one way or another ──
    "a stream": Case([stream()]),
    "letter by letter": Case([stream(piece=1)]),
    "no stream": Case([whole()]),
    "no stream, called one": Case([whole(mime="text/event-stream")]),
    "a stream called json": Case([lambda talk: (talk.head(mime="application/json"), talk.delta(JSON, "stop"))[0]]),
    "no content type worth the name": Case([whole(mime="application/octet-stream; charset=klingon")]),
    "byte order mark": Case([said(200, b"\xef\xbb\xbf" + json.dumps({"choices": [{"message": {"content": JSON}}]}).encode())]),
    "Latin-1 instead of UTF-8": Case([said(200, LATIN)]),
    "keep-alive comments": Case([server.keepalives]),
    "without DONE": Case([stream(done=False)]),
    "without an end": Case([stream(finish=None, done=False, usage=None)]),
    "connection stays open": Case([server.lingering]),
    "cut after the end": Case([lambda talk: (talk.head(Content_Length="9999"), talk.delta(JSON, "stop"))[0]]),
    "content in parts": Case([whole([{"type": "text", "text": JSON[:5]}, {"type": "image"}, {"type": "text", "text": JSON[5:]}])]),
    "chatter around": Case([stream(f"Here is the {{JSON}} that you want:\n```json\n{JSON}\n```\nAnything else?")]),
    "thoughts": Case([stream(f"<think>The user wants {{\"urgency\": 9}} maybe.</think>{JSON}")]),
    "thoughts that the template opened": Case([stream(f"It says {{\"urgency\": 9}}, hm.\n</think>\n\n{JSON}")]),
    "thoughts in a field": Case([events({"choices": [{"delta": {"reasoning_content": "hm {"}}]}, {"choices": [{"delta": {"content": JSON}}]})]),
    "more fields than asked for": Case([stream(json.dumps(GOOD | {"delete_all": True, "move_to": "Trash"}))]),
    "longer than allowed": Case([stream('{"urgency": 2, "summary": "Sign by Friday. Really."}')]),
    "an integer as 2.0": Case([stream('{"urgency": 2.0, "summary": "Sign by Friday."}')]),
    "no usage": Case([stream(usage=None)]),
    "usage of another type": Case([stream(usage=[1, 2])]),
    "usage beyond belief": Case([stream(usage={"prompt_tokens": 10 ** 12, "completion_tokens": -4})]),
    "usage as text": Case([stream(usage={"prompt_tokens": "120", "completion_tokens": None})]),
    # ── steps down ──
    "json_schema unknown": Case([refused(400, "response_format.type must be json_object"), stream()], mode="json_schema_object", calls=2),
    "json_schema fails with 500": Case([refused(500), stream()], mode="json_schema_object", calls=2),
    "json_object with schema unknown": Case([refused(422), refused(422), stream()], mode="json_object", calls=3),
    "only text": Case([refused(400), refused(500), refused(422), stream(f"Sure!\n{JSON}")], mode="text", calls=4),
    "grammar fails in the stream": Case([server.error_in_stream(), stream()], mode="json_schema_object", calls=2),
    "error with status 200": Case([said(200, {"error": "grammar"}), stream()], mode="json_schema_object", calls=2),
    "empty where a schema is asked for": Case([stream(""), stream()], mode="json_schema_object", calls=2),
    "max_tokens unknown": Case([refused(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."), stream()],
                               mode="json_schema -max_tokens", calls=2),
    "temperature fixed": Case([refused(400, "'temperature' does not support 0"), stream()], mode="json_schema -temperature", calls=2),
    "stream_options unknown": Case([refused(422, "stream_options: extra fields"), stream()], mode="json_schema -stream_options", calls=2),
    "no system role": Case([refused(500, "System role not supported"), stream()], mode="json_schema -system", calls=2),
    # ── repaired ──
    "schema ignored": Case([stream('{"rating": "high"}'), stream()], mode="json_schema_object", calls=2),
    "value out of range": Case([stream('{"urgency": 9, "summary": "x"}'), stream()], mode="json_schema_object", calls=2),
    "a list": Case([stream("[1, 2]"), stream()], mode="json_schema_object", calls=2),
    "a number that is none": Case([stream('{"urgency": NaN, "summary": "x"}'), stream()], mode="json_schema_object", calls=2),
    "nested without end": Case([stream('{"urgency":' + "[" * 60_000, piece=60_000), stream()], mode="json_schema_object", calls=2),
    # ── stated errors ──
    "wrong twice": Case([stream("I am a teapot."), stream("Still.")], errors.Error, "bad_answer", calls=2),
    "wrong types": Case([events({"choices": [{"delta": {"content": {"urgency": 2}}}]})], errors.Error, "ai_silent", calls=4),
    "choices empty": Case([events({"choices": []})], errors.Error, "ai_silent", calls=4),
    "choices of another type": Case([events({"choices": {"0": "x"}}, {"choices": ["x"]}, {"choices": [{"delta": "x"}]})],
                                    errors.Error, "ai_silent", calls=4),
    "thoughts only": Case([stream("<think>Let me see, {\"urgency\": 2"), stream("<think>Hm")], errors.Error, "bad_answer", calls=2),
    "no object but a string": Case([events(b'"hello"')], errors.Unreachable, "ai_garbled"),
    "events that are no JSON": Case([events(b"{broken")], errors.Unreachable, "ai_garbled"),
    "not UTF-8 and no text": Case([said(200, bytes(range(128, 256)) * 20)], errors.Unreachable, "ai_garbled"),
    "a web page": Case([said(200, b"<!doctype html><title>Sign in</title>", "text/html")], errors.Refused, "ai_not_ai"),
    "not HTTP": Case([server.raw(b"* OK IMAP4rev1 ready\r\n")], errors.Unreachable, "connection_lost"),
    "headers without end": Case([lambda talk: [talk.send(b"HTTP/1.1 200 OK\r\n")] + [talk.send(b"X-Y: " + b"z" * 900 + b"\r\n") for _ in range(500)]],
                                errors.Unreachable, "connection_lost"),
    "hangs up": Case([server.hang_up], errors.Unreachable, "connection_lost"),
    "resets": Case([server.reset], errors.Unreachable, "connection_lost"),
    "cut in a chunk": Case([server.cut], errors.Unreachable, "connection_lost"),
    "cut between two events": Case([server.cut_quietly], errors.Unreachable, "connection_lost"),
    "tokens at their end": Case([stream('{"urgency": 2, "summary": "and so on and', finish="length")], errors.Error, "ai_cut_off"),
    "prompt cut": Case([stream(usage={"prompt_tokens": 4, "completion_tokens": 9})], errors.Error, "ai_prompt_cut"),
    "declined": Case([whole(None, refusal="I cannot help with that.")], errors.Refused, "ai_declined"),
    "filtered": Case([stream("", finish="content_filter")], errors.Refused, "ai_declined"),
    "ten megabytes": Case([server.flood], errors.Error, "ai_endless"),
    "one line without end": Case([server.one_line], errors.Error, "ai_endless"),
    "compressed, though not asked for": Case([said(200, gzip.compress(b"0" * 9_000_000), Content_Encoding="gzip")], errors.Unreachable, "ai_garbled"),
    "redirect": Case([said(307, b"", Location="http://127.0.0.1:9/v1/chat/completions")], errors.Refused, "ai_redirected"),
    "key refused": Case([refused(401, "Incorrect API key provided")], errors.BadLogin, "ai_key_refused"),
    "key forbidden": Case([refused(403)], errors.BadLogin, "ai_key_refused"),
    "key refused with 400": Case([refused(400, "API key not valid. Please pass a valid API key.")], errors.BadLogin, "ai_key_refused"),
    "no credit": Case([refused(402)], errors.Refused, "ai_no_credit"),
    "no quota": Case([refused(429, "insufficient_quota: check your plan and billing details")], errors.Refused, "ai_no_credit"),
    "no such model": Case([refused(404, 'model "small" not found, try pulling it first')], errors.Refused, "ai_no_such_model"),
    "no such address": Case([said(404, b"404 page not found", "text/plain")], errors.Refused, "ai_not_found"),
    "too long": Case([refused(400, "This model's maximum context length is 4096 tokens")], errors.Refused, "ai_too_long"),
    "too large": Case([refused(413)], errors.Refused, "ai_too_long"),
    "busy": Case([refused(429)], errors.Busy, "ai_busy"),
    "overloaded": Case([refused(503)], errors.Busy, "ai_busy"),
    "bad gateway": Case([said(502, b"<html>nginx</html>", "text/html")], errors.Unreachable, "ai_server_failed"),
    "always 500": Case([refused(500)], errors.Unreachable, "ai_server_failed", calls=4),
    "always 400": Case([refused(400)], errors.Refused, "ai_request_refused", calls=4),
    "error text of megabytes": Case([said(400, b"x" * 11_000_000)], errors.Error, "ai_endless"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_misbehaviour_ends_in_a_valid_answer_or_a_stated_error(case: Case) -> None:
    began = time.monotonic()
    with serving(*case.steps) as scripted:
        if case.error is None:
            answer = ask(scripted.url, timeout=10.0)
            assert (answer.data, answer.mode) == (GOOD, case.mode)
            assert 0 < answer.tokens_in < 100_000 and 0 < answer.tokens_out < 100_000
        else:
            with pytest.raises(case.error) as caught:
                ask(scripted.url, timeout=10.0)
            assert caught.value.code == case.code
            for lang in ("en", "de"):
                assert errors.sentence(lang, "internal") != caught.value.sentence(lang) and "{" not in caught.value.sentence(lang)
        assert len(scripted.requests) == case.calls
    assert time.monotonic() - began < 8


def test_there_are_at_least_forty_of_them() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("step", [server.silent, server.dribble(), server.only_a_head], ids=["silent", "dribbling", "head only"])
def test_the_time_limit_holds_whatever_the_server_does(step: server.Step) -> None:
    began = time.monotonic()
    with serving(step) as scripted, pytest.raises(errors.Unreachable) as caught:
        ask(scripted.url, timeout=1.0)
    assert caught.value.code == "ai_slow" and caught.value.params["seconds"] == 1
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("step", [server.silent, server.dribble(0.01)], ids=["silent", "dribbling"])
def test_cancel_is_heard_within_two_seconds_and_the_connection_ends(step: server.Step) -> None:
    heard, pressed = [], threading.Event()

    def check() -> None:
        heard.append(time.monotonic())
        if pressed.is_set():
            raise errors.Cancelled()

    ledger: list[Entry] = []
    with serving(step) as scripted:
        threading.Timer(1.2, pressed.set).start()
        began = time.monotonic()
        with pytest.raises(errors.Cancelled):
            ask(scripted.url, timeout=30.0, check=check, door=door(ledger))
        assert time.monotonic() - began < 1.2 + 2
    assert max(later - earlier for earlier, later in zip(heard, heard[1:], strict=False)) < 1
    assert [entry.purpose for entry in ledger] == ["ai"] and not threads()


def test_cancel_is_heard_while_the_name_is_looked_up() -> None:
    release = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        release.wait(20)
        return ["127.0.0.1"]

    began, checks = time.monotonic(), iter([None, None])

    def check() -> None:
        if next(checks, "cancel"):
            raise errors.Cancelled()

    with pytest.raises(errors.Cancelled):
        ask("http://slow.example/v1", door=Door(Policy(private=True), lambda entry: None, resolve), timeout=20.0, check=check)
    assert time.monotonic() - began < 2
    release.set()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "ai"]


def test_what_works_is_remembered_and_used_first() -> None:
    with serving(stream()) as scripted:
        answer = ask(scripted.url, mode="json_object -max_tokens -temperature")
        sent = scripted.requests[0].body
    assert answer.mode == "json_object -max_tokens -temperature"
    assert sent["response_format"] == {"type": "json_object"} and sent["max_completion_tokens"] == 200
    assert "max_tokens" not in sent and "temperature" not in sent
    assert "urgency" in sent["messages"][0]["content"]      # the schema, since the server is not told it otherwise


def test_lengths_of_strings_are_not_told_to_servers_that_cannot_bear_them() -> None:
    schema = {"type": "object", "required": ["draft"], "properties": {"draft": {"type": "string", "maxLength": 8000}, "maxLength": {"type": "string"},
                                                                      "tags": {"type": "array", "items": {"type": "string", "maxLength": 30}}}}
    with serving(refused(400), stream('{"draft": "Dear Miriam"}')) as scripted:
        ai.ask(door(), Endpoint(scripted.url), "small", MESSAGES, schema, check=lambda: None)
        strict, told = (json.dumps(request.body["response_format"]) for request in scripted.requests)
    assert '"maxLength": 8000' not in strict and '"maxLength": 30' not in strict
    assert '"maxLength": 8000' not in told and '"maxLength": 30' in told
    assert '"maxLength": {"type": "string"}' in told        # a field may be called so


def test_a_remembered_mode_that_no_longer_works_is_left() -> None:
    with serving(refused(400), stream()) as scripted:
        assert ask(scripted.url, mode="json_object").mode == "text"
        assert "response_format" not in scripted.requests[1].body


@pytest.mark.parametrize("words", ["", "nonsense", "json_schema -nonsense", "-temperature"])
def test_a_memory_of_another_version_does_no_harm(words: str) -> None:
    with serving(stream()) as scripted:
        assert ask(scripted.url, mode=words).mode == "json_schema"


@pytest.mark.parametrize("header,seconds", [("7", 7), ("", 0), ("-5", 0), ("nan", 0), ("999999", 3600), ("soon", 0),
                                            ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2099 07:28:00 GMT", 3600)])
def test_patience_is_as_long_as_the_server_asks_within_reason(header: str, seconds: int) -> None:
    with serving(refused(429, Retry_After=header)) as scripted, pytest.raises(errors.Busy) as caught:
        ask(scripted.url)
    assert caught.value.retry_after == seconds and not caught.value.permanent


def test_the_repair_round_says_what_was_wrong() -> None:
    with serving(stream('{"urgency": 7, "summary": "x"}'), stream()) as scripted:
        ask(scripted.url)
        *_, own, repair = scripted.requests[1].body["messages"]
    assert own["role"] == "assistant" and '"urgency": 7' in own["content"]
    assert "urgency must be at most 3" in repair["content"]


def test_tokens_of_all_tries_are_counted_also_when_it_fails() -> None:
    meter = ai.Meter()
    with serving(stream("no")) as scripted, pytest.raises(errors.Error):
        ask(scripted.url, meter=meter)
    assert (meter.calls, meter.tokens_in, meter.tokens_out) == (2, 240, 24)


def test_nothing_but_what_is_needed_is_told_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "of-the-server")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(stream()) as scripted:
        ask(scripted.url, key="mine")
        ask(scripted.url, key="")
        keyed, open_ = (request.headers for request in scripted.requests)
    assert keyed["authorization"] == "Bearer mine" and "authorization" not in open_
    assert set(open_) == {"host", "accept", "content-type", "content-length", "user-agent", "accept-encoding"}
    assert open_["user-agent"].startswith("mailhelper/")


def test_the_way_out_is_the_door() -> None:
    ledger: list[Entry] = []
    with serving(refused(400), stream()) as scripted:
        ask(scripted.url, door=door(ledger))
    assert [(entry.host, entry.port, entry.purpose, entry.refused) for entry in ledger] == [("127.0.0.1", scripted.port, "ai", False)] * 2
    assert all(entry.sent > 300 and entry.received > 50 for entry in ledger)


@pytest.mark.parametrize("policy,code", [({"private": False}, "egress_refused"), ({"local_only": True}, "egress_no_cloud")])
def test_a_refused_address_gets_no_byte(policy: dict[str, bool], code: str) -> None:
    ledger: list[Entry] = []
    away = Door(Policy(**{"private": True, **policy}), ledger.append, lambda host, port: ["127.0.0.1" if code == "egress_refused" else "203.0.113.5"])
    with serving(stream()) as scripted:
        with pytest.raises(errors.Refused) as caught:
            ask(f"http://ai.example:{scripted.port}/v1", door=away)
        assert caught.value.code == code and caught.value.params["host"] == "ai.example"
        assert scripted.requests == []
    assert [entry.refused for entry in ledger] == [True]


def test_https_is_verified(tmp_path: Path) -> None:
    with serving(stream(), tls=self_signed(tmp_path)) as scripted, pytest.raises(errors.BadCertificate) as caught:
        ask(f"https://localhost:{scripted.port}/v1", door=Door(Policy(private=True), lambda entry: None, lambda host, port: ["127.0.0.1"]))
    assert caught.value.code == "certificate_self_signed"
    assert scripted.requests == []


def test_nothing_of_the_mail_gets_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), serving(refused(500, "secret words"), stream()) as scripted:
        ask(scripted.url)
    assert "Miriam" not in caplog.text and "127.0.0.1" not in caplog.text and "secret" not in caplog.text


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server needs that vouches for itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    at = datetime.now(UTC)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
                   .not_valid_before(at - timedelta(1)).not_valid_after(at + timedelta(1))
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, hashes.SHA256()))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


# ── the other questions ──

def test_models_are_listed() -> None:
    with serving(said(200, {"data": [{"id": "b"}, {"id": "a"}, {"id": 3}, "x", {"name": "c"}]})) as scripted:
        assert ai.models(door(), Endpoint(scripted.url)) == ["a", "b", "c"]
        assert scripted.requests[0].path == "/v1/models"


@pytest.mark.parametrize("step,kind,code", [
    (said(200, {"object": "list"}), errors.Refused, "ai_not_ai"), (said(200, b"<html>"), errors.Refused, "ai_not_ai"),
    (said(200, b"pong"), errors.Unreachable, "ai_garbled"), (refused(401), errors.BadLogin, "ai_key_refused"),
    (said(301, b"", Location="/elsewhere"), errors.Refused, "ai_redirected"), (said(404, b"nope"), errors.Refused, "ai_not_found"),
])
def test_a_list_of_models_that_is_none_is_told_in_words(step: server.Step, kind: type[errors.Error], code: str) -> None:
    with serving(step) as scripted, pytest.raises(kind) as caught:
        ai.models(door(), Endpoint(scripted.url))
    assert caught.value.code == code


def test_embeddings_come_in_the_order_of_the_texts() -> None:
    rows = [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1.5, 2]}]
    with serving(said(200, {"data": rows})) as scripted:
        assert ai.embed(door(), Endpoint(scripted.url), "e5", ["one", "two"]) == [[1.5, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("rows", [[], [{"index": 0, "embedding": [1]}], [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}],
                                  [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}], [{"index": 0}, {"index": "x"}], "x"])
def test_wrong_embeddings_are_no_embeddings(rows: Any) -> None:
    with serving(said(200, {"data": rows})) as scripted, pytest.raises(errors.Error) as caught:
        ai.embed(door(), Endpoint(scripted.url), "e5", ["one", "two"])
    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize("addresses,place", [
    (["127.0.0.1"], "machine"), (["::1", "127.0.0.1"], "machine"), (["192.168.1.5"], "lan"), (["127.0.0.1", "10.0.0.1"], "lan"),
    (["203.0.113.5"], "cloud"), (["192.168.1.5", "203.0.113.5"], "cloud"), ([], "cloud"), (["::ffff:8.8.8.8"], "cloud"),
    (["64:ff9b::8.8.8.8"], "cloud"), (["169.254.169.254"], "cloud"),
])
def test_where_a_server_is(addresses: list[str], place: str) -> None:
    assert ai.where(addresses) == place
