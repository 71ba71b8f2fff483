"""Acting on mail against a real Dovecot: what the page and the journal say is what another mail program sees there."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from mailhelper import accounts, acts, imap, jobs, journal, mails, ratings, runner, sync
from mailhelper.errors import Conflict
from mailhelper.models import Account, Act, Folder, Job, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.scripted_imap import ScriptedServer
from tests.servers import dovecot as dovecots
from tests.servers.dovecot import Dovecot
from tests.servers.process import stop
from tests.servers.test_sync import Box as SyncBox
from tests.world import remove

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]


class Box(SyncBox):
    """A synced mailbox with mails 1 to 3 in the inbox and one in each of Trash and Work; `there` is what another program sees."""

    def __init__(self, scope: Scope, server: Dovecot) -> None:
        super().__init__(scope, server)
        self.deliver(1, 2, 3)
        self.deliver("t", folder="Trash")
        self.deliver("w", folder="Work")
        self.sync()

    def tell(self) -> Job | None:
        """Run the job that the last click started, whatever comes of it."""
        job = self.scope.select(Job).where(Job.kind == "apply_acts").order_by(Job.id.desc()).first()
        if job:
            runner.run(job.id)
        return self.scope.get(Job, job.id) if job else None

    def act(self, number: int | str, what: str, to: object = None) -> Act:      # type: ignore[override]
        one = acts.act(self.scope, self.id(number), what, to)
        assert one
        self.tell()
        return self.scope.get(Act, one.id)

    def undo(self, one: Act) -> None:
        acts.undo(self.scope, one.id)
        self.tell()

    def there(self, folder: str = "INBOX") -> dict[str, set[str]]:
        """{mail: flags} as another mail program sees the folder."""
        found = {}
        with self.server.session(self.user) as session:
            session.select(folder, readonly=True)
            for answer in session.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
                if isinstance(answer, tuple):
                    subject = answer[1].decode().strip().removeprefix("Subject: Mail ")
                    found[subject] = {flag for flag in ("\\Seen", "\\Flagged", "\\Deleted") if flag.encode() in answer[0]}
        return found

    def row(self, number: int | str) -> tuple[str, bool, bool]:
        """What is here: folder, read, flagged."""
        row = next(row for row in [*self.rows(), *self.trash()] if row["subject"] == f"Mail {number}")
        return row["folder"], row["flags"]["read"], row["flags"]["flagged"]

    def rows(self) -> list[dict[str, Any]]:
        return mails.page(self.scope, {"limit": "200"}, "en").items

    def trash(self) -> list[dict[str, Any]]:
        return mails.page(self.scope, {"folder": "Trash"}, "en").items

    def id(self, number: int | str) -> int:
        return int(next(row["id"] for row in [*self.rows(), *self.trash()] if row["subject"] == f"Mail {number}"))

    def states(self) -> list[str]:
        return [one.state for one in self.scope.select(Act).order_by(Act.id)]


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot) -> Box:
    return Box(ann, dovecot)


def without(scope: Scope, *capabilities: str) -> Iterator[Box]:
    with Dovecot(without=capabilities) as server:
        yield Box(scope, server)


# ── each act, and back ──

@pytest.mark.parametrize(("what", "flag"), [("seen", "\\Seen"), ("flagged", "\\Flagged")])
def test_a_flag_is_set_and_cleared_on_the_server(box: Box, what: str, flag: str) -> None:
    assert box.act(2, what, True).state == "done"
    assert box.there() == {"1": set(), "2": {flag}, "3": set()}
    assert box.act(2, what, False).state == "done"
    assert box.there() == {"1": set(), "2": set(), "3": set()}
    assert box.counts() == (0, 0, 0, 0)


@pytest.mark.parametrize(("what", "to"), [("seen", True), ("flagged", True), ("trash", None), ("move", "Work")])
def test_undo_brings_back_exactly_what_was(box: Box, what: str, to: object) -> None:
    before, id = (box.there(), box.there("Trash"), box.there("Work")), box.id(2)
    ratings.correct(box.scope, id, {"urgency": 3})
    one = box.act(2, what, to)
    assert one.state == "done" and (box.there(), box.there("Trash"), box.there("Work")) != before
    box.undo(one)
    assert (box.there(), box.there("Trash"), box.there("Work")) == before
    assert box.row(2) == ("INBOX", False, False)
    assert box.id(2) == id and box.scope.get(Mail, id).urgency == 3
    assert box.states() == ["undone", "done"]
    assert box.counts() == (0, 0, 0, 0)
    assert box.id(2) == id


def test_a_mail_in_the_trash_keeps_its_row_and_leaves_the_lists(box: Box) -> None:
    id = box.id(2)
    ratings.correct(box.scope, id, {"urgency": 3})
    box.act(2, "trash")
    assert box.there().keys() == {"1", "3"} and box.there("Trash").keys() == {"2", "t"}
    assert {row["subject"] for row in box.rows()} == {"Mail 1", "Mail 3", "Mail w"}
    assert box.counts() == (0, 0, 0, 0)
    mail = box.scope.get(Mail, id)
    assert (mail.uid > 0, mail.urgency, box.row(2)[0]) == (True, 3, "Trash")


def test_the_trash_emptied_elsewhere_is_noticed(box: Box) -> None:
    box.act(2, "trash")
    SyncBox.act(box, "Trash", ("STORE", "1:*", "+FLAGS", "(\\Deleted)"), ("EXPUNGE",))
    assert box.counts() == (0, 0, 0, 1)
    assert box.trash() == []


def test_a_mail_fetched_from_the_trash_elsewhere_keeps_its_rating(box: Box) -> None:
    id = box.id(2)
    ratings.correct(box.scope, id, {"urgency": 3})
    box.act(2, "trash")
    uid = str(box.scope.get(Mail, id).uid)
    SyncBox.act(box, "Trash", ("MOVE", uid, "INBOX"))
    assert box.counts() == (0, 0, 1, 0)
    assert box.id(2) == id and box.row(2)[0] == "INBOX" and box.scope.get(Mail, id).urgency == 3


def test_clicks_in_a_row_are_told_in_their_order(box: Box) -> None:
    id = box.id(2)
    for what, to in (("seen", True), ("move", "Work"), ("flagged", True), ("trash", None), ("seen", False), ("move", "INBOX"), ("seen", True)):
        acts.act(box.scope, id, what, to)
    job = box.tell()
    assert job and job.state == "completed" and job.result == {"done": 7, "refused": 0}
    assert box.there() == {"1": set(), "2": {"\\Seen", "\\Flagged"}, "3": set()}
    assert (box.there("Work").keys(), box.there("Trash").keys()) == ({"w"}, {"t"})
    assert box.states() == ["done"] * 7 and box.counts() == (0, 0, 0, 0) and box.id(2) == id


def test_many_at_once_go_out_in_one_command(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    store = imap.Mailbox.store

    def watched(self: imap.Mailbox, uids: Any, *flags: Any) -> None:
        said.append(sorted(uids))
        store(self, uids, *flags)

    monkeypatch.setattr(imap.Mailbox, "store", watched)
    found = acts.act_on_all(box.scope, [box.id(1), box.id(2), box.id(3), 999_999], "seen", True)
    box.tell()
    assert said == [[1, 2, 3]] and set(map(frozenset, box.there().values())) == {frozenset({"\\Seen"})}
    assert isinstance(found[999_999], Exception) and box.states() == ["done"] * 3


# ── servers that can do less ──

@pytest.mark.parametrize("capabilities", [("MOVE",), ("MOVE", "CONDSTORE", "QRESYNC", "ESEARCH"), ("UIDPLUS",)], ids=" ".join)
def test_trash_and_undo_without_move_or_without_uidplus(ann: Scope, capabilities: tuple[str, ...]) -> None:
    for box in without(ann, *capabilities):
        box.deliver(4)
        SyncBox.act(box, "INBOX", ("STORE", "4", "+FLAGS", "(\\Deleted)"))
        box.sync()
        one = box.act(2, "trash")
        assert (one.state, one.error) == ("done", None)
        assert box.there() == {"1": set(), "3": set(), "4": {"\\Deleted"}}, "what another program had marked is not expunged"
        box.undo(one)
        assert box.there().keys() == {"1", "2", "3", "4"} and box.there("Trash").keys() == {"t"}
        assert box.counts() == (0, 0, 0, 0)


def test_a_server_that_cannot_delete_one_mail_is_told_of_honestly(ann: Scope) -> None:
    for box in without(ann, "MOVE", "UIDPLUS"):
        SyncBox.act(box, "INBOX", ("STORE", "1", "+FLAGS", "(\\Deleted)"))
        one = box.act(2, "trash")
        assert (one.state, one.error) == ("done", "act_left")
        assert box.there() == {"1": {"\\Deleted"}, "2": {"\\Deleted"}, "3": set()} and "2" in box.there("Trash")
        assert box.counts() == (0, 0, 0, 0), "what was left there does not come back here"
        assert box.row(2)[0] == "Trash"


def test_a_folder_that_may_only_be_read_refuses_and_the_old_state_comes_back(ann: Scope, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    select = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n{tag} OK [READ-ONLY] done\r\n"
    with ScriptedServer({"SELECT": select, "LIST": '* LIST () "." INBOX\r\n{tag} OK done\r\n'}) as server:
        one = acts.act(ann, box.id(2), "seen", True)
        two = acts.act(ann, box.id(3), "trash")
        assert one and two and box.row(2)[1] and box.row(3)[0] == "Trash"
        real = accounts.server
        monkeypatch.setattr(accounts, "server", lambda account: real(account).__class__("127.0.0.1", server.port, "none", "a", "b"))
        box.tell()
        monkeypatch.undo()
    assert [(line.state, line.error) for line in journal.page(ann)] == [("refused", "act_folder")] * 2
    assert box.row(2) == ("INBOX", False, False) and box.row(3) == ("INBOX", False, False)
    assert box.counts() == (0, 0, 0, 0)
    with pytest.raises(Conflict):
        acts.undo(ann, one.id)


def test_a_mail_that_is_gone_there_is_refused(box: Box) -> None:
    id = box.id(2)
    SyncBox.act(box, "INBOX", ("MOVE", "2", "Work"))
    assert acts.act(box.scope, id, "trash")
    box.tell()
    [one] = journal.page(box.scope)
    assert (one.state, one.error) == ("refused", "act_gone")
    assert box.counts() == (0, 0, 1, 0) and box.id(2) == id and box.row(2)[0] == "Work"


def test_no_trash_folder_is_said_at_the_click(ann: Scope, dovecot: Dovecot) -> None:
    box = SyncBox(ann, dovecot)
    box.deliver(1)
    box.sync()
    with pytest.raises(Conflict, match="no_trash"):
        acts.act(ann, box.id(1), "trash")
    assert ann.select(Act).count() == 0 and box.here("INBOX") == {"1"}


# ── the server away, and a sync in between ──

def test_acts_wait_while_the_server_is_away(ann: Scope) -> None:
    with Dovecot() as server:
        box = Box(ann, server)
        stop(server.process, signal.SIGINT)
        one = acts.act(ann, box.id(2), "seen", True)
        job = box.tell()
        assert one and job and job.state == "retrying" and box.states() == ["pending"] and box.row(2)[1]
        acts.act(ann, box.id(3), "trash")
        server.start()
        assert box.tell().state == "completed"      # type: ignore[union-attr]
        assert box.states() == ["done", "done"]
        assert box.there() == {"1": set(), "2": {"\\Seen"}} and "3" in box.there("Trash")


def test_what_still_waits_is_told_after_the_next_sync(box: Box) -> None:
    acts.act(box.scope, box.id(2), "seen", True)
    jobs.cancel(box.scope, box.scope.select(Job).where(Job.kind == "apply_acts").get().id)
    box.sync()
    box.tell()
    assert box.states() == ["done"] and box.there()["2"] == {"\\Seen"}


def test_a_sync_between_click_and_job_leaves_the_new_state(box: Box) -> None:
    ids = [box.id(number) for number in (1, 2, 3)]
    acts.act(box.scope, ids[0], "seen", True)
    acts.act(box.scope, ids[1], "trash")
    acts.act(box.scope, ids[2], "move", "Work")
    SyncBox.act(box, "INBOX", ("STORE", "1", "+FLAGS", "(\\Flagged)"))
    assert box.counts() == (0, 1, 0, 0), "only what somebody else did"
    assert box.row(1) == ("INBOX", True, True) and box.row(2)[0] == "Trash" and box.row(3)[0] == "Work"
    box.tell()
    assert box.there() == {"1": {"\\Seen", "\\Flagged"}} and "2" in box.there("Trash") and "3" in box.there("Work")
    assert box.counts() == (0, 0, 0, 0) and [box.id(number) for number in (1, 2, 3)] == ids


def test_a_job_in_the_middle_of_a_sync_is_not_undone_by_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [box.id(number) for number in (1, 2, 3)]
    look = sync.Sync._leavers
    acts.act(box.scope, ids[0], "seen", True)
    acts.act(box.scope, ids[1], "trash")
    acts.act(box.scope, ids[2], "move", "Work")

    def meanwhile(self: sync.Sync, states: Any) -> Any:
        box.tell()      # after the sync has read what the server had before
        return look(self, states)

    monkeypatch.setattr(sync.Sync, "_leavers", meanwhile)
    box.sync()
    monkeypatch.undo()
    assert box.states() == ["done"] * 3
    assert box.row(1)[1] and box.row(2)[0] == "Trash" and box.row(3)[0] == "Work"
    assert [box.id(number) for number in (1, 2, 3)] == ids and box.counts() == (0, 0, 0, 0)


def test_undone_before_the_server_heard_of_it_it_never_does(box: Box) -> None:
    id = box.id(2)
    one, two = acts.act(box.scope, id, "trash"), acts.act(box.scope, id, "seen", True)
    assert one and two
    acts.undo(box.scope, one.id)
    assert box.row(2) == ("INBOX", True, False)
    box.tell()
    assert box.states() == ["undone", "done"] and box.there()["2"] == {"\\Seen"} and box.there("Trash").keys() == {"t"}


@pytest.mark.parametrize("capabilities", [(), ("MOVE",)], ids=["MOVE", "COPY"])
def test_a_move_whose_answer_got_lost_is_not_done_twice(ann: Scope, capabilities: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for box in without(ann, *capabilities):
        id, confirm = box.id(2), journal.confirm
        monkeypatch.setattr(journal, "confirm", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))      # the worker dies right after
        acts.act(ann, id, "trash")
        with pytest.raises(KeyboardInterrupt):
            box.tell()
        monkeypatch.setattr(journal, "confirm", confirm)
        assert box.states() == ["pending"]
        box.tell()
        assert box.states() == ["done"] and box.there().keys() == {"1", "3"} and sorted(box.there("Trash")) == ["2", "t"]
        assert box.counts() == (0, 0, 0, 0) and ann.get(Mail, id).uid > 0


def test_reading_marks_nothing(box: Box) -> None:
    client = Client(box.scope)
    assert client("GET", f"/email/{box.id(2)}").status == 200 and client("GET", f"/api/emails/{box.id(2)}").status == 200
    assert box.states() == [] and box.there()["2"] == set() and not box.row(2)[1]


def test_a_mailbox_can_be_removed_with_acts_pending(box: Box) -> None:
    acts.act(box.scope, box.id(2), "trash")
    remove(box.scope, box.account.id)
    assert [box.scope.select(table).count() for table in (Act, Mail, Folder, Account)] == [0] * 4
