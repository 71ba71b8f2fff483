"""The search for leaked words is only worth something if it finds them."""

import base64
import sqlite3
import zlib
from contextlib import closing

import pytest

from tests.servers.canaries import found

WORD = "quexlimbatory"
TEXT = f"some words around {WORD} and behind it"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.upper().encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-be"),
        TEXT.encode().hex().encode(),
        TEXT.encode().hex().upper().encode(),
        *(base64.b64encode(b"x" * shift + TEXT.encode()) for shift in range(3)),
        *(base64.urlsafe_b64encode(b"\xff" * shift + WORD.encode()) for shift in range(3)),
        b"before" + zlib.compress(TEXT.encode()) + b"after",
        base64.b64encode(zlib.compress(TEXT.encode())),
        zlib.compress(base64.b64encode(b"\0" + TEXT.encode())),
    ],
)
def test_a_word_is_found_in_every_disguise(tmp_path, data):
    (tmp_path / "clean").write_bytes(TEXT.replace(WORD, "nothing").encode())
    (tmp_path / "file").write_bytes(b"\0\1\2" + data + b"\3")
    finds = found([WORD], [tmp_path])
    assert finds
    assert all(find.startswith(str(tmp_path / "file")) and WORD in find for find in finds)


def test_a_word_is_found_in_the_name_of_a_file(tmp_path):
    (tmp_path / f"{WORD}.txt").touch()
    assert found([WORD], [tmp_path])


def test_a_word_is_found_in_a_cell_that_is_torn_over_pages(tmp_path):
    with closing(sqlite3.connect(tmp_path / "torn.db")) as database, database:
        database.execute("CREATE TABLE t (value BLOB)")
        database.executemany("INSERT INTO t VALUES (?)", [(b"-" * number + WORD.encode(),) for number in range(4050, 4090)])
    assert len([find for find in found([WORD], [tmp_path]) if "t row" in find]) == 40
