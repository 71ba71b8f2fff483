"""A real Redis on loopback for tests: nothing on disk, with an empty database for whoever asks."""

import itertools
import secrets
import shutil
import socket

from tests.servers.process import Server

DATABASES = 512


def available() -> bool:
    return shutil.which("redis-server", path="/usr/bin:/usr/local/bin:/usr/sbin") is not None


class Redis(Server):
    """`with Redis() as server: server.fresh()` is the URL of an empty database; `.url` that of the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.password = secrets.token_hex(16)
        self.numbers = itertools.cycle(range(DATABASES))

    def start(self) -> None:
        super().start()
        self.url = self.fresh()

    def command(self) -> list[str]:
        options = {
            "port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "save": "", "appendonly": "no", "rdbcompression": "no",
            "databases": str(DATABASES), "requirepass": self.password,
        }  # fmt: skip
        return ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))]

    def answers(self) -> bool:
        try:
            return self.ask("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def ask(self, *commands: str) -> bytes:
        """Sends the commands after signing in; returns the answer of the last one, which is one line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as sock, sock.makefile("rb") as answers:
            sock.sendall("".join(f"{command}\r\n" for command in (f"AUTH {self.password}", *commands)).encode())
            return [answers.readline() for _ in range(len(commands) + 1)][-1]

    def save(self) -> None:
        """Writes everything it holds into its folder, for tests that look what is there."""
        if self.ask("SAVE") != b"+OK\r\n":
            raise RuntimeError("Redis could not save")

    def fresh(self) -> str:
        """The URL of an empty database."""
        number = next(self.numbers)
        if self.ask(f"SELECT {number}", "FLUSHDB") != b"+OK\r\n":
            raise RuntimeError(f"Redis could not empty database {number}")
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{number}"


def redis_server() -> Redis:
    """For fixtures: `with redis_server() as server: …`."""
    return Redis()
