"""The outbound door: who may be connected to, and what the ledger says afterwards."""

import re
import socket
import string
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mailhelper
from mailhelper import errors, language
from mailhelper.egress import Connection, Door, Entry, Policy, addresses_of

FREE = Policy(private=True)
NO_CLOUD = Policy(private=True, local_only=True, named=frozenset({"imap.example.org"}))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


class Ledger(list[Entry]):
    """The lines written so far; callable, as the door wants it."""

    def __call__(self, entry: Entry) -> None:
        self.append(entry)


def door(policy: Policy, *addresses: str, ledger: Ledger | None = None) -> Door:
    """A door for which every name has these addresses."""
    return Door(policy, Ledger() if ledger is None else ledger, lambda host, port: list(addresses))


def outcome(policy: Policy, address: str, host: str = "mail.example.org", purpose: str = "imap") -> str:
    """"" where the policy lets this pass, else the code; nothing is connected to."""
    return policy.refuses_name(host, purpose) or policy.refuses_address(host, address, purpose)


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "fec0::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:c0a8:101::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
])  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert outcome(Policy(), address) == "egress_refused"


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2a00:1450::200e", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert outcome(Policy(), address) == ""


@pytest.mark.parametrize(("entry", "passes"), [
    ("192.168.1.0/24", True), ("192.168.1.7", True), ("192.168.1.9/24", True), ("nas.local", True), ("NAS.local.", True),
    ("fd00::/8", False), ("192.168.2.0/24", False), ("as.local", False), ("local", False), ("", False), ("nonsense/99", False),
])  # fmt: skip
def test_listed_hosts_and_networks_are_exempt_and_no_others(entry: str, passes: bool) -> None:
    assert (outcome(Policy(allowed=(entry,)), "192.168.1.7", "nas.local") == "") is passes


def test_the_mapped_form_of_a_listed_address_is_exempt_too() -> None:
    assert outcome(Policy(allowed=("192.168.1.0/24",)), "::ffff:192.168.1.7") == ""


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    ledger = Ledger()
    with pytest.raises(errors.Refused) as caught:
        door(Policy(), "8.8.8.8", "10.0.0.1", ledger=ledger).connect("mail.example.org", 993, "imap")
    assert caught.value.code == "egress_refused" and caught.value.params == {"host": "mail.example.org", "port": 993}
    assert [(line.refused, line.reason, line.sent, line.received) for line in ledger] == [(True, "egress_refused", 0, 0)]


def test_a_link_out_of_a_mail_never_leads_into_the_lan_whoever_clicks() -> None:
    everything = Policy(private=True, allowed=("192.168.0.0/16", "nas.local"))
    assert outcome(everything, "192.168.1.7", "nas.local", "unsubscribe") == "egress_refused"
    assert outcome(everything, "8.8.8.8", "list.example.org", "unsubscribe") == ""


@pytest.mark.parametrize(("host", "address", "purpose", "code"), [
    ("imap.example.org", "8.8.8.8", "imap", ""),
    ("IMAP.example.org.", "8.8.8.8", "smtp", ""),
    ("ollama.local", "192.168.1.2", "ai", ""),
    ("ollama.local", "::ffff:192.168.1.2", "ai", ""),
    ("localhost", "::1", "ai", ""),
    ("evil.example.org", "8.8.8.8", "imap", "egress_no_cloud"),
    ("evil.example.org", "192.168.1.2", "unsubscribe", "egress_no_cloud"),
    ("api.example.org", "8.8.8.8", "ai", "egress_no_cloud"),
    ("imap.example.org", "8.8.8.8", "ai", "egress_no_cloud"),
    ("metadata", "169.254.169.254", "ai", "egress_no_cloud"),
    ("carrier", "100.64.0.1", "ai", "egress_no_cloud"),
    ("disguise", "64:ff9b::808:808", "ai", "egress_no_cloud"),
    ("something", "8.8.8.8", "", "egress_no_cloud"),
])  # fmt: skip
def test_no_cloud_allows_named_hosts_and_ai_at_home_only(host: str, address: str, purpose: str, code: str) -> None:
    assert outcome(NO_CLOUD, address, host, purpose) == code


def test_no_cloud_does_not_open_the_lan_to_ordinary_users() -> None:
    policy = Policy(local_only=True)
    assert outcome(policy, "192.168.1.2", "ollama.local", "ai") == "egress_refused"


def test_a_host_that_is_not_allowed_by_name_is_not_even_looked_up() -> None:
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"]

    with pytest.raises(errors.Refused):
        Door(NO_CLOUD, Ledger(), resolve).connect("evil.example.org", 993, "imap")
    assert asked == []


def test_the_checked_address_is_the_one_connected_to(listener: socket.socket) -> None:
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with Door(FREE, Ledger(), rebinding).connect("mail.example.org", port_of(listener), "imap") as connection:
        assert connection.sock.getpeername() == ("127.0.0.1", port_of(listener))
    assert asked == ["mail.example.org"]


def test_the_next_address_is_tried_when_one_is_dead(listener: socket.socket) -> None:
    with door(FREE, "127.0.0.2", "127.0.0.1").connect("mail.example.org", port_of(listener), "imap") as connection:
        assert connection.sock.getpeername()[0] == "127.0.0.1"


def test_the_ledger_counts_the_bytes_of_both_directions_once(listener: socket.socket) -> None:
    ledger = Ledger()
    connection = door(FREE, "127.0.0.1", ledger=ledger).connect("mail.example.org", port_of(listener), "smtp")
    peer, _ = listener.accept()
    with peer, peer.makefile("rb") as incoming:
        connection.sock.sendall(b"x" * 100_000)
        assert len(incoming.read(100_000)) == 100_000
        peer.sendall(b"y" * 777)
        with connection.sock.makefile("rb") as outgoing:
            assert outgoing.read(777) == b"y" * 777
        assert ledger == []
        connection.close()
        connection.close()
    assert [line[1:] for line in ledger] == [("mail.example.org", port_of(listener), "smtp", 100_000, 777, False, "")]


def test_closing_ends_the_conversation_whoever_still_holds_a_file_of_it(listener: socket.socket) -> None:
    connection = door(FREE, "127.0.0.1").connect("mail.example.org", port_of(listener), "imap")
    file = connection.sock.makefile("rb")
    peer, _ = listener.accept()
    with peer, file:
        peer.settimeout(5)
        connection.close()
        assert peer.recv(1) == b""


def test_a_closed_port_is_told_apart_and_written_down(listener: socket.socket) -> None:
    port, ledger = port_of(listener), Ledger()
    listener.close()
    with pytest.raises(errors.Unreachable) as caught:
        door(FREE, "127.0.0.1", ledger=ledger).connect("mail.example.org", port, "imap")
    assert caught.value.code == "connection_refused" and not caught.value.permanent
    assert [(line.refused, line.reason) for line in ledger] == [(False, "connection_refused")]


def test_a_server_that_never_answers_costs_the_given_time_only() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for sock in (first, second):        # the kernel takes one more than the backlog and then drops what comes
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        with pytest.raises(errors.Unreachable) as caught:
            door(FREE, "127.0.0.1").connect("mail.example.org", port_of(full), "imap", timeout=0.2)
    assert caught.value.code == "timed_out"


def test_a_resolver_that_hangs_is_left_alone_after_the_timeout() -> None:
    released = threading.Event()
    try:
        with pytest.raises(errors.Unreachable) as caught:
            Door(FREE, Ledger(), lambda host, port: [] if released.wait(20) else []).connect("mail.example.org", 993, "imap", timeout=0.1)
    finally:
        released.set()
    assert caught.value.code == "timed_out"


@pytest.mark.parametrize("host", ["", "  ", "a" * 64 + ".example", "nul\0byte", "..", "-"])
def test_what_is_no_host_name_is_unknown_and_never_this_machine(host: str) -> None:
    with pytest.raises(errors.Unreachable) as caught:
        Door(FREE, Ledger()).connect(host, 993, "imap", timeout=10)
    assert caught.value.code == "host_unknown"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "localhost", "::1", "::ffff:127.0.0.1"])
def test_every_way_of_writing_loopback_is_seen_through(host: str) -> None:
    assert addresses_of(host, 993)
    with pytest.raises(errors.Refused):
        Door(Policy(), Ledger()).connect(host, 993, "imap")


def test_a_server_without_tls_is_said_to_have_none(listener: socket.socket) -> None:
    with door(FREE, "127.0.0.1").connect("mail.example.org", port_of(listener), "imap", timeout=5) as connection:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"* OK ready\r\n")
            with pytest.raises(errors.Unreachable) as caught:
                connection.start_tls("mail.example.org")
    assert caught.value.code == "tls_failed" and caught.value.params == {"host": "mail.example.org", "port": port_of(listener)}


def test_abort_wakes_a_reader_in_another_thread(listener: socket.socket) -> None:
    connection: Connection = door(FREE, "127.0.0.1").connect("mail.example.org", port_of(listener), "imap")
    peer, _ = listener.accept()
    seen: list[bytes] = []
    reading = threading.Event()

    def read() -> None:
        reading.set()
        seen.append(connection.sock.recv(10))

    reader = threading.Thread(target=read)
    with peer, connection:
        reader.start()
        reading.wait(5)
        connection.abort()
        reader.join(5)
    assert seen == [b""]


def test_every_code_of_the_outside_modules_has_its_sentence_in_both_languages() -> None:
    package = Path(mailhelper.__file__).parent
    sources = "".join(path.read_text("utf-8") for path in (package / "egress.py", *package.glob("imap*.py")))
    subjects = "certificate|egress|login|tls|starttls|not|host|connection|timed|network|protocol|server|folder|command"
    codes = set(re.findall(rf'"((?:{subjects})_[a-z_]+)"', sources))
    assert {"egress_no_cloud", "login_needs_tls", "certificate_changed", "folder_refused"} <= codes
    for code in codes | {"login_failed", "certificate_invalid"}:
        for lang in language.LANGUAGES:
            template = language.load(lang)[f"error.{code}"]
            assert isinstance(template, str)
            assert {name for _, name, _, _ in string.Formatter().parse(template) if name} <= {"host", "port", "folder"}, code
