"""The IMAP conversation line by line, over a connection of the egress door: imaplib and imapclient with our own socket underneath.

A broken line becomes errors.Unreachable here, once, and long answers are handed on as they arrive instead of being piled up.
"""

import imaplib
import logging
import re
from collections.abc import Iterator
from typing import Any

from imapclient import IMAPClient

from mailhelper import errors
from mailhelper.egress import Connection

# imapclient logs commands, which hold folder names and addresses, whenever anybody sets the root logger to DEBUG.
logging.getLogger("imapclient").setLevel(logging.WARNING)

BUFFER = 1 << 18                # imaplib's own 8 KiB costs a system call for every other mail
LINE_MAX = 32 << 20             # imaplib stops at 1,000,000 bytes, which a SEARCH in a large folder passes
LITERAL_MAX = 512 << 20         # above what any mail server accepts as a mail
LITERAL = re.compile(rb"\{(\d+)\+?\}\r?\n\Z")
IN_USE = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|SYS/TEMP)\b", re.IGNORECASE)         # RFC 5530, and Yahoo's and Courier's
FOR_GOOD = re.compile(r"\[(AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|PRIVACYREQUIRED|CONTACTADMIN)\b", re.IGNORECASE)
PATIENCE = re.compile(r"too many|try again later|temporar|maximum number|rate.?limit|overload|throttl|server busy", re.IGNORECASE)


class Wire(imaplib.IMAP4):
    """imaplib over a given connection.  A broken line raises errors.Unreachable at once, whatever command was under way."""

    def __init__(self, connection: Connection):
        self.connection = connection
        self.broken = False         # nothing may be sent any more, not even LOGOUT
        self.unread = b""           # the tag of a command whose answer nobody has read to its end
        try:
            super().__init__(connection.host, connection.port)
        except (errors.Error, imaplib.IMAP4.error) as error:
            raise self._no_greeting(error) from None

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """imaplib's hook for connecting: take the socket that is there."""
        self.host, self.port = host, port
        self._attach()

    def start_tls(self, server_hostname: str, fingerprint: str) -> None:
        """STARTTLS (RFC 9051 §6.2.1).  Raises Refused starttls_missing, also where a forged PREAUTH would skip it."""
        self._ask_for_tls()
        self.connection.start_tls(server_hostname, fingerprint)
        self._stream.close()
        self._attach()
        # What came before the encryption may come from anybody: buffer and answers are dropped, capabilities asked again.
        self.untagged_responses.clear()
        self._get_capabilities()

    def look(self, server_hostname: str) -> str:
        """The fingerprint that the server shows after STARTTLS, unverified; close the connection then."""
        self._ask_for_tls()
        return self.connection.look(server_hostname)

    def _ask_for_tls(self) -> None:
        offered = self.state == "NONAUTH" and "STARTTLS" in self.capabilities
        if not offered or self._simple_command("STARTTLS")[0] != "OK":
            raise errors.Refused("starttls_missing", host=self.host, port=self.port)

    def _attach(self) -> None:
        self.sock = self.connection.sock
        self._stream = self.sock.makefile("rb", buffering=BUFFER)

    def readline(self) -> bytes:
        """The next line with its end."""
        try:
            line = self._stream.readline(LINE_MAX)
        except (OSError, ValueError) as error:      # ValueError: closed, by another thread
            raise self.lost(error) from None
        if not line.endswith(b"\n"):
            raise self.lost()
        return line

    def peek(self) -> bytes:
        """Something of what is here already, or b""; waits as the socket does, so make that not wait."""
        data: bytes = self._stream.peek(1)      # type: ignore[attr-defined]
        return data

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        if size > LITERAL_MAX:
            raise self.lost(code="protocol_error")
        try:
            data = self._stream.read(size)
        except (OSError, ValueError) as error:
            raise self.lost(error) from None
        if len(data) < size:
            raise self.lost()
        return data

    def send(self, data: Any) -> None:
        """Everything, or errors.Unreachable."""
        try:
            self.sock.sendall(data)
        except (OSError, ValueError) as error:
            raise self.lost(error) from None

    def login_quoted(self, user: bytes, password: bytes) -> None:
        """LOGIN; imaplib's own quotes the password only and refuses bytes above ASCII."""
        status, said = self._simple_command("LOGIN", _quoted(user), _quoted(password))
        if status != "OK":
            raise self.error(_words(said[-1]))
        self.state = "AUTH"

    def goodbye(self, seconds: float) -> None:
        """LOGOUT where somebody is signed in and listening, waiting no longer than `seconds`; then close."""
        if self.state in ("AUTH", "SELECTED") and not (self.broken or self.unread):
            try:
                self.sock.settimeout(seconds)
                self.logout()
            except (errors.Error, imaplib.IMAP4.error, OSError):
                self.broken = True      # the server hung up first: as good as a goodbye
        self.shutdown()

    def shutdown(self) -> None:
        """Close the line without a word."""
        self.broken = True
        self.connection.abort()
        self._stream.close()        # waits for a thread that still reads, which abort has woken
        self.connection.close()

    def lost(self, error: BaseException | None = None, code: str = "connection_lost") -> errors.Error:
        """The error to raise when the line is gone; a goodbye that nobody had looked at yet explains it best."""
        self.broken = True
        if said := self.untagged_responses.get("BYE"):
            return self.bye(_words(said[-1]))
        self.connection.reason = "timed_out" if isinstance(error, TimeoutError) else code
        return errors.Unreachable(self.connection.reason, host=self.host, port=self.port)

    def answers(self, *command: str | bytes) -> Iterator[bytes]:
        """Send a command and give each first line of its untagged answers; literals are the caller's to read (`rest`).

        Ends at the tagged OK; raises errors.Refused at NO or BAD.  Left early, the next command reads the remainder away.
        """
        tag = self._command(*command)    # type: ignore[attr-defined]
        self.tagged_commands.pop(tag)
        self.unread = tag + b" "
        while not (line := self.readline()).startswith(self.unread):
            if not line.startswith(b"* "):
                raise self.lost(code="protocol_error")
            if line[2:6].upper() == b"BYE ":
                self.broken = True
                raise self.bye(_words(line[6:]))
            yield line
        status, self.unread = line[len(self.unread):].upper(), b""
        if not status.startswith(b"OK"):
            raise errors.Refused("command_refused", host=self.host)

    def finish(self) -> None:
        """Read away what is left of a command that was given up half-way."""
        while self.unread:
            line = self.readline()
            if line.startswith(self.unread):
                self.unread = b""
            elif line.startswith(b"* "):
                self.rest(line)

    def rest(self, line: bytes) -> list[tuple[bytes, bytes] | bytes]:
        """The parts of the answer that begins with `line`, as imaplib would give them: (text, literal)… and the last text."""
        parts: list[tuple[bytes, bytes] | bytes] = []
        while match := LITERAL.search(line):
            parts.append((line.rstrip(b"\r\n"), self.read(int(match[1]))))
            line = self.readline()
        return [*parts, line.rstrip(b"\r\n")]

    def bye(self, text: str) -> errors.Error:
        """What the server's BYE means."""
        if is_in_use(text):
            return errors.Busy("server_busy", host=self.host)
        return errors.Unreachable("connection_lost", host=self.host, port=self.port)

    def _new_tag(self) -> bytes:
        self.finish()       # every command, imapclient's own ones too, begins with a tag
        return super()._new_tag()       # type: ignore[misc]

    def _check_bye(self) -> None:
        if said := self.untagged_responses.get("BYE"):
            self.broken = True
            raise self.bye(_words(said[-1]))

    def _no_greeting(self, error: Exception) -> errors.Error:
        self.connection.close()
        if said := self.untagged_responses.get("BYE"):
            return self.bye(_words(said[-1]))
        kind = errors.Unreachable if isinstance(error, errors.Unreachable) else errors.Refused
        return kind("not_imap", host=self.connection.host, port=self.connection.port)

    def _mesg(self, *_: object) -> None:
        """imaplib's trace."""

    def _log(self, *_: object) -> None:
        """imaplib's memory of the last ten commands, passwords included."""


class Client(IMAPClient):
    """imapclient on a Wire."""

    def __init__(self, connection: Connection, timeout: float):
        self._connection = connection
        self.wire_names: dict[str, bytes] = {}      # folder name → how the server writes it; filled by whoever lists the folders
        super().__init__(connection.host, connection.port, ssl=False, timeout=timeout)
        self.normalise_times = False
        self._imap.debug = 0        # imapclient sets 5 and so has every byte formatted for a trace that nobody reads

    @property
    def wire(self) -> Wire:
        """The line below."""
        return self._imap

    def list_answers(self, *options: str) -> list[Any]:
        """Raw LIST answers, with what more the server is asked for (RFC 5258 §3: SPECIAL-USE, STATUS (…))."""
        for left in ("LIST", "STATUS"):     # of a command that was refused
            self.wire.untagged_responses.pop(left, None)
        status, said = self.wire._simple_command("LIST", '""', '"*"', *([f"RETURN ({' '.join(options)})"] if options else []))    # type: ignore[attr-defined]
        self._checkok("LIST", status, said)
        return self.wire._untagged_response(status, said, "LIST")[1]        # type: ignore[attr-defined]

    def _normalise_folder(self, folder_name: str) -> bytes:
        """imapclient's hook for writing a folder name: names that are no modified UTF-7 go back as they came."""
        wire = self.wire_names.get(folder_name)
        return super()._normalise_folder(folder_name) if wire is None else _quoted(wire)

    def _create_IMAP4(self) -> Wire:
        return Wire(self._connection)


def is_in_use(words: str) -> bool:
    """Whether a NO or BYE asks for patience instead of refusing for good; the code in brackets (RFC 5530) counts more than the words."""
    return bool(IN_USE.search(words) or (PATIENCE.search(words) and not FOR_GOOD.search(words)))


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _words(said: object) -> str:
    return said.decode("ascii", "replace") if isinstance(said, bytes) else ""
