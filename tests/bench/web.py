"""How fast the inbox is at 30 connections, alone and while a sync runs, beside a bare page of the same web server.

    python -m tests.bench.web [--mails 6046] [--seconds 5] [--connections 30]

Needs wrk (a Debian package).  p99 is what counts: 50 ms alone, 100 ms while a sync runs.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests import corpus
from tests.servers import dovecot
from tests.servers.process import free_port, listens, stop, wait_until
from tests.servers.product import PASSWORD, Product

BARE = """
import os, sys, bottle, waitress
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
app = bottle.Bottle()
app.route("/", callback=lambda: "hello")
waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=8, _quiet=True)
"""
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


class Load(NamedTuple):
    requests: float  # a second
    p50: float  # ms
    p99: float  # ms
    refused: int  # answers other than 2xx and 3xx, and broken connections


class Asked(NamedTuple):
    seconds: int
    connections: int

    def load(self, url: str, *headers: str) -> Load:
        command = ["wrk", "--latency", "-t1", f"-c{self.connections}", f"-d{self.seconds}s", "--timeout", "10s"]
        command += [word for header in headers for word in ("-H", header)]
        return parsed(subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout)


def parsed(report: str) -> Load:
    """What wrk printed, as numbers."""
    latency = {share: float(value) * UNITS[unit] for share, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)", report)}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", report)
    refused = (int(bad[1]) if bad else 0) + (sum(map(int, broken.groups())) if broken else 0)
    return Load(float(rate[1]) if rate else 0.0, latency.get("50", 0.0), latency.get("99", 0.0), refused)


def bare(asked: Asked) -> Load:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen([sys.executable, "-c", BARE, str(port)], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            wait_until(lambda: listens(port), process, log)
            return asked.load(f"http://127.0.0.1:{port}/")
        finally:
            stop(process)


def pages(product: Product, asked: Asked) -> None:
    cookie, bearer = f"Cookie: {product.sign_in()}", f"Authorization: Bearer {product.token}"
    for path, header in (("/inbox", cookie), ("/", cookie), ("/api/emails", bearer), ("/api/emails?sort=score", bearer)):
        line(f"GET {path}", asked.load(product.url + path, header))


def while_syncing(product: Product, asked: Asked, mails: int) -> None:
    """The inbox while the worker fetches a mailbox; the sync is long enough when the mailbox is as large as that takes."""
    with dovecot.Dovecot(["bench"]) as server:
        corpus.fill(server, "bench", mails)
        task = product.fetch(product.add_account(server.port, "bench", server.password("bench")))
        loads = []
        while product.get(f"/tasks/{task}")["status"] in ("queued", "running"):
            loads.append(asked._replace(seconds=1).load(f"{product.url}/inbox", f"Cookie: {product.sign_in()}"))
        job = product.wait(task)
    worst = max(loads, key=lambda load: load.p99)
    line(f"GET /inbox, worst of {len(loads)} s while a sync runs", worst)
    print(f"(that sync: {job['status']}, {job['result']})")


def line(name: str, load: Load) -> None:
    refused = f"  {load.refused} REFUSED" if load.refused else ""
    print(f"{name:50}{load.requests:10.0f}{load.p50:10.1f}{load.p99:10.1f}{refused}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=corpus.SIZE)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=30)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed")
    asked = Asked(options.seconds, options.connections)
    print(f"{options.mails} mails, {asked.connections} connections{'':15}{'requests/s':>10}{'p50, ms':>10}{'p99, ms':>10}")
    line("a bare page, pinned to a core", bare(asked))
    with Product() as product, tempfile.TemporaryDirectory() as folder:
        product.add_user()
        corpus.build_maildir(Path(folder) / "box", options.mails)
        product.run("import", f"{folder}/box", "--user", "ann", "--name", "corpus", answers=(PASSWORD,), timeout=3600)
        product.start("run")
        pages(product, asked)
        if dovecot.available():
            while_syncing(product, asked, options.mails)


if __name__ == "__main__":
    main()
