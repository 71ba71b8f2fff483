"""Real servers as child processes: free ports, a folder of their own, waiting until they answer, stopping them by pid."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until(answers: Callable[[], bool], process: subprocess.Popen, log: Path, seconds: float = 20) -> None:
    """Returns once `answers()` is true; raises RuntimeError with the end of the log if the process ends or time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answers():
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    state = "still starting" if process.poll() is None else f"exit status {process.returncode}"
    raise RuntimeError(f"{process.args!r}: {state}\n{log.read_text(errors='replace')[-3000:]}")


def listens(port: int) -> bool:
    """Whether somebody accepts connections on that port of the loopback interface."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def stop(process: subprocess.Popen, how: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
    """Ends the process, by force if it does not listen."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def plain_user(*names: str) -> str:
    """The first of these users that the system has: some servers refuse to run as root."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in (*names, "nobody") if name in known)


class Server(ABC):
    """A server in a folder of its own; a context manager.  Subclasses say how it is started, when it answers, and its URL."""

    url = ""
    patience = 20       # seconds until it must answer

    def __init__(self, user: str = "") -> None:
        self.port = free_port()
        self.user = user if os.getuid() == 0 else ""
        self.folder = Path(tempfile.mkdtemp(prefix=f"mailhelper-{type(self).__name__.lower()}-"))
        if self.user:
            shutil.chown(self.folder, self.user)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if hasattr(self, "process"):
            stop(self.process, signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        log = self.folder / "server.log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(self.as_user(self.command()), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_until(self.answers, self.process, log, self.patience)

    def as_user(self, command: list[str]) -> list[str]:
        """The command with the user changed where that is needed, and ended with us even if we are killed."""
        change = [f"--reuid={self.user}", f"--regid={pwd.getpwnam(self.user).pw_gid}", "--clear-groups"] if self.user else []
        return ["setpriv", *change, "--pdeathsig", "INT", *command]

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    def answers(self) -> bool:
        """Whether it is ready."""
        return listens(self.port)
