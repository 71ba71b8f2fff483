"""Fetches the header and the texts of a mail that is too large to be fetched whole; and later one of its files alone.

What comes is put together as a mail again, with an empty place for each part that was left out (message.LEFT_OUT).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from mailhelper.imapfetch import unusual
from mailhelper.imapwire import Wire
from mailhelper.message import LEFT_OUT

TEXT = 1 << 20          # bytes of a text that are fetched
SMALL = 64_000          # bytes of any other part that is worth having at once
MOST = 3 << 20          # bytes of all parts together
DEEPEST, MOST_PARTS = 10, 200


class Leaf(NamedTuple):
    """A part without parts."""
    section: str        # as IMAP counts (RFC 9051 §6.4.5.1)
    text: bool
    encoded: bool       # by base64
    size: int           # bytes as they stand in the mail


def outline(wire: Wire, uid: int) -> bytes:
    """A mail of the selected folder, short of its large parts; b"" where the server does not hand it out."""
    found = _fetch(wire, uid, ["BODYSTRUCTURE"])
    structure = found.get(b"BODYSTRUCTURE")
    if not structure:
        return b""
    leaves = {leaf.section: leaf for leaf in _leaves(structure, "")}
    kept, room = {}, MOST
    for leaf in leaves.values():
        take = min(leaf.size, TEXT) if leaf.text else leaf.size
        if (leaf.text or leaf.size <= SMALL) and take <= room:
            kept[leaf.section], room = take, room - take
    heads = [] if "multipart" not in _kind(structure) else [f"BODY.PEEK[{name}.MIME]" for name in _sections(structure, "")]
    bodies = [f"BODY.PEEK[{section}]<0.{size or 1}>" for section, size in kept.items()]
    parts = _fetch(wire, uid, ["BODY.PEEK[HEADER]", *heads, *bodies])
    return _whole(structure, "", leaves, parts, kept)


def section(wire: Wire, uid: int, name: str) -> bytes:
    """One part as it stands in the mail; b"" where the server does not hand it out."""
    data = _fetch(wire, uid, [f"BODY.PEEK[{name}]"]).get(f"BODY[{name}]".encode())
    return data if isinstance(data, bytes) else b""


def _fetch(wire: Wire, uid: int, items: list[str]) -> dict[bytes, Any]:
    found: dict[bytes, Any] = {}
    for line in wire.answers("UID", "FETCH", str(uid), f"(UID {' '.join(items)})"):
        for item in unusual(wire.rest(line)):
            if item.uid == uid:
                found |= item.more
    return found


def _kind(structure: Any) -> str:
    first = structure[0]
    return "multipart" if isinstance(first, list) else first.decode("ascii", "replace").lower()


def _children(structure: Any, path: str) -> Iterator[tuple[str, Any]]:
    for number, child in enumerate(structure[0][:MOST_PARTS], 1):
        yield f"{path}.{number}" if path else str(number), child


def _sections(structure: Any, path: str) -> Iterator[str]:
    """Every part below, parents first."""
    if _kind(structure) == "multipart" and path.count(".") < DEEPEST:
        for name, child in _children(structure, path):
            yield name
            yield from _sections(child, name)


def _leaves(structure: Any, path: str) -> Iterator[Leaf]:
    if _kind(structure) == "multipart":
        if path.count(".") < DEEPEST:
            for name, child in _children(structure, path):
                yield from _leaves(child, name)
        return
    encoding = structure[5] if isinstance(structure[5], bytes) else b""
    size = structure[6] if isinstance(structure[6], int) else 0
    yield Leaf(path or "1", _kind(structure) == "text", encoding.lower() == b"base64", size)


def _whole(structure: Any, path: str, leaves: dict[str, Leaf], parts: dict[bytes, Any], kept: dict[str, int]) -> bytes:
    """A part with its header; the mail itself for the path ""."""
    head = parts.get(f"BODY[{path}.MIME]".encode() if path else b"BODY[HEADER]") or b""
    head = head.rstrip(b"\r\n") + b"\r\n"
    if _kind(structure) == "multipart":
        boundary = _boundary(structure)
        below = [_whole(child, name, leaves, parts, kept) for name, child in _children(structure, path)] if path.count(".") < DEEPEST else []
        return head + b"\r\n" + b"".join(b"--" + boundary + b"\r\n" + one + b"\r\n" for one in below) + b"--" + boundary + b"--"
    name = path or "1"
    if name in kept:
        data = parts.get(f"BODY[{name}]<0>".encode()) or parts.get(f"BODY[{name}]".encode()) or b""
        return head + b"\r\n" + (data if isinstance(data, bytes) else b"")
    leaf = leaves[name]
    size = leaf.size * 3 // 4 if leaf.encoded else leaf.size
    return head + f"{LEFT_OUT}: {size} {name}\r\n\r\n".encode()


def _boundary(structure: Any) -> bytes:
    """Out of the parameters of a multipart (RFC 9051 §7.5.2)."""
    words = next((one for one in structure[2:3] if isinstance(one, tuple)), ())
    for key, value in zip(words[::2], words[1::2], strict=False):
        if isinstance(key, bytes) and key.lower() == b"boundary" and isinstance(value, bytes):
            return value
    return b"mailhelper"
