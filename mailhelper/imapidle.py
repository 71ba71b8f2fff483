"""IDLE (RFC 2177): waits until the server has news of the open folder."""

import select
import ssl
import time

from mailhelper import errors
from mailhelper.imapwire import Wire

NEWS = ("EXISTS", "EXPUNGE", "FETCH", "VANISHED")       # not RECENT, which only repeats, nor the "* OK Still here" of a patient server


def wait(wire: Wire, seconds: float) -> set[str]:
    """What kinds of news came (of NEWS), at the first of them; empty when `seconds` went by without.

    Raises Refused command_refused, and what every broken line raises.  Shorter than 29 minutes, after which servers may hang up.
    """
    tag: bytes = wire._command("IDLE")      # type: ignore[attr-defined]
    wire.tagged_commands.pop(tag)
    wire.unread = tag + b" "
    news: set[str] = set()
    while not (line := wire.readline()).startswith(b"+"):
        news |= _news(wire, line)
    end = time.monotonic() + seconds
    while not news and (left := end - time.monotonic()) > 0 and _comes(wire, left):
        news |= _news(wire, wire.readline())
    wire.send(b"DONE\r\n")
    while not (line := wire.readline()).startswith(wire.unread):
        news |= _news(wire, line)
    wire.unread = b""
    return news


def _news(wire: Wire, line: bytes) -> set[str]:
    if line.startswith(wire.unread):        # before its "+": it does not want to
        wire.unread = b""
        raise errors.Refused("command_refused", host=wire.host)
    if not line.startswith(b"* "):
        raise wire.lost(code="protocol_error")
    wire.rest(line)
    words = line[2:].decode("ascii", "replace").upper().split()
    if words[:1] == ["BYE"]:
        wire.broken = True
        raise wire.bye(line[6:].decode("ascii", "replace"))
    return set(words[:2]) & set(NEWS)


def _comes(wire: Wire, seconds: float) -> bool:
    """Whether something to read came within `seconds`; true also for the end of the line, which reading then finds."""
    end = time.monotonic() + seconds
    while not _is_here(wire):
        ready, _, _ = select.select([wire.sock], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return False
        if not isinstance(wire.sock, ssl.SSLSocket):
            return True
    return True


def _is_here(wire: Wire) -> bool:
    """Whether bytes are in our own buffer or can be taken without waiting; under TLS also whether the line has ended.

    What arrives under TLS need not be for us (session tickets): only reading tells, and must not wait.
    """
    patience = wire.sock.gettimeout()
    wire.sock.setblocking(False)
    try:
        return bool(wire.peek()) or isinstance(wire.sock, ssl.SSLSocket)
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    except OSError as error:
        raise wire.lost(error) from None
    finally:
        wire.sock.settimeout(patience)
