"""Runs the programs: the web server, the consumer, the watcher, and all together under one supervisor."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import waitress
from peewee import InterfaceError, OperationalError

from mailhelper import db, queue, runner, watch
from mailhelper.config import config
from mailhelper.db import db as database
from mailhelper.errors import Invalid
from mailhelper.process import CHILD, follow_supervisor
from mailhelper.web import people
from mailhelper.web.app import make_app

log = logging.getLogger(__name__)
THREADS = 8
WEBS = 2                # web processes that `run` starts at most, one a core
LARGEST_BODY = 30_000_000
NUMBER, SOCKET = "MAILHELPER_WEB_NUMBER", "MAILHELPER_WEB_SOCKET"       # handed down by `run`: which web process this is, and its socket
GRACE = 25              # seconds a worker may finish its job in; below systemd's and Docker's kill times
QUICK = 5               # a program that ends sooner than this after its start is not started again at once


def web() -> None:
    """Serve until told to stop, on the socket that `run` hands down or on one of our own.

    The process keeps to one core: waitress' threads on two idle ones fight over the interpreter lock (20,400 requests a second against 300).
    """
    follow_supervisor()
    number = int(os.environ.pop(NUMBER, "0"))
    _pin(number)
    with database.connection_context():
        if number == 0:
            people.announce()
    if config.jobs == "inline":
        threading.Thread(target=_sweep, daemon=True, name="sweep").start()
    inherited = os.environ.pop(SOCKET, "")
    listening = socket.socket(fileno=int(inherited)) if inherited else _listen()
    server = waitress.create_server(
        make_app(), sockets=[listening], threads=THREADS, ident=None, channel_timeout=60, max_request_body_size=LARGEST_BODY,
        clear_untrusted_proxy_headers=False)        # web/form.py decides whom to believe; /metrics must see that there is a proxy
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))
    if number == 0:
        print(f"mailhelper runs on http://{config.listen}", file=sys.stderr, flush=True)
    server.run()


def _sweep() -> None:
    """Inline, with no worker to do it: every minute, jobs whose time has come or whose thread was lost."""
    while True:
        try:
            with database.connection_context():
                runner.sweep()
        except (OperationalError, InterfaceError):      # the database is away: the next round may find it
            log.exception("could not look for lost jobs")
        time.sleep(60)


def _listen() -> socket.socket:
    """The server's socket.  Raises Invalid("listen_failed") when the address cannot be had."""
    host, port = config.address
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024)
    except OSError as error:
        raise Invalid("listen_failed", address=config.listen, reason=error.strerror or type(error).__name__) from None


def worker(periodic: bool) -> None:
    """Do jobs until told to stop: the same consumer as `huey_consumer mailhelper.worker.huey` starts."""
    follow_supervisor()
    queue.huey.create_consumer(
        workers=config.workers, worker_type="process", periodic=periodic, initial_delay=0.1, max_delay=0.5, check_worker_health=True,
        health_check_interval=2, graceful_signal="TERM", shutdown_timeout=GRACE).run()


def watcher() -> None:
    """Listen to mail servers until told to stop."""
    follow_supervisor()
    queue.prepare()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: stop.set())
    watch.Watcher().run(stop)


def run() -> int:
    """Bring the database up to date, then keep web, worker and watcher running until told to stop; they are programs of their own."""
    with database.connection_context():
        db.upgrade()
    listening = _listen()
    webs = 1 if config.jobs == "inline" else min(WEBS, os.cpu_count() or 1)
    starts = [("web", {NUMBER: str(number), SOCKET: str(listening.fileno())}) for number in range(webs)]
    starts += [] if config.jobs == "inline" else [("worker", {}), ("watch", {})]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: stop.set())
    programs = [_Program(name, settings, listening) for name, settings in starts]
    while not stop.wait(0.5):
        for program in programs:
            program.keep_up()
    for program in programs:
        program.process.terminate()
    for program in programs:
        program.end()
    return 0


class _Program:
    """One of the programs that `run` keeps up."""

    def __init__(self, name: str, settings: dict[str, str], listening: socket.socket) -> None:
        self.name, self._settings, self._listening = name, settings, listening
        self._start()

    def _start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailhelper", self.name], start_new_session=True, env={**os.environ, **self._settings, CHILD: str(os.getpid())},
            pass_fds=[self._listening.fileno()] if self._settings else [])

    def keep_up(self) -> None:
        """Start it again when it has ended; after a moment, when it ended at once."""
        if self.process.poll() is None or (time.monotonic() - self.started) < QUICK:
            return
        log.warning("%s ended with %s and is started again", self.name, self.process.returncode)
        self._start()

    def end(self) -> None:
        try:
            self.process.wait(GRACE + 5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _pin(number: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0), reverse=True)
        os.sched_setaffinity(0, {cores[number % len(cores)]})
