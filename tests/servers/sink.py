"""Servers that take mail: a real one, and one that dies at a chosen point of the conversation."""

import base64
import socket
import ssl
import threading
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "ann", "pässword: of ann"


class Taken(NamedTuple):
    """What was handed over: envelope and bytes."""
    sender: str
    recipients: list[str]
    raw: bytes


class Sink:
    """`with Sink() as sink: … sink.port, sink.taken`: aiosmtpd, which asks for USER and PASSWORD.

    refuse      recipients it does not take
    tls         a context: STARTTLS is offered, and wanted before AUTH
    """

    def __init__(self, refuse: tuple[str, ...] = (), tls: ssl.SSLContext | None = None, limit: int = 40_000_000) -> None:
        self.refuse, self.taken, self.tries = refuse, list[Taken](), 0
        self.controller = Controller(self, hostname="127.0.0.1", port=0, authenticator=self._known, auth_required=True,
                                     auth_require_tls=tls is not None, tls_context=tls, data_size_limit=limit)

    def __enter__(self) -> Self:
        self.controller.port = _free_port()
        self.controller.start()
        self.port = self.controller.port
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.controller.stop()

    def _known(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.tries += 1
        right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=right, handled=right or None)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.taken.append(Taken(envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 OK taken"


# Where the mortal server hangs up: before or after it answers a command; in, before and after the text.
DEATHS = [
    "connect", "greeting", "before EHLO", "half EHLO", "after EHLO", "before AUTH", "after AUTH", "before MAIL", "after MAIL", "before RCPT",
    "after RCPT", "before second RCPT", "after second RCPT", "before DATA", "after DATA", "in the text", "before the end", "end, not taken",
    "end, taken", "end, half an answer", "end, answered 421", "after the end", "before QUIT",
]
BURIED = ("after DATA", "in the text")      # a short text fits into the network's buffers, so whether the end got through is a matter of luck
UNCLEAR = ("end, not taken", "end, taken", "end, half an answer", "end, answered 421")


class Mortal:
    """`with Mortal("end, taken") as server:` dies there in its first conversation and is well afterwards; `taken` is what it has."""

    def __init__(self, death: str = "") -> None:
        self.death, self.taken, self.conversations = death, list[bytes](), 0

    def __enter__(self) -> Self:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.conversations += 1
            with peer, peer.makefile("rb") as lines:
                try:
                    self._talk(peer, lines)
                except (_Dead, OSError):
                    peer.close()
            self.death = ""

    def _talk(self, peer: socket.socket, lines: Any) -> None:
        self._dies("connect")
        peer.sendall(b"220 hello\r\n")
        self._dies("greeting")
        recipients = 0
        while line := lines.readline():
            verb = line.split()[0].decode().upper()
            recipients += verb == "RCPT"
            name = "second RCPT" if recipients == 2 and verb == "RCPT" else verb
            self._dies(f"before {name}")
            if verb == "EHLO":
                if self.death == "half EHLO":
                    peer.sendall(b"250-me\r\n250-AU")
                    raise _Dead
                peer.sendall(b"250-me\r\n250-SIZE 50000000\r\n250 AUTH PLAIN\r\n")
            elif verb == "AUTH":
                assert base64.b64decode(line.split()[2]).split(b"\0")[1] == USER.encode()
                peer.sendall(b"235 welcome\r\n")
            elif verb == "DATA":
                peer.sendall(b"354 go on\r\n")
                self._dies("after DATA")
                self._text(peer, lines)
            else:
                peer.sendall(b"221 bye\r\n" if verb == "QUIT" else b"250 OK\r\n")
            self._dies(f"after {name}")

    def _text(self, peer: socket.socket, lines: Any) -> None:
        text = b""
        while (line := lines.readline()) != b".\r\n":
            if not line:
                raise _Dead
            text += line
            self._dies("in the text")
        self._dies("end, not taken")
        if self.death == "before the end":      # it heard the end, but its disk was full: said plainly
            peer.sendall(b"452 no room\r\n")
            raise _Dead
        if self.death == "end, answered 421":
            peer.sendall(b"421 going away\r\n")
            raise _Dead
        self.taken.append(text)
        self._dies("end, taken")
        if self.death == "end, half an answer":
            peer.sendall(b"25")
            raise _Dead
        peer.sendall(b"250 taken\r\n")
        self._dies("after the end")

    def _dies(self, where: str) -> None:
        if self.death == where:
            raise _Dead


class _Dead(Exception):
    pass


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
