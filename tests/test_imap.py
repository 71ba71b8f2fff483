"""The IMAP client against servers that are unusual, broken, busy or hostile; the ordinary one is in tests/servers."""

import base64
import os
import random
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mailhelper import errors, imap
from mailhelper.egress import Door, Entry, Policy
from tests.scripted_imap import EXAMINE, PASSWORD, ScriptedServer, account, door
from tests.servers.dovecot import Authority

LEDGER: list[Entry] = []
DOOR = door(LEDGER)
STARTTLS = "* CAPABILITY IMAP4rev1 STARTTLS\r\n"
SECRET = "AGFubmEAY29ycmVjdCBob3JzZQ=="     # \\0anna\\0correct horse


def failure(server: ScriptedServer, timeout: float = 5, **how: str) -> errors.Error:
    """The error that opening the mailbox ends with."""
    with pytest.raises(errors.Error) as caught:
        with imap.open(account(server, **how), DOOR, timeout):
            pass
    error = caught.value
    assert "anna" not in repr(error) and PASSWORD not in repr(error)
    assert error.__suppress_context__ or error.__context__ is None      # what came before may quote the command
    return error


@pytest.mark.parametrize(("words", "kind", "code"), [
    ("NO [AUTHENTICATIONFAILED] Invalid credentials", errors.BadLogin, "login_failed"),
    ("NO LOGIN failed.", errors.BadLogin, "login_failed"),
    ("BAD what is this", errors.BadLogin, "login_failed"),
    ("NO [AUTHENTICATIONFAILED] Too many failures, temporarily locked", errors.BadLogin, "login_failed"),
    ("NO [ALERT] Application-specific password required", errors.BadLogin, "login_app_password"),
    ("NO [PRIVACYREQUIRED] Plaintext authentication disallowed", errors.Refused, "login_needs_tls"),
    ("NO [UNAVAILABLE] Temporary authentication failure", errors.Busy, "server_busy"),
    ("NO [INUSE] mailbox is locked", errors.Busy, "server_busy"),
    ("NO [LIMIT] Rate limit hit", errors.Busy, "server_busy"),
    ("NO Too many simultaneous connections", errors.Busy, "server_busy"),
])  # fmt: skip
def test_a_refused_login_is_permanent_unless_the_server_asks_for_patience(words: str, kind: type[errors.Error], code: str) -> None:
    with ScriptedServer({"LOGIN": f"{{tag}} {words}\r\n"}) as server:
        error = failure(server)
    assert type(error) is kind and error.code == code and error.permanent is (kind is not errors.Busy)
    assert server.heard.count(b'LOGIN "anna" "correct horse"') == 1


@pytest.mark.parametrize(("greeting", "kind", "code"), [
    ("* BYE Too many connections from your address\r\n", errors.Busy, "server_busy"),
    ("* BYE going down\r\n", errors.Unreachable, "connection_lost"),
    ("SSH-2.0-OpenSSH_9.2\r\n", errors.Refused, "not_imap"),
    ("220 mail.example.org ESMTP\r\n", errors.Refused, "not_imap"),
    (b"\x16\x03\x01\x00\xff\n", errors.Refused, "not_imap"),
    ("", errors.Unreachable, "not_imap"),
])  # fmt: skip
def test_a_strange_greeting_is_named(greeting: str | bytes, kind: type[errors.Error], code: str) -> None:
    with ScriptedServer(greeting=greeting) as server:
        error = failure(server, timeout=0.2)
    assert (type(error), error.code) == (kind, code)


def test_login_falls_back_to_authenticate_plain_where_login_is_off() -> None:
    capability = "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\n"
    with ScriptedServer({"AUTHENTICATE PLAIN": "+ \r\n", SECRET: "* BYE Too many connections\r\n"}, capability=capability) as server:
        assert failure(server).code == "server_busy"
    assert server.heard == [b"CAPABILITY", b"AUTHENTICATE PLAIN", SECRET.encode()]


@pytest.mark.parametrize(("capability", "code"), [("LOGINDISABLED", "login_needs_tls"), ("LOGINDISABLED AUTH=XOAUTH2", "login_needs_tls")])
def test_without_a_way_to_sign_in_the_password_stays_here(capability: str, code: str) -> None:
    with ScriptedServer(capability=f"* CAPABILITY IMAP4rev1 {capability}\r\n") as server:
        assert failure(server).code == code
    assert set(server.heard) == {b"CAPABILITY"}


@pytest.mark.parametrize(("username", "password", "sent"), [
    ("anna", 'quo"te\\', b'LOGIN "anna" "quo\\"te\\\\"'), ("an na@example.org", "p", b'LOGIN "an na@example.org" "p"'),
])  # fmt: skip
def test_awkward_characters_are_quoted(username: str, password: str, sent: bytes) -> None:
    with ScriptedServer() as server, imap.open(account(server, username=username, password=password), DOOR, 5):
        pass
    assert sent in server.heard


def test_characters_beyond_ascii_go_where_utf_8_is_defined_for_them() -> None:
    words = base64.b64encode("\0ännä\0ß €".encode())
    with ScriptedServer({"AUTHENTICATE PLAIN": "+ \r\n", words.decode(): "* BYE bye\r\n"}) as server:
        failure(server, username="ännä", password="ß €")
    assert server.heard == [b"CAPABILITY", b"AUTHENTICATE PLAIN", words]


@pytest.mark.parametrize("username", ["anna\r\nA1 DELETE INBOX", "anna\n", "an\0na"])
def test_a_line_break_in_a_name_never_becomes_a_command(username: str) -> None:
    with ScriptedServer() as server:
        failure(server, username=username)
    assert set(server.heard) == {b"CAPABILITY"}


@pytest.mark.parametrize("server", [
    ScriptedServer(), ScriptedServer(greeting="* PREAUTH welcome\r\n", capability=STARTTLS),
    ScriptedServer({"STARTTLS": "{tag} NO not today\r\n"}, capability=STARTTLS),
], ids=["not offered", "forged PREAUTH", "refused"])  # fmt: skip
def test_without_starttls_nothing_secret_is_sent(server: ScriptedServer) -> None:
    with server:
        error = failure(server, security="starttls")
    assert (type(error), error.code) == (errors.Refused, "starttls_missing")
    assert set(server.heard) <= {b"CAPABILITY", b"STARTTLS", b"LOGOUT"}


def test_an_unknown_kind_of_security_is_not_taken_for_none() -> None:
    with pytest.raises(ValueError, match="security"):
        imap.Server("mail.example.org", 143, "TLS", "anna", PASSWORD)


def test_a_password_is_not_part_of_how_a_server_prints() -> None:
    assert PASSWORD not in repr(imap.Server("mail.example.org", 143, "tls", "anna", PASSWORD))


@pytest.mark.parametrize(("answers", "kind", "code"), [
    ({"EXAMINE": None}, errors.Unreachable, "connection_lost"),
    ({"EXAMINE": "* BYE shutting down\r\n"}, errors.Unreachable, "connection_lost"),
    ({"EXAMINE": "* BYE [UNAVAILABLE] too many sessions\r\n"}, errors.Busy, "server_busy"),
    ({"EXAMINE": "{tag} NO secret words\r\n"}, errors.Refused, "folder_refused"),
    ({"EXAMINE": "{tag} BAD secret words\r\n"}, errors.Refused, "folder_refused"),
    ({"EXAMINE": ""}, errors.Unreachable, "timed_out"),
    ({"EXAMINE": "nonsense\r\n"}, errors.Unreachable, "protocol_error"),
    ({"EXAMINE": "* 3 EXISTS\r\n* OK [UIDVALIDITY many] x\r\n{tag} OK done\r\n"}, errors.Unreachable, "protocol_error"),
    ({"EXAMINE": EXAMINE, "UID FETCH": None}, errors.Unreachable, "connection_lost"),
    ({"EXAMINE": EXAMINE, "UID FETCH": "* BYE shutting down\r\n"}, errors.Unreachable, "connection_lost"),
    ({"EXAMINE": EXAMINE, "UID FETCH": "* 1 FETCH (UID 5 BODY[] {500}\r\nshort"}, errors.Unreachable, "timed_out"),
    ({"EXAMINE": EXAMINE, "UID FETCH": "* 1 FETCH (UID 5 BODY[] {99999999999999}\r\n"}, errors.Unreachable, "protocol_error"),
    ({"EXAMINE": EXAMINE, "UID FETCH": "nonsense\r\n"}, errors.Unreachable, "protocol_error"),
])  # fmt: skip
def test_later_trouble_is_translated_without_the_servers_words(answers: dict[str, Any], kind: type[errors.Error], code: str) -> None:
    with ScriptedServer(answers) as server, pytest.raises(errors.Error) as caught:
        with imap.open(account(server), DOOR, 0.3) as mailbox:
            mailbox.examine("INBOX")
            list(mailbox.fetch([5]))
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert "secret" not in repr(caught.value) and caught.value.params["host"] == "mail.example.org"


def test_nonsense_from_the_server_is_always_one_of_our_errors() -> None:
    dice = random.Random(1)
    pieces = [
        b"* ", b"1 ", b"FETCH ", b"(", b")", b"UID 5 ", b"FLAGS (", b"BODY[] ", b"{3}", b"{-1}", b"{99}", b'"', b"\\", b"NIL", b"\r\n",
        b"\n", b"abc", b"OK ", b"{tag} ", b"LIST ", b"SEARCH ", b"STATUS ", b"BYE ", b"\xff", b"[", b"]", b"1:*", b"INBOX", b" ",
        b"EXISTS", b"+ ",
    ]  # fmt: skip
    commands = ["EXAMINE", "LIST", "STATUS", "UID FETCH", "UID SEARCH"]
    with ScriptedServer() as server:
        for _ in range(150):
            for command in commands:
                server.answers[command] = b"".join(dice.choices(pieces, k=dice.randrange(1, 25))) + b"\r\n{tag} OK done\r\n"
            try:
                with imap.open(account(server), DOOR, 0.02) as mailbox:
                    mailbox.folders(), mailbox.status("INBOX"), mailbox.examine("INBOX")
                    mailbox.uids(), list(mailbox.fetch([5])), mailbox.flags()
            except errors.Error as error:
                assert error.code


def test_probe_never_raises_and_closes_what_it_opened() -> None:
    LEDGER.clear()
    with ScriptedServer({"LOGIN": "{tag} NO no\r\n"}) as server:
        assert imap.probe(account(server), DOOR)[:2] == (False, "login_failed")
    closed = imap.Server("mail.example.org", server.port, "tls", "anna", PASSWORD)
    assert imap.probe(closed, DOOR)[:3] == (False, "connection_refused", {"host": "mail.example.org", "port": server.port})
    assert imap.probe(closed, Door(Policy(), LEDGER.append, lambda host, port: ["127.0.0.1"]))[:2] == (False, "egress_refused")
    assert [line.reason for line in LEDGER] == ["", "connection_refused", "egress_refused"]


def test_a_server_that_does_not_say_goodbye_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "LOGOUT_SECONDS", 0.05)
    with ScriptedServer({"LOGOUT": ""}) as server:
        with imap.open(account(server), DOOR, 10):
            begun = time.monotonic()
        assert time.monotonic() - begun < 5


def test_closing_frees_the_descriptor() -> None:
    with ScriptedServer() as server:
        with imap.open(account(server), DOOR, 5) as mailbox:
            number = mailbox._wire.sock.fileno()
            os.fstat(number)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)


def test_abort_frees_a_thread_that_waits_for_the_server() -> None:
    with ScriptedServer({"EXAMINE": ""}) as server:
        with imap.open(account(server), DOOR, 30) as mailbox:
            caught: list[errors.Error] = []

            def wait() -> None:
                try:
                    mailbox.examine("INBOX")
                except errors.Error as error:
                    caught.append(error)

            waiting = threading.Thread(target=wait)
            waiting.start()
            while not any(line.startswith(b"EXAMINE") for line in server.heard):
                waiting.join(0.005)
            mailbox.abort()
            waiting.join(5)
            assert [error.code for error in caught] == ["connection_lost"]


def test_what_was_said_before_the_encryption_is_forgotten(tmp_path: Path) -> None:
    fingerprint = Authority(tmp_path).issue("mail.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "mail.example.org.pem", tmp_path / "mail.example.org.key")
    forged = '* LIST () "/" FORGED\r\n{tag} OK go\r\n* CAPABILITY IMAP4rev1 FORGED\r\n* BYE forged\r\n'
    with ScriptedServer({"STARTTLS": forged, "LIST": '* LIST () "/" INBOX\r\n{tag} OK done\r\n'}, capability=STARTTLS, tls=context) as server:
        with imap.open(imap.Server("mail.example.org", server.port, "starttls", "anna", PASSWORD, fingerprint), DOOR, 5) as mailbox:
            assert "FORGED" not in mailbox.capabilities and mailbox.fingerprint == fingerprint
            assert [folder.name for folder in mailbox.folders()] == ["INBOX"]


# ── changing mails ──

WRITABLE = EXAMINE.replace("READ-ONLY", "READ-WRITE")
MOVES = "* CAPABILITY IMAP4rev1 UIDPLUS MOVE\r\n"


def moved(answers: dict[str, Any], capability: str = MOVES) -> tuple[Any, list[bytes]]:
    """What `move` of UIDs 4, 7 and 8 ends with, and what the server heard of it."""
    with ScriptedServer({"SELECT": WRITABLE, **answers}, capability=capability) as server, imap.open(account(server), DOOR, 5) as mailbox:
        mailbox.select("INBOX")
        result = mailbox.move([4, 7, 8], "Work")
    return result, [line for line in server.heard if line.startswith(b"UID")]


def test_a_move_tells_the_new_uids() -> None:
    said = "* OK [COPYUID 99 4,7:8 20:22] moved\r\n* 1 EXPUNGE\r\n{tag} OK done\r\n"
    assert moved({"UID MOVE": said}) == ((99, {4: 20, 7: 21, 8: 22}, False), [b'UID MOVE 4,7:8 "Work"'])
    assert moved({}) == ((0, {}, False), [b'UID MOVE 4,7:8 "Work"'])


def test_without_move_only_the_copied_mails_are_expunged() -> None:
    result, heard = moved({"UID COPY": "{tag} OK [COPYUID 99 4,7:8 20:22] done\r\n"}, "* CAPABILITY IMAP4rev1 UIDPLUS\r\n")
    assert result == (99, {4: 20, 7: 21, 8: 22}, False)
    assert heard == [b'UID COPY 4,7:8 "Work"', b"UID STORE 4,7:8 +FLAGS.SILENT (\\Deleted)", b"UID EXPUNGE 4,7:8"]


def test_without_move_and_uidplus_nothing_is_expunged() -> None:
    result, heard = moved({}, "* CAPABILITY IMAP4rev1\r\n")
    assert result.left and heard == [b'UID COPY 4,7:8 "Work"', b"UID STORE 4,7:8 +FLAGS.SILENT (\\Deleted)"]


def test_a_copy_that_cannot_be_taken_out_of_its_old_folder_is_still_a_copy() -> None:
    result, _ = moved({"UID STORE": "{tag} NO [NOPERM] no\r\n"}, "* CAPABILITY IMAP4rev1 UIDPLUS\r\n")
    assert result.left


@pytest.mark.parametrize(("words", "kind"), [
    ("NO [NOPERM] no", errors.Refused), ("NO [OVERQUOTA] full", errors.Refused), ("BAD what", errors.Refused), ("NO [INUSE] later", errors.Busy),
])
def test_a_refused_change_is_an_error_and_worth_a_retry_only_when_the_server_says_so(words: str, kind: type[errors.Error]) -> None:
    with ScriptedServer({"SELECT": WRITABLE, "UID STORE": f"{{tag}} {words}\r\n"}) as server, imap.open(account(server), DOOR, 5) as mailbox:
        mailbox.select("INBOX")
        with pytest.raises(errors.Error) as caught:
            mailbox.store([4], add=("\\Seen",))
    assert type(caught.value) is kind


def test_a_folder_that_may_only_be_read_is_refused_not_a_broken_line() -> None:
    with ScriptedServer({"SELECT": EXAMINE}) as server, imap.open(account(server), DOOR, 5) as mailbox:
        with pytest.raises(errors.Refused, match="folder_refused"):
            mailbox.select("INBOX")
