"""Lists of folders: names however they are written, and what each folder is for."""

import pytest

from mailhelper import errors, imap
from mailhelper.imapfolders import read, with_roles
from tests.scripted_imap import EXAMINE, ScriptedServer, account, door

DOOR = door()


def test_roles_come_from_the_server_first_and_from_usual_names_next() -> None:
    lines = [
        b'() "/" INBOX', b'(\\HasNoChildren \\Sent) "/" Verschickt', b'() "/" Sent', b'() "/" "INBOX/Entw&APw-rfe"', b'() "/" "Papierkorb"',
        b'() "/" Projekte/Archiv', b'() "/" SPAM', b'() "/" Junk', b'(\\Noselect) "/" Archive', b'() "/" "&AMk-l&AOk-ments envoy&AOk-s"',
    ]  # fmt: skip
    folders = with_roles(read(lines))
    assert {folder.name: folder.role for folder in folders} == {
        "INBOX": "inbox", "Verschickt": "sent", "Sent": "", "INBOX/Entwürfe": "drafts", "Papierkorb": "trash",
        "Projekte/Archiv": "", "SPAM": "junk", "Junk": "", "Archive": "", "Éléments envoyés": "",
    }  # fmt: skip
    assert [folder.name for folder in folders if not folder.selectable] == ["Archive"]


@pytest.mark.parametrize(("answer", "name", "delimiter"), [
    (b'() "/" "a\\"b"', 'a"b', "/"), (b'(\\X) "\\\\" "a\\\\b"', "a\\b", "\\"), (b"() NIL Flat", "Flat", ""),
    (b'() "/" "012"', "012", "/"), (b'() "/" 7', "7", "/"), (b'() "." "x" ("CHILDINFO" ("SUBSCRIBED"))', "x", "."),
    (b'() "/" [Gmail]/All', "[Gmail]/All", "/"), (b'() "/" "a&-b"', "a&b", "/"), ((b'() "/" {3}', b'a"b'), 'a"b', "/"),
    (b'() "/" "R&D"', "R&D", "/"), (b'() "/" "B\xc3\xbcro"', "Büro", "/"), (b'() "/" "&2D0-"', "&2D0-", "/"),
])  # fmt: skip
def test_folder_names_are_read_however_they_are_written(answer: bytes | tuple[bytes, bytes], name: str, delimiter: str) -> None:
    assert [(folder.name, folder.delimiter) for folder in read([answer, b"", b'(\\Noselect) "/" ""', None])] == [(name, delimiter)]


def test_a_list_of_folders_with_an_unreadable_line_is_an_error_and_not_a_shorter_list() -> None:
    listed = '* LIST () "/" INBOX\r\n* LIST nonsense\r\n{tag} OK done\r\n'
    with ScriptedServer({"LIST": listed}) as server, imap.open(account(server), DOOR, 5) as mailbox:
        with pytest.raises(errors.Unreachable) as caught:
            mailbox.folders()
    assert caught.value.code == "protocol_error"


def test_a_folder_whose_name_breaks_the_rules_can_be_opened_all_the_same() -> None:
    listed = b'* LIST () "/" INBOX\r\n* LIST () "/" "R&D"\r\n* LIST () "/" "B\xc3\xbcro"\r\n{tag} OK done\r\n'
    with ScriptedServer({"LIST": listed, "EXAMINE": EXAMINE}) as server, imap.open(account(server), DOOR, 5) as mailbox:
        for folder in mailbox.folders():
            mailbox.examine(folder.name)
    assert {b'EXAMINE "R&D"', b'EXAMINE "B\xc3\xbcro"', b'EXAMINE "INBOX"'} <= set(server.heard)
