"""Sync with servers that can more and less: the same outcome on all of them, in as few words as each of them knows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailhelper import imap, ratings
from mailhelper.imapwire import Wire
from mailhelper.models import Egress, Folder, Mail
from mailhelper.scope import Scope
from tests.servers import cyrus as cyruses
from tests.servers import dovecot as dovecots
from tests.servers.box import Box, new_uidvalidity
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here"),
              pytest.mark.parametrize("db", ["sqlite"], indirect=True)]

# Capabilities that a server keeps to itself.
KINDS = {
    "all that Dovecot knows": (),
    "no QRESYNC, no LIST-STATUS": ("QRESYNC", "LIST-STATUS"),
    "RFC 3501 alone": ("SASL-IR", "ID", "ENABLE", "IDLE", "LITERAL+", "UNSELECT", "CHILDREN", "NAMESPACE", "UIDPLUS", "LIST-EXTENDED", "CONDSTORE",
                       "QRESYNC", "ESEARCH", "ESORT", "SEARCHRES", "WITHIN", "LIST-STATUS", "BINARY", "MOVE", "SPECIAL-USE"),
}


@pytest.fixture(scope="module", params=[*KINDS, "Cyrus"], ids=lambda kind: kind.replace(" ", "-"))
def server(request: pytest.FixtureRequest) -> Iterator[Dovecot | Cyrus]:
    if request.param == "Cyrus":
        if not cyruses.available():
            pytest.skip("Cyrus is not there (python -m tests.servers.cyrus)")
        with Cyrus() as cyrus:
            yield cyrus
        return
    with Dovecot(without=KINDS[request.param], separator="/") as server:
        server.kind = request.param
        yield server


@pytest.fixture
def box(ann: Scope, server: Any) -> Box:
    return Box(ann, server)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that go out after signing in, without their arguments."""
    commands: list[str] = []
    send = Wire._command        # type: ignore[attr-defined]

    def listening(self: Wire, name: str, *arguments: Any) -> Any:
        words = [name, *(arguments[:1] if name == "UID" else [])]
        commands.append(" ".join(words))
        return send(self, name, *arguments)

    monkeypatch.setattr(Wire, "_command", listening)
    return commands


def spoken(said: list[str]) -> list[str]:
    return [command for command in said if command not in ("CAPABILITY", "LOGIN", "ENABLE", "NAMESPACE", "LOGOUT")]


def test_a_sync_without_changes_asks_no_more_than_it_must(box: Box, server: Any, said: list[str]) -> None:
    folders = [f"Folder {number}" for number in range(10)]
    box.deliver(*range(20))
    for folder in folders:
        box.deliver(folder, folder=folder)
    box.sync()
    said.clear()
    box.scope.delete(Egress).execute()
    assert box.counts() == (0, 0, 0, 0)
    expected = {
        "all that Dovecot knows": ["LIST"], "Cyrus": ["LIST"],
        "no QRESYNC, no LIST-STATUS": ["LIST", *["STATUS"] * 12],
        "RFC 3501 alone": ["LIST", *["EXAMINE", "UID FETCH"] * 11, "EXAMINE"],      # an empty folder has no flags
    }
    assert sorted(spoken(said)) == sorted(expected[server.kind])
    [entry] = box.scope.select(Egress)
    assert entry.sent + entry.received < 10_000
    assert {row.error for row in box.scope.select(Folder)} == {None} and all(row.scanned_at for row in box.scope.select(Folder))


@pytest.mark.parametrize("change", [
    lambda box: box.deliver("new"),
    lambda box: box.act("INBOX", ("STORE", "2", "+FLAGS", "(\\Seen $Work)")),
    lambda box: box.act("INBOX", ("STORE", "2", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",)),
    lambda box: box.act("INBOX", ("COPY", "2", "Projects"), ("STORE", "2", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",)),
    lambda box: (box.act("INBOX", ("STORE", "2", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",)), box.deliver("new")),
], ids=["new", "flags", "deleted", "moved", "deleted and new"])
def test_every_change_arrives_however_little_the_server_tells(box: Box, change: Callable[[Box], Any]) -> None:
    box.deliver(*range(5), flags=("\\Flagged",))
    box.deliver("x", folder="Projects")
    box.sync()
    change(box)
    box.sync()
    assert mirrored(box) == on_the_server(box)
    assert box.counts() == (0, 0, 0, 0)


def mirrored(box: Box) -> set[tuple[str, int, tuple[str, ...]]]:
    """(folder, UID, flags) of all mails here."""
    names = {row.id: row.name for row in box.scope.select(Folder)}
    flags = {"\\Seen": "seen", "\\Flagged": "flagged", "\\Answered": "answered"}
    return {(names[mail.folder_id], mail.uid, (*(mail.keywords or ()), *sorted(flag for flag, name in flags.items() if getattr(mail, name))))
            for mail in box.scope.select(Mail)}


def on_the_server(box: Box) -> set[tuple[str, int, tuple[str, ...]]]:
    found = set()
    with imap.open(box.imap, box.door, 20) as mailbox:
        for folder in mailbox.folders():
            mailbox.examine(folder.name)
            found |= {(folder.name, uid, tuple(sorted(flag for flag in flags if flag != "\\Deleted"))) for uid, flags in mailbox.flags().items()}
    return found


def test_new_uids_make_no_doubles_and_fetch_nothing_again(box: Box, server: Dovecot | Cyrus, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(server, Cyrus):
        pytest.skip("Cyrus keeps its numbers")
    box.deliver(*range(5))
    box.server.deliver([b"Subject: no id\r\nFrom: x@y.example\r\n\r\nText"], "INBOX", box.user)
    box.sync()
    before = {(mail.id, mail.object_key) for mail in box.scope.select(Mail)}
    ratings.correct(box.scope, box.id(3), {"urgency": 3})
    new_uidvalidity(box)
    fetched: list[int] = []
    monkeypatch.setattr(imap.Mailbox, "fetch", lambda self, uids: fetched.extend(uids) or iter(()))
    assert box.counts() == (0, 0, 6, 0)
    assert fetched == [] and {(mail.id, mail.object_key) for mail in box.scope.select(Mail)} == before
    assert mirrored(box) == on_the_server(box)
    assert box.counts() == (0, 0, 0, 0)


def test_a_renamed_folder_and_moved_mails_are_not_fetched_again(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.deliver(1, 2, 3, folder="Old/Büro")
    box.deliver(4, 5)
    box.sync()
    ids = {mail.id for mail in box.scope.select(Mail)}
    row = next(row.id for row in box.scope.select(Folder) if row.name == "Old/Büro")
    with box.server.session(box.user) as session:
        assert session.rename('"Old/B&APw-ro"', '"New &- bold"')[0] == "OK"
    box.act("INBOX", ("COPY", "1", '"New &- bold"'), ("STORE", "1", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    monkeypatch.setattr(imap.Mailbox, "fetch", lambda self, uids: iter(()) if not uids else pytest.fail(f"fetched {uids}"))
    assert box.sync()["deleted"] == 0
    assert {mail.id for mail in box.scope.select(Mail)} == ids and mirrored(box) == on_the_server(box)
    if isinstance(box.server, Cyrus):       # which says that it is the same folder
        assert box.scope.get(Folder, row).name == "New & bold"


def test_copies_in_several_folders_and_doubles_in_one_are_all_kept(box: Box) -> None:
    box.deliver(1, 1, 1)
    box.deliver(1, 2, folder="Projects")
    assert box.counts() == (5, 0, 0, 0)
    assert mirrored(box) == on_the_server(box)
    box.act("INBOX", ("STORE", "2", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    assert box.counts() == (0, 0, 0, 1) and mirrored(box) == on_the_server(box)


def test_an_id_of_the_server_is_enough_to_know_a_mail_again(box: Box, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(server, Cyrus):
        pytest.skip("only Cyrus gives ids")
    box.deliver(1, 2)
    box.deliver("x", folder="Projects")
    box.sync()
    assert all(mail.object_key for mail in box.scope.select(Mail)) and len({bytes(mail.object_key) for mail in box.scope.select(Mail)}) == 3
    box.act("INBOX", ("MOVE", "1", "Projects"))
    survey, asked = imap.Mailbox.survey, []

    def listening(self: imap.Mailbox, uids: Any, header: bool = False) -> Any:
        asked.append(header)
        return survey(self, uids, header)

    monkeypatch.setattr(imap.Mailbox, "survey", listening)
    monkeypatch.setattr(imap.Mailbox, "fetch", lambda self, uids: iter(()) if not uids else pytest.fail(f"fetched {uids}"))
    assert box.counts() == (0, 0, 1, 0) and asked == [False]
    assert mirrored(box) == on_the_server(box)


def test_a_folder_of_all_mails_does_not_double_the_others(box: Box, server: Any) -> None:
    if not isinstance(server, Cyrus):
        pytest.skip("only Cyrus gives ids")
    box.deliver(1, 2, 3)
    box.deliver(1, 2, 3, "archived", folder="All Mail")
    assert box.counts() == (3, 0, 0, 0), "left out unless it is asked for"
    box.filter(include=["INBOX", "All Mail"])
    assert box.counts() == (1, 0, 0, 0) and box.here("All Mail") == {"archived"}
    assert box.counts() == (0, 0, 0, 0)
    id = box.id(2)
    box.act("INBOX", ("STORE", "2", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    assert box.counts() == (0, 0, 1, 0), "archived there: it is only in the other folder now"
    assert box.scope.get(Mail, id).folder.name == "All Mail" and box.here("INBOX") == {"1", "3"}
    box.deliver("new", folder="All Mail")
    assert box.counts() == (1, 0, 0, 0) and len(box.here()) == 5
