"""IDLE against servers that speak oddly; the ordinary one is in tests/servers/test_watch.py."""

import ssl
import threading
import time
from pathlib import Path

import pytest

from mailhelper import errors, imap
from mailhelper.imap import Mailbox
from tests.scripted_imap import EXAMINE, ScriptedServer, account, door
from tests.servers.dovecot import Authority

WELCOME = "+ idling\r\n"
ENDED = "{tag} OK done\r\n"


def idle(idling: str | list[str], done: str = ENDED, seconds: float = 0.2, timeout: float = 2) -> set[str]:
    with ScriptedServer({"EXAMINE": EXAMINE, "IDLE": idling, "DONE": done}) as server:      # type: ignore[dict-item]
        with imap.open(account(server), door(), timeout) as box:
            box.examine("INBOX")
            news = box.idle(seconds)
            assert box.uids() == []     # the conversation is in step
        assert server.heard.count(b"IDLE") == server.heard.count(b"DONE") == 1
        return news


@pytest.mark.parametrize("said,news", [
    ("* 4 EXISTS", {"EXISTS"}), ("* 2 EXPUNGE", {"EXPUNGE"}), ("* 1 FETCH (FLAGS (\\Seen))", {"FETCH"}), ("* VANISHED 300:310", {"VANISHED"}),
    ("* 0 RECENT", set()), ("* OK Still here", set()), ("* 2 FETCH (FLAGS ({5}\r\nhello))", {"FETCH"})])
def test_news_are_told_apart_from_chatter(said: str, news: set[str]) -> None:
    began = time.monotonic()
    assert idle(f"{WELCOME}{said}\r\n", seconds=0.3) == news
    assert (time.monotonic() - began < 0.25) == bool(news)


def test_silence_ends_after_the_time_given() -> None:
    assert idle(WELCOME, seconds=0.1) == set()


def test_news_before_the_welcome_and_after_the_goodbye_are_not_lost() -> None:
    assert idle(f"* 4 EXISTS\r\n{WELCOME}", f"* 1 EXPUNGE\r\n{ENDED}") == {"EXISTS", "EXPUNGE"}
    assert idle(WELCOME, f"* 4 EXISTS\r\n{ENDED}", seconds=0.05) == {"EXISTS"}


def failure(idling: str | None, done: str | None = ENDED) -> errors.Error:
    with ScriptedServer({"EXAMINE": EXAMINE, "IDLE": idling, "DONE": done}) as server:
        with pytest.raises(errors.Error) as caught, imap.open(account(server), door(), 1) as box:
            box.examine("INBOX")
            box.idle(5)
    return caught.value


@pytest.mark.parametrize("idling,code", [
    ("{tag} BAD what\r\n", "command_refused"), (None, "connection_lost"), ("+ idling\r\n* BYE going down\r\n", "connection_lost"),
    ("+ idling\r\n* BYE [UNAVAILABLE] Too many connections\r\n", "server_busy"), ("+ idling\r\nnonsense\r\n", "protocol_error"), ("", "timed_out")])
def test_a_broken_idle_is_an_error_with_a_name(idling: str | None, code: str) -> None:
    assert failure(idling).code == code


def test_a_server_that_ignores_the_end_is_given_up() -> None:
    assert failure(f"{WELCOME}* 4 EXISTS\r\n", "").code == "timed_out"


def test_another_thread_can_end_the_wait_at_once() -> None:
    with ScriptedServer({"EXAMINE": EXAMINE, "IDLE": WELCOME}) as server:
        began = time.monotonic()
        with pytest.raises(errors.Unreachable), imap.open(account(server), door(), 30) as box:
            box.examine("INBOX")
            threading.Timer(0.1, box.abort).start()
            box.idle(60)
        assert time.monotonic() - began < 2


def test_waiting_under_tls_takes_what_is_in_its_buffers_and_wakes_for_what_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    authority.issue("mail.example.org", False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)       # TLS 1.3 sends session tickets: readable, and nothing for us
    context.load_cert_chain(tmp_path / "mail.example.org.pem", tmp_path / "mail.example.org.key")
    answers = {"EXAMINE": EXAMINE, "IDLE": [f"{WELCOME}* 4 EXISTS\r\n", WELCOME], "DONE": ENDED}
    with ScriptedServer(answers, capability="* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n", tls=context) as server:     # type: ignore[arg-type]
        with imap.open(account(server, "starttls"), door(), 5) as box:
            box.examine("INBOX")
            assert box.idle(5) == {"EXISTS"}
            assert _seconds(box) > 0.25


def _seconds(box: Mailbox) -> float:
    began = time.monotonic()
    assert box.idle(0.3) == set()
    return time.monotonic() - began
