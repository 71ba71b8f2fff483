"""An IMAP server that says exactly what a test wants, true or false, for answers that no real server gives on demand."""

import socket
import ssl
import threading
from types import TracebackType
from typing import Self

from mailhelper import imap
from mailhelper.egress import Door, Entry, Policy

Answer = str | bytes | list[str | bytes] | None
EXAMINE = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 30] next\r\n{tag} OK [READ-ONLY] done\r\n"
PASSWORD = "correct horse"
CAPABILITY = "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"


class ScriptedServer:
    """`with ScriptedServer({"LOGIN": "{tag} NO no\\r\\n"}) as server:` answers one connection at a time.

    answers     first words of a command → everything the server says to it; `{tag}` is the command's tag.  A list gives one after
                the other.  Where nothing fits: a plain OK.  None: hang up, as after a BYE.
    greeting    said first; "" for silence
    tls         encrypt after STARTTLS
    """

    def __init__(self, answers: dict[str, Answer] | None = None, greeting: str | bytes = "* OK ready\r\n",
                 capability: str = CAPABILITY, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {"CAPABILITY": capability + "{tag} OK done\r\n", "LOGOUT": "* BYE bye\r\n{tag} OK done\r\n"}
        self.answers |= answers or {}
        self.greeting = greeting if isinstance(greeting, bytes) else greeting.encode()
        self.tls = tls
        self.heard: list[bytes] = []        # all lines, without tags

    def __enter__(self) -> Self:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.sendall(self.greeting)
                    if self._converse(connection) and self.tls:
                        with self.tls.wrap_socket(connection, server_side=True) as encrypted:
                            self._converse(encrypted)
                except OSError:
                    continue        # the client had enough

    def _converse(self, connection: socket.socket) -> bool:
        """Until somebody hangs up, or (true) TLS is to begin."""
        tag = b""
        with connection.makefile("rb", buffering=0) as lines:      # nothing of the handshake may stay in a buffer
            while line := lines.readline():
                first, _, command = line.rstrip(b"\r\n").partition(b" ")
                tag = first if command else tag     # what goes on a command, such as the DONE of an IDLE, has no tag of its own
                self.heard.append(command or first)
                said = self._answer((command or first).decode("utf-8", "replace"))
                if said is None:
                    return False
                connection.sendall(said.replace(b"{tag}", tag))
                if said.startswith(b"* BYE") or command == b"STARTTLS":
                    return command == b"STARTTLS"
        return False

    def _answer(self, command: str) -> bytes | None:
        fitting = [words for words in self.answers if command.upper().startswith(words.upper())]
        said = self.answers[max(fitting, key=len)] if fitting else "{tag} OK done\r\n"
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        return said.encode() if isinstance(said, str) else said


def account(server: ScriptedServer, security: str = "none", username: str = "anna", password: str = PASSWORD) -> imap.Server:
    """How to reach the scripted server."""
    return imap.Server("mail.example.org", server.port, security, username, password)


def door(ledger: list[Entry] | None = None) -> Door:
    """A door for which every name is this machine."""
    return Door(Policy(private=True), ([] if ledger is None else ledger).append, lambda host, port: ["127.0.0.1"])
