"""Carries the requests of the openai library through the one door: checked address, ledger, no proxy, no redirect, no endless answer.

Imported where a server is asked and not before: the library takes most of a second to load, and every command would pay for it.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpcore2
import httpx2
import openai

from mailhelper import __version__, errors
from mailhelper.egress import Connection, Door, Entry

T = TypeVar("T")
MAX_BYTES = 10_000_000      # of one request's answer
LISTEN_EVERY = 0.5          # seconds between two looks whether somebody cancelled
LAST_WORDS = 2.0            # seconds that may pass between the end of an answer and the end of the connection
# All that goes out as a header.  The library would add what it knows of this machine, and names from the environment.
HEADERS = {b"host", b"accept", b"content-type", b"content-length", b"transfer-encoding", b"authorization"}

for _name in ("openai", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)      # below it they print hosts, and requests with the mail in them


class Wire(httpcore2.NetworkBackend):
    """Opens the connections of one question, and ends them when it is cancelled, takes too long or gets too much."""

    def __init__(self, door: Door, deadline: float) -> None:
        self.deadline, self.sent = deadline, False
        self._entries: list[Entry] = []     # for the asking thread to write: it has the connection to the database
        self._ledger, self._door = door.ledger, Door(door.policy, self._entries.append, door.resolve)
        self._lock, self._open, self._aborted = threading.Lock(), set[Connection](), False

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> "Stream":
        connection = self._door.connect(host, port, "ai", self.left())
        with self._lock:
            self._open.add(connection)
            aborted = self._aborted
        if aborted:
            connection.close()
            raise errors.Cancelled()
        return Stream(connection, self)

    def left(self) -> float:
        """Seconds until the deadline.  Raises Unreachable("ai_slow")."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise errors.Unreachable("ai_slow")
        return seconds

    def hurry(self) -> None:
        """The answer is complete: what still comes must come soon."""
        self.deadline = min(self.deadline, time.monotonic() + LAST_WORDS)

    def forget(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)

    def account(self) -> None:
        """Write what was opened or refused into the ledger."""
        while self._entries:
            self._ledger(self._entries.pop(0))

    def abort(self) -> None:
        """Wake the thread that reads or writes; it closes what it opened."""
        with self._lock:
            self._aborted = True
            for connection in self._open:
                connection.abort()


class Stream(httpcore2.NetworkStream):
    """A connection in the words of the HTTP library."""

    def __init__(self, connection: Connection, wire: Wire) -> None:
        self._connection, self._wire, self._received = connection, wire, 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._patiently(lambda: self._connection.sock.recv(max_bytes))
        self._received += len(data)
        if self._received > MAX_BYTES:
            raise errors.Error("ai_endless")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            self._wire.sent = True
            self._patiently(lambda: self._connection.sock.sendall(buffer))

    def _patiently(self, act: Callable[[], T]) -> T:
        self._connection.sock.settimeout(self._wire.left())
        try:
            return act()
        except TimeoutError:
            raise errors.Unreachable("ai_slow") from None
        except (OSError, ValueError):       # ValueError: closed meanwhile
            raise errors.Unreachable("connection_lost") from None

    def close(self) -> None:
        self._wire.forget(self._connection)
        self._connection.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> "Stream":
        try:
            self._connection.sock.settimeout(self._wire.left())
            self._connection.start_tls(server_hostname or self._connection.host)      # the door's own context, which verifies
        except errors.Error:
            self.close()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        return None


class _Transport(httpx2.BaseTransport):
    """What httpx sends with: one connection a request, kept no longer."""

    def __init__(self, wire: Wire) -> None:
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)        # Stream.start_tls brings its own; without one the pool would load the authorities
        self._pool = httpcore2.ConnectionPool(ssl_context=unused, network_backend=wire, max_keepalive_connections=0)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        headers = [(name, value) for name, value in request.headers.raw if name.lower() in HEADERS and value != b"Bearer -"]
        with _protocol():
            answer = self._pool.handle_request(httpcore2.Request(
                method=request.method, url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=[*headers, (b"User-Agent", f"mailhelper/{__version__}".encode()), (b"Accept-Encoding", b"identity")],
                content=request.stream, extensions={}))
        if any(name.lower() == b"content-encoding" and value.lower() != b"identity" for name, value in answer.headers):
            answer.close()
            raise errors.Unreachable("ai_garbled")      # not asked for: ten megabytes could become gigabytes
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _protocol():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _protocol() -> Iterator[None]:
    """What is not HTTP, or ends in its middle, in our words."""
    try:
        yield
    except httpcore2.ProtocolError:
        raise errors.Unreachable("connection_lost") from None


def attend(wire: Wire, base_url: str, key: str, check: Callable[[], None], work: Callable[[Any], T]) -> T:
    """`work(client)` with an OpenAI client, in a thread of its own, so that check() is heard even while the server is silent.

    Whatever check() raises ends the work at once; what the work raises comes out as it is.
    """
    outcome: list[T | BaseException] = []

    def run() -> None:
        try:
            with openai.OpenAI(base_url=base_url, api_key=key or "-", max_retries=0, timeout=None, http_client=httpx2.Client(
                    transport=_Transport(wire), trust_env=False, follow_redirects=False, timeout=None)) as client:
                outcome.append(work(client))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True, name="ai")
    try:
        check()
        thread.start()
        thread.join(LISTEN_EVERY)
        while thread.is_alive():
            check()
            thread.join(LISTEN_EVERY)
    finally:
        if thread.is_alive():
            wire.abort()
            thread.join(LISTEN_EVERY)       # a name that is still being looked up goes on alone, and its connection is closed when it comes
        wire.account()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
