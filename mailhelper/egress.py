"""The only opener of outbound connections: policy first, then the checked address itself, then a ledger entry.

A host name is resolved once; every address it has must pass the policy, and the connection goes to one of those
addresses, so that a name which answers differently the second time (DNS rebinding) gains nothing.
"""

import errno
import hashlib
import ipaddress
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from mailhelper import errors

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# This machine and the LAN.  Not link-local (cloud metadata lives there) and not 100.64/10 (other people's routers).
LOCAL = tuple(ipaddress.ip_network(net) for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"))
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Purposes whose address comes out of a mail.  No right of the user makes a stranger's link into the LAN acceptable.
FOREIGN_PURPOSES = frozenset({"unsubscribe"})

CERTIFICATE_CODES = {       # OpenSSL's X509_V_ERR_*
    9: "certificate_not_yet_valid", 10: "certificate_expired", 18: "certificate_self_signed", 19: "certificate_untrusted",
    20: "certificate_untrusted", 21: "certificate_untrusted", 62: "certificate_wrong_host", 64: "certificate_wrong_host",
}
FAILURE_RANK = ("connection_refused", "timed_out", "network_unreachable")      # of several addresses, the most telling answer


class Entry(NamedTuple):
    """One line of the outbound ledger; bytes are what TCP carried (with TLS overhead), `at` is naive UTC."""
    at: datetime
    host: str
    port: int
    purpose: str
    sent: int
    received: int
    refused: bool
    reason: str     # "" or the code of what went wrong


@dataclass(frozen=True)
class Policy:
    """What one user may connect to.

    private     addresses that are not public are allowed (admins, the command line)
    allowed     host names, addresses and networks ("192.168.1.0/24") that are exempt from the ban on such addresses
    local_only  the "no cloud" switch: AI on this machine or LAN only, everything else only to `named` hosts
    """
    private: bool = False
    allowed: tuple[str, ...] = ()
    local_only: bool = False
    named: frozenset[str] = frozenset()

    def refuses_name(self, host: str, purpose: str) -> str:
        """The code why this host must not even be looked up, or ""."""
        if self.local_only and purpose != "ai" and _plain(host) not in {_plain(name) for name in self.named}:
            return "egress_no_cloud"
        return ""

    def refuses_address(self, host: str, address: str, purpose: str) -> str:
        """The code why this resolved address must not be connected to, or ""."""
        real = effective(address)
        if self.local_only and purpose == "ai" and not is_local(real):
            return "egress_no_cloud"
        if is_public(real):
            return ""
        if purpose in FOREIGN_PURPOSES or not (self.private or self._exempt(host, real)):
            return "egress_refused"
        return ""

    def _exempt(self, host: str, address: IPAddress) -> bool:
        return any(_plain(host) == _plain(entry) or address in _network(entry) for entry in self.allowed)


def effective(address: str) -> IPAddress:
    """The address that packets really go to: IPv4 unwrapped from its IPv6 disguises (mapped, NAT64, 6to4)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def is_public(ip: IPAddress) -> bool:
    """Whether anybody on the internet could have this address; everything special is not public."""
    special = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    old = isinstance(ip, ipaddress.IPv6Address) and (ip.is_site_local or ip.teredo is not None)
    return ip.is_global and not special and not old


def is_local(ip: IPAddress) -> bool:
    """Whether the address is this machine or its LAN."""
    return any(ip.version == net.version and ip in net for net in LOCAL)


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a DER certificate in lower-case hex, as stored and shown."""
    return hashlib.sha256(certificate).hexdigest()


class Connection:
    """An open connection that was allowed.  Use `.sock`; close it here, not there, or its bytes are not counted."""

    def __init__(self, sock: socket.socket, host: str, port: int, purpose: str, ledger: Callable[[Entry], None]):
        self.sock = sock
        self.host, self.port, self.purpose = host, port, purpose
        self.reason = ""
        self._ledger, self._at, self._open = ledger, _now(), True

    def start_tls(self, server_hostname: str, fingerprint: str = "") -> None:
        """Encrypt from here on; `.sock` is the TLS socket afterwards.

        With a pinned SHA-256 `fingerprint` exactly that certificate is accepted, whoever signed it; without one it must be
        signed by a known authority for `server_hostname`.  Raises BadCertificate (params host, reason, fingerprint: of the
        certificate seen, "" when the handshake ended before it could be read) or Unreachable.
        """
        pinned = fingerprint.replace(":", "").replace(" ", "").lower()
        self._handshake(_blind_context() if pinned else ssl.create_default_context(), server_hostname)
        seen = self.certificate()
        if pinned and seen != pinned:
            raise self._bad_certificate("certificate_changed", seen)

    def look(self, server_hostname: str) -> str:
        """The fingerprint of whatever certificate the server shows, unverified.  Close the connection afterwards: it proves nothing."""
        self._handshake(_blind_context(), server_hostname)
        return self.certificate()

    def certificate(self) -> str:
        """SHA-256 of the certificate in use, "" without TLS."""
        der = self.encryption()[1]
        return fingerprint_of(der) if der else ""

    def encryption(self) -> tuple[str, bytes]:
        """The protocol's version and the certificate in use (DER); both empty without TLS."""
        if not isinstance(self.sock, ssl.SSLSocket):
            return "", b""
        return self.sock.version() or "", self.sock.getpeercert(binary_form=True) or b""

    def abort(self) -> None:
        """Wake whoever waits on this connection in another thread; their read ends at once.  Close it all the same."""
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)     # not SSLSocket.shutdown, which drops the state the reader uses
        except OSError:
            return      # already gone, which is what was wanted

    def close(self) -> None:
        """Close and write the ledger entry, once."""
        if not self._open:
            return
        self._open = False
        sent, received = _traffic(self.sock)
        self.abort()
        self.sock.close()       # the descriptor itself goes with the last file of makefile(), so no reader meets a reused number
        self._ledger(Entry(self._at, self.host, self.port, self.purpose, sent, received, False, self.reason))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handshake(self, context: ssl.SSLContext, server_hostname: str) -> None:
        name = server_hostname.rstrip(".")
        try:
            # The handshake apart from the wrapping: wrap_socket would close the socket on failure, and its bytes with it.
            tls = context.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
            self.sock = tls
            tls.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise self._bad_certificate(CERTIFICATE_CODES.get(error.verify_code, "certificate_invalid"), "") from None
        except TimeoutError:
            raise self._unreachable("timed_out") from None
        except (OSError, ValueError):       # ValueError: a name that cannot stand in a certificate
            raise self._unreachable("tls_failed") from None

    def _bad_certificate(self, code: str, seen: str) -> errors.BadCertificate:
        self.reason = code
        return errors.BadCertificate(code, host=self.host, port=self.port, reason=code.removeprefix("certificate_"), fingerprint=seen)

    def _unreachable(self, code: str) -> errors.Unreachable:
        self.reason = code
        return errors.Unreachable(code, host=self.host, port=self.port)


def addresses_of(host: str, port: int) -> list[str]:
    """Every address of a host in the system's order of preference."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError, OverflowError):      # unknown, not a name (IDNA), with NUL in it, a port too large
        found = []
    if not found:
        raise errors.Unreachable("host_unknown")
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Door:
    """Opens connections for one user under one policy.  `ledger` gets one Entry for each call of connect, when it is over."""

    def __init__(self, policy: Policy, ledger: Callable[[Entry], None], resolve: Callable[[str, int], list[str]] = addresses_of):
        self.policy, self.ledger, self.resolve = policy, ledger, resolve

    def connect(self, host: str, port: int, purpose: str, timeout: float = 30.0) -> Connection:
        """A connection to `host`; `timeout` seconds for name and all addresses together, and for each read afterwards.

        Raises Refused (egress_refused, egress_no_cloud) or Unreachable (host_unknown, connection_refused, timed_out, network_unreachable).
        """
        started, deadline = _now(), time.monotonic() + timeout
        try:
            addresses = self.addresses(host, port, purpose, timeout)
            sock = _first_to_answer(addresses, port, deadline)
        except (errors.Refused, errors.Unreachable) as error:
            error.params |= {"host": host, "port": port}
            self.ledger(Entry(started, host, port, purpose, 0, 0, isinstance(error, errors.Refused), error.code))
            raise
        sock.settimeout(timeout)
        return Connection(sock, host, port, purpose, self.ledger)

    def addresses(self, host: str, port: int, purpose: str, timeout: float) -> list[str]:
        """All addresses of the host, every one of them allowed.  Raises as `connect`."""
        if reason := self.policy.refuses_name(host, purpose):
            raise errors.Refused(reason)
        addresses = _within(timeout, lambda: self.resolve(host, port))
        for address in addresses:
            if reason := self.policy.refuses_address(host, address, purpose):
                raise errors.Refused(reason)
        return addresses


def _within(seconds: float, question: Callable[[], list[str]]) -> list[str]:
    """The answer, or Unreachable timed_out: getaddrinfo has no time limit of its own and hangs on a broken resolver."""
    outcome: list[list[str] | errors.Error] = []

    def ask() -> None:
        try:
            outcome.append(question())
        except errors.Error as error:
            outcome.append(error)

    thread = threading.Thread(target=ask, daemon=True, name="resolve")
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise errors.Unreachable("timed_out")
    if isinstance(outcome[0], errors.Error):
        raise outcome[0]
    return outcome[0]


def _first_to_answer(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """A TCP connection to the first address that takes one; each gets its share of the time that is left."""
    failures = []
    for tried, address in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - tried)
        if share <= 0:
            failures.append("timed_out")
            break
        try:
            return socket.create_connection((address, port), timeout=share)
        except OSError as error:
            failures.append(_connect_failure(error))
    raise errors.Unreachable(min(failures, key=FAILURE_RANK.index))


def _connect_failure(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timed_out"
    return "connection_refused" if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET) else "network_unreachable"


def _blind_context() -> ssl.SSLContext:
    """TLS that believes every certificate: only where a pinned fingerprint is compared, or a certificate merely shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _traffic(sock: socket.socket) -> tuple[int, int]:
    """(sent, received) bytes that the kernel counted (struct tcp_info in linux/tcp.h); (0, 0) where it does not tell."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except (OSError, AttributeError):       # closed by somebody else; not Linux
        return 0, 0
    if len(info) < 136:
        return 0, 0
    acked, received = struct.unpack_from("=QQ", info, 120)
    if len(info) >= 216:        # since 4.19; bytes_acked counts SYN and FIN too and lags behind what was just written
        sent, again = struct.unpack_from("=QQ", info, 200)
        acked = sent - again
    return acked, received


def _plain(host: str) -> str:
    return host.strip().rstrip(".").lower()


def _network(entry: str) -> tuple[()] | ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return ()       # a host name


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
