"""The schema: the migrations make what models.py says, and the table at its head tells the truth about what a thief could read."""

import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import BlobField, CharField, Database, Field, SqliteDatabase, TextField

from mailhelper import db as database
from mailhelper import models
from mailhelper.db import Sealed
from mailhelper.models import TABLES

COLUMNS = """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns
             WHERE table_schema = current_schema() ORDER BY 1, 2"""
CONSTRAINTS = """SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
                 WHERE connamespace = current_schema()::regnamespace AND contype IN ('f', 'p', 'u') ORDER BY 1, 2"""
INDEXES = "SELECT tablename, regexp_replace(indexdef, 'ON [^ ]+', '') FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2"
ALL = sorted(path.stem for path in database.MIGRATIONS.glob("[0-9]*.py"))
OURS = {model._meta.table_name for model in TABLES}


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table, connected."""
    if request.param == "sqlite":
        with (opened := database.connect(f"sqlite:///{tmp_path}/empty.db")).connection_context():
            yield opened
        return
    with (opened := database.connect(request.getfixturevalue("postgres_url"))).connection_context():
        opened.execute_sql("CREATE SCHEMA empty")
        opened.execute_sql("SET search_path TO empty")
        yield opened
        opened.execute_sql("DROP SCHEMA empty CASCADE")
        opened.execute_sql("SET search_path TO public")


def schema(db: Database) -> dict[str, Any]:
    """Columns, keys and indexes of our tables in the words of the database; the word index and peewee's own tables are left out."""
    if isinstance(db, SqliteDatabase):
        return {table: _sqlite(db, table) for table in OURS}
    return {name: [row for row in db.execute_sql(sql).fetchall() if row[0].strip('"') in OURS]
            for name, sql in (("columns", COLUMNS), ("constraints", CONSTRAINTS), ("indexes", INDEXES))}


def _sqlite(db: Database, table: str) -> Any:
    columns = sorted(row[1:] for row in db.execute_sql(f'PRAGMA table_info("{table}")').fetchall())
    keys = sorted(row[2:] for row in db.execute_sql(f'PRAGMA foreign_key_list("{table}")').fetchall())
    indexes = sorted(re.sub(r"[\s\"()]", "", sql or "") for sql, in db.execute_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,)).fetchall())
    return columns, keys, indexes


def test_the_migrations_make_the_schema_of_the_models(empty: Database) -> None:
    database.upgrade()
    migrated = schema(empty)
    empty.drop_tables(TABLES, cascade=not isinstance(empty, SqliteDatabase))
    if not isinstance(empty, SqliteDatabase):
        empty.execute_sql("DROP TABLE IF EXISTS mail_words")
    empty.create_tables(TABLES)
    assert migrated == schema(empty)
    assert any(migrated.values())


def test_migrating_twice_changes_nothing(empty: Database) -> None:
    assert database.pending() == ALL
    assert database.upgrade() == ALL
    before = schema(empty)
    assert database.pending() == [] and database.upgrade() == []
    assert schema(empty) == before


def test_an_upgrade_keeps_the_mail_of_an_earlier_version(empty: Database) -> None:
    """SQLite changes most columns by copying the table and dropping the old one, which would take everything below it along."""
    database.runner().up(ALL[0])
    columns = {"user": ("name", "wrapped_key", "admin", "disabled", "language", "timezone", "theme", "density", "idle_minutes", "created_at"),
               "account": ("user_id", "name", "address", "address_key", "kind", "mode", "background", "created_at"),
               "folder": ("user_id", "account_id", "name", "name_key", "role", "uidvalidity")}
    at, false = "2026-11-20 09:12:00", False
    rows = {"user": ("ann", "", false, false, "", "UTC", "auto", "comfortable", 30, at), "account": (1, b"", b"", b"", "imap", "builtin", false, at),
            "folder": (1, 1, b"", b"", "inbox", 1)}
    for table, values in rows.items():
        places = ", ".join([empty.param] * len(values))
        empty.execute_sql(f'INSERT INTO "{table}" ({", ".join(columns[table])}) VALUES ({places})', values)
    database.upgrade()
    assert [empty.execute_sql(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in rows] == [1, 1, 1]


def test_two_upgrades_at_once_do_not_collide(empty: Database) -> None:
    results: list[Any] = []

    def upgrade() -> None:
        with database.db.connection_context():
            if not isinstance(empty, SqliteDatabase):
                database.db.execute_sql("SET search_path TO empty")
            try:
                results.append(database.upgrade())
            except Exception as error:
                results.append(error)
            if not isinstance(empty, SqliteDatabase):
                database.db.execute_sql("SET search_path TO public")

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(results, key=str) == [ALL, [], []]


def test_a_new_database_file_is_its_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        with database.connect(f"sqlite:///{tmp_path}/data/mail.db").connection_context():
            database.upgrade()
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").iterdir()}
    finally:
        os.umask(old)
    assert modes == {"mail.db": 0o600, "mail.db-wal": 0o600, "mail.db-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


# ── what a thief could read ──

def named(row: str) -> set[str]:
    """Table.column of every column that a row of the table at the head of models.py names; `.column` belongs to the table before."""
    block = re.search(rf"\n    {row} +(.*?)(?=\n    [a-z]|\n\n)", str(models.__doc__), re.S)
    assert block, f"no row {row!r}"
    found, table = set(), ""
    for name, column in re.findall(r"(?:\b([A-Z]\w+)|(?<=\s))\.([a-z]\w*)", block[1]):
        table = name or table
        found.add(f"{table}.{column}")
    return found


def columns(*kinds: type[Field]) -> set[str]:
    return {f"{model.__name__}.{field.name}" for model in TABLES for field in model._meta.sorted_fields if isinstance(field, kinds)}


def test_every_sealed_column_is_named_as_sealed() -> None:
    assert named("sealed") == columns(Sealed)


def test_every_column_of_unsealed_bytes_is_named_as_key_or_hash() -> None:
    in_bytes = columns(BlobField) - columns(Sealed)
    keys = named("wrapped key") | named("instance key") | named("hash") | named("keyed hash")
    assert keys == in_bytes | {"User.wrapped_key", "Throttle.bucket", "Mail.uid"}


def test_every_readable_text_is_named_and_none_is_of_a_mail() -> None:
    readable = columns(CharField, TextField) - {"User.wrapped_key", "Throttle.bucket"}
    assert named("plain") == readable
    words = ("subject", "text", "body", "snippet", "address", "summary", "note", "host", "password", "filename", "title", "label")
    assert [name for name in readable if name.split(".")[1] in words] == []


def test_what_a_mail_says_is_sealed_and_what_finds_it_is_a_keyed_hash() -> None:
    assert {"Mail.head", "Raw.data", "Body.content", "Rating.detail", "Sender.address", "Account.imap", "Job.result"} <= columns(Sealed)
    assert {name for name in columns(BlobField) if name.endswith(("_key", ".key"))} == named("keyed hash") - {"Mail.uid"}
