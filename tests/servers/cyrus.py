"""A real Cyrus IMAP server on loopback for tests, very different from Dovecot: OBJECTID, its own store and habits.

Debian's packages of the two cannot be installed together, so Cyrus is unpacked into a cache and never installed:
`python -m tests.servers.cyrus` fetches it, `--have` only answers by its exit code whether it is there.
"""

import imaplib
import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from imapclient.imap_utf7 import encode as utf7

from tests import corpus
from tests.servers.process import Server, plain_user

PACKAGES = ("cyrus-imapd", "cyrus-common", "libical3", "libpcre3", "sasl2-bin")
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu")


def place() -> Path:
    """Where it is unpacked."""
    return corpus.cache() / "cyrus"


def available() -> bool:
    return (place() / "usr/lib/cyrus/bin/imapd").exists()


def fetch() -> None:
    """Download and unpack it where it is not there yet.  Raises OSError or CalledProcessError."""
    if available():
        return
    corpus.cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=corpus.cache()) as folder:
        subprocess.run(["apt-get", "-q", "download", *PACKAGES], cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), f"{folder}/tree"], check=True)
        os.replace(f"{folder}/tree", place())


class Session(imaplib.IMAP4):
    """A session whose server may hang up at LOGOUT before its last word, as Cyrus does under load."""

    def logout(self) -> tuple[str, list[bytes]]:
        try:
            return super().logout()
        except imaplib.IMAP4.abort:
            self.shutdown()
            return "BYE", []


class Cyrus(Server):
    """`with Cyrus() as server:` has what the tests of sync use of tests.servers.dovecot.Dovecot."""

    def __init__(self) -> None:
        super().__init__(plain_user("nobody"))
        self.common_password = secrets.token_urlsafe(12)
        self.separator, self.kind = "/", "Cyrus"
        self._numbers = itertools.count(1)

    def start(self) -> None:
        for name in ("conf", "spool", "run"):
            (self.folder / name).mkdir()
        (self.folder / "imapd.conf").write_text(self._configuration())
        (self.folder / "cyrus.conf").write_text(self._services())
        for number in range(1, 25):
            self._add(f"user{number}")
        for path in (self.folder, *self.folder.rglob("*")):
            if self.user:
                shutil.chown(path, self.user)
        super().start()

    def _add(self, name: str) -> None:
        self.run("usr/sbin/saslpasswd2", "-p", "-c", "-f", f"{self.folder}/sasldb2", "-u", "test", name, said=self.common_password)

    def run(self, program: str, *words: str, said: str = "") -> None:
        subprocess.run(["env", *self._environment(), str(place() / program), *words], check=True, input=said, text=True)

    def command(self) -> list[str]:
        master = place() / "usr/lib/cyrus/bin/master"
        # In a session of its own: it ends by sending SIGTERM to its whole process group, another test's servers included.
        return ["setsid", "env", *self._environment(), str(master), "-C", f"{self.folder}/imapd.conf", "-M", f"{self.folder}/cyrus.conf",
                "-p", f"{self.folder}/run/master.pid"]

    def _environment(self) -> list[str]:
        return ["LD_LIBRARY_PATH=" + ":".join(str(place() / name) for name in LIBRARIES), f"CYRUS_PREFIX={self.folder}"]

    def add_user(self) -> str:
        """The name of a mailbox that nobody else uses."""
        return f"user{next(self._numbers)}"

    def password(self, user: str = "") -> str:
        return self.common_password

    def session(self, user: str) -> imaplib.IMAP4:
        session = Session("127.0.0.1", self.port, timeout=20)
        session.login(user, self.common_password)
        return session

    def deliver(self, mails: Iterable[bytes], folder: str = "INBOX", user: str = "", flags: Sequence[str] = (), age: float = 0) -> int:
        """Appends mails; makes the folder."""
        count = 0
        with self.session(user) as session:
            quoted = '"' + utf7(folder).decode().replace("\\", "\\\\").replace('"', '\\"') + '"'
            if folder != "INBOX":
                session.create(quoted)
            for raw in mails:
                status, said = session.append(quoted, f"({' '.join(flags)})", imaplib.Time2Internaldate(time.time() - age), raw)
                assert status == "OK", said
                count += 1
        return count

    def _configuration(self) -> str:
        return f"""
configdirectory: {self.folder}/conf
partition-default: {self.folder}/spool
defaultpartition: default
cyrus_user: {self.user or plain_user()}
servername: test
admins: cyrus
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {self.folder}/sasldb2
altnamespace: yes
unixhierarchysep: yes
autocreate_quota: 0
sync_log: no
"""

    def _services(self) -> str:
        imapd = place() / "usr/lib/cyrus/bin/imapd"
        return f"""
START {{
}}
SERVICES {{
  imap cmd="{imapd} -C {self.folder}/imapd.conf" listen="127.0.0.1:{self.port}" prefork=0
}}
EVENTS {{
}}
DAEMON {{
}}
"""


if __name__ == "__main__":
    if "--have" in sys.argv:
        sys.exit(0 if available() else 1)
    fetch()
