"""The product as its users have it: processes started by the command line, driven by HTTP and the command line alone."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode

import pytest

from tests.servers import postgres, redis
from tests.servers.process import Server, free_port, stop, wait_until

PROJECT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "seven calm herons wade"
BACKENDS = ["sqlite", "postgres and redis"]
ENDED = ("completed", "failed", "cancelled")


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Inputs(HTMLParser):
    """The input fields of a page: name → (type, value)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "input" and values.get("name"):
            self.found[str(values["name"])] = (values.get("type") or "text", values.get("value") or "")


class Product:
    """One installation in a data directory of its own; a context manager that ends every process it started.

    `with Product() as product: product.prepare(); product.start("run")`.  `log` is what all of them said.
    """

    def __init__(self, data: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mailhelper-product-"))
        self.data = data or self.home / "data"
        self.log = self.home / "log"
        self.log.touch()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self.processes: dict[str, subprocess.Popen] = {}
        self.servers: list[Server] = []
        mine = ("MAILHELPER_", "DATABASE_URL", "REDIS_URL")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        self.env |= {"MAILHELPER_DATA": str(self.data), "MAILHELPER_LISTEN": f"127.0.0.1:{self.port}"}
        self.env |= {"MAILHELPER_ALLOW_PRIVATE": "127.0.0.1", **(env or {})}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)
        shutil.rmtree(self.home, ignore_errors=True)

    # The command line

    def run(self, *words: object, answers: tuple[str, ...] = (), timeout: float = 120) -> str:
        """Runs a command with these lines on standard input; returns its standard output, raises RuntimeError if it fails."""
        done = self.attempt(*words, answers=answers, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"mailhelper {words}: exit status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def attempt(self, *words: object, answers: tuple[str, ...] = (), timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """The same for a command that may fail."""
        lines = "".join(f"{line}\n" for line in answers)
        done = subprocess.run(self.command(*words), cwd=PROJECT, env=self.env, input=lines, capture_output=True, text=True, timeout=timeout)
        with self.log.open("a") as log:
            log.write(done.stderr)  # results on standard output are for whoever asked
        return done

    @staticmethod
    def command(*words: object) -> list[str]:
        return [sys.executable, "-m", "mailhelper", *map(str, words)]

    def add_user(self, name: str = "ann", admin: bool = True, password: str = PASSWORD) -> str:
        """Makes the tables, a user and a token, which it returns and keeps for api()."""
        self.run("db", "upgrade")
        self.run("user", "add", name, *(["--admin"] if admin else []), answers=(password,))
        self.token = self.run("token", "create", "--user", name, answers=(password,)).strip()
        return self.token

    def add_account(self, port: int, username: str, password: str, address: str = "", own: str = PASSWORD) -> int:
        """Adds an IMAP account on loopback without encryption to ann, whose own password is `own`; returns its id."""
        where = ("--host", "127.0.0.1", "--port", port, "--security", "none", "--username", username)
        who = ("--user", "ann", "--address", address or f"{username}@example.org")
        return int(self.run("account", "add", *who, *where, answers=(own, password)).split()[-1])

    # Processes

    def start(self, name: str = "run", *words: object) -> subprocess.Popen:
        """Starts `run`, `web`, `worker` or `watch` as the leader of a process group; returns when the web answers, if it has one."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.command(name, *words)],
                cwd=PROJECT, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.processes[name] = process
        if name not in ("worker", "watch"):
            wait_until(self.answers, process, self.log, 30)
        return process

    def stop(self, name: str) -> None:
        """Ends a process the polite way, then whatever is left of its group."""
        process = self.processes.pop(name)
        stop(process, signal.SIGTERM, 30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def kill(self, name: str) -> None:
        """SIGKILL for a process and all that it started."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_busiest_child(self, name: str) -> None:
        """SIGKILL for that one of a process's children that has worked most."""
        os.kill(max(children(self.processes[name].pid), key=cpu_ticks), signal.SIGKILL)

    def answers(self) -> bool:
        try:
            return self.request("GET", "/healthz").status == 200
        except OSError:
            return False

    # HTTP

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def api(self, method: str, path: str, data: object = None, token: str = "") -> Answer:
        """A call with the bearer token; `data` goes as JSON."""
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        return self.request(method, path, None if data is None else json.dumps(data).encode(), headers)

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.api("GET", path)
        if answer.status != 200:
            log = self.log.read_text(errors="replace")[-3000:] if answer.status >= 500 else ""
            raise RuntimeError(f"GET {path}: {answer.status} {answer.body[:500]!r}\n{log}")
        return answer.json

    def items(self, path: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        page = self.get(f"{path}{'&' if '?' in path else '?'}limit=200")
        yield from page["items"]
        while page["next"]:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=200&cursor={quote(page['next'], safe='')}")
            yield from page["items"]

    def fetch(self, account: int) -> str:
        """Starts a sync; returns the job's id."""
        answer = self.api("POST", f"/mail-account/{account}/fetch", {})
        if answer.status != 202:
            raise RuntimeError(f"fetch: {answer.status} {answer.body[:500]!r}")
        return str(answer.json["task_id"])

    def wait(self, task: str, seconds: float = 120) -> dict[str, Any]:
        """The job when it has ended; raises TimeoutError with its last state."""
        end = time.monotonic() + seconds
        while (job := self.get(f"/tasks/{task}"))["status"] not in ENDED:
            if time.monotonic() > end:
                raise TimeoutError(f"{job}")
            time.sleep(0.1)
        return job

    def sign_in(self, name: str = "ann", password: str = PASSWORD) -> str:
        """Signs in by the form of /login as a browser does; returns the Cookie header of the session."""
        page = self.request("GET", "/login")
        cookies = cookies_of(page)
        fields = {}
        for field, (kind, value) in Inputs(page.body.decode()).found.items():
            fields[field] = password if kind == "password" else name if kind in ("text", "email") else value
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie_header(cookies), "Origin": self.url}
        done = self.request("POST", "/login", urlencode(fields).encode(), headers)
        if done.status != 303:
            raise RuntimeError(f"POST /login: {done.status} {done.body[:2000]!r}")
        return cookie_header(cookies | cookies_of(done))

    def sign_out(self, cookie: str) -> None:
        """Signs the session of this Cookie header out, with the form of the front page."""
        page = self.request("GET", "/", headers={"Cookie": cookie})
        fields = {name: value for name, (kind, value) in Inputs(page.body.decode()).found.items() if kind == "hidden"}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie, "Origin": self.url}
        done = self.request("POST", "/logout", urlencode(fields).encode(), headers)
        if done.status != 303:
            raise RuntimeError(f"POST /logout: {done.status}")


@contextlib.contextmanager
def installed(backend: str) -> Iterator[Product]:
    """A Product on "sqlite" (database and queue) or on "postgres and redis", which are its `servers`; skips what is not there."""
    with contextlib.ExitStack() as stack:
        servers: list[Server] = []
        if backend != "sqlite":
            if not (postgres.available() and redis.available()):
                pytest.skip("PostgreSQL or Redis is not installed")
            servers = [stack.enter_context(postgres.postgres_server()), stack.enter_context(redis.redis_server())]
        env = {name: server.url for name, server in zip(("DATABASE_URL", "REDIS_URL"), servers, strict=False)}
        product = stack.enter_context(Product(env=env))
        product.servers = servers
        yield product


def cookies_of(answer: Answer) -> dict[str, str]:
    pairs = (line.split(";", 1)[0].partition("=") for line in answer.headers.get_all("Set-Cookie", []))
    return {name.strip(): value for name, _, value in pairs}


def cookie_header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items() if value)


def children(pid: int) -> list[int]:
    """The processes that a process has started itself and that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rsplit(")", 1)[1].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(path.parent.name))
    return found


def cpu_ticks(pid: int) -> int:
    """How long a process has computed, in clock ticks."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return int(user) + int(system)


def peak_memory(pid: int) -> float:
    """The most memory a process has used so far, in MB (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0
