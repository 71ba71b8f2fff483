"""Mail out of files: every one once, none lost, whatever the files are like."""

import os
from pathlib import Path
from typing import Any

import pytest

from mailhelper import accounts, errors, importer, intake, mails, runner
from mailhelper.models import Account, Folder, Job, Mail, Raw, Thread
from mailhelper.scope import Scope
from tests.test_intake import ODD
from tests.world import ADDRESS, raw

FROM = b"From miriam@work.example Fri Nov 20 09:12:00 2026\n"


@pytest.fixture
def box(ann: Scope) -> Account:
    return accounts.create_local(ann, "Old mail", ADDRESS)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of nothing: beside it is the database of the test."""
    (tmp_path / "mail").mkdir()
    return tmp_path / "mail"


def take(scope: Scope, box: Account, path: Path) -> dict[str, Any]:
    job = importer.start(scope, box, path)
    runner.run(job.id)
    row = scope.get(Job, job.id)
    assert (row.state, row.error, row.progress) == ("completed", None, 100)
    result: dict[str, Any] = row.result
    return result


def result(added: int, known: int = 0, failed: int = 0) -> dict[str, int]:
    return {"added": added, "known": known, "failed": failed}


def lf(number: int, text: str = "Hello") -> bytes:
    return raw(f"Mail {number}", text, id=f"{number}@x").replace(b"\r\n", b"\n")


def mbox(*letters: bytes) -> bytes:
    return b"".join(FROM + letter + b"\n" for letter in letters)


def subjects(scope: Scope) -> set[str]:
    return {row["subject"] for row in mails.page(scope, {"limit": "200"}, "en").items}


def test_an_mbox_twice_without_doubles(ann: Scope, box: Account, here: Path) -> None:
    (here / "old.mbox").write_bytes(mbox(*(lf(n) for n in range(120))))
    assert take(ann, box, here / "old.mbox") == result(120)
    assert take(ann, box, here / "old.mbox") == result(0, known=120)
    assert ann.select(Mail).count() == ann.select(Raw).count() == 120 == ann.select(Thread).count()


def test_from_in_a_body_begins_no_mail(ann: Scope, box: Account, here: Path) -> None:
    text = "Hello\n\nFrom here on it gets better.\nFrom me\n\n>From you\n>>From all of us\n"
    (here / "a.mbox").write_bytes(mbox(lf(1, text), lf(2)))
    assert take(ann, box, here / "a.mbox") == result(2)
    read = next(mails.read(ann, mail.id, "en")["text"] for mail in ann.select(Mail) if b"better" in mails.raw(ann, mail.id))
    assert "\nFrom here on it gets better.\nFrom me\n" in read and "\nFrom you\n>From all of us" in read


@pytest.mark.parametrize("first", [b"From somebody\n", b"From - Fri Nov 20 09:12:00 2026\n", b"From MAILER-DAEMON 2026-11-20 09:12\n"])
def test_the_first_mail_is_not_lost_behind_an_odd_from_line(ann: Scope, box: Account, here: Path, first: bytes) -> None:
    (here / "a.mbox").write_bytes(first + lf(1) + b"\n" + mbox(lf(2), lf(3)))
    assert take(ann, box, here / "a.mbox") == result(3)
    assert subjects(ann) == {"Mail 1", "Mail 2", "Mail 3"}


def test_an_mbox_with_crlf(ann: Scope, box: Account, here: Path) -> None:
    (here / "a.mbox").write_bytes(mbox(lf(1), lf(2)).replace(b"\n", b"\r\n"))
    assert take(ann, box, here / "a.mbox") == result(2)


def test_a_maildir_with_its_flags_and_folders(ann: Scope, box: Account, here: Path) -> None:
    for place in ("cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Lists.dev/cur", "Nested/Deep/cur"):
        (here / place).mkdir(parents=True)
    (here / "cur" / "1.a:2,FRS").write_bytes(raw("read", id="1@x"))
    (here / "cur" / "2.a:2,").write_bytes(raw("unread", id="2@x"))
    (here / "new" / "3.a").write_bytes(raw("new", id="3@x"))
    (here / "tmp" / "4.a").write_bytes(b"half a ma")
    (here / "dovecot-uidlist").write_bytes(b"3 V1\n")
    (here / ".Sent" / "cur" / "5.a:2,S").write_bytes(raw("sent", id="5@x", sender=ADDRESS, To="carl@x.example"))
    (here / ".Lists.dev" / "cur" / "6.a:2,Sab").write_bytes(raw("list", id="6@x"))
    (here / "Nested" / "Deep" / "cur" / "7.a:2,S").write_bytes(raw("deep", id="7@x"))
    assert take(ann, box, here) == result(6)
    names = {row.id: (row.name, row.role) for row in ann.select(Folder)}
    found = {mails.read(ann, row.id, "en")["subject"]: (*names[row.folder_id], row.seen, row.flagged, row.answered) for row in ann.select(Mail)}
    assert found == {
        "read": ("INBOX", "inbox", True, True, True), "unread": ("INBOX", "inbox", False, False, False),
        "new": ("INBOX", "inbox", False, False, False), "sent": ("Sent", "sent", True, False, False),
        "list": ("Lists.dev", "", True, False, False), "deep": ("Nested/Deep", "", True, False, False)}


def test_a_folder_of_files_keeps_its_folders(ann: Scope, box: Account, here: Path) -> None:
    (here / "Trips" / "2026").mkdir(parents=True)
    (here / ".hidden").mkdir()
    (here / "one.eml").write_bytes(raw("one", id="1@x"))
    (here / "Trips" / "2026" / "two.eml").write_bytes(raw("two", id="2@x"))
    (here / "Trips" / "all.mbox").write_bytes(mbox(lf(3), lf(4)))
    (here / ".hidden" / "five.eml").write_bytes(raw("five", id="5@x"))
    (here / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" * 50)
    (here / "empty.eml").touch()
    assert take(ann, box, here) == result(4, failed=2)
    assert {row.name for row in ann.select(Folder)} == {"Import", "Trips", "Trips/2026"}


def test_one_file(ann: Scope, box: Account, here: Path) -> None:
    (here / "one.eml").write_bytes(raw("one"))
    assert take(ann, box, here / "one.eml") == result(1)
    assert mails.raw(ann, ann.select(Mail, Mail.id).scalar()) == raw("one")


def test_a_byte_order_mark_hides_no_mail(ann: Scope, box: Account, here: Path) -> None:
    (here / "one.eml").write_bytes(b"\xef\xbb\xbf" + raw("Marked"))
    assert take(ann, box, here / "one.eml") == result(1)
    assert subjects(ann) == {"Marked"}


def test_the_same_mail_in_two_files_of_a_folder_is_one(ann: Scope, box: Account, here: Path) -> None:
    for name in ("a.eml", "b.eml"):
        (here / name).write_bytes(raw("one"))
    assert take(ann, box, here) == result(1, known=1)


def test_odd_files_come_in_or_are_counted(ann: Scope, box: Account, here: Path) -> None:
    for name, data in ODD.items():
        (here / f"{name}.eml").write_bytes(data)
    no_mail = {"empty", "only newlines", "no header"}
    assert take(ann, box, here) == result(len(ODD) - len(no_mail), failed=len(no_mail))
    assert take(ann, box, here) == result(0, known=len(ODD) - len(no_mail), failed=len(no_mail))


def test_a_file_that_cannot_be_opened_is_counted_and_the_others_come_in(ann: Scope, box: Account, here: Path) -> None:
    (here / "b.eml").write_bytes(raw("one"))
    (here / "a.eml").symlink_to(here / "gone.eml")
    os.utime(here / "b.eml", (-5, -5))
    (here / "name \udcff.eml").write_bytes(raw("two", id="2@x"))
    assert take(ann, box, here) == result(2)
    (here / "c.eml").write_bytes(raw("three", id="3@x"))
    if os.getuid():
        (here / "c.eml").chmod(0)
        assert take(ann, box, here) == result(0, known=2, failed=1)


def test_a_path_that_is_not_there_is_said(ann: Scope, box: Account, here: Path) -> None:
    with pytest.raises(errors.Invalid) as caught:
        importer.start(ann, box, here / "nowhere")
    assert caught.value.code == "no_such_path" and ann.select(Job).count() == 0


def test_an_import_that_was_cut_off_goes_on_where_it_was(ann: Scope, box: Account, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "old.mbox").write_bytes(mbox(*(lf(n) for n in range(150))))
    keep, calls = intake.Intake.keep, []

    def cut_off(self: Any, *args: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise ConnectionError
        return keep(self, *args)

    with monkeypatch.context() as broken:
        broken.setattr(intake.Intake, "keep", cut_off)
        job = importer.start(ann, box, here / "old.mbox")
        runner.run(job.id)
    assert (ann.get(Job, job.id).state, ann.select(Mail).count()) == ("failed", 100)
    assert take(ann, box, here / "old.mbox") == result(50, known=100)


def test_two_people_may_import_the_same_file(ann: Scope, bob: Scope, box: Account, here: Path) -> None:
    (here / "one.eml").write_bytes(raw("one"))
    take(ann, box, here)
    with bob:
        assert take(bob, accounts.create_local(bob, "Old mail", "bob@x.example"), here) == result(1)
        assert mails.page(bob, {}, "en").total == 1
