"""Settings: one frozen dataclass, read once; environment before file before default.

Each option is one row below; the row feeds the parser, `mailhelper config` and the message about a wrong value.
`NAME_FILE` in the environment names a file that holds the value (for secrets in container mounts).
"""

import configparser
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILE_NAME = "mailhelper.ini"


class BadSetting(ValueError):
    """A setting has a value that cannot be used; the message names it."""


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return value
    return read


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isdigit() or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)
    return read


def _words(value: str) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split())


def _networks(value: str) -> tuple[str, ...]:
    for word in _words(value):
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise ValueError("addresses or networks such as 10.0.0.0/8") from None
    return _words(value)


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("ADDRESS:PORT such as 127.0.0.1:8080")
    return value


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"an address that begins with {', '.join(f'{scheme}://' for scheme in schemes)}")
        return value
    return read


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _option(env: str, default: Any, read: Callable[[str], Any], help: str, secret: bool = False) -> Any:
    return field(default=default, metadata={"env": env, "read": read, "help": help, "secret": secret})


@dataclass(frozen=True)
class Config:
    data: Path = _option("MAILHELPER_DATA", _path("~/.local/share/mailhelper"), _path, "Directory of database, queue and instance key.")
    database_url: str = _option("DATABASE_URL", "", _url("postgresql", "postgres", "sqlite"),
                                "postgresql://… or sqlite:///…; default: SQLite in the data directory.", secret=True)
    redis_url: str = _option("REDIS_URL", "", _url("redis", "rediss", "unix"),
                             "redis://… for the queue; default: SQLite in the data directory.", secret=True)
    jobs: str = _option("MAILHELPER_JOBS", "queue", _one_of("queue", "inline"),
                        "queue: workers do the jobs; inline: a thread of the web process does, nothing periodic.")
    listen: str = _option("MAILHELPER_LISTEN", "127.0.0.1:8080", _listen, "Address and port of the web server.")
    workers: int = _option("MAILHELPER_WORKERS", 2, _number(1, 64), "Worker processes for jobs.")
    instance_key_file: Path | None = _option("MAILHELPER_INSTANCE_KEY_FILE", None, _path,
                                             "The key that wraps job grants (0600, not in backups); default: instance.key in the data directory.")
    registration: str = _option("MAILHELPER_REGISTRATION", "invite", _one_of("invite", "open", "closed"),
                                "Who may make a user besides the first: the invited, everybody, nobody.")
    log_level: str = _option("MAILHELPER_LOG_LEVEL", "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "How much to log, to standard error.")
    allow_private: tuple[str, ...] = _option("MAILHELPER_ALLOW_PRIVATE", (), _words,
                                             "Hosts and networks of this LAN that ordinary users may name as mail or AI server.")
    trusted_proxies: tuple[str, ...] = _option("MAILHELPER_TRUSTED_PROXIES", (), _networks,
                                               "Addresses of reverse proxies whose X-Forwarded-For and -Proto are believed.")
    base_seconds: int = _option("MAILHELPER_BASE_SECONDS", 120, _number(5, 86_400),
                                "Time limit of a base pass over one mail; a model without a graphics card may need more.")
    optimize_seconds: int = _option("MAILHELPER_OPTIMIZE_SECONDS", 180, _number(5, 86_400), "Time limit of an optimize pass.")
    reply_seconds: int = _option("MAILHELPER_REPLY_SECONDS", 90, _number(5, 86_400), "Time limit of a reply draft.")
    api_rate: int = _option("MAILHELPER_API_RATE", 0, _number(0, 1_000_000), "Calls a minute per signed-in user; 0: no limit.")

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data}/mailhelper.db"

    @property
    def instance_key(self) -> Path:
        return self.instance_key_file or self.data / "instance.key"

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def load(environ: Mapping[str, str] = os.environ) -> Config:
    """Read all settings.  Raises BadSetting with the name of the wrong one."""
    data = environ.get("MAILHELPER_DATA")
    path = Path(environ.get("MAILHELPER_CONFIG") or (_path(data) if data else Config.data) / FILE_NAME)
    texts = {**_file(path), **_environment(environ)}
    values = {}
    for option in fields(Config):
        env = option.metadata["env"]
        if text := texts.get(env):
            try:
                values[option.name] = option.metadata["read"](text)
            except ValueError as error:
                raise BadSetting(f"{env} must be {error}") from None
    return Config(**values)


def _file(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        return {}
    except configparser.Error as error:      # its own words quote the line, which may hold a password
        raise BadSetting(f"{path}: not an ini file with [sections] and NAME = value lines ({type(error).__name__})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: {error}") from None
    known = {option.metadata["env"] for option in fields(Config)} - {"MAILHELPER_DATA"}
    values = {name.upper(): text for section in parser.values() for name, text in section.items()}
    for name in values.keys() - known:
        raise BadSetting(f"{path}: there is no setting {name}")
    return values


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for option in fields(Config):
        env = option.metadata["env"]
        if path := environ.get(f"{env}_FILE"):
            try:
                values[env] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise BadSetting(f"{env}_FILE: {error}") from None
        elif env in environ:
            values[env] = environ[env]
    return values


def shown(settings: Config) -> list[tuple[str, str, str]]:
    """(environment name, effective value with secrets masked, help) of every option, for `config` and `doctor`."""
    effective = {"database_url": settings.database, "instance_key_file": str(settings.instance_key)}
    rows = []
    for option in fields(Config):
        value = effective.get(option.name) or getattr(settings, option.name)
        text = " ".join(value) if isinstance(value, tuple) else str(value)
        rows.append((option.metadata["env"], _masked(text) if option.metadata["secret"] else text, option.metadata["help"]))
    return rows


def _masked(url: str) -> str:
    parts = urlsplit(url)
    masked = url.replace(f":{parts.password}@", ":***@") if parts.password else url
    return masked.replace(parts.query, "***") if "password" in parse_qs(parts.query) else masked


config = load()
