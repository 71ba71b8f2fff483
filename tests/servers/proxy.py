"""A TCP proxy on loopback that spoils an IMAP conversation: cuts, stalls, slow bytes, BYE, garbage and refusals, at places that a seed decides."""

import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Self

KINDS = ("cut", "stall", "slow", "bye", "garbage", "no", "bad", "deaf")
GARBAGE = b"\x00\xff)(\r\n%s}\r\n"      # breaks whatever it falls into
TAGGED_OK = re.compile(rb"(?m)^([A-Z]{2,8}\d+) OK[^\r\n]*")
CHUNK = 1 << 16


class Over(Exception):
    """This connection has ended."""


class Proxy:
    """`with Proxy(server.port, seed=1, every=50_000) as proxy:` listens on `proxy.port`.

    every       bytes from the server between two faults, on average; 0: none (may be changed meanwhile)
    stall       seconds of silence of a stall; longer than the client's patience, the connection is lost
    """

    def __init__(self, upstream: int, seed: int, every: int, stall: float) -> None:
        self.upstream, self.every, self.stall = upstream, every, stall
        self.faults: Counter[str] = Counter()
        self.connections = 0
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.upstream))
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._spoil, args=(server, client), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                target.sendall(data)
        _end(target)

    def _spoil(self, source: socket.socket, target: socket.socket) -> None:
        """Server to client, with a fault every so many bytes."""
        left = self._distance()
        try:
            while data := source.recv(CHUNK):
                while left is not None and left < len(data):
                    target.sendall(data[:left])
                    data = self._fault(data[left:], source, target)
                    left = self._distance()
                if left is not None:
                    left -= len(data)
                target.sendall(data)
        except (OSError, Over):
            pass        # one of the two has had enough
        _end(target)
        _end(source)

    def _distance(self) -> int | None:
        with self._lock:
            return int(self._random.expovariate(1 / self.every)) + 1 if self.every else None

    def _fault(self, data: bytes, source: socket.socket, target: socket.socket) -> bytes:
        """Do one; what is left to send.  Raises Over."""
        with self._lock:
            kind = self._random.choice(KINDS)
            self.faults[kind] += 1
        if kind == "cut":
            _reset(target)
            raise Over()
        if kind == "bye":
            target.sendall(b"\r\n* BYE [UNAVAILABLE] going down\r\n")
            raise Over()
        if kind == "stall":
            self._over.wait(self.stall)
        elif kind == "slow":
            for at in range(min(100, len(data))):
                target.sendall(data[at:at + 1])
                time.sleep(0.002)
            return data[100:]
        elif kind == "garbage":
            return GARBAGE + data
        elif kind == "deaf":        # as if the server had lost the connection without a word
            _end(source)
            self._over.wait(self.stall)
            raise Over()
        elif kind in ("no", "bad"):
            return self._refuse(kind.upper().encode(), data, source)
        return data

    def _refuse(self, word: bytes, data: bytes, source: socket.socket) -> bytes:
        """Turn the next tagged OK into a refusal."""
        while not (match := TAGGED_OK.search(data)):
            more = source.recv(CHUNK)
            if not more or len(data) > 20 * CHUNK:
                return data + more
            data += more
        return data[:match.start()] + match[1] + b" " + word + b" [UNAVAILABLE] not now" + data[match.end():]


def _reset(sock: socket.socket) -> None:
    """Close without a goodbye, as a broken line does."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def _end(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
