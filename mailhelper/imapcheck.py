"""Measures a signed-in mailbox: how fast it answers, where its folders begin, how full it is."""

import imaplib
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from mailhelper import imapidle
from mailhelper.imapwire import Client

ROUNDS = 5


class Measures(NamedTuple):
    """Times in seconds, sizes in bytes; None for what the server does not offer or tell."""
    latency: float                                  # median of ROUNDS
    slowest: float
    idle: float | None                              # IDLE, its welcome, DONE and its end
    prefixes: tuple[tuple[str, str], ...] | None    # where the owner's folders begin, and what parts their names (RFC 2342)
    shared: int                                     # places of other people and of all
    used: int | None                                # RFC 9208
    room: int | None


def measure(client: Client, capabilities: frozenset[str]) -> Measures:
    """Ask for all that can be had; the inbox is opened for reading."""
    rounds = [_seconds(client.wire.noop) for _ in range(ROUNDS)]
    client.select_folder("INBOX", readonly=True)
    idle = _seconds(lambda: imapidle.wait(client.wire, 0)) if "IDLE" in capabilities else None
    prefixes, shared = _namespaces(client) if "NAMESPACE" in capabilities else (None, 0)
    used, room = _quota(client) if "QUOTA" in capabilities else (None, None)
    return Measures(statistics.median(rounds), max(rounds), idle, prefixes, shared, used, room)


def _seconds(question: Callable[[], Any]) -> float:
    began = time.monotonic()
    question()
    return time.monotonic() - began


def _namespaces(client: Client) -> tuple[tuple[tuple[str, str], ...] | None, int]:
    try:
        found = client.namespace()
    except imaplib.IMAP4.error:     # offered, and refused all the same: worth no more than "not told"
        return None, 0
    personal = tuple((prefix, delimiter or "") for prefix, delimiter in found.personal or ())
    return personal, len(found.other or ()) + len(found.shared or ())


def _quota(client: Client) -> tuple[int | None, int | None]:
    """Used and allowed bytes of the root that is fullest."""
    try:
        _, quotas = client.get_quota_root("INBOX")
    except imaplib.IMAP4.error:
        return None, None
    storage = [(one.usage * 1024, one.limit * 1024) for one in quotas if one.resource.upper() == "STORAGE" and one.limit]
    return max(storage, key=lambda pair: pair[0] / pair[1], default=(None, None))
