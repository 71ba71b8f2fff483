"""How fast the first sync is, beside programs that only copy or index, on one real Dovecot and one mailbox of real mails.

    python -m tests.bench.sync [--mails 6046] [--runs 3] [--database URL --redis URL] [--no-peers]

Each run begins with nothing.  The programs take turns, so that whatever else the machine does falls on all of them; the
median counts.  With --database and --redis (both must be empty) only one run is made.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests import corpus
from tests.servers.dovecot import Dovecot
from tests.servers.product import PASSWORD, Product, peak_memory

USER = "bench"


class Run(NamedTuple):
    name: str
    first: float  # seconds of the first pull
    again: float  # seconds of a round in which nothing changed; 0: not measured
    computed: float  # seconds of processor time of the first pull, the server's not counted
    wall: float = 0.0  # seconds of the whole command, for mailhelper
    memory: float = 0.0  # most MB of one worker process


def computed() -> float:
    """Processor seconds of all our child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def pulled(name: str, command: list[str], env: dict[str, str] | None = None) -> Run:
    """The same command twice: the first pull, and the round without changes."""
    before = computed()
    first = timed(command, env)
    used = computed() - before
    return Run(name, first, timed(command, env), used)


def timed(command: list[str], env: dict[str, str] | None = None) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]}: exit status {done.returncode}\n{done.stderr}")
    return time.perf_counter() - start


# Ours


def mailhelper(server: Dovecot, folder: Path, env: dict[str, str], mails: int) -> Run:
    with Product(folder / "data", env) as product:
        product.add_user()
        account = product.add_account(server.port, USER, server.password(USER))
        before = computed()
        with Memory() as memory:
            wall = command(product, account)
        used, first = computed() - before, job_time(product)
        command(product, account)
        again = job_time(product)
        product.start("web")
        stored = product.get("/api/emails?limit=1")["total"]
        if stored != mails:
            raise SystemExit(f"mailhelper stored {stored} of {mails} mails")
    return Run("mailhelper", first, again, used, wall, memory.peak)


def command(product: Product, account: int) -> float:
    """Seconds of `mailhelper sync` as a whole."""
    start = time.perf_counter()
    product.run("sync", "--user", "ann", "--account", account, answers=(PASSWORD,), timeout=3600)
    return time.perf_counter() - start


def job_time(product: Product) -> float:
    """Seconds of the newest job by its own times, which the API tells."""
    product.start("web")
    job = product.get("/api/jobs?limit=1")["items"][0]
    product.stop("web")
    if job["status"] != "completed":
        raise SystemExit(f"the sync failed: {job}")
    return (moment(job["finished_at"]) - moment(job["started_at"])).total_seconds()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Memory:
    """The most memory that one of our child processes uses while this is open; looks ten times a second."""

    def __enter__(self) -> "Memory":
        self.peak = 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.over.wait(0.1):
            for pid in descendants(os.getpid()):
                with suppress(OSError):
                    if "mailhelper" in Path(f"/proc/{pid}/cmdline").read_text():
                        self.peak = max(self.peak, peak_memory(pid))


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from descendants(child)


# The others


def offlineimap(server: Dovecot, folder: Path) -> Run:
    config = folder / "offlineimaprc"
    config.write_text(f"""\
[general]
accounts = bench
metadata = {folder}/meta
ui = quiet
[Account bench]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {folder}/offlineimap
[Repository remote]
type = IMAP
remotehost = 127.0.0.1
remoteport = {server.port}
remoteuser = {USER}
remotepass = {server.password(USER)}
ssl = no
starttls = no
""")
    return pulled("offlineimap3", ["offlineimap", "-o", "-c", str(config)])


def mbsync(server: Dovecot, folder: Path) -> Run:
    config, box = folder / "mbsyncrc", folder / "mbsync"
    box.mkdir()
    config.write_text(f"""\
IMAPAccount bench
Host 127.0.0.1
Port {server.port}
User {USER}
Pass {server.password(USER)}
SSLType None

IMAPStore far
Account bench

MaildirStore near
Path {box}/
Inbox {box}/INBOX
SubFolders Verbatim

Channel bench
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
""")
    return pulled("mbsync (copies only)", ["mbsync", "-c", str(config), "-a", "-q"])


def mbsync_and_notmuch(server: Dovecot, folder: Path) -> Run:
    copied = mbsync(server, folder)
    config = folder / "notmuch"
    config.write_text(f"[database]\npath={folder}/mbsync\n[user]\nname=Bench\nprimary_email=bench@example.org\n[new]\ntags=new\n")
    env = os.environ | {"NOTMUCH_CONFIG": str(config)}
    return both(copied, pulled("mbsync + notmuch new", ["notmuch", "new", "--quiet"], env))


def mbsync_and_mu(server: Dovecot, folder: Path) -> Run:
    copied = mbsync(server, folder)
    home = f"--muhome={folder}/mu"
    subprocess.run(["mu", "init", home, f"--maildir={folder}/mbsync"], check=True, stdout=subprocess.DEVNULL)
    return both(copied, pulled("mbsync + mu index", ["mu", "index", home, "--quiet"]))


def both(copied: Run, indexed: Run) -> Run:
    """Copying and then indexing."""
    return Run(indexed.name, copied.first + indexed.first, copied.again + indexed.again, copied.computed + indexed.computed)


PEERS: dict[Callable[[Dovecot, Path], Run], tuple[str, ...]] = {
    offlineimap: ("offlineimap",),
    mbsync_and_notmuch: ("mbsync", "notmuch"),
    mbsync_and_mu: ("mbsync", "mu"),
}


def measure(mails: int, runs: int, env: dict[str, str], peers: bool) -> list[Run]:
    found = [peer for peer, programs in PEERS.items() if peers and all(map(shutil.which, programs))]
    results = []
    with Dovecot([USER]) as server:
        corpus.fill(server, USER, mails)
        warm_up(server)
        for _ in range(runs):
            for peer in found:
                with tempfile.TemporaryDirectory() as folder:
                    results.append(peer(server, Path(folder)))
            with tempfile.TemporaryDirectory() as folder:
                results.append(mailhelper(server, Path(folder), env, mails))
    return results


def warm_up(server: Dovecot) -> None:
    """Dovecot makes its index of the mailbox at the first visit; that visit is nobody's."""
    with tempfile.TemporaryDirectory() as folder:
        (mbsync if shutil.which("mbsync") else offlineimap)(server, Path(folder))


def report(results: list[Run], mails: int) -> None:
    names = list(dict.fromkeys(run.name for run in results))
    mine = [run for run in results if run.name == "mailhelper"]
    ours = statistics.median(run.first for run in mine)
    print(f"{mails} mails, median of {len(mine)} runs")
    print(f"{'':24}{'first, s':>10}{'mails/s':>10}{'µs/mail':>10}{'CPU µs':>10}{'ours is':>10}{'again, s':>10}")
    for name in names:
        runs = [run for run in results if run.name == name]
        first, again, used = (statistics.median(values) for values in zip(*((run.first, run.again, run.computed) for run in runs), strict=True))
        each = 1e6 / mails
        print(f"{name:24}{first:10.2f}{mails / first:10.0f}{first * each:10.0f}{used * each:10.0f}{first / ours:9.1f}×{again:10.3f}")
    wall, memory = statistics.median(run.wall for run in mine), max(run.memory for run in mine)
    print(f"mailhelper: whole command {wall:.2f} s, most memory of one process {memory:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=corpus.SIZE)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--database", default="")
    parser.add_argument("--redis", default="")
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    env = {name: value for name, value in (("DATABASE_URL", asked.database), ("REDIS_URL", asked.redis)) if value}
    report(measure(asked.mails, 1 if env else asked.runs, env, not asked.no_peers), asked.mails)


if __name__ == "__main__":
    main()
