"""The demo as a newcomer starts it: it prints where and for whom, shows a full mailbox, and leaves nothing behind."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.servers.process import free_port, listens, stop, wait_until
from tests.servers.product import PROJECT, Product, children

pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    """started(*options) runs the demo with home and temporary directory of this test; ended by force if it is left."""
    processes = []

    def start(*options: str) -> subprocess.Popen[str]:
        (tmp_path / "tmp").mkdir(exist_ok=True)
        env = {**os.environ, "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "MAILHELPER_DATA": str(tmp_path / "own"),
               "DATABASE_URL": f"sqlite:///{tmp_path}/own.db", "MAILHELPER_LISTEN": "127.0.0.1:1"}
        processes.append(subprocess.Popen(Product.command("demo", *options), cwd=PROJECT, env=env, text=True, stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return processes[-1]

    yield start
    for process in processes:
        stop(process, seconds=40)
        process.communicate()


def told(process: subprocess.Popen[str]) -> dict[str, str]:
    """The lines up to `ready`."""
    assert process.stdout
    lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]
    assert [line.partition("=")[0] for line in lines] == ["url", "login", "password", "ready"]
    return dict(line.split("=", 1) for line in lines[:3])


def family(pid: int) -> list[int]:
    return [pid, *(each for child in children(pid) for each in family(child))]


def total(said: dict[str, str]) -> int:
    """Sign in as the page is used, and count the mails."""
    connection = http.client.HTTPConnection(urlsplit(said["url"]).netloc, timeout=30)
    with contextlib.closing(connection):
        body = urlencode({"name": said["login"], "password": said["password"]})
        connection.request("POST", "/login", body, {"Content-Type": "application/x-www-form-urlencoded", "Origin": said["url"]})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303
        cookie = re.match("[^;]+", answer.headers["Set-Cookie"])
        assert cookie
        connection.request("GET", "/api/emails?limit=200", headers={"Cookie": cookie[0], "Accept": "application/json"})
        return int(json.loads(connection.getresponse().read())["total"])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_shows_a_full_mailbox_and_leaves_nothing_behind(started: Any, tmp_path: Path, how: signal.Signals) -> None:
    process = started()
    said = told(process)
    assert said["login"] == "anna"
    assert total(said) >= 55
    relatives = family(process.pid)
    assert len(relatives) > 3
    process.send_signal(how)
    rest, _ = process.communicate(timeout=40)
    assert (process.returncode, rest) == (0, "")
    assert [path.name for path in tmp_path.rglob("*") if path.name != "tmp"] == []
    assert [pid for pid in relatives if Path(f"/proc/{pid}").exists()] == []
    assert not listens(urlsplit(said["url"]).port or 0)


def test_it_serves_on_the_port_asked_for(started: Any) -> None:
    port = free_port()
    assert told(started("--port", str(port)))["url"] == f"http://127.0.0.1:{port}"


def test_a_taken_port_is_a_sentence_and_leaves_nothing(started: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = started("--port", str(port))
        out, complaint = process.communicate(timeout=40)
    assert (process.returncode, out) == (1, "")
    assert f"127.0.0.1:{port}" in complaint and "Traceback" not in complaint
    assert [path.name for path in tmp_path.rglob("*") if path.name != "tmp"] == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stopped_while_it_starts_it_leaves_nothing(started: Any, tmp_path: Path, how: signal.Signals) -> None:
    process = started()
    wait_until(lambda: bool(list((tmp_path / "tmp").glob("mailhelper-demo-*"))), process, Path(os.devnull))
    process.send_signal(how)
    out, _ = process.communicate(timeout=40)
    assert (process.returncode, out) == (0, "")
    assert [path.name for path in tmp_path.rglob("*") if path.name != "tmp"] == []
