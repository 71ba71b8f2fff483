"""A throw-away instance with the sample mailbox, served until it is stopped.

That it has a data directory and settings of its own, which are gone afterwards, is the work of __main__: settings are read at import.
"""

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from mailhelper import language, sample, users
from mailhelper.db import db, now
from mailhelper.errors import Invalid
from mailhelper.serve import GRACE

NAME = "anna"
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"        # none that is mistaken for another
LOOK = 0.1              # seconds between looks whether the page answers


def run(port: int | None = None) -> int:
    """Fill the database, serve it, and print where and for whom; the exit code.  Raises Invalid("listen_failed") for a port that is taken."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:       # ignored under nohup
            signal.signal(number, lambda signum, frame: stop.set())
    port = _free(port)
    password = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))
    with db.connection_context():
        spoken = os.environ.get("LANG", "").partition(".")[0].replace("_", "-")         # de_DE.UTF-8
        sample.load(users.create(NAME, password, admin=True), now(), language.negotiate(spoken))
    with _serving(port) as server:
        if _answers(port, server, stop):
            print(f"url=http://127.0.0.1:{port}", f"login={NAME}", f"password={password}", "ready", sep="\n", flush=True)
        while server.poll() is None and not stop.wait(LOOK):
            pass
        return 0 if stop.is_set() else server.returncode or 1


def _free(port: int | None) -> int:
    """The port asked for, or any that nobody uses.  Raises Invalid("listen_failed")."""
    try:
        with socket.create_server(("127.0.0.1", port or 0)) as listening:
            return int(listening.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise Invalid("listen_failed", address=f"127.0.0.1:{port}", reason=getattr(error, "strerror", None) or type(error).__name__) from None


@contextmanager
def _serving(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`run` as a program of its own; ended with its children, whatever happens here."""
    server = subprocess.Popen(
        [sys.executable, "-m", "mailhelper", "run"], env={**os.environ, "MAILHELPER_LISTEN": f"127.0.0.1:{port}"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(GRACE + 10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(port: int, server: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    """Wait until the page is there; False when the server ended or is to."""
    while server.poll() is None and not stop.wait(LOOK):
        with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/login")
            if connection.getresponse().status == 200:
                return True
    return False
