"""Each act, singly and on several mails, on each kind of server: page and journal say what a third program sees, and undo brings all of it back."""

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from mailhelper import acts, journal
from mailhelper.models import Act, Mail
from mailhelper.scope import Scope
from tests.servers import dovecot as dovecots
from tests.servers.dovecot import Dovecot
from tests.servers.process import stop
from tests.servers.test_acts import Box as ActBox
from tests.servers.test_sync import letter

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")]

ACTS: dict[str, tuple[str, object]] = {
    "read": ("seen", True), "unread": ("seen", False), "flag": ("flagged", True), "answered": ("answered", True), "keyword": ("keyword", "$Offer"),
    "move": ("move", "Work"), "archive": ("archive", None), "trash": ("trash", None), "undelete": ("undelete", None),
}
MOVING = ("move", "archive", "trash", "undelete")
FOLDERS = ("INBOX", "Work", "Archive", "Trash")
MAILS = [f"{name}{number}" for name in ACTS for number in range(3)]       # 0 alone, 1 and 2 together
FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")

Picture = dict[str, dict[str, frozenset[str]]]


class Box(ActBox):
    """A mailbox with three mails for each act; those of "undelete" lie in the trash, those of "unread" were read."""

    def deliver_all(self) -> None:
        for name in MAILS:
            folder = "Trash" if name.startswith("undelete") else "INBOX"
            self.server.deliver([letter(name)], folder, self.user, ("\\Seen",) if name.startswith("unread") else ())
        self.filter(include=list(FOLDERS))
        self.sync()

    def picture(self) -> Picture:
        """{folder: {mail: flags}} as a third program sees it, without what only says that it came just now."""
        found: Picture = {}
        with self.server.session(self.user) as session:
            for folder in FOLDERS:
                found[folder] = {}
                if session.select(folder, readonly=True)[1] == [b"0"]:
                    continue
                answers = session.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
                for head, text in (one for one in answers if isinstance(one, tuple)):
                    flags = FLAGS.search(head)
                    name = text.decode().strip().removeprefix("Subject: Mail ")
                    found[folder][name] = frozenset((flags[1] if flags else b"").decode().split()) - {"\\Recent"}
        return found

    def page(self) -> Picture:
        """The same as lists here show it."""
        found: Picture = {folder: {} for folder in FOLDERS}
        for row in [*self.rows(), *self.trash()]:
            flags = {"\\Seen": row["flags"]["read"], "\\Flagged": row["flags"]["flagged"], "\\Answered": row["flags"]["answered"]}
            found[row["folder"]][row["subject"].removeprefix("Mail ")] = frozenset(name for name, is_set in flags.items() if is_set)
        return found

    def do_all(self) -> None:
        ids = {row["subject"].removeprefix("Mail "): row["id"] for row in [*self.rows(), *self.trash()]}
        for name, (what, to) in ACTS.items():
            assert acts.act(self.scope, ids[f"{name}0"], what, to)
            assert len(acts.act_on_all(self.scope, [ids[f"{name}1"], ids[f"{name}2"]], what, to)) == 2

    def undo_all(self) -> None:
        everything = Act.id > 0
        assert acts.undo_all(self.scope, everything)[1] == 0
        self.tell()


def visible(picture: Picture) -> Picture:
    """Without keywords, which lists here do not show."""
    return {folder: {name: frozenset(flag for flag in flags if flag.startswith("\\")) for name, flags in mails.items()}
            for folder, mails in picture.items()}


def expected(before: Picture) -> Picture:
    """What `do_all` is meant to make of a mailbox."""
    after = {folder: dict(mails) for folder, mails in before.items()}
    flags = {"read": "\\Seen", "flag": "\\Flagged", "answered": "\\Answered", "keyword": "$Offer"}
    targets = {"move": "Work", "archive": "Archive", "trash": "Trash", "undelete": "INBOX"}
    for mail in MAILS:
        name, folder = mail[:-1], "Trash" if mail.startswith("undelete") else "INBOX"
        if name in flags:
            after[folder][mail] |= {flags[name]}
        elif name == "unread":
            after[folder][mail] -= {"\\Seen"}
        else:
            after[targets[name]][mail] = after[folder].pop(mail)
    return after


def check(box: Box, before: Picture, away: Callable[[], Any] | None = None) -> None:
    box.do_all()
    assert box.page() == visible(expected(before)), "shown at once"
    if away:
        assert box.tell().state == "retrying" and set(box.states()) == {"pending"}      # type: ignore[union-attr]
        away()
        acts.tell_rest(box.scope, box.account)      # as the next sync or click does
    box.tell()
    assert box.picture() == expected(before) and visible(box.picture()) == box.page()
    assert set(box.states()) == {"done"} and box.counts() == (0, 0, 0, 0)
    box.undo_all()
    assert box.picture() == before and box.page() == visible(before) and box.counts() == (0, 0, 0, 0)
    assert {one.state for one in box.scope.select(Act) if one.detail["undoes"] is None} == {"undone"}


@pytest.mark.parametrize("without", [(), ("MOVE",), ("UIDPLUS",)], ids=["whole", "no MOVE", "no UIDPLUS"])
def test_done_there_shown_here_and_undone_to_the_letter(ann: Scope, without: tuple[str, ...]) -> None:
    with Dovecot(without=without) as server:
        box = Box(ann, server)
        box.deliver_all()
        check(box, box.picture())


def test_while_the_server_is_away_everything_waits_in_order(ann: Scope) -> None:
    with Dovecot() as server:
        box = Box(ann, server)
        box.deliver_all()
        before = box.picture()
        stop(server.process, signal.SIGINT)
        check(box, before, server.start)


def test_where_single_mails_cannot_be_deleted_the_journal_says_what_is_left(ann: Scope) -> None:
    with Dovecot(without=("MOVE", "UIDPLUS")) as server:
        box = Box(ann, server)
        box.deliver_all()
        before = box.picture()
        box.do_all()
        box.tell()
        there, left = box.picture(), {one.detail["subject"].removeprefix("Mail ") for one in ann.select(Act) if one.error == "act_left"}
        twice = {mail for mail in MAILS if sum(mail in mails for mails in there.values()) == 2}
        assert left == twice == {mail for mail in MAILS if mail[:-1] in MOVING}
        for folder, mails in there.items():
            there[folder] = {mail: flags for mail, flags in mails.items() if "\\Deleted" not in flags}
        assert there == expected(before) and visible(there) == box.page() and set(box.states()) == {"done"}


def test_a_folder_that_may_only_be_read_keeps_all_and_the_journal_says_so(ann: Scope) -> None:
    with Dovecot(rights=True) as server:
        box = Box(ann, server)
        box.deliver_all()
        before = box.picture()
        for folder in ("INBOX", "Trash"):
            server.protect(folder, box.user)
        box.do_all()
        box.tell()
        assert box.picture() == before and box.page() == visible(before)
        assert {(one.state, one.error) for one in ann.select(Act)} == {("refused", "act_folder")}
        assert journal.untold(ann) == len(MAILS) and box.counts() == (0, 0, 0, 0)


def test_what_another_program_did_meanwhile_wins_and_is_told(ann: Scope, dovecot: Dovecot) -> None:
    box = Box(ann, dovecot)
    box.deliver_all()
    ids = {row["subject"].removeprefix("Mail "): row["id"] for row in box.rows()}
    for name in ("move0", "trash0", "read0"):
        what, to = ACTS[name[:-1]]
        acts.act(ann, ids[name], what, to)
    moved = [one.detail["from"]["uid"] for one in ann.select(Act).order_by(Act.id)]
    super(ActBox, box).act("INBOX", ("MOVE", str(moved[0]), "Archive"), ("STORE", str(moved[1]), "+FLAGS", "(\\Deleted)"), ("EXPUNGE",),
                           ("STORE", str(ann.get(Mail, ids["read0"]).uid), "+FLAGS", "(\\Seen)"))
    box.tell()
    assert [(one.state, one.error) for one in ann.select(Act).order_by(Act.id)] == [("refused", "act_gone")] * 2 + [("done", None)]
    assert journal.untold(ann) == 2
    box.sync()
    assert box.page() == visible(box.picture()) and "move0" in box.page()["Archive"] and "trash0" not in str(box.page())
