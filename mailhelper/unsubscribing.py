"""How to leave a mailing list: what its mail offers (RFC 2369, RFC 8058), and which of that is safe to follow with one click."""

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from mailhelper import errors
from mailhelper.egress import Door
from mailhelper.message import ParsedMail

ONE_CLICK = "List-Unsubscribe=One-Click"
SIGNED = {"list-unsubscribe", "list-unsubscribe-post"}
PATIENCE = 10.0         # seconds
MOST = 64_000           # bytes of an answer that are read
_URI = re.compile(r"<\s*([^<>\s]+)\s*>")
_PASSED = re.compile(r"\bdkim\s*=\s*pass\b([^;]*)", re.I)
_DOMAIN = re.compile(r"header\.[di]\s*=\s*(?:[^@\s]*@)?([^\s;()]+)", re.I)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class Ways(NamedTuple):
    """What a mail offers; "" for what it does not.  `post` only where RFC 8058 §4 is met."""
    post: str
    mailto: str
    link: str


def ways(mail: ParsedMail, authserv: str) -> Ways:
    """The ways off the list; `authserv`: the id of the account's own mail server, whose word on DKIM counts, "" if unknown."""
    fields = mail.headers("List-Unsubscribe")
    uris = [uri for field in fields[:1] for uri in _URI.findall(field)]
    web = next((uri for uri in uris if _is_web(uri, "https")), "") or next((uri for uri in uris if _is_web(uri, "http")), "")
    mailto = next((uri for uri in uris if uri.lower().startswith("mailto:")), "")
    posts = mail.headers("List-Unsubscribe-Post")
    asked = len(fields) == len(posts) == 1 and posts[0].replace(" ", "").lower() == ONE_CLICK.lower()
    return Ways(web if asked and _is_web(web, "https") and _signed(mail, authserv) else "", mailto, web)


def letter(mailto: str) -> tuple[str, str, str]:
    """(to, subject, text) of the mail that such an address asks for (RFC 6068); other fields are not taken from a stranger."""
    parts = urlsplit(mailto)
    asked = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
    return unquote(parts.path), " ".join(asked.get("subject", "unsubscribe").split())[:200], asked.get("body", "")[:2000]


def _is_web(uri: str, scheme: str) -> bool:
    try:
        parts = urlsplit(uri)
        plain = uri.isascii() and uri.isprintable() and not parts.username and parts.port != 0
        return plain and parts.scheme.lower() == scheme and bool(parts.hostname)
    except ValueError:
        return False


def _signed(mail: ParsedMail, authserv: str) -> bool:
    """Whether the account's own server found a DKIM signature valid that covers both fields, which anybody could have added else."""
    results = mail.header("Authentication-Results")
    if not authserv or results.partition(";")[0].split()[:1] != [authserv]:
        return False
    covering = {_tag(field, "d") for field in mail.headers("DKIM-Signature") if set(_tag(field, "h").split(":")) >= SIGNED}
    passed = {match[1].lower() for said in _PASSED.findall(results) if (match := _DOMAIN.search(said))}
    return bool(covering & passed)


def _tag(field: str, name: str) -> str:
    """A tag of a DKIM-Signature, without white space, in small letters."""
    found = re.search(rf"(?:^|;)\s*{name}\s*=([^;]*)", field)
    return "".join(found[1].split()).lower() if found else ""


def post(door: Door, url: str) -> None:
    """The one request of RFC 8058 §3.2: POST, no cookie, no redirect followed.  Raises Unreachable, Refused, BadCertificate."""
    parts = urlsplit(url)
    host, target = str(parts.hostname), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with door.connect(host, parts.port or 443, "unsubscribe", PATIENCE) as connection:
        connection.start_tls(host)
        connection.sock.settimeout(PATIENCE)
        head = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(ONE_CLICK)}", "Connection: close", "", ONE_CLICK]
        try:
            connection.sock.sendall("\r\n".join(head).encode("ascii"))
            said = b""
            while b"\r\n" not in said and len(said) < MOST and (more := connection.sock.recv(4096)):
                said += more
        except OSError:
            raise errors.Unreachable("connection_lost") from None
    status = _STATUS.match(said)
    if status is None or not status[1].startswith(b"2"):
        raise errors.Refused("unsubscribe_refused")
