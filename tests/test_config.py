"""Settings: environment before file before default, wrong values stop the start, secrets are masked."""

from dataclasses import fields
from pathlib import Path

import pytest

from mailhelper import config
from mailhelper.config import BadSetting, Config


def load(tmp_path: Path, ini: str | None = None, **environ: str) -> Config:
    if ini is not None:
        (tmp_path / "mailhelper.ini").write_text(ini)
    return config.load({"MAILHELPER_DATA": str(tmp_path), **environ})


def shown(settings: Config) -> dict[str, str]:
    return {name: value for name, value, _ in config.shown(settings)}


def test_defaults_need_nothing() -> None:
    settings = config.load({})
    assert settings.data == Path("~/.local/share/mailhelper").expanduser()
    assert settings.database == f"sqlite:///{settings.data}/mailhelper.db"
    assert settings.instance_key == settings.data / "instance.key"
    assert (settings.address, settings.jobs, settings.registration) == (("127.0.0.1", 8080), "queue", "invite")


def test_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    ini = "[mailhelper]\nMAILHELPER_WORKERS = 5\nMAILHELPER_LISTEN = 127.0.0.1:9000\n"
    settings = load(tmp_path, ini, MAILHELPER_LISTEN="0.0.0.0:7000")
    assert (settings.workers, settings.address, settings.jobs) == (5, ("0.0.0.0", 7000), "queue")


def test_the_default_section_of_the_file_counts_too(tmp_path: Path) -> None:
    assert load(tmp_path, "[DEFAULT]\nMAILHELPER_WORKERS = 5\n").workers == 5


def test_an_empty_value_means_the_default(tmp_path: Path) -> None:
    assert load(tmp_path, MAILHELPER_WORKERS="").workers == 2


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://me:s3cret@db/mail\n")
    assert load(tmp_path, DATABASE_URL_FILE=str(secret)).database_url == "postgresql://me:s3cret@db/mail"
    with pytest.raises(BadSetting, match="DATABASE_URL_FILE"):
        load(tmp_path, DATABASE_URL_FILE=str(tmp_path / "missing"))
    secret.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match="DATABASE_URL_FILE"):
        load(tmp_path, DATABASE_URL_FILE=str(secret))


@pytest.mark.parametrize("name,value", [
    ("MAILHELPER_JOBS", "thread"), ("MAILHELPER_WORKERS", "0"),
    ("MAILHELPER_WORKERS", "-1"), ("MAILHELPER_WORKERS", "two"), ("MAILHELPER_WORKERS", "²"),
    ("MAILHELPER_LISTEN", "8080"), ("MAILHELPER_LISTEN", ":8080"), ("MAILHELPER_LISTEN", "127.0.0.1:99999"), ("MAILHELPER_REGISTRATION", "all"),
    ("MAILHELPER_LOG_LEVEL", "info"), ("MAILHELPER_TRUSTED_PROXIES", "nginx"), ("MAILHELPER_API_RATE", "-5"), ("DATABASE_URL", "mysql://db/mail"),
    ("REDIS_URL", "localhost:6379"),
])
def test_a_wrong_value_is_refused_by_the_name_of_its_setting(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        load(tmp_path, **{name: value})


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="MAILHELPER_WORKRES"):
        load(tmp_path, "[mailhelper]\nMAILHELPER_WORKRES = 5\n")


@pytest.mark.parametrize("ini", ["DATABASE_URL=postgresql://me:s3cret@db/mail\n", "[mailhelper]\npostgresql://me:s3cret@db/mail\n"])
def test_a_broken_file_is_refused_without_quoting_it(tmp_path: Path, ini: str) -> None:
    with pytest.raises(BadSetting) as refused:
        load(tmp_path, ini)
    assert "mailhelper.ini" in str(refused.value) and "s3cret" not in str(refused.value)


def test_a_wrong_value_of_a_secret_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as refused:
        load(tmp_path, DATABASE_URL="mysql://me:s3cret@db/mail")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", [
    "postgresql://me:s3cret@db/mail", "postgresql://me:s3c%40s3cret@db/mail", "postgresql://db/mail?user=me&password=s3cret",
    "postgresql://:s3cret@db/mail",
])
def test_secrets_are_masked_where_settings_are_shown(tmp_path: Path, url: str) -> None:
    text = shown(load(tmp_path, DATABASE_URL=url, REDIS_URL="redis://:s3cret@cache:6379/0"))
    assert "s3cret" not in str(text)
    assert text["DATABASE_URL"].startswith("postgresql://") and "db/mail" in text["DATABASE_URL"]
    assert text["REDIS_URL"] == "redis://:***@cache:6379/0"


def test_effective_values_are_shown(tmp_path: Path) -> None:
    text = shown(load(tmp_path, MAILHELPER_TRUSTED_PROXIES="10.0.0.1, 192.168.0.0/16"))
    assert text["DATABASE_URL"] == f"sqlite:///{tmp_path}/mailhelper.db"
    assert text["MAILHELPER_INSTANCE_KEY_FILE"] == f"{tmp_path}/instance.key"
    assert text["MAILHELPER_TRUSTED_PROXIES"] == "10.0.0.1 192.168.0.0/16"
    assert text["MAILHELPER_API_RATE"] == "0"


def test_every_option_says_what_it_is_for() -> None:
    assert all(option.metadata["help"].endswith(".") for option in fields(Config))


def test_an_ipv6_address_can_be_listened_on(tmp_path: Path) -> None:
    assert load(tmp_path, MAILHELPER_LISTEN="[::1]:8080").address == ("::1", 8080)


def test_no_secret_has_a_default() -> None:
    assert all(option.default == "" for option in fields(Config) if option.metadata["secret"])
