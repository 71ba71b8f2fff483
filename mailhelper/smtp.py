"""Hands one mail to a mail server (RFC 5321), over a connection of the egress door.

What matters is whether the server took it.  Until the line that ends the text is sent, it has taken nothing, and another
try is safe; from then until its answer nobody knows: that is errors.Unclear, and never tried again by itself.
"""

import binascii
import re
import smtplib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mailhelper import errors
from mailhelper.egress import Connection, Door
from mailhelper.imap import Probe, Server
from mailhelper.imapwire import is_in_use

SECONDS = 60.0          # without a byte from the server
PROBE_SECONDS = 15.0    # somebody is waiting
END_SECONDS = 300.0     # RFC 5321 §4.5.3.2.6 lets a server think ten minutes about what it got; nobody does


class Session(smtplib.SMTP):
    """smtplib over a given connection, whose failures become errors.* with nothing of the server's words."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(local_hostname="localhost")
        self.connection = connection
        self.local_hostname = f"[{_own_address(connection)}]"
        self._attach()

    def _attach(self) -> None:
        self.sock, self.file = self.connection.sock, None

    def greet(self) -> None:
        """Wait for the greeting and say hello.  Raises Refused not_smtp, Busy."""
        code, words = self._answer(self.getreply)
        if code == 421 or code == 450:
            raise errors.Busy("server_busy", host=self.connection.host)
        if code != 220:
            raise errors.Refused("not_smtp", host=self.connection.host, port=self.connection.port)
        self.hello()

    def hello(self) -> None:
        code, _ = self._answer(self.ehlo)
        if code >= 400 and self._answer(self.helo)[0] >= 400:
            raise errors.Refused("not_smtp", host=self.connection.host, port=self.connection.port)

    def encrypt(self, fingerprint: str) -> None:
        """STARTTLS (RFC 3207); what was said before it counts no more.  Raises Refused starttls_missing."""
        host = self.connection.host
        if not self.has_extn("starttls") or self.ask("STARTTLS")[0] != 220:
            raise errors.Refused("starttls_missing", host=host, port=self.connection.port)
        if self.file is not None:
            self.file.close()
        self.connection.start_tls(host, fingerprint)
        self._attach()
        self.esmtp_features.clear()
        self.hello()

    def sign_in(self, user: str, password: str) -> None:
        """AUTH PLAIN or LOGIN (RFC 4954).  Raises BadLogin, Busy, Refused login_method_missing."""
        host, offered = self.connection.host, self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            code, words = self.ask(f"AUTH PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}")
        elif "LOGIN" in offered:
            code, words = self.ask("AUTH LOGIN")
            for secret in (user, password):
                if code == 334:
                    code, words = self.ask(_base64(secret))
        else:
            raise errors.Refused("login_method_missing", host=host)
        if code in (421, 450, 451, 454) or code != 235 and is_in_use(words):
            raise errors.Busy("server_busy", host=host)
        if code != 235:
            app = re.search(r"app(lication)?[- ]specific password|app password", words, re.I)
            raise errors.BadLogin("login_app_password" if app else None, host=host)

    def ask(self, command: str) -> tuple[int, str]:
        """Code and words of the answer to one command."""
        return self._answer(lambda: self.docmd(command))

    def _answer(self, question: Callable[[], tuple[int, bytes]]) -> tuple[int, str]:
        with self.translated():
            code, words = question()
        if code == -1:
            raise errors.Unreachable("protocol_error", host=self.connection.host)
        return code, words.decode("ascii", "replace")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What the line does wrong, as Unreachable."""
        try:
            yield
        except TimeoutError:
            self.connection.reason = "timed_out"
            raise errors.Unreachable("timed_out", host=self.connection.host) from None
        except (OSError, smtplib.SMTPException, ValueError):
            self.connection.reason = "connection_lost"
            raise errors.Unreachable("connection_lost", host=self.connection.host) from None


@contextmanager
def open(server: Server, door: Door, timeout: float = SECONDS) -> Iterator[Session]:
    """A session, encrypted as wanted and signed in.  Raises Refused, BadCertificate, BadLogin, Busy or Unreachable."""
    if re.search(r"[\r\n\0]", server.username + server.password):
        raise errors.BadLogin(host=server.host)
    with door.connect(server.host, server.port, "smtp", timeout) as connection:
        if server.security == "tls":
            connection.start_tls(server.host, server.fingerprint)
        session = Session(connection)
        session.greet()
        if server.security == "starttls":
            session.encrypt(server.fingerprint)
        if server.username:
            session.sign_in(server.username, server.password)
        yield session
        with suppress(errors.Error):
            connection.sock.settimeout(2.0)
            session.ask("QUIT")


def send(server: Server, door: Door, sender: str, recipients: Sequence[str], size: int, text: Iterable[bytes], ending: Callable[[], None]) -> None:
    """Hand a mail over, to all recipients or to none.  `text`: its bytes in pieces, whole lines ending in CRLF, 7-bit.

    `ending` is called right before the point from which on nobody knows (errors.Unclear).  Raises also Refused recipient_refused (who),
    sender_refused, message_refused, message_too_large; Busy; Unreachable: then nothing was taken.
    """
    with open(server, door) as session:
        limit = session.esmtp_features.get("size", "")
        if limit.isdecimal() and 0 < int(limit) < size:
            raise errors.Refused("message_too_large", host=server.host)
        _envelope(session, sender, recipients, size if "size" in session.esmtp_features else 0)
        _expect(session, session.ask("DATA"), 354, "message_refused")
        with session.translated():
            for piece in _stuffed(text):
                session.sock.sendall(piece)     # type: ignore[union-attr]
        ending()
        _finish(session)


def probe(server: Server, door: Door) -> Probe:
    """Connects and signs in, sends nothing, and says what came of it; never raises errors.Error."""
    try:
        with open(server, door, PROBE_SECONDS) as session:
            return Probe(True, "", {}, session.connection.certificate(), frozenset(session.esmtp_features), ())
    except errors.BadCertificate as error:
        seen = error.params.get("fingerprint") or _look(server, door)
        return Probe(False, error.code, error.params | {"fingerprint": seen}, seen, frozenset(), ())
    except errors.Error as error:
        return Probe(False, error.code, error.params, "", frozenset(), ())


def _look(server: Server, door: Door) -> str:
    """The fingerprint of a certificate that did not convince; "" if it cannot be had."""
    try:
        with door.connect(server.host, server.port, "smtp", PROBE_SECONDS) as connection:
            if server.security == "tls":
                return connection.look(server.host)
            session = Session(connection)
            session.greet()
            return connection.look(server.host) if session.ask("STARTTLS")[0] == 220 else ""
    except errors.Error:
        return ""


def _envelope(session: Session, sender: str, recipients: Sequence[str], size: int) -> None:
    _expect(session, session.ask(f"MAIL FROM:<{sender}>{f' SIZE={size}' if size else ''}"), 250, "sender_refused")
    for one in recipients:
        answer = session.ask(f"RCPT TO:<{one}>")
        if answer[0] != 251:
            _expect(session, answer, 250, "recipient_refused", who=one)


def _expect(session: Session, answer: tuple[int, str], wanted: int, code: str, **params: Any) -> None:
    """Raises Busy at 4xx, which asks for patience, and Refused at anything else that is not wanted."""
    said = answer[0]
    if said != wanted:
        host = session.connection.host
        raise errors.Busy("server_busy", host=host) if 400 <= said < 500 else errors.Refused(code, host=host, **params)


def _finish(session: Session) -> None:
    """End the text and hear what became of it."""
    session.connection.sock.settimeout(END_SECONDS)
    try:
        session.sock.sendall(b".\r\n")      # type: ignore[union-attr]
        code, _ = session.getreply()
    except (OSError, smtplib.SMTPException, ValueError):
        raise errors.Unclear(host=session.connection.host) from None
    if not 200 <= code < 600 or code == 421:       # 421: the server goes away, and does not say whether with the mail
        raise errors.Unclear(host=session.connection.host)
    _expect(session, (250 if code < 300 else code, ""), 250, "message_refused")


def _stuffed(text: Iterable[bytes]) -> Iterator[bytes]:
    """A dot more before each line that begins with one (RFC 5321 §4.5.2)."""
    at_start = True
    for piece in text:
        if not piece:
            continue
        yield (b"." if at_start and piece.startswith(b".") else b"") + piece.replace(b"\n.", b"\n..")
        at_start = piece.endswith(b"\n")


def _base64(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).decode()


def _own_address(connection: Connection) -> str:
    """An address literal (RFC 5321 §4.1.3) instead of the name of this machine, which is nobody's business."""
    try:
        own = str(connection.sock.getsockname()[0])
    except OSError:
        own = "127.0.0.1"
    return f"IPv6:{own}" if ":" in own else own
