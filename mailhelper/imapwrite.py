"""Changes mails in the selected folder: flags, and the way into another folder; puts new ones into a folder.

Never a bare EXPUNGE, which takes other programs' mails along.
"""

import imaplib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mailhelper import errors
from mailhelper.imapfetch import chunks, sequence_set
from mailhelper.imapwire import Client, is_in_use

COPYUID = re.compile(rb"(?:\[COPYUID )?(\d+) ([\d:,]+) ([\d:,]+)", re.IGNORECASE)
LONGEST_RANGE = 10_000      # a server that pairs more than we asked for talks nonsense


class Moved(NamedTuple):
    """How a move ended."""
    uidvalidity: int            # of the folder they are in now; 0: the server did not say
    uids: dict[int, int]        # UID before → UID now, as far as the server said (RFC 4315)
    left: bool                  # they are still in the old folder too, mostly flagged \\Deleted: the server can do no better


def store(client: Client, uids: Sequence[int], add: Sequence[str], remove: Sequence[str]) -> None:
    """UID STORE +FLAGS.SILENT and -FLAGS.SILENT (RFC 9051 §6.4.6).  Raises Busy or Refused command_refused."""
    for sign, flags in (("+", add), ("-", remove)):
        for portion in chunks(uids) if flags else ():
            _uid(client, "STORE", sequence_set(portion), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})")


def move(client: Client, capabilities: frozenset[str], uids: Sequence[int], folder: str) -> Moved:
    """MOVE (RFC 6851), else COPY and then `remove`.  Raises Busy or Refused command_refused."""
    way = "MOVE" if "MOVE" in capabilities else "COPY"
    name = client._normalise_folder(folder)
    uidvalidity, left = 0, False
    pairs: dict[int, int] = {}
    for portion in chunks(uids):
        client.wire.untagged_responses.pop("COPYUID", None)
        said = _uid(client, way, sequence_set(portion), name)
        said += client.wire.untagged_responses.pop("COPYUID", [])
        for words in said:
            if isinstance(words, bytes) and (match := COPYUID.match(words)):
                uidvalidity = int(match[1])
                pairs |= dict(zip(_numbers(match[2]), _numbers(match[3]), strict=False))
        left |= way == "COPY" and not _take_out(client, capabilities, portion)
    return Moved(uidvalidity, pairs, left)


def _take_out(client: Client, capabilities: frozenset[str], uids: Sequence[int]) -> bool:
    """After a copy: a folder that does not let go of a mail does not make the copy undone."""
    try:
        return remove(client, capabilities, uids)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return False


def remove(client: Client, capabilities: frozenset[str], uids: Sequence[int]) -> bool:
    """Flag as \\Deleted and expunge just these (RFC 4315); false where the server cannot, and they stay flagged."""
    store(client, uids, ("\\Deleted",), ())
    if "UIDPLUS" not in capabilities:
        return False
    for portion in chunks(uids):
        _uid(client, "EXPUNGE", sequence_set(portion))
    return True


def append(client: Client, folder: str, flags: Sequence[str], size: int, pieces: Iterable[bytes]) -> None:
    """APPEND (RFC 9051 §6.3.12) of a mail that comes in pieces, so that it never lies in memory whole.  Raises Busy or Refused command_refused."""
    wire = client.wire
    tag = wire._new_tag()       # type: ignore[attr-defined]
    wire.send(b"%s APPEND %s (%s) {%d}\r\n" % (tag, client._normalise_folder(folder), " ".join(flags).encode(), size))
    while wire._get_response():         # type: ignore[attr-defined]
        if wire.tagged_commands[tag]:   # it did not wait for the mail, so that is a NO
            break
    else:
        for piece in pieces:
            wire.send(piece)
            size -= len(piece)
        if size:
            raise wire.lost(code="protocol_error")      # another length than announced: the conversation is out of step
        wire.send(b"\r\n")
    status, said = wire._command_complete("APPEND", tag)        # type: ignore[attr-defined]
    _check(client, status, said)


def _uid(client: Client, *command: Any) -> list[Any]:
    """Send a UID command; what came with its tagged OK."""
    status, said = client.wire._simple_command("UID", *command)     # type: ignore[attr-defined]
    _check(client, status, said)
    return list(said)


def _check(client: Client, status: str, said: Sequence[Any]) -> None:
    if status != "OK":
        if is_in_use(" ".join(words.decode("ascii", "replace") for words in said if isinstance(words, bytes))):
            raise errors.Busy("server_busy", host=client.wire.host)
        raise imaplib.IMAP4.error()     # the words stay here: they may repeat a folder's name


def _numbers(uid_set: bytes) -> list[int]:
    """b"4,7:9" → [4, 7, 8, 9]"""
    found: list[int] = []
    for part in uid_set.split(b","):
        low, _, high = part.partition(b":")
        ends = sorted((int(low), int(high or low)))
        found += range(ends[0], min(ends[1], ends[0] + LONGEST_RANGE) + 1)
    return found
