"""New mails on their way in: none doubled, none lost, none readable for a thief of the database, and no bad one stops the others."""

import datetime as dt
import json
import logging
import threading
from typing import Any

import pytest

from mailhelper import db, intake, judge, mails, ratings, relink, senders, sync, triage
from mailhelper.imap import Fetched
from mailhelper.intake import Intake, Kept
from mailhelper.models import TABLES, Account, Body, Folder, Mail, Rating, Raw, Sender, Thread
from mailhelper.relink import Orphans
from mailhelper.scope import Scope
from tests.world import ADDRESS, RECEIVED, account, folder, keep, raw


def take(scope: Scope, place: Folder, *found: tuple[int, bytes], orphans: Orphans | None = None, flags: tuple[str, ...] = (),
         received: dt.datetime = RECEIVED) -> Kept:
    with scope:
        taker = Intake(scope, scope.get(Account, place.account_id))
        return taker.keep(place, [taker.arrive(Fetched(uid, received, flags, data)) for uid, data in found], orphans)


def test_a_duplicate_in_a_batch_costs_nobody_else(ann: Scope) -> None:
    place = folder(ann, account(ann))
    assert take(ann, place, (1, raw(id="1@x")), (1, raw(id="1@x")), (2, raw(id="2@x"))) == Kept(2, [])
    assert take(ann, place, (2, raw(id="2@x")), (3, raw(id="3@x", sender="new@x.example"))) == Kept(1, [])
    assert [mail.uid for mail in ann.select(Mail).order_by(Mail.uid)] == [1, 2, 3]
    assert ann.select(Raw).count() == ann.select(Rating).count() == 3 == ann.select(Thread).count()
    assert db.db.execute_sql("SELECT COUNT(*) FROM mail_words").fetchone()[0] == 3


def test_senders_are_counted_once_a_mail(ann: Scope) -> None:
    place = folder(ann, account(ann))
    take(ann, place, (1, raw(id="1@x")), (2, raw(id="2@x")))
    take(ann, place, (2, raw(id="2@x")), (3, raw(id="3@x")), (4, raw(id="4@x", sender="late@x.example")))
    assert {row.address: row.received for row in ann.select(Sender)} == {"miriam@work.example": 3, "late@x.example": 1}


def test_a_rater_that_fails_leaves_a_failed_rating_and_the_sync_goes_on(ann: Scope, monkeypatch: pytest.MonkeyPatch,
                                                                        caplog: pytest.LogCaptureFixture) -> None:
    rate = triage.builtin

    def fail_on_one(mail: Any, context: Any) -> triage.Rating:
        if mail.message_id == "bad@x":
            raise RuntimeError(mail.subject)
        return rate(mail, context)

    monkeypatch.setattr(triage, "builtin", fail_on_one)
    place = folder(ann, account(ann))
    with caplog.at_level(logging.ERROR):
        good, bad, other = keep(ann, place, raw(id="good@x"), raw("Secret plan", id="bad@x"), raw(id="other@x"))
    assert (bad.layer, bad.urgency, bad.score) == ("builtin", None, 0) and good.urgency and other.urgency
    shown = mails.read(ann, bad.id, "en")["triage"]
    assert (shown["failed"], shown["urgency"], shown["score"], shown["colour"]) == (True, None, None, None)
    assert shown["reasons"] == ["This mail could not be rated."]
    assert sum(cell["count"] for cell in mails.matrix(ann)["cells"]) == 2
    assert "Secret plan" not in caplog.messages[0]


def test_a_failed_rating_is_replaced_by_the_next_that_works(ann: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(ann, account(ann))
    with monkeypatch.context() as broken:
        broken.setattr(triage, "builtin", lambda mail, context: 1 / 0)
        [mail] = keep(ann, place, raw())
    job = judge.start_base(ann, mail.id)
    judge.run_base(ann, job, lambda *args, **note: None)       # type: ignore[arg-type]
    again = ann.get(Mail, mail.id)
    assert again.urgency in (1, 2, 3) and again.layer == "builtin"
    assert [row.error for row in ann.select(Rating).where(Rating.mail == mail)] == [None]


def test_a_mailbox_that_is_not_rated_has_no_ratings(ann: Scope) -> None:
    box = account(ann)
    ann.update(Account, mode="none").execute()
    [mail] = keep(ann, folder(ann, box), raw())
    assert mail.layer is None and ann.select(Rating).count() == 0
    assert mails.read(ann, mail.id, "en")["triage"] is None


def test_lines_stay_lines(ann: Scope) -> None:
    """"M.\\nbitte" must not become "M.bitte": not in the text, the snippet or the index."""
    [mail] = keep(ann, folder(ann, account(ann)), raw(text="Frau M.\r\nbitte melden\r\n\r\nDanke"))
    read = mails.read(ann, mail.id, "en")
    assert "Frau M.\nbitte melden\n\nDanke" in read["text"]
    assert "M. bitte" in read["snippet"]
    assert mails.find(ann, "bitte", 5, "en").total == 1 == mails.find(ann, "melden danke", 5, "en").total


def test_nothing_of_a_mail_is_readable_in_the_database(ann: Scope) -> None:
    canary = "Quetzalcoatl"
    sender = f"{canary} <{canary}@{canary}.example>"
    place = folder(ann, account(ann), canary)
    data = raw(canary, f"{canary} " * 40_000, sender, f"{canary}@{canary}", Cc=f"{canary}@x.example", References=f"<{canary}@r>")
    [mail] = keep(ann, place, data)
    ratings.correct(ann, mail.id, {"urgency": 3, "note": canary})
    sync.start(ann, place.account_id)
    words = [canary.lower().encode(), ADDRESS.encode(), b"secret of ann"]
    for table in (*[model._meta.table_name for model in TABLES], "mail_words"):
        stored = b"|".join(bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                           for row in db.db.execute_sql(f'SELECT * FROM "{table}"').fetchall() for value in row)
        assert not any(word in stored.lower() for word in words), table
    assert ann.select(Body).count() == 1
    assert canary in mails.read(ann, mail.id, "en")["text"]


def test_a_large_mail_keeps_what_its_page_shows_apart(ann: Scope) -> None:
    place = folder(ann, account(ann))
    [large] = keep(ann, place, raw(id="1@x", text="x" * intake.LARGE))
    [small] = keep(ann, place, raw(id="2@x"), uid=2)
    assert [row.mail_id for row in ann.select(Body)] == [large.id]
    assert mails.content(ann, large.id).keys() == mails.content(ann, small.id).keys()
    assert mails.raw(ann, large.id) == raw(id="1@x", text="x" * intake.LARGE)


def test_an_unbelievable_date_gives_way_to_the_servers(ann: Scope) -> None:
    place = folder(ann, account(ann))
    dates = ["Fri, 20 Nov 2026 08:00:00 +0000", "Fri, 20 Nov 2066 09:12:00 +0000", "Thu, 01 Jan 1970 00:00:00 +0000", "no date at all"]
    rows = keep(ann, place, *(raw(id=f"{n}@x", Date=date) for n, date in enumerate(dates)))
    assert [row.date == row.received for row in rows] == [False, True, True, True]
    assert [row.defective for row in rows] == [False, False, False, True]


def test_what_left_another_folder_is_moved_with_all_that_was_said_of_it(ann: Scope) -> None:
    box = account(ann)
    inbox, archive = folder(ann, box), folder(ann, box, "Archive", "archive")
    [mail] = keep(ann, inbox, raw())
    ratings.correct(ann, mail.id, {"urgency": 3})
    orphans = relink.orphans(ann, [mail.id])
    assert take(ann, archive, (7, raw()), orphans=orphans, flags=("\\Seen",)) == Kept(0, [mail.id])
    moved = ann.get(Mail, mail.id)
    assert (moved.folder_id, moved.uid, moved.seen, moved.layer, moved.urgency) == (archive.id, 7, True, "user", 3)
    assert take(ann, archive, (8, raw()), orphans=orphans) == Kept(1, []), "a second copy is a mail of its own"


def test_a_mail_without_an_id_is_known_by_sender_size_and_arrival(ann: Scope) -> None:
    box = account(ann)
    inbox, archive = folder(ann, box), folder(ann, box, "Archive", "archive")
    [mail] = keep(ann, inbox, raw(id=""))
    orphans = relink.orphans(ann, [mail.id])
    later = mail.received + dt.timedelta(hours=1)
    assert take(ann, archive, (6, raw(id="")), orphans=orphans, received=later) == Kept(1, [])
    assert take(ann, archive, (7, raw(id="")), orphans=orphans, received=mail.received) == Kept(0, [mail.id])


def test_a_batch_is_stored_whole_or_not_at_all(ann: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(ann, account(ann))

    def broken(*args: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(senders, "keep", broken)
    with pytest.raises(ConnectionError):
        take(ann, place, (1, raw()))
    for table in (Mail, Raw, Rating, Thread):
        assert ann.select(table).count() == 0, table.__name__
    assert db.db.execute_sql("SELECT COUNT(*) FROM mail_words").fetchone()[0] == 0


def test_two_syncs_of_one_user_at_once_do_not_lock_each_other(ann: Scope) -> None:
    """Both write the same senders and threads; each in the order in which its own mails came."""
    places = [folder(ann, account(ann), f"{n}") for n in range(2)]
    letters = [raw(id=f"{n}@x", sender=f"s{n}@x.example", References=f"<{n // 2}@root>") for n in range(intake.BATCH)]
    failed: list[BaseException] = []

    def sync_one(place: Folder, order: int) -> None:
        try:
            with db.db.connection_context(), Scope(ann.user, ann.vault.key) as scope:
                for start in range(6):
                    take(scope, place, *((start * 100 + n, letter) for n, letter in enumerate(letters[::order])))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=sync_one, args=(place, order)) for place, order in zip(places, (1, -1), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and ann.select(Mail).count() == 12 * intake.BATCH
    assert {row.received for row in ann.select(Sender)} == {12}


ODD = {
    "empty": b"", "only newlines": b"\r\n\r\n\r\n", "no body": b"Subject: x", "no header": b"just text\nand more",
    "nul": b"Subject: a\0b\r\n\r\nte\0xt", "latin in header": "Subject: Grüße\r\nFrom: Jürgen <j@x.example>\r\n\r\nä".encode("latin-1"),
    "lone surrogate": b"Subject: =?utf-7?Q?+2AA-?=\r\nMessage-ID: <\xed\xa0\x80@x>\r\n\r\n\xed\xa0\x80",
    "bad date": b"Date: Fri, 99 Nov 99999 99:99:99 +9999\r\n\r\nx", "long subject": b"Subject: " + b"a" * 200_000 + b"\r\n\r\nx",
    "many people": b"To: " + b"a@b.example, " * 5_000 + b"\r\n\r\nx", "many ids": b"References: " + b"<a@b> " * 5_000 + b"\r\n\r\nx",
    "deep": b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(200)),
    "odd from": b"From: <>\r\nTo: undisclosed-recipients:;\r\n\r\nx", "bad charset": b"Content-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe",
    "bad base64": b"Content-Transfer-Encoding: base64\r\n\r\n@@@=", "html": b"Content-Type: text/html\r\n\r\n<p>" + b"<div>" * 3_000,
}  # fmt: skip


def test_odd_mails_are_stored_and_can_be_read(ann: Scope) -> None:
    place = folder(ann, account(ann))
    rows = keep(ann, place, *ODD.values())
    assert len(rows) == len(ODD)
    for row, data in zip(rows, ODD.values(), strict=True):
        read = mails.read(ann, row.id, "en")
        json.dumps(read, default=str).encode("utf-8")
        assert mails.raw(ann, row.id) == data
    assert len(mails.page(ann, {"limit": "200"}, "en").items) == len(ODD)


def test_a_batch_costs_a_bounded_number_of_statements(ann: Scope, caplog: pytest.LogCaptureFixture) -> None:
    place = folder(ann, account(ann))
    letters = [(n, raw(id=f"{n}@x", sender=f"s{n}@x.example", References=f"<{n - 1}@x>")) for n in range(intake.BATCH)]
    with caplog.at_level(logging.DEBUG, "peewee"):
        take(ann, place, *letters)
    assert len([line for line in caplog.records if line.name == "peewee"]) < 25


def stamped(n: int, by: str) -> list[bytes]:
    return [raw(id=f"{by}-{n}@x", Authentication_Results=f"{by}; spf=pass") for n in range(n)]


def test_the_own_mail_server_is_known_by_stamping_most_mails(ann: Scope) -> None:
    place = folder(ann, account(ann))
    for sent, expected in ((stamped(12, "mx.home.example"), "mx.home.example"), (stamped(9, "mx.home.example"), ""),
                            ([*stamped(12, "forged.example"), *(raw(id=f"{n}@y") for n in range(12))], "")):
        intake = Intake(ann, ann.get(Account, place.account_id))
        intake.keep(place, [intake.arrive(Fetched(n, RECEIVED, (), one)) for n, one in enumerate(sent, 1000)])
        assert intake.authserv() == expected


def test_what_the_user_wrote_is_done_and_not_rated(ann: Scope) -> None:
    sent = keep(ann, folder(ann, account(ann), "Sent", "sent"), raw())[0]
    assert sent.layer is None and sent.urgency is None
    assert mails.matrix(ann)["open"] == 0


def test_a_strangers_mail_in_the_name_of_a_known_person_is_rated_so(ann: Scope) -> None:
    home = account(ann)
    keep(ann, folder(ann, home, "Sent", "sent"), raw(sender=f"Ann <{ADDRESS}>", To="Miriam Keller <miriam@work.example>", id="0@x"))
    text = "Are you free? I am in a meeting right now and can't talk. I need something done at once, keep this between us."
    spoof, own = keep(ann, folder(ann, home), raw("Quick favour", text, "Miriam Keller <boss@mail.example>", id="1@x"),
                      raw("Quick favour", text, id="2@x"))
    assert (spoof.kind, own.kind) == ("phishing", "person")
