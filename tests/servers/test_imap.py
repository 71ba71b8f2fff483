"""The IMAP client against a real Dovecot: encryption, signing in, folders, flags, mails."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mailhelper import errors, imap
from mailhelper.egress import Door, Entry, Policy
from tests.servers import dovecot as dovecots
from tests.servers.dovecot import Dovecot

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]


def door(ledger: list[Entry] | None = None) -> Door:
    """A door for which every name is this machine."""
    return Door(Policy(private=True), ([] if ledger is None else ledger).append, lambda host, port: ["127.0.0.1"])


def account(dovecot: Dovecot, user: str, host: str = "good.test", security: str = "none", fingerprint: str = "") -> imap.Server:
    port = dovecot.tls_port if security == "tls" else dovecot.port
    return imap.Server(host, port, security, user, dovecot.password(user), fingerprint)


def letter(number: int, lines: int = 3) -> bytes:
    return b"From: a@example.org\r\nSubject: letter %d\r\n\r\n" % number + b"A line of text.\r\n" * lines


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.add_user()


@pytest.fixture
def mailbox(dovecot: Dovecot, user: str) -> Iterator[imap.Mailbox]:
    with imap.open(account(dovecot, user), door(), 20) as opened:
        yield opened


@pytest.fixture
def trusted(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process trusts the authority that signed the certificates of the test server."""
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.authority.file))


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_good_certificate_is_believed(dovecot: Dovecot, user: str, trusted: None, security: str) -> None:
    probe = imap.probe(account(dovecot, user, security=security), door())
    assert (probe.ok, probe.code, probe.fingerprint) == (True, "", dovecot.authority.fingerprint("good.test"))
    assert "IMAP4REV1" in probe.capabilities and "INBOX" in {folder.name for folder in probe.folders}


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(("host", "code", "shown"), [
    ("old.test", "certificate_expired", "old.test"), ("self.test", "certificate_self_signed", "self.test"),
    ("other.test", "certificate_wrong_host", "good.test"),
])  # fmt: skip
def test_a_bad_certificate_is_named_and_shown(
    dovecot: Dovecot, user: str, trusted: None, security: str, host: str, code: str, shown: str
) -> None:
    probe = imap.probe(account(dovecot, user, host, security), door())
    assert (probe.ok, probe.code, probe.fingerprint) == (False, code, dovecot.authority.fingerprint(shown))
    with pytest.raises(errors.BadCertificate) as caught:
        with imap.open(account(dovecot, user, host, security), door(), 20):
            pass
    assert caught.value.code == code and caught.value.params["reason"] == code.removeprefix("certificate_")


def test_an_unknown_authority_is_not_believed(dovecot: Dovecot, user: str) -> None:
    assert imap.probe(account(dovecot, user, security="tls"), door()).code == "certificate_untrusted"


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_pinned_certificate_is_accepted_and_no_other(dovecot: Dovecot, user: str, security: str) -> None:
    seen = imap.probe(account(dovecot, user, "self.test", security), door()).fingerprint
    with_colons = ":".join(seen[at:at + 2] for at in range(0, len(seen), 2)).upper()
    assert imap.probe(account(dovecot, user, "self.test", security, with_colons), door()).ok
    changed = imap.probe(account(dovecot, user, "self.test", security, dovecot.authority.fingerprint("good.test")), door())
    assert (changed.ok, changed.code, changed.fingerprint) == (False, "certificate_changed", seen)


def test_a_pin_counts_even_where_the_authority_is_trusted(dovecot: Dovecot, user: str, trusted: None) -> None:
    pinned_to_another = account(dovecot, user, "good.test", "tls", dovecot.authority.fingerprint("self.test"))
    assert imap.probe(pinned_to_another, door()).code == "certificate_changed"


def test_tls_on_the_wrong_port_is_said_so(dovecot: Dovecot, user: str) -> None:
    swapped = imap.Server("good.test", dovecot.port, "tls", user, dovecot.password(user))
    assert imap.probe(swapped, door())[:2] == (False, "tls_failed")


def test_a_wrong_password_is_permanent(dovecot: Dovecot, user: str) -> None:
    wrong = imap.Server("good.test", dovecot.port, "none", user, "wrong")
    assert imap.probe(wrong, door())[:2] == (False, "login_failed")
    with pytest.raises(errors.BadLogin) as caught:
        with imap.open(wrong, door(), 20):
            pass
    assert caught.value.permanent


def test_other_ways_to_fail_before_the_login(dovecot: Dovecot, user: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    gone = imap.Server("good.test", port, "none", user, "x")
    assert imap.probe(gone, door())[:2] == (False, "connection_refused")
    unknown = Door(Policy(private=True), lambda entry: None)
    assert imap.probe(imap.Server("", port, "none", user, "x"), unknown)[:2] == (False, "host_unknown")


@pytest.mark.parametrize("user", ["umlaut", "quote", "space", "brace", "percent"])
def test_a_password_may_have_any_characters(dovecot: Dovecot, user: str) -> None:
    assert imap.probe(account(dovecot, user), door()).ok


def test_too_many_connections_is_a_wait_and_not_a_wrong_password() -> None:
    with Dovecot(users=("anna",), connections=1) as dovecot, imap.open(account(dovecot, "anna"), door(), 20):
        with pytest.raises(errors.Busy) as caught:
            with imap.open(account(dovecot, "anna"), door(), 20) as second:
                second.folders()
        assert not caught.value.permanent


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_folder_names_of_all_kinds_come_and_go_unchanged(separator: str) -> None:
    names = ["Entwürfe", "Steuer & Recht", "Büro" + separator + "Übersicht " + separator + "日本語", 'quo"te', "100 %", "12", "NIL", "(x)"]
    names = [name.replace(separator + separator, separator) for name in names]
    with Dovecot(users=("anna",), separator=separator) as dovecot:
        for name in names:
            dovecot.append(name, letter(1))
        with imap.open(account(dovecot, "anna"), door(), 20) as mailbox:
            folders = {folder.name: folder for folder in mailbox.folders()}
            assert set(names) <= set(folders)
            assert {folder.delimiter for folder in folders.values()} == {separator}
            assert [mailbox.examine(name).exists for name in names] == [1] * len(names)
            assert [mailbox.status(name).exists for name in names] == [1] * len(names)
            assert (folders["INBOX"].role, folders["Entwürfe"].role, folders["Archive"].role) == ("inbox", "drafts", "archive")


def test_a_folder_that_is_gone_is_refused_and_the_next_one_works(mailbox: imap.Mailbox) -> None:
    for ask in (mailbox.examine, mailbox.select, mailbox.status):
        with pytest.raises(errors.Refused) as caught:
            ask("No such folder")
        assert caught.value.code == "folder_refused"
    assert mailbox.examine("INBOX").exists == 0


def test_two_thousand_mails_arrive_whole_and_stay_unread(dovecot: Dovecot, user: str, mailbox: imap.Mailbox) -> None:
    letters = [letter(number, lines=number % 40) for number in range(2000)]
    dovecot.deliver(letters, user=user, age=3600)
    state = mailbox.examine("INBOX")
    assert (state.exists, state.uidnext) == (2000, 2001) and state.highestmodseq > 0
    uids = mailbox.uids()
    mails = [mail for start in range(0, 2000, 100) for mail in mailbox.fetch(uids[start:start + 100])]
    assert sorted(mail.raw for mail in mails) == sorted(letters)
    assert [mail.uid for mail in mails] == uids
    arrived = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
    assert all(abs(mail.received - arrived) < timedelta(minutes=5) for mail in mails)
    with imap.open(account(dovecot, user), door(), 20) as later:
        later.examine("INBOX")
        assert later.flags() == dict.fromkeys(uids, ())


def test_even_a_folder_open_for_changes_is_not_marked_as_read(dovecot: Dovecot, user: str, mailbox: imap.Mailbox) -> None:
    dovecot.deliver([letter(1)], user=user)
    mailbox.select("INBOX")
    assert [mail.flags for mail in mailbox.fetch([1])] == [()]
    assert mailbox.flags() == {1: ()}


def test_flags_and_searches_tell_what_is_there(dovecot: Dovecot, user: str, mailbox: imap.Mailbox) -> None:
    for flagged in (["\\Seen", "\\Flagged"], ["\\Flagged", "\\Seen"]):
        dovecot.append("INBOX", letter(1), flagged, user=user)
    dovecot.append("INBOX", "Subject: für dich\r\n\r\nx".encode(), ["$Later", "\\Answered"], user=user)
    mailbox.examine("INBOX")
    flags = {uid: set(names) for uid, names in mailbox.flags().items()}
    assert flags == {1: {"\\Seen", "\\Flagged"}, 2: {"\\Seen", "\\Flagged"}, 3: {"\\Answered", "$Later"}}
    assert [mailbox.uids(criteria) for criteria in ("UNSEEN", "FLAGGED", "DELETED", ["SUBJECT", "für"])] == [[3], [1, 2], [], [3]]
    assert [mail.uid for mail in mailbox.fetch([3, 1, 99])] == [1, 3]
    assert list(mailbox.fetch([])) == []


def test_changes_of_another_program_can_be_asked_for_alone(dovecot: Dovecot, user: str, mailbox: imap.Mailbox) -> None:
    dovecot.deliver([letter(1), letter(2), letter(3)], user=user)
    before = mailbox.examine("INBOX").highestmodseq
    session = dovecot.session(user)
    session.select("INBOX")
    session.uid("STORE", "2", "+FLAGS", "(\\Seen)")
    session.logout()
    assert mailbox.status("INBOX").highestmodseq > before
    mailbox.examine("INBOX")
    assert mailbox.flags(changed_since=before) == {2: ("\\Seen",)}


def test_it_works_without_any_extension() -> None:
    extensions = ("CONDSTORE", "QRESYNC", "ESEARCH", "ENABLE", "SPECIAL-USE", "LIST-EXTENDED", "LITERAL+")
    with Dovecot(users=("anna",), without=extensions) as dovecot:
        dovecot.deliver([letter(1), letter(2)], folder="Gesendet")
        with imap.open(account(dovecot, "anna"), door(), 20) as mailbox:
            assert {folder.name: folder.role for folder in mailbox.folders()}["Gesendet"] == "sent"
            assert mailbox.examine("Gesendet")[1:4] == (3, 2, 0)
            assert mailbox.uids() == [1, 2] == [mail.uid for mail in mailbox.fetch([1, 2])]
            assert mailbox.flags() == {1: (), 2: ()}
            assert mailbox.uids(["SUBJECT", "ü"]) == []


def test_mails_that_vanish_meanwhile_are_only_missing(dovecot: Dovecot, user: str, mailbox: imap.Mailbox) -> None:
    dovecot.deliver([letter(number) for number in range(10)], user=user)
    mailbox.examine("INBOX")
    session = dovecot.session(user)
    session.select("INBOX")
    session.uid("STORE", "3:5", "+FLAGS", "(\\Deleted)")
    session.expunge()
    session.logout()
    assert [mail.uid for mail in mailbox.fetch(range(1, 11))] == [1, 2, 6, 7, 8, 9, 10]
    mailbox.examine("INBOX")
    assert sorted(mailbox.flags()) == [1, 2, 6, 7, 8, 9, 10]


def test_large_mails_and_bytes_of_all_kinds_are_unchanged(dovecot: Dovecot, user: str, mailbox: imap.Mailbox) -> None:
    raw = b"Subject: all\r\n\r\n" + bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b"") * 20_000 + b"\r\n)\r\n* BYE\r\n"
    dovecot.deliver([raw], user=user)
    mailbox.examine("INBOX")
    assert [mail.raw for mail in mailbox.fetch([1])] == [raw]


def test_another_thread_may_fetch(dovecot: Dovecot, user: str, mailbox: imap.Mailbox) -> None:
    dovecot.deliver([letter(number) for number in range(5)], user=user)
    mailbox.examine("INBOX")
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(mail.uid for mail in mailbox.fetch(range(1, 6))))
    thread.start()
    thread.join(10)
    assert got == [1, 2, 3, 4, 5]
    assert mailbox.uids() == got


def test_the_ledger_has_one_line_a_session_with_the_bytes_of_the_mails(dovecot: Dovecot, user: str, trusted: None) -> None:
    dovecot.deliver([letter(1, lines=5000)], user=user)
    ledger: list[Entry] = []
    with imap.open(account(dovecot, user, security="tls"), door(ledger), 20) as mailbox:
        mailbox.examine("INBOX")
        list(mailbox.fetch([1]))
        assert ledger == []
    entry, = ledger
    assert entry[1:4] == ("good.test", dovecot.tls_port, "imap") and not entry.refused and entry.reason == ""
    assert 85_000 < entry.received < 95_000 and 300 < entry.sent < 3000
