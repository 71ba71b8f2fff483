"""Who may touch which rows, and with which key: the one place that answers both.

A Scope is a user together with their open vault.  Grants open one: see `grant` and the three `open_…` functions.
"""

import datetime as dt
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar, Token
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from peewee import SQL, Expression, ForeignKeyField, ModelDelete, ModelSelect, ModelUpdate

from mailhelper import crypto
from mailhelper.config import config
from mailhelper.crypto import BadKey, Vault
from mailhelper.db import Sealed, add_counts, ask, insert_rows, is_postgres, now, rows, vault, written
from mailhelper.errors import Locked, NotFound
from mailhelper.models import REMOVED, Account, Folder, Grant, Owned, User

Row = TypeVar("Row", bound=Owned)
JOB_TTL = dt.timedelta(days=1)
SESSION_TTL = dt.timedelta(days=30)      # at most; the idle limit usually ends it earlier
_entered: ContextVar[tuple[Token[Vault], ...]] = ContextVar("entered", default=())       # here and not in the Scope, which threads may share
_HIDDEN: dict[type[Owned], Expression] = {Account: Account.removed_at.is_null(), Folder: Folder.role != REMOVED}
TOUCH_EVERY = dt.timedelta(minutes=1)    # a session's use is written down at most this often: reading a page must not write


class Scope:
    """A user and their open vault.  Every query on an Owned table starts here; entering it lets sealed fields open."""

    def __init__(self, user: User, key: bytes, grant: Grant | None = None) -> None:
        self.user, self.vault, self.grant = user, Vault(key), grant

    def __enter__(self) -> "Scope":
        _entered.set((*_entered.get(), vault.set(self.vault)))
        return self

    def __exit__(self, *exc: object) -> None:
        *outer, token = _entered.get()
        vault.reset(token)
        _entered.set(tuple(outer))

    def select(self, model: type[Row], *columns: Any) -> ModelSelect:
        """The user's rows.  A mailbox that was removed is there no more, though a job may still be deleting it."""
        query = model.select(*columns).where(model.user == self.user)
        hidden = _HIDDEN.get(model)
        return query if hidden is None else query.where(hidden)

    def get(self, model: type[Row], id: object) -> Row:
        """The row, or NotFound: also when it is somebody else's, and when the id is no number at all."""
        return self._get(model, id)

    def _get(self, model: type[Row], id: object, *columns: Any) -> Row:
        try:
            row: Row = self.select(model, *columns).where(model._meta.primary_key == int(str(id))).get()      # type: ignore[attr-defined]
        except (model.DoesNotExist, ValueError, OverflowError):     # type: ignore[attr-defined]
            raise NotFound() from None
        return row

    def create(self, model: type[Row], /, **values: Any) -> Row:
        self._check(model, values)
        row: Row = model.create(user=self.user, **values)
        return row

    def insert(self, model: type[Row], columns: Sequence[str], rows: Sequence[Sequence[Any]], ids: bool = False) -> list[int]:
        """Insert many rows whose values are ready for the driver; existing ones are passed over.

        Foreign keys must come fresh from this scope.  With `ids`, the new ids in the order of the rows (each statement counts up).
        """
        mine = [(self.user.id, *row) for row in rows]
        return sorted(row[0] for row in insert_rows(model, ("user", *columns), mine, ("id",) if ids else ()))

    def insert_new(self, model: type[Row], columns: Sequence[str], rows: Sequence[Sequence[Any]], key: tuple[str, ...]) -> dict[Any, int]:
        """The same; {values of the `key` columns: id} of those that were not there yet."""
        mine = [(self.user.id, *row) for row in rows]
        return {row[:-1]: row[-1] for row in insert_rows(model, ("user", *columns), mine, (*key, "id"))}

    def add_counts(self, model: type[Row], rows: Sequence[dict[str, Any]], key: str, add: Sequence[str], first: str, last: str,
                   newest: str = "") -> None:
        """Insert rows ready for the driver; where the user has one of that `key`, add to its counts, widen its span and renew what is newest."""
        if rows:
            add_counts(model, [{"user": self.user.id, **row} for row in rows], ("user", key), add, first, last, newest)

    def update(self, model: type[Row], /, **values: Any) -> ModelUpdate:
        self._check(model, values)
        return model.update(**values).where(model.user == self.user)

    def delete(self, model: type[Row]) -> ModelDelete:
        return model.delete().where(model.user == self.user)

    def _check(self, model: type[Row], values: dict[str, Any]) -> None:
        """A row may refer only to rows of the same owner, and stays with its owner; by whichever name a column is called."""
        for name, value in values.items():
            field = model._meta.combined.get(name)      # type: ignore[attr-defined]
            if field is model.user and getattr(value, "id", value) != self.user.id:
                raise NotFound()
            if isinstance(field, ForeignKeyField) and value is not None and issubclass(field.rel_model, Owned):
                if isinstance(value, Owned) and value.user_id == self.user.id:     # type: ignore[attr-defined]
                    continue
                self._get(field.rel_model, getattr(value, "id", value), field.rel_model._meta.primary_key)


class Keyless(Scope):
    """A user's rows where nobody has their key, for jobs that need none: it cannot be entered, and opens nothing."""

    def __init__(self, user: User) -> None:
        self.user, self.grant = user, None

    def __enter__(self) -> "Scope":
        raise Locked()


class Everyone:
    """All users' rows, for the worker's bookkeeping and the admin's counts.  Sealed columns are left out: nothing opens them."""

    def select(self, model: type[Row], *columns: Any) -> ModelSelect:
        if any(isinstance(column, Sealed) for column in columns):
            raise Locked()
        plain = [field for field in model._meta.sorted_fields if not isinstance(field, Sealed)]    # type: ignore[attr-defined]
        return model.select(*(columns or plain))

    def create(self, model: type[Row], user: int, **values: Any) -> Row:
        row: Row = model.create(user=user, **values)
        return row

    def update(self, model: type[Row], **values: Any) -> ModelUpdate:
        return model.update(**values)

    def delete(self, model: type[Row]) -> ModelDelete:
        return model.delete()


everyone = Everyone()


def instance_key() -> bytes:
    """The key that wraps job and background grants: a 0600 file outside database and backups, made at first use."""
    path = config.instance_key
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, fresh = tempfile.mkstemp(prefix=path.name, dir=path.parent)      # 0600, and nobody else's, whatever thread or process
        with os.fdopen(handle, "w") as file:
            file.write(crypto.new_key().hex())
        with suppress(FileExistsError):
            os.link(fresh, path)        # whoever is first wins; the others read the winner's
        os.unlink(fresh)
    return _read_key(path)


def _read_key(path: Path) -> bytes:
    key = bytes.fromhex(path.read_text().strip())
    if len(key) != crypto.KEY_SIZE:
        raise ValueError(f"{path.name} must hold {crypto.KEY_SIZE} bytes in hexadecimal")
    return key


def grant(scope: Scope, purpose: str, ttl: dt.timedelta, subject: int = 0, scopes: str = "", label: str | None = None) -> tuple[Grant, str]:
    """Make a grant.  Returns the row and the holder's secret ("" for job and background, which the instance key opens)."""
    held = purpose in ("session", "api")
    secret = secrets.token_urlsafe(32) if held else ""
    wrapping = secret.encode() if held else instance_key()
    with scope:
        row = scope.create(
            Grant, purpose=purpose, subject=subject, scopes=scopes, label=label, expires_at=now() + ttl,
            secret_hash=crypto.digest(secret) if held else None,
            wrapped=crypto.wrap(wrapping, scope.vault.key, _about(scope.user.id, purpose)),
        )
    return row, secret


def open_held(purpose: str, secret: str) -> Scope:
    """The scope behind a session cookie or personal token.  Raises Locked when unknown, expired, idle too long or disabled.

    Writes that it was used only when that was not written within the last minute.
    """
    row = _found(ask(_held_sql(is_postgres()), (Grant.secret_hash.db_value(crypto.digest(secret)), purpose, 1)))
    if row is None or row.user.disabled or row.expires_at < now():
        raise Locked()
    idle = now() - row.used_at
    if purpose == "session" and idle > _patience(row.user):
        raise Locked("session_expired")
    scope = _open(row, secret.encode())
    if idle > TOUCH_EVERY:
        scope.update(Grant, used_at=now()).where(Grant.id == row.id).execute()
    return scope


def open_granted(purpose: str, subject: int, user_id: int) -> Scope:
    """The scope of a job or of a background sync.  Raises Locked when the grant is gone or expired."""
    row = _grant((Grant.purpose == purpose) & (Grant.subject == subject) & (Grant.user == user_id) & (Grant.expires_at > now()))
    if row is None or row.user.disabled:
        raise Locked()
    return _open(row, instance_key())


def _open(row: Grant, secret: bytes) -> Scope:
    try:
        return Scope(row.user, crypto.unwrap(secret, row.wrapped, _about(row.user_id, row.purpose)), row)     # type: ignore[attr-defined]
    except BadKey:
        raise Locked() from None


@lru_cache
def _held_sql(postgres: bool) -> str:
    """How each request asks for its grant by hash and purpose; in the words of the database."""
    del postgres
    return written(Grant.select(_COLUMNS).join(User).where(Grant.secret_hash == b"", Grant.purpose == "").limit(1))[0]


def _grant(which: Expression) -> Grant | None:
    return _found(rows(Grant.select(_COLUMNS).join(User).where(which).limit(1)))


def _found(found: list[tuple[Any, ...]]) -> Grant | None:
    """The grant with its user."""
    if not found:
        return None
    values = {field: field.python_value(value) for field, value in zip((*_GRANT, *_USER), found[0], strict=True)}
    grant = Grant(**{field.name: values[field] for field in _GRANT})
    grant.user = User(**{field.name: values[field] for field in _USER})
    return grant


def _about(user_id: int, purpose: str) -> str:
    return f"grant:{user_id}:{purpose}"


_GRANT = [field for field in Grant._meta.sorted_fields if not isinstance(field, Sealed)]     # type: ignore[attr-defined]
_USER = list(User._meta.sorted_fields)      # type: ignore[attr-defined]
_COLUMNS = SQL(", ".join(f'"{alias}"."{field.column_name}"' for alias, fields in (("t1", _GRANT), ("t2", _USER)) for field in fields))


def in_use(user: User) -> Expression:
    """True of a grant that has not expired, and of a session that is not idle too long."""
    return (Grant.expires_at > now()) & ((Grant.purpose != "session") | (Grant.used_at > now() - _patience(user)))


def _patience(user: User) -> dt.timedelta:
    return dt.timedelta(minutes=user.idle_minutes)


def drop_grants(scope: Scope, *conditions: Expression) -> int:
    """Revoke the user's grants that meet all conditions; how many."""
    count: int = scope.delete(Grant).where(*conditions).execute()
    return count


def purge_grants() -> int:
    """Delete expired grants and idle sessions of everyone; how many."""
    over: Expression = Grant.expires_at < now()
    for minutes, in User.select(User.idle_minutes).distinct().tuples():
        idle = Grant.used_at < now() - dt.timedelta(minutes=minutes) - TOUCH_EVERY
        over |= (Grant.purpose == "session") & idle & Grant.user.in_(User.select(User.id).where(User.idle_minutes == minutes))
    count: int = everyone.delete(Grant).where(over).execute()
    return count
