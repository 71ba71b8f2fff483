"""A person's mailbox on an IMAP server: signing in, folders, what is in them, and the mails themselves.

Everything a server or the line may do wrong leaves this module as one of errors.*, without the server's own words, which
may repeat what we sent.  Reading never sets a flag: folders are opened with EXAMINE and mails fetched with BODY.PEEK.
"""

import imaplib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mailhelper import errors, imapcheck, imapfetch, imapfolders, imapidle, imaplarge, imaplogin, imapstate, imapwrite
from mailhelper.egress import Connection, Door
from mailhelper.imapcheck import Measures
from mailhelper.imapfolders import Folder
from mailhelper.imapstate import Changes, Facts, Selected
from mailhelper.imapwire import Client, Wire
from mailhelper.imapwrite import Moved

log = logging.getLogger(__name__)

SILENCE = 60.0              # seconds without a byte, after which the connection counts as lost
GREETING_SECONDS = 30.0     # for connecting, encrypting and greeting, each
PROBE_SECONDS = 15.0        # somebody is waiting
LOGOUT_SECONDS = 2.0
REFUSALS = 5                # single mails refused in a row before a fetch is given up


@dataclass(frozen=True)
class Server:
    """Where a mailbox is, and how to open it."""
    host: str
    port: int
    security: str               # "tls" · "starttls" · "none"
    username: str
    password: str = field(repr=False)
    fingerprint: str = ""       # SHA-256 of the one certificate to accept, whoever signed it

    def __post_init__(self) -> None:
        if self.security not in ("tls", "starttls", "none"):
            raise ValueError("security")        # a typing error must not mean "unencrypted"


class Fetched(NamedTuple):
    uid: int
    received: datetime      # INTERNALDATE, naive UTC
    flags: tuple[str, ...]
    raw: bytes
    object_id: str = ""     # as in Facts
    size: int = 0           # bytes on the server, where `raw` is short of them; else 0
    partial: bool = False   # `raw` lacks large parts (imaplarge)


class Probe(NamedTuple):
    ok: bool
    code: str                       # "" or the code of a sentence error.<code>
    params: dict[str, Any]
    fingerprint: str                # SHA-256 of the certificate shown, "" without one
    capabilities: frozenset[str]
    folders: tuple[Folder, ...]


@contextmanager
def open(server: Server, door: Door, timeout: float | None = None, on: Callable[[str], None] = lambda place: None) -> Iterator["Mailbox"]:
    """The mailbox, signed in; signed out again at the end.  `timeout`: seconds without a byte from the server, else SILENCE.

    `on` hears how far it is: connected, greeted (and encrypted), signed_in.

    Raises Refused (egress_*, not_imap, starttls_missing, login_needs_tls, command_refused), BadCertificate, BadLogin, Busy or Unreachable.
    """
    timeout = timeout or SILENCE
    with door.connect(server.host, server.port, "imap", min(timeout, GREETING_SECONDS)) as connection:
        on("connected")
        if server.security == "tls":
            connection.start_tls(server.host, server.fingerprint)
        with translated(server.host):
            client = Client(connection, timeout)
        try:
            with translated(server.host):
                if server.security == "starttls":
                    client.wire.start_tls(server.host, server.fingerprint)
                on("greeted")
                imaplogin.sign_in(client.wire, server.username, server.password, server.security != "none")
                on("signed_in")
                mailbox = Mailbox(client, connection)
            yield mailbox
        finally:
            client.wire.goodbye(LOGOUT_SECONDS)


def probe(server: Server, door: Door) -> Probe:
    """Tries everything that a sync needs and says what came of it; never raises errors.Error."""
    try:
        with open(server, door, PROBE_SECONDS) as mailbox:
            return Probe(True, "", {}, mailbox.fingerprint, mailbox.capabilities, tuple(mailbox.folders()))
    except errors.BadCertificate as error:
        seen = error.params.get("fingerprint") or look(server, door)
        return Probe(False, error.code, error.params | {"fingerprint": seen}, seen, frozenset(), ())
    except errors.Error as error:
        return Probe(False, error.code, error.params, "", frozenset(), ())


@contextmanager
def translated(host: str) -> Iterator[None]:
    """What imaplib and imapclient raise, as errors.*; `from None`, since their texts quote commands and answers."""
    try:
        yield
    except imaplib.IMAP4.readonly:      # which imaplib counts among the broken lines
        raise errors.Refused("command_refused", host=host) from None
    except imaplib.IMAP4.abort:
        raise errors.Unreachable("protocol_error", host=host) from None
    except imaplib.IMAP4.error:
        raise errors.Refused("command_refused", host=host) from None
    except (ValueError, TypeError, LookupError, AssertionError) as error:      # imapclient's parser on nonsense
        log.warning("an answer of an IMAP server could not be read: %s", type(error).__name__)
        raise errors.Unreachable("protocol_error", host=host) from None


class Mailbox:
    """An open mailbox.  Any thread may use it, one at a time; only `abort` may be called while another thread is inside."""

    def __init__(self, client: Client, connection: Connection):
        self._client, self._connection = client, connection
        self._wire: Wire = client.wire
        self._folder, self._exists = "", 0      # what is open
        self.host = connection.host
        self.capabilities = frozenset(name.decode("ascii", "replace") for name in client.capabilities())
        self.fingerprint = connection.certificate()
        self.keeps = frozenset[str]()           # flags that the open folder keeps (PERMANENTFLAGS); "\\*": any keyword
        if "ENABLE" in self.capabilities and "CONDSTORE" in self.capabilities:
            client.enable("CONDSTORE")

    def folders(self) -> list[Folder]:
        """All folders, roles given by the server (RFC 6154) or else guessed from the usual names."""
        return [folder for folder, _ in self._listed([])]

    def census(self) -> list[tuple[Folder, Selected | None]]:
        """All folders with their numbers, where the server gives them in one answer (RFC 5819); else None for each.

        Before any folder is opened: from here on the server may say which mails vanished (QRESYNC).
        """
        with translated(self.host):
            if "QRESYNC" in self.capabilities and self._wire.state == "AUTH":
                self._client.enable("QRESYNC")
        items = imapstate.status_items(self.capabilities) if "LIST-STATUS" in self.capabilities else []
        try:
            return self._listed([f"STATUS ({' '.join(items)})"] if items else [])
        except errors.Refused:      # promised more than it can do
            return self._listed([])

    def _listed(self, options: list[str]) -> list[tuple[Folder, Selected | None]]:
        if {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities:
            options = ["SPECIAL-USE", *options]
        with translated(self.host):
            listed = imapfolders.read(self._client.list_answers(*options))
            numbers = imapstate.listed(self._client)
        self._client.wire_names = {one.name: one.wire for one in listed}
        return [(folder, numbers.get(one.wire)) for folder, one in zip(imapfolders.with_roles(listed), listed, strict=True)]

    def examine(self, name: str) -> Selected:
        """Open a folder for reading only.  Raises Refused folder_refused."""
        return self._open_folder(name, readonly=True)

    def select(self, name: str) -> Selected:
        """Open a folder for changes.  Raises Refused folder_refused, also where it may only be read."""
        return self._open_folder(name, readonly=False)

    def status(self, name: str) -> Selected:
        """The same numbers, without opening the folder where it is not open already (RFC 9051 §6.3.11)."""
        with self._about(name):
            if name == self._folder:
                self._wire.noop()       # of an open folder the server tells what it last told this session
            return imapstate.status(self._client, name, imapstate.status_items(self.capabilities))

    def changes(self, name: str, uidvalidity: int, modseq: int) -> Changes:
        """Open a folder for reading, and hear what happened in it since that MODSEQ; only where the server has QRESYNC (RFC 7162)."""
        self._folder, self._exists = "", 0
        with self._about(name):
            changes = imapstate.resync(self._client, name, uidvalidity, modseq)
        self._folder, self._exists = name, changes.selected.exists
        return changes

    def survey(self, uids: Sequence[int], header: bool = False) -> list[Facts]:
        """What the given mails of the open folder are known by, short of their text; at most imapfetch.SET_UIDS of them."""
        with translated(self.host):
            return list(imapstate.survey(self._wire, uids, imapstate.object_item(self.capabilities), header))

    def flags(self, changed_since: int = 0) -> dict[int, tuple[str, ...]]:
        """{UID: flags} of every mail in the open folder; with `changed_since` only of those changed after that MODSEQ (RFC 7162).

        Complete or an error: a mail that is missing here has left the folder (or has not changed).
        """
        if not self._exists:
            return {}       # some servers answer BAD to 1:* in an empty folder
        with translated(self.host):
            return dict(imapfetch.fetch_flags(self._wire, f"(CHANGEDSINCE {changed_since})" if changed_since else None))

    def uids(self, criteria: str | Sequence[Any] = "ALL") -> list[int]:
        """The UIDs in the open folder that match: ASCII criteria as they are ("UNSEEN SINCE 1-Jan-2024"), or a list that gets quoted."""
        with translated(self.host):
            if not isinstance(criteria, str):
                ascii_only = all(str(word).isascii() for word in criteria)
                return sorted(self._client.search(criteria, None if ascii_only else "UTF-8"))
            return imapfetch.search(self._wire, criteria, "ESEARCH" in self.capabilities)

    def fetch(self, uids: Sequence[int]) -> Iterator[Fetched]:
        """The given mails of the open folder, as they arrive and in the server's order; nothing is marked as read.

        Mails that the server does not hand out (gone, or broken there) are missing from the answer.
        """
        for portion in imapfetch.chunks(uids):
            wanted = set(portion)
            try:
                yield from self._fetch(portion, wanted)
            except errors.Refused:      # RFC 2180 §4.1.3: one lost or broken mail makes the whole command end in NO
                yield from self._fetch_singly(sorted(wanted))

    def outline(self, uid: int) -> bytes:
        """A mail of the open folder short of its large parts, put together as a mail; b"" if it cannot be had."""
        with translated(self.host):
            return imaplarge.outline(self._wire, uid)

    def section(self, uid: int, name: str) -> bytes:
        """One part of a mail of the open folder, encoded as it stands there; b"" if it cannot be had."""
        with translated(self.host):
            return imaplarge.section(self._wire, uid, name)

    def store(self, uids: Sequence[int], add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Set and clear flags of mails in the folder opened by `select`; confirmed by the server, or an error."""
        with translated(self.host):
            imapwrite.store(self._client, uids, add, remove)

    def move(self, uids: Sequence[int], folder: str) -> Moved:
        """Take mails of the folder opened by `select` to another one; confirmed by the server, or an error."""
        with translated(self.host):
            return imapwrite.move(self._client, self.capabilities, uids, folder)

    def append(self, name: str, flags: Sequence[str], size: int, pieces: Iterable[bytes]) -> None:
        """Put a mail of `size` bytes into a folder; confirmed by the server, or an error.  Raises Refused folder_refused."""
        with self._about(name):
            imapwrite.append(self._client, name, flags, size, pieces)

    def make(self, name: str) -> None:
        """Make sure that there is a folder of this name.  Raises Refused folder_refused."""
        with self._about(name):
            if not self._client.folder_exists(name):
                self._client.create_folder(name)

    def remove(self, uids: Sequence[int]) -> bool:
        """Delete mails for good; false where the server cannot delete just these, which are left flagged as \\Deleted."""
        with translated(self.host):
            return imapwrite.remove(self._client, self.capabilities, uids)

    def idle(self, seconds: float) -> set[str]:
        """Wait for news of the open folder: EXISTS, EXPUNGE, FETCH; empty when `seconds` went by without any (RFC 2177)."""
        with translated(self.host):
            return imapidle.wait(self._wire, seconds)

    def measure(self) -> Measures:
        """How it answers, and how full it is; opens the inbox for reading."""
        with translated(self.host):
            return imapcheck.measure(self._client, self.capabilities)

    def encryption(self) -> tuple[str, bytes]:
        """("TLSv1.3", the certificate in DER); ("", b"") without."""
        return self._connection.encryption()

    def abort(self) -> None:
        """Break the connection off, from any thread: whoever waits for the server gets Unreachable at once."""
        self._wire.broken = True
        self._connection.abort()

    def _fetch(self, portion: Sequence[int], wanted: set[int]) -> Iterator[Fetched]:
        """Takes each UID that came out of `wanted`, so that nothing comes twice."""
        with translated(self.host):
            for item in imapfetch.fetch(self._wire, portion):
                if item.raw is not None and item.uid in wanted:
                    wanted.discard(item.uid)
                    yield Fetched(item.uid, item.received or datetime.now(UTC).replace(tzinfo=None), item.flags or (), item.raw)

    def _fetch_singly(self, uids: Sequence[int]) -> Iterator[Fetched]:
        """One command a mail, to leave out only the broken ones; a server that refuses one after the other is not pestered."""
        refused = 0
        for uid in uids:
            try:
                yield from self._fetch([uid], {uid})
                refused = 0
            except errors.Refused:
                refused += 1
                if refused > REFUSALS:
                    raise

    def _open_folder(self, name: str, readonly: bool) -> Selected:
        self._folder, self._exists = "", 0
        with self._about(name):
            answer = self._client.select_folder(name, readonly)
            selected, self.keeps = _selected(answer), frozenset(flag.decode("ascii", "replace") for flag in answer.get(b"PERMANENTFLAGS", ()))
        self._folder, self._exists = name, selected.exists
        return selected

    @contextmanager
    def _about(self, folder: str) -> Iterator[None]:
        """A NO to a command about one folder says nothing about the others."""
        try:
            with translated(self.host):
                yield
        except errors.Refused:
            raise errors.Refused("folder_refused", host=self.host, folder=folder) from None


def look(server: Server, door: Door) -> str:
    """The fingerprint of a certificate that did not convince, so that a person can compare and pin it; "" if it cannot be had."""
    try:
        with door.connect(server.host, server.port, "imap", PROBE_SECONDS) as connection, translated(server.host):
            if server.security == "tls":
                return connection.look(server.host)
            return Wire(connection).look(server.host)
    except errors.Error:
        return ""


def _selected(answer: dict[bytes, Any]) -> Selected:
    """Numbers of SELECT; 0 for what the server left out."""
    mailbox_id = answer.get(b"MAILBOXID")
    return imapstate.numbers({**answer, b"MAILBOXID": mailbox_id[-1] if mailbox_id else b""}, b"EXISTS")
