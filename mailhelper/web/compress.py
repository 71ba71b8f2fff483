"""Makes answers small for browsers that take gzip (RFC 9110 §12.5.3): a list page shrinks to a tenth."""

import gzip
from functools import lru_cache
from pathlib import Path

from bottle import request, response

SMALLEST = 1400     # bytes; what fits one packet gains nothing
LEVEL = 1           # most of the gain for a third of the time; static files are kept, and get the best


def text(value: str) -> bytes:
    """The answer's body, compressed where the asker takes it."""
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < SMALLEST or not accepted():
        return data
    _say()
    return gzip.compress(data, LEVEL, mtime=0)


def file(path: Path) -> bytes:
    """A static file, compressed; kept, since it does not change while the program runs."""
    _say()
    return _file(path, path.stat().st_mtime_ns)


def accepted() -> bool:
    """Whether who asks takes gzip."""
    return any(word.strip().split(";")[0] == "gzip" for word in (request.get_header("Accept-Encoding") or "").split(","))


def _say() -> None:
    response.set_header("Content-Encoding", "gzip")
    response.set_header("Vary", "Accept-Encoding")


@lru_cache(64)
def _file(path: Path, changed: int) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)
