"""A real Dovecot 2.3 on loopback for tests: users, TLS with certificates made on the spot, capabilities left out at will."""

import base64
import grp
import imaplib
import itertools
import os
import pwd
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from imapclient.imap_utf7 import encode as utf7

from tests.servers.process import Server, free_port, listens, plain_user

PROGRAMS = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
FLAG_LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Draft": "D", "\\Deleted": "T"}


def available() -> bool:
    return shutil.which("dovecot", path=PROGRAMS) is not None


class Dovecot(Server):
    """`with Dovecot() as server: server.port, server.tls_port, server.password("anna"), server.deliver(…)`.

    users         mailboxes; passwords are made up at each start unless given: {name: password}
    tls           offers TLS on `tls_port` and STARTTLS on `port`, with one certificate for each of `hosts`: {name: expired}
    without       capabilities that it does not admit to, e.g. ("CONDSTORE", "ESEARCH")
    separator     between the parts of a folder name
    connections   at most so many for one user
    rights        folders may be made read-only with `protect`
    """

    def __init__(self, users: Sequence[str] | dict[str, str] = ("anna", "bob"), tls: bool = False, hosts: dict[str, bool] | None = None,
                 without: Sequence[str] = (), separator: str = ".", connections: int = 50, rights: bool = False) -> None:
        super().__init__(plain_user("nobody"))
        self.tls_port = free_port()
        self.passwords = dict(users) if isinstance(users, dict) else {user: secrets.token_urlsafe(12) for user in users}
        self.common_password = secrets.token_urlsafe(12)
        self.tls, self.hosts = tls, hosts or {"localhost": False}
        self.without, self.separator, self.connections = set(without), separator, connections
        self.rights = rights
        self.authority = Authority(self.folder)
        self._numbers = itertools.count(1)

    def password(self, user: str = "anna") -> str:
        return self.passwords[user]

    def add_user(self) -> str:
        """The name of a mailbox that nobody else uses: Dovecot lets any name in with the common password."""
        name = f"user{next(self._numbers)}"
        self.passwords[name] = self.common_password
        return name

    def start(self) -> None:
        if self.tls:
            for host, expired in self.hosts.items():
                self.authority.issue(host, expired)
        # A ":" would end a password there, so it is written as base64.
        words = {name: base64.b64encode(password.encode()).decode() for name, password in self.passwords.items()}
        (self.folder / "users").write_text("".join(f"{name}:{{PLAIN.b64}}{word}:::::\n" for name, word in words.items()), "utf-8")
        (self.folder / "dovecot.conf").write_text(self.configuration(), "utf-8")
        (self.folder / "mail").mkdir(exist_ok=True)
        for name in ("users", "dovecot.conf", "mail"):
            self._give(self.folder / name)
        super().start()

    def command(self) -> list[str]:
        program = shutil.which("dovecot", path=PROGRAMS)
        assert program, "no dovecot in " + PROGRAMS
        return [program, "-F", "-c", str(self.folder / "dovecot.conf")]

    def answers(self) -> bool:
        return listens(self.port) and (not self.tls or listens(self.tls_port))

    def append(self, folder: str, raw: bytes, flags: Sequence[str] = (), user: str = "anna") -> None:
        """Puts one mail into a folder over IMAP; makes the folder."""
        with self.session(user) as session:
            quoted = '"' + utf7(folder).decode().replace("\\", "\\\\").replace('"', '\\"') + '"'
            session.create(quoted)
            status, said = session.append(quoted, " ".join(flags), None, raw)     # type: ignore[arg-type]
            assert status == "OK", said

    def session(self, user: str = "anna") -> imaplib.IMAP4:
        """A plain session of imaplib, signed in: for whatever another mail program does meanwhile."""
        session = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        session.login(user, self.passwords[user])
        return session

    def deliver(self, mails: Iterable[bytes], folder: str = "INBOX", user: str = "anna", flags: Sequence[str] = (), age: float = 0) -> int:
        """Writes mails straight into the Maildir (thousands a second); returns how many.  `age`: seconds since they arrived."""
        place = self.maildir(folder, user)
        letters = "".join(sorted(FLAG_LETTERS[flag] for flag in flags))
        arrived, count = int(time.time() - age), 0
        for raw in mails:
            count += 1
            path = place / "cur" / f"{arrived}.M{next(self._numbers):09}P{os.getpid()}.test,S={len(raw)}:2,{letters}"
            path.write_bytes(raw)
            os.utime(path, (arrived, arrived))
            self._give(path)
        os.utime(place / "cur")
        return count

    def maildir(self, folder: str = "INBOX", user: str = "anna") -> Path:
        """The Maildir of a folder, made if it is not there (Maildir++: subfolders are ".A.B")."""
        home = self.folder / "mail" / user
        place = home if folder == "INBOX" else home / ("." + utf7(folder.replace(self.separator, ".")).decode())
        for path in (home, place, place / "cur", place / "new", place / "tmp"):
            path.mkdir(exist_ok=True)
            self._give(path)
        return place

    def protect(self, folder: str, user: str = "anna") -> None:
        """From now on the folder may only be read (RFC 4314), by its owner too."""
        path = self.maildir(folder, user) / "dovecot-acl"
        path.write_text("owner lr\n")
        self._give(path)

    def _give(self, path: Path) -> None:
        if self.user:
            shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)

    def configuration(self) -> str:
        owner = pwd.getpwnam(self.user) if self.user else pwd.getpwuid(os.getuid())
        group = grp.getgrgid(owner.pw_gid).gr_name
        return f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
default_internal_user = {owner.pw_name}
default_internal_group = {group}
default_login_user = {owner.pw_name}
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{self.folder}/mail/%u
mail_fsync = never
mail_max_userip_connections = {self.connections}
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
passdb {{
  driver = static
  args = password={self.common_password}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={self.folder}/mail/%u
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = {self.tls_port if self.tls else 0}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
namespace inbox {{
  inbox = yes
  separator = "{self.separator.replace(chr(92), chr(92) * 2)}"
  mailbox Archive {{
    auto = create
    special_use = \\Archive
  }}
}}
""" + self._capabilities() + self._certificates() + ("mail_plugins = acl\nplugin {\n  acl = vfile\n}\n" if self.rights else "")

    def _capabilities(self) -> str:
        if not self.without:
            return ""
        everything = """IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ SORT THREAD=REFERENCES UNSELECT CHILDREN NAMESPACE UIDPLUS
            LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN LIST-STATUS BINARY MOVE SPECIAL-USE"""
        return f"imap_capability = {' '.join(word for word in everything.split() if word not in self.without)}\n"

    def _certificates(self) -> str:
        if not self.tls:
            return "ssl = no\n"
        pair = "ssl_cert = <{0}/{1}.pem\n  ssl_key = <{0}/{1}.key\n"
        first = next(iter(self.hosts))
        named = "".join(f"local_name {host} {{\n  {pair.format(self.folder, host)}}}\n" for host in self.hosts)
        return "ssl = yes\nssl_dh =\n" + pair.format(self.folder, first) + named


class Authority:
    """A certificate authority of one test run; `file` is what a client must trust."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "authority.pem"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        certificate = self._certificate(self.name, self.key.public_key(), x509.BasicConstraints(True, None), False, True)
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, host: str, expired: bool = False) -> str:
        """Writes <host>.pem and <host>.key and returns the SHA-256 fingerprint; a name that begins with "self." signs itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        self_signed = host.startswith("self.")
        certificate = self._certificate(subject, key.public_key(), x509.SubjectAlternativeName([x509.DNSName(host)]), expired, False,
                                        key if self_signed else None)
        (self.folder / f"{host}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / f"{host}.key").write_bytes(secret)
        return certificate.fingerprint(hashes.SHA256()).hex()

    def fingerprint(self, host: str) -> str:
        return x509.load_pem_x509_certificate((self.folder / f"{host}.pem").read_bytes()).fingerprint(hashes.SHA256()).hex()

    def _certificate(self, subject: x509.Name, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType, expired: bool,
                     critical: bool, own_key: ec.EllipticCurvePrivateKey | None = None) -> x509.Certificate:
        now = datetime.now(UTC)
        begin, end = (now - timedelta(days=30), now - timedelta(days=1)) if expired else (now - timedelta(days=1), now + timedelta(days=2))
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject if own_key else self.name)
        builder = builder.public_key(public).serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
        return builder.add_extension(extension, critical).sign(own_key or self.key, hashes.SHA256())
