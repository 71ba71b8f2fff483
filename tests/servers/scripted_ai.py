"""An AI server that does what a test tells it: a real HTTP server on loopback, down to the bytes."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

GOOD = {"urgency": 2, "summary": "Sign by Friday."}
GOOD_TEXT = json.dumps(GOOD)
USAGE = {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132}
Step = Callable[["Talk"], None]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Talk:
    """One request, and the ways to answer it."""
    request: Request
    sock: socket.socket
    over: threading.Event

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def head(self, status: int = 200, mime: str = "text/event-stream", **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"HTTP/1.1 {status} X\r\nContent-Type: {mime}\r\nConnection: close\r\n{lines}\r\n".encode())

    def event(self, value: Any) -> None:
        self.send(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")

    def delta(self, content: Any, finish: Any = None, **more: Any) -> None:
        self.event({"choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}]})

    def wait(self, seconds: float) -> None:
        """Silence, that the end of the test cuts short."""
        self.over.wait(seconds)


@dataclass
class Server:
    """Answers the n-th request by the n-th step; the last step stays."""
    steps: list[Step]
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, sock: socket.socket) -> None:
        request = _read(sock)
        if request is None:
            return
        self.requests.append(request)
        step = self.steps[min(len(self.requests), len(self.steps)) - 1]
        step(Talk(request, sock, self.over))


@contextmanager
def serving(*steps: Step, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A running server of these steps."""
    server = Server(list(steps))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                server.answer(tls.wrap_socket(self.request, server_side=True) if tls else self.request)
            except OSError:
                return      # the client has gone, as some tests want

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = allow_reuse_address = True
        block_on_close = False

    with Listener(("127.0.0.1", 0), Handler) as listener:
        server.port = listener.server_address[1]
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.over.set()
            listener.shutdown()


def _read(sock: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := sock.recv(65536)):
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += sock.recv(65536)
    method, path, _ = first.split(" ")
    return Request(method, path, headers, json.loads(body) if body else {})


# ── well-behaved steps ──

def stream(text: str = GOOD_TEXT, finish: str | None = "stop", usage: Any = USAGE, done: bool = True, piece: int = 7) -> Step:
    """A proper stream of `text`."""
    def step(talk: Talk) -> None:
        talk.head()
        talk.delta("", role="assistant")
        for start in range(0, len(text), piece):
            talk.delta(text[start:start + piece])
        if finish:
            talk.event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if usage is not None:
            talk.event({"choices": [], "usage": usage})
        if done:
            talk.event(b"[DONE]")
    return step


def whole(text: Any = GOOD_TEXT, usage: Any = USAGE, mime: str = "application/json", **message: Any) -> Step:
    """An answer in one piece, as servers give that cannot stream."""
    return said(200, {"choices": [{"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}],
                      "usage": usage}, mime)


def said(status: int, body: Any, mime: str = "application/json", **headers: str) -> Step:
    """A status with a body."""
    def step(talk: Talk) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        talk.head(status, mime, Content_Length=str(len(data)), **headers)
        talk.send(data)
    return step


def refused(status: int, message: str = "no", **headers: str) -> Step:
    return said(status, {"error": {"message": message, "type": "invalid_request_error"}}, **headers)


def dribble(seconds: float = 0.2) -> Step:
    """A stream that never ends, slowly."""
    def step(talk: Talk) -> None:
        talk.head()
        while not talk.over.is_set():
            talk.delta("x")
            talk.wait(seconds)
    return step


def silent(talk: Talk) -> None:
    """Takes the question and says nothing."""
    talk.wait(30)


def only_a_head(talk: Talk) -> None:
    """Begins to answer, and says no more."""
    talk.head()
    talk.wait(30)


def flood(talk: Talk) -> None:
    """A stream without end, as fast as it goes."""
    talk.head()
    piece = b"data: " + json.dumps({"choices": [{"delta": {"content": "x" * 60_000}}]}).encode() + b"\n\n"
    for _ in range(1000):
        talk.send(piece)


def one_line(talk: Talk) -> None:
    """A single line without end."""
    talk.head()
    for _ in range(1000):
        talk.send(b"x" * 60_000)


def reset(talk: Talk) -> None:
    """The connection is torn down without a word."""
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    talk.sock.close()


def hang_up(talk: Talk) -> None:
    """The connection ends without a word."""


def cut(talk: Talk) -> None:
    """A chunked stream that breaks off in its middle."""
    talk.head(Transfer_Encoding="chunked")
    data = b'data: {"choices": [{"delta": {"content": "{\\"urg'
    talk.send(f"{len(data) + 500:x}\r\n".encode() + data)


def cut_quietly(talk: Talk) -> None:
    """A stream that ends in its middle as if that were the end."""
    talk.head()
    talk.delta('{"urgency": 2, "summ')


def lingering(talk: Talk) -> None:
    """A complete answer on a connection that stays open."""
    talk.head()
    talk.delta(json.dumps(GOOD))
    talk.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    talk.wait(30)


def keepalives(talk: Talk) -> None:
    """Comment lines before the answer, as proxies send them to keep a connection open."""
    talk.head()
    for _ in range(3):
        talk.send(b": OPENROUTER PROCESSING\n\n")
    talk.send(b"event: message\nid: 1\nretry: 10\n")
    talk.delta(json.dumps(GOOD), "stop")
    talk.event(b"[DONE]")


def error_in_stream(code: Any = 500, message: str = "failed to apply grammar") -> Step:
    def step(talk: Talk) -> None:
        talk.head()
        talk.delta("{")
        talk.event({"error": {"message": message, "code": code, "type": "server_error"}})
    return step


def events(*values: Any) -> Step:
    """A stream of just these events."""
    def step(talk: Talk) -> None:
        talk.head()
        for value in values:
            talk.event(value)
        talk.event(b"[DONE]")
    return step


def raw(data: bytes) -> Step:
    """These bytes and nothing else."""
    return lambda talk: talk.send(data)

