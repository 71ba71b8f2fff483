"""Looks whether everything is as it should be, and says in words what is not."""

import importlib.util
import os
import stat
from typing import Any

from mailhelper import db, local, queue
from mailhelper.config import config
from mailhelper.db import db as database
from mailhelper.models import User
from mailhelper.scope import instance_key

EXTRAS = {"redis": "REDIS_URL", "psycopg2": "DATABASE_URL with PostgreSQL"}


def checks() -> list[dict[str, Any]]:
    """[{name, ok, grave, text}]; a grave one keeps the program from working."""
    return [_data(), _key(), _database(), _queue(), _worker(), _watcher(), _people(), *_extras(), _local_ai()]


def _check(name: str, ok: bool, good: str, bad: str, grave: bool = True) -> dict[str, Any]:
    return {"name": name, "ok": ok, "grave": grave, "text": good if ok else bad}


def _data() -> dict[str, Any]:
    usable = config.data.is_dir() and os.access(config.data, os.W_OK)
    open_to_others = usable and stat.S_IMODE(config.data.stat().st_mode) & 0o077
    if open_to_others:
        advice = f"{config.data} can be read by other users of this machine; please run: chmod 700 {config.data}"
        return _check("data", False, "", advice, grave=False)
    return _check("data", usable, f"{config.data}", f"{config.data} cannot be written")


def _key() -> dict[str, Any]:
    try:
        instance_key()
    except (OSError, ValueError) as error:
        return _check("instance key", False, "", f"{config.instance_key}: {type(error).__name__}")
    private = not stat.S_IMODE(config.instance_key.stat().st_mode) & 0o077
    return _check("instance key", private, f"{config.instance_key}", f"{config.instance_key} can be read by others; please run: chmod 600 on it")


def _database() -> dict[str, Any]:
    try:
        with database.connection_context():
            waiting = db.pending()
    except Exception as error:      # whatever the driver throws
        return _check("database", False, "", f"cannot be reached: {type(error).__name__}")
    kind = "PostgreSQL" if db.is_postgres() else f"SQLite {db.sqlite_version()}"
    return _check("database", not waiting, f"{kind}, up to date", f"needs {', '.join(waiting)}; please run: mailhelper db upgrade")


def _queue() -> dict[str, Any]:
    if config.jobs == "inline":
        return _check("queue", True, "none: the web process does the jobs", "")
    queue.prepare()
    return _check("queue", queue.reachable(), "Redis" if config.redis_url else "SQLite", "does not answer")


def _worker() -> dict[str, Any]:
    up = config.jobs == "inline" or queue.seen(queue.WORKER)
    return _check("worker", up, "running", "none seen in the last minutes; please run: mailhelper run", grave=False)


def _watcher() -> dict[str, Any]:
    if config.jobs == "inline":
        return _check("watcher", True, "none: mail is fetched when somebody asks", "")
    bad = "none seen in the last minutes: new mail comes at each mailbox's interval only; please run: mailhelper run"
    return _check("watcher", queue.seen(queue.WATCHER), "running", bad, grave=False)


def _people() -> dict[str, Any]:
    try:
        with database.connection_context():
            count = User.select().count()
    except Exception as error:      # whatever the driver throws
        return _check("users", False, "", f"cannot be counted: {type(error).__name__}", grave=False)
    return _check("users", count > 0, f"{count}", "none yet; open the page, or run: mailhelper user add NAME --admin", grave=False)


def _extras() -> list[dict[str, Any]]:
    wanted = {"redis": bool(config.redis_url), "psycopg2": config.database.startswith("postgres")}
    return [_check(name, importlib.util.find_spec(name) is not None, "installed", f"is needed for {EXTRAS[name]}; please install it")
            for name, needed in wanted.items() if needed]


def _local_ai() -> dict[str, Any]:
    """Not needed, but language and similarity are told better with it."""
    missing = [name for name, there in local.there().items() if not there]
    advice = f"without {', '.join(missing)}; if wanted: pip install mailhelper[local-ai]"
    return _check("local AI", not missing, f"{', '.join(local.PACKAGES)}", advice, grave=False)
