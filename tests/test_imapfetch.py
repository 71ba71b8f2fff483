"""FETCH and SEARCH answers of all shapes that servers give, and some that they must not."""

from datetime import datetime
from typing import Any

import pytest

from mailhelper import errors, imap, imapfetch
from tests.scripted_imap import EXAMINE, ScriptedServer, account, door

DOOR = door()


def fetched(answer: bytes, uids: tuple[int, ...] = (5,)) -> list[imap.Fetched]:
    with ScriptedServer({"EXAMINE": EXAMINE, "UID FETCH": answer}) as server:
        with imap.open(account(server), DOOR, 5) as mailbox:
            mailbox.examine("INBOX")
            return list(mailbox.fetch(uids))


@pytest.mark.parametrize("answer", [
    b'* 1 FETCH (UID 5 FLAGS (\\Seen $Later) INTERNALDATE "02-Jan-2024 03:04:05 +0100" BODY[] {5}\r\nhello)\r\n',
    b'* 1 FETCH (BODY[] {5}\r\nhello UID 5 FLAGS (\\Seen $Later) INTERNALDATE " 2-Jan-2024 03:04:05 +0100")\r\n',
    b'* 1 FETCH (FLAGS (\\Seen $Later) BODY[] {5}\r\nhello INTERNALDATE "02-Jan-2024 02:04:05 +0000" UID 5)\r\n',
    b'* 1 FETCH (INTERNALDATE "02-Jan-2024 03:04:05 +0100" UID 5 MODSEQ (99) RFC822.SIZE 5 FLAGS (\\Seen $Later) BODY[] {5}\r\nhello)\r\n',
    b'* 1 fetch (uid 5 flags (\\Seen $Later) internaldate "01-jan-2024 21:04:05 -0500" body[] {5}\r\nhello)\r\n',
    b'* 1 FETCH (UID 5 FLAGS (\\Seen $Later) INTERNALDATE "02-Jan-2024 03:04:05 +0100" BODY[] "hello")\r\n',
    b'* 1 FETCH (UID 5 X-GM-LABELS ("a b" {3}\r\n)\r\n) FLAGS (\\Seen $Later) '
    b'INTERNALDATE "02-Jan-2024 03:04:05 +0100" BODY[] {5}\r\nhello)\r\n',
    b'* 1 FETCH (UID 5 FLAGS (\\Seen \\Recent $Later) INTERNALDATE "02-Jan-2024 03:04:05 +0100" BODY[] {5}\r\nhello X-THING {2}\r\nab)\r\n',
    b'* 4 EXISTS\r\n* 2 FETCH (FLAGS ())\r\n'
    b'* 1 FETCH (UID 5 FLAGS (\\Seen $Later) INTERNALDATE "02-Jan-2024 03:04:05 +0100" BODY[] {5}\r\nhello)\r\n'
    b"* 3 EXPUNGE\r\n* OK [ALERT] {not a literal} soon\r\n* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n* LIST () \"/\" {4}\r\nname\r\n",
])  # fmt: skip
def test_every_legal_shape_of_a_fetch_answer_gives_the_same_mail(answer: bytes) -> None:
    assert fetched(answer + b"{tag} OK done\r\n") == [imap.Fetched(5, datetime(2024, 1, 2, 2, 4, 5), ("\\Seen", "$Later"), b"hello")]


def test_a_mail_that_looks_like_the_protocol_is_only_a_mail() -> None:
    raw = b'Subject: x\r\n\r\n)\r\n* 2 FETCH (UID 6 BODY[] {3}\r\nabc)\r\nA1 OK done\r\n{9999}\r\n'
    answer = b"* 1 FETCH (UID 5 FLAGS () BODY[] {%d}\r\n%b)\r\n{tag} OK done\r\n" % (len(raw), raw)
    assert [mail.raw for mail in fetched(answer, (5, 6))] == [raw]


@pytest.mark.parametrize("answer", [
    b"* 1 FETCH (UID 5 FLAGS () BODY[] NIL)\r\n", b"* 1 FETCH (FLAGS (\\Seen))\r\n", b"* 1 FETCH (UID 77 BODY[] {2}\r\nhi)\r\n",
    b"* 1 FETCH (UID)\r\n", b"* 1 FETCH nonsense\r\n", b"* 1 FETCH (UID 5 BODY[] (\r\n", b"",
])  # fmt: skip
def test_what_is_not_the_wanted_mail_is_left_out(answer: bytes) -> None:
    assert fetched(answer + b"{tag} OK done\r\n") == []


def test_an_empty_mail_is_a_mail_and_a_bad_date_does_not_lose_it() -> None:
    mail, = fetched(b'* 1 FETCH (UID 5 FLAGS () INTERNALDATE "99-Foo-2024 03:04:05 +0000" BODY[] {0}\r\n)\r\n{tag} OK done\r\n')
    assert mail.raw == b"" and mail.received.tzinfo is None


def test_one_broken_mail_does_not_take_its_batch_along() -> None:
    one = b'* %d FETCH (UID %d FLAGS () INTERNALDATE "02-Jan-2024 03:04:05 +0000" BODY[] {2}\r\nhi)\r\n'
    answers: dict[str, Any] = {
        "EXAMINE": EXAMINE, "UID FETCH 5:7": one % (1, 5) + b"{tag} NO [SERVERBUG] internal error\r\n",
        "UID FETCH 6 ": b"{tag} NO [SERVERBUG] internal error\r\n", "UID FETCH 7 ": one % (3, 7) + b"{tag} OK done\r\n",
    }  # fmt: skip
    with ScriptedServer(answers) as server, imap.open(account(server), DOOR, 5) as mailbox:
        mailbox.examine("INBOX")
        assert [mail.uid for mail in mailbox.fetch([5, 6, 7])] == [5, 7]


def test_a_server_that_refuses_every_mail_is_not_asked_for_each() -> None:
    with ScriptedServer({"EXAMINE": EXAMINE, "UID FETCH": "{tag} NO no\r\n"}) as server:
        with imap.open(account(server), DOOR, 5) as mailbox:
            mailbox.examine("INBOX")
            with pytest.raises(errors.Refused):
                list(mailbox.fetch(range(1, 101)))
    assert sum(line.startswith(b"UID FETCH") for line in server.heard) < 10


def test_a_list_of_flags_with_an_unreadable_line_is_an_error_and_not_a_shorter_list() -> None:
    answer = b"* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n* 2 FETCH (UID six FLAGS ())\r\n{tag} OK done\r\n"
    with ScriptedServer({"EXAMINE": EXAMINE, "UID FETCH": answer}) as server, imap.open(account(server), DOOR, 5) as mailbox:
        mailbox.examine("INBOX")
        with pytest.raises(errors.Unreachable):
            mailbox.flags()


def test_a_list_of_flags_that_ends_in_no_is_an_error() -> None:
    with ScriptedServer({"EXAMINE": EXAMINE, "UID FETCH": "* 1 FETCH (UID 5 FLAGS ())\r\n{tag} NO later\r\n"}) as server:
        with imap.open(account(server), DOOR, 5) as mailbox:
            mailbox.examine("INBOX")
            with pytest.raises(errors.Refused):
                mailbox.flags()


@pytest.mark.parametrize(("answer", "uids"), [
    ("* SEARCH 3 1 2\r\n* SEARCH 9\r\n", [1, 2, 3, 9]), ("* SEARCH\r\n", []), ("", []), ("* SEARCH 4 5 (MODSEQ 12)\r\n", [4, 5]),
    ("* 4 EXISTS\r\n* ESEARCH (TAG \"A1\") UID ALL 7,1:3\r\n", [1, 2, 3, 7]), ("* ESEARCH (TAG \"A1\") UID\r\n", []),
    ("* SEARCH " + " ".join(map(str, range(1, 300_000))) + "\r\n", list(range(1, 300_000))),
])  # fmt: skip
def test_search_answers_of_all_kinds_are_read(answer: str, uids: list[int]) -> None:
    with ScriptedServer({"EXAMINE": EXAMINE, "UID SEARCH": answer + "{tag} OK done\r\n"}) as server:
        with imap.open(account(server), DOOR, 5) as mailbox:
            mailbox.examine("INBOX")
            assert mailbox.uids() == uids


def test_a_fetch_given_up_half_way_does_not_spoil_the_next_command() -> None:
    many = b"".join(b'* %d FETCH (UID %d FLAGS () BODY[] {7}\r\n* 9 OK\r)\r\n' % (uid, uid) for uid in range(1, 20))
    found = b"* SEARCH 1\r\n{tag} OK done\r\n"
    with ScriptedServer({"EXAMINE": EXAMINE, "UID FETCH": many + b"{tag} OK done\r\n", "UID SEARCH": found}) as server:
        with imap.open(account(server), DOOR, 5) as mailbox:
            mailbox.examine("INBOX")
            assert next(mailbox.fetch(range(1, 20))).uid == 1
            assert mailbox.uids() == [1]
            assert next(mailbox.fetch(range(1, 20))).uid == 1
            assert mailbox.uids(["SUBJECT", "a"]) == [1]
    assert b"LOGOUT" in server.heard


def test_an_empty_folder_is_not_asked_for_its_flags() -> None:
    empty = EXAMINE.replace("3 EXISTS", "0 EXISTS")
    with ScriptedServer({"EXAMINE": empty, "UID FETCH": "{tag} BAD invalid messageset\r\n"}) as server:
        with imap.open(account(server), DOOR, 5) as mailbox:
            assert mailbox.examine("INBOX") == imap.Selected(7, 30, 0, 0)
            assert mailbox.flags() == {}


@pytest.mark.parametrize(("uids", "text"), [([3, 1, 2, 9, 2], "1:3,9"), ([7], "7"), ([], ""), ([1, 3, 5], "1,3,5")])
def test_sequence_sets_are_short(uids: list[int], text: str) -> None:
    assert imapfetch.sequence_set(uids) == text


def test_portions_fit_a_command_and_lose_nothing() -> None:
    uids = list(range(100_000_000, 100_002_000, 2))
    portions = list(imapfetch.chunks(uids))
    assert [uid for portion in portions for uid in portion] == uids
    assert max(len(imapfetch.sequence_set(portion)) for portion in portions) <= 900
