"""`mailhelper run`: what it starts ends with it, however it ends."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.servers.product import Product, children

pytestmark = pytest.mark.slow


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_killing_the_supervisor_leaves_nothing_that_holds_its_port() -> None:
    with Product() as product:
        product.add_user()
        supervisor = product.start("run")
        programs = children(supervisor.pid)
        assert len(programs) >= 2
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        end = time.monotonic() + 30
        while any(map(alive, programs)) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(map(alive, programs))
        product.start("run")
        assert product.get("/healthz") == {"status": "ok"}
