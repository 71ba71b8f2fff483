"""The database: one connection for the whole program, the base of all tables, sealed fields, migrations."""

import datetime as dt
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from peewee import BlobField, Database, DatabaseProxy, Model, ModelSelect, PostgresqlDatabase, SqliteDatabase, chunked
from playhouse.db_url import connect as open_url
from playhouse.migrations import Runner

from mailhelper.crypto import Vault
from mailhelper.errors import Locked

MIGRATIONS = Path(__file__).parent / "migrations"
PRAGMAS = {"journal_mode": "wal", "synchronous": "normal", "foreign_keys": 1, "cache_size": -16_000, "temp_store": "memory"}
UPGRADE_LOCK = 0x6D61696C      # "mail": the advisory lock of PostgreSQL that an upgrade holds
BULK = 500      # rows a statement: SQLite takes 32,766 variables, PostgreSQL 65,535

db = DatabaseProxy()
_url = ""
vault: ContextVar[Vault] = ContextVar("vault")      # set by Scope.__enter__, read by sealed fields


def now() -> dt.datetime:
    """The one clock: naive UTC, as both databases store it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def connect(url: str) -> Database:
    """Point the program at a database.  No connection is opened yet; use `db.connection_context()`."""
    global _url
    _url = url
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            path.touch(mode=0o600)      # SQLite itself would let others of this machine read it, and gives its WAL the same mode
        # IMMEDIATE: without it, two transactions that read first and write later fail with "database is locked" at once.
        database: Database = SqliteDatabase(str(path), pragmas=PRAGMAS, lock_type="IMMEDIATE", timeout=15, autoconnect=False)
    else:
        url = url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+pool://", 1)
        database = open_url(url, max_connections=20, stale_timeout=300, timeout=10, autoconnect=False)
    db.initialize(database)
    return database


def url() -> str:
    """Where `connect` pointed the program, for another process of ours; may hold a password."""
    return _url


def is_postgres() -> bool:
    return isinstance(db.obj, PostgresqlDatabase)


def runner() -> Runner:
    """The numbered migrations of this version, over the open database."""
    return Runner(db.obj, str(MIGRATIONS))


def pending() -> list[str]:
    """Names of migrations that this database still needs."""
    return [migration.name for migration in runner().status() if migration.path and not migration.applied]


def upgrade() -> list[str]:
    """Apply what is pending; the names applied.  A second one at the same time waits, and then finds nothing to do."""
    with _alone():
        applied: list[str] = runner().up()
    return applied


@contextmanager
def _alone() -> Iterator[None]:
    """One upgrade at a time, since peewee's runner has no lock: the loser would fail half-way."""
    if is_postgres():
        db.execute_sql("SELECT pg_advisory_lock(%s)", (UPGRADE_LOCK,))
        try:
            yield
        finally:
            db.execute_sql("SELECT pg_advisory_unlock(%s)", (UPGRADE_LOCK,))
        return
    folder = os.open(Path(db.obj.database).parent, os.O_RDONLY)      # not the file itself: closing it would drop SQLite's own locks
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def sqlite_version() -> str:
    return sqlite3.sqlite_version


class Table(Model):
    class Meta:
        database = db
        legacy_table_names = False


class Sealed(BlobField):
    """Text kept as ciphertext; readable only inside its owner's Scope, else Locked."""

    def bind(self, model: type[Model], name: str, set_attribute: bool = True) -> None:
        super().bind(model, name, set_attribute)
        self.about = f"{model._meta.table_name}.{name}".encode()     # type: ignore[attr-defined]

    def db_value(self, value: Any) -> Any:
        return None if value is None else super().db_value(self.seal(value))

    def seal(self, value: Any) -> bytes | None:
        """The ciphertext, for rows that go to the driver as they are, or to another process."""
        return None if value is None else _vault().seal(self.pack(value), self.about)

    def python_value(self, value: Any) -> Any:
        return None if value is None else self.unpack(_vault().open(bytes(value), self.about))

    def pack(self, value: Any) -> bytes:
        data: bytes = value.encode("utf-8", "surrogatepass")
        return data

    def unpack(self, data: bytes) -> Any:
        return data.decode("utf-8", "surrogatepass")


class SealedBytes(Sealed):
    """Bytes kept as ciphertext."""

    def pack(self, value: bytes) -> bytes:
        return value

    def unpack(self, data: bytes) -> bytes:
        return data


_from_json = json.JSONDecoder().decode      # json.loads asks itself five things first; a list page opens a hundred values


class SealedJSON(Sealed):
    """Anything JSON can hold, kept as ciphertext."""

    def pack(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def unpack(self, data: bytes) -> Any:
        return _from_json(data.decode("utf-8", "surrogatepass"))


def _vault() -> Vault:
    try:
        return vault.get()
    except LookupError:
        raise Locked() from None


def add_counts(model: type[Table], rows: Sequence[dict[str, Any]], key: Sequence[str], add: Sequence[str], first: str, last: str,
               newest: str = "") -> None:
    """Insert rows; where `key` is there already, add to the columns of `add`, widen the span from `first` to `last`, and put `newest` if not null."""
    columns, mark, table = list(rows[0]), db.obj.param, model._meta.table_name      # type: ignore[attr-defined]
    changes = [f'"{name}" = "{table}"."{name}" + excluded."{name}"' for name in add]
    changes += [f'"{name}" = CASE WHEN excluded."{name}" {sign} "{table}"."{name}" THEN excluded."{name}" ELSE "{table}"."{name}" END'
                for name, sign in ((first, "<"), (last, ">"))]
    if newest:
        changes.append(f'"{newest}" = COALESCE(excluded."{newest}", "{table}"."{newest}")')
    one = f"({', '.join([mark] * len(columns))})"
    sql = (f'INSERT INTO "{table}" ({_names(model, columns)}) VALUES {", ".join([one] * len(rows))} '
           f'ON CONFLICT ({_names(model, key)}) DO UPDATE SET {", ".join(changes)}')
    db.execute_sql(sql, [value for row in rows for value in row.values()])


def _names(model: type[Table], columns: Sequence[str]) -> str:
    return ", ".join(f'"{model._meta.fields[name].column_name}"' for name in columns)      # type: ignore[attr-defined]


def rows(query: ModelSelect) -> list[tuple[Any, ...]]:
    """The rows of a query as the driver gives them: sealed, and times of SQLite as text.  For lists, where peewee's care for each value tells."""
    found: list[tuple[Any, ...]] = db.execute(query).fetchall()
    return found


def written(query: ModelSelect) -> tuple[str, list[Any]]:
    """The SQL of a query and its values, for `ask`: what is asked again and again need not be written by peewee each time."""
    sql, values = query.sql()
    return sql, values


def ask(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a query that was `written` before, as `rows` gives them."""
    found: list[tuple[Any, ...]] = db.execute_sql(sql, values).fetchall()
    return found


def insert_rows(model: type[Table], columns: Sequence[str], rows: Sequence[Sequence[Any]], returning: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """Insert many rows by the driver: a tenth of what building them as peewee queries costs.  Rows that exist already are passed over.

    Values must be ready for the driver (sealed ones through the field's `seal`, before the transaction).
    Returns the `returning` columns of the rows that were inserted; both databases know RETURNING.
    """
    names = _names(model, columns)
    one = f"({', '.join([db.obj.param] * len(columns))})"
    after = f" RETURNING {', '.join(returning)}" if returning else ""
    inserted: list[tuple[Any, ...]] = []
    for chunk in chunked(rows, BULK):
        sql = f'INSERT INTO "{model._meta.table_name}" ({names}) VALUES {", ".join([one] * len(chunk))} ON CONFLICT DO NOTHING{after}'      # type: ignore[attr-defined]
        cursor = db.execute_sql(sql, [value for row in chunk for value in row])
        if returning:
            inserted += cursor.fetchall()
    return inserted
