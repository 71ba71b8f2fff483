"""Looks for words where none may be: in files, in database cells, under the usual encodings and compression."""

import base64
import binascii
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")  # first bytes of zlib and gzip streams
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
LIMIT = 4_000_000  # bytes of one decompressed stream
DEPTH = 3  # how many wrappings are opened


def disguises(word: str) -> dict[str, bytes]:
    """The byte strings that give a word away, by the name of their form; cases are folded by the caller where it matters."""
    plain = word.encode()
    forms = {"plain": plain, "utf-16": word.encode("utf-16-le"), "utf-16-be": word.encode("utf-16-be"), "hex": plain.hex().encode()}
    for shift in range(3):  # the three ways a word can lie in a base64 text; its first and last characters mix with their neighbours
        coded = base64.b64encode(bytes(shift) + plain)
        forms[f"base64+{shift}"] = coded[(0, 2, 3)[shift] : len(coded) // 4 * 4 - 4]
    return forms


def found(words: Iterable[str], folders: Iterable[Path]) -> list[str]:
    """Where the words are: "file: word (form)" for each find in the names and contents of all files below the folders."""
    needles = [(word, form, needle) for word in words for form, needle in disguises(word).items()]
    finds = []
    for path in files(folders):
        for place, data in contents(path):
            folded = data.lower()
            finds += [f"{place}: {word} ({form})" for word, form, needle in needles if needle in (folded if needle.islower() else data)]
    return sorted(set(finds))


def files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in ([folder] if folder.is_file() else folder.rglob("*")) if path.is_file())


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file's name and bytes, what is packed in them, and, of an SQLite database, every cell (long ones lie scattered in the file)."""
    yield f"name of {path}", str(path).encode()
    data = path.read_bytes()
    yield from opened(str(path), data, 0)
    if data.startswith(b"SQLite format 3"):
        for place, cell in cells(path):
            yield from opened(f"{path} {place}", cell, 0)


def opened(place: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    yield place, data
    if depth == DEPTH:
        return
    for match in ZLIB.finditer(data):
        with suppress(zlib.error):
            inner = zlib.decompressobj(wbits=47).decompress(data[match.start() :], LIMIT)
            if len(inner) > 8:
                yield from opened(f"{place} unzipped", inner, depth + 1)
    for match in BASE64.finditer(data):
        with suppress(binascii.Error):
            coded = match[0].rstrip(b"=")
            inner = base64.b64decode(coded + b"=" * (-len(coded) % 4), altchars=b"-_" if b"-" in coded or b"_" in coded else None)
            if ZLIB.match(inner):
                yield from opened(f"{place} unbase64ed", inner, depth + 1)


def cells(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        for (name,) in database.execute(tables).fetchall():
            for number, row in enumerate(database.execute(f'SELECT * FROM "{name.decode()}"')):
                yield from ((f"{name.decode()} row {number}", cell) for cell in row if isinstance(cell, bytes))
