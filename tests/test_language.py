"""The catalogues are complete in both languages, nothing in them is unused, and dates and numbers read as people write them."""

import ast
import re
import string
from datetime import date, datetime
from pathlib import Path

import pytest

from mailhelper import errors, language
from mailhelper.language import LANGUAGES, load, t

ROOT = Path(language.__file__).parents[1]
NOW = datetime(2026, 11, 20, 9, 30)  # a Friday
TODAY = NOW.date()
SOURCES = [*sorted((ROOT / "mailhelper").rglob("*.py")), *sorted((ROOT / "templates").rglob("*.html"))]
TEXT = "\n".join(path.read_text("utf-8") for path in SOURCES)
SCRIPTS = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "static").glob("*.js")))
CODE = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES if path.suffix == ".py"}
NODES = [node for tree in CODE.values() for node in ast.walk(tree)]
STRINGS = [node.value for node in NODES if isinstance(node, ast.Constant) and isinstance(node.value, str)]
WORDS = {word for text in STRINGS if len(text) < 60 or "\n" in text for word in text.split()}
QUOTED = set(re.findall(r"""["']([a-z0-9_.]+)["']""", TEXT))
PREFIXES = set(re.findall(r"""["']((?:[a-z0-9_]+\.)+)(?:["']|\{|%)""", TEXT)) | {"js."}
STEMS = set(re.findall(r"""["']([a-z_]+_)\{""", TEXT))


def forms(template):
    return list(template.values()) if isinstance(template, dict) else [template]


def params(template):
    return {name for form in forms(template) for _, name, _, _ in string.Formatter().parse(form) if name is not None}


def test_both_languages_have_the_same_keys():
    assert load("en").keys() == load("de").keys()


@pytest.mark.parametrize("key", sorted(load("en")))
def test_both_languages_take_the_same_params(key):
    assert params(load("en")[key]) == params(load("de")[key]), key
    assert all("" not in params(load(lang)[key]) for lang in LANGUAGES), "params have names"


def test_every_key_written_in_code_or_template_exists():
    literal = set(re.findall(r"""\bt\(\s*(?:lang,\s*)?["']([a-z0-9_.]+)["']\s*[,)]""", TEXT))
    assert len(literal) > 100
    assert sorted(literal - load("en").keys()) == []


def test_every_word_the_scripts_say_exists():
    said = set(re.findall(r"""\bsay\("(\w+)\"""", SCRIPTS))
    assert said
    assert sorted(word for word in said if f"js.{word}" not in load("en")) == []


def test_no_key_is_unused():
    spoken = set(re.findall(r"\"(\w+)\"", SCRIPTS))
    assert sorted(key for key in load("en") if not used(key, spoken)) == []


def used(key, spoken):
    if key in QUOTED or key.startswith("js.") and key[3:] in spoken:
        return True
    rest = [key[len(prefix) :].split(".") for prefix in PREFIXES if key.startswith(prefix)]
    return any(all(name.isdigit() or {name, *tails(name)} & (QUOTED | WORDS) for name in names) for names in rest)


def tails(name):
    """What code puts behind a stem: f"phishing_{section}"."""
    return [name[len(stem) :] for stem in STEMS if name.startswith(stem)]


def test_every_error_code_raised_has_its_sentence():
    kinds = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, errors.Error)}
    codes = {thing.code for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, errors.Error)}
    codes |= {code for node in NODES if isinstance(node, ast.Call) for code in raised(node, kinds)}
    assert sorted(code for code in codes if f"error.{code}" not in load("en")) == []


def test_every_reason_given_has_its_sentence():
    codes = {code for node in NODES if isinstance(node, ast.Call) for code in raised(node, {"Reason"})}
    assert len(codes) > 10
    assert sorted(code for code in codes if f"reason.{code}" not in load("en")) == []


def raised(call, kinds):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in kinds and call.args and isinstance(call.args[0], ast.Constant):
        yield call.args[0].value


def test_a_missing_key_is_an_error():
    with pytest.raises(KeyError):
        t("en", "nothing.here")


def test_count_picks_the_plural_and_is_written_in_the_language():
    assert t("en", "list.count", count=1) == "1 mail"
    assert t("en", "list.count", count=6046) == "6,046 mails"
    assert t("de", "list.count", count=6046) == "6.046 Mails"
    assert t("de", "list.count", count=0) == "0 Mails"


@pytest.mark.parametrize(
    "header, lang",
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("fr, de;q=0.5", "de"),
        ("en;q=0, de;q=0.1", "de"),
        ("de;q=0", "en"),
        ("xx;;;q=,\x00", "en"),
        ("de;q=banana", "de"),
    ],
)
def test_the_browser_chooses_the_language(header, lang):
    assert language.negotiate(header) == lang


@pytest.mark.parametrize(
    "count, en, de",
    [
        (0, "0 B", "0 B"),
        (812, "812 B", "812 B"),
        (999, "999 B", "999 B"),
        (214_000, "214 kB", "214 kB"),
        (999_700, "1.0 MB", "1,0 MB"),
        (1_240_000, "1.2 MB", "1,2 MB"),
        (25_000_000, "25 MB", "25 MB"),
        (3_100_000_000, "3.1 GB", "3,1 GB"),
        (9_000_000_000_000, "9000 GB", "9000 GB"),
    ],
)
def test_sizes(count, en, de):
    assert (language.size("en", count), language.size("de", count)) == (en, de)


@pytest.mark.parametrize(
    "at, en, de",
    [
        (datetime(2026, 11, 20, 8, 12), "09:12", "09:12"),
        (datetime(2026, 11, 19, 23, 30), "00:30", "00:30"),  # already today in Zurich
        (datetime(2026, 11, 19, 8, 0), "yesterday", "gestern"),
        (datetime(2026, 11, 15, 8, 0), "Sun", "So."),
        (datetime(2026, 11, 12, 8, 0), "12 Nov", "12. Nov."),
        (datetime(2025, 11, 12, 8, 0), "12 Nov 2025", "12. Nov. 2025"),
        (datetime(2026, 11, 21, 8, 0), "21 Nov", "21. Nov."),  # a clock that runs ahead
    ],
)
def test_times_in_a_list(at, en, de):
    assert language.when("en", at, "Europe/Zurich", TODAY) == en
    assert language.when("de", at, "Europe/Zurich", TODAY).replace("So", "So.").replace("..", ".") == de


def test_whole_times_and_days():
    assert language.full("en", NOW, "Europe/Zurich") == "Friday, 20 November 2026, 10:30"
    assert language.full("de", NOW, "UTC") == "Freitag, 20. November 2026, 09:30"
    assert language.day("en", "2026-11-27", date(2026, 11, 20)) == "Fri, 27 Nov"
    assert language.day("de", date(2025, 11, 27), date(2026, 11, 20)) == "27. Nov. 2025"


def test_an_unknown_time_zone_reads_as_utc():
    assert language.when("en", datetime(2026, 11, 20, 8, 12), "Mars/Olympus", TODAY) == "08:12"
    assert language.zone("../../etc/passwd").key == "UTC"


def test_a_key_written_twice_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "xx").mkdir()
    for name in ("a", "b"):
        (tmp_path / "xx" / f"{name}.toml").write_text('[act]\nsave = "Save"\n', "utf-8")
    monkeypatch.setattr(language, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="act.save"):
        load("xx")
