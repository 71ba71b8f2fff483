"""The word lists: in order, without doubles, the same sections in each language, and found as people write them."""
import random
import re
import time
from pathlib import Path

import pytest

from mailhelper import lists

FILES = sorted(lists.FOLDER.glob("*.toml"))
SECTION = re.compile(r"^(\w+) = \[\n(.*?)^\]", re.M | re.S)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_long_lists_are_sorted_without_doubles_and_in_lower_case(path: Path) -> None:
    for name, body in SECTION.findall(path.read_text("utf-8")):
        entries = re.findall(r'"([^"]+)"', body)
        assert entries == sorted(set(entries)), name
        assert [entry for entry in entries if entry != entry.lower()] == [], name


@pytest.mark.parametrize("language", lists.LANGUAGES)
def test_short_lists_and_tables_are_sorted_without_doubles(language: str) -> None:
    raw = lists.table(language)
    for group in (raw["greeting"], raw["sender"], raw["tags"]):
        for name, entries in group.items():
            assert entries == sorted(set(entries)), name
    for name, part in raw["when"].items():
        assert list(part) == sorted(part), name


def test_both_languages_have_the_same_sections_and_tags() -> None:
    german, english = lists.table("de"), lists.table("en")
    assert german.keys() == english.keys()
    assert german["tag_names"].keys() == english["tag_names"].keys()
    assert german["tags"].keys() == english["tags"].keys() <= english["tag_names"].keys()
    assert german["when"].keys() == english["when"].keys()


@pytest.mark.parametrize("language", lists.LANGUAGES)
def test_every_entry_finds_itself_in_a_sentence(language: str) -> None:
    for section, entries in lists.table(language).items():
        if not isinstance(entries, list):
            continue
        for entry in entries:
            text = f"Also {entry.replace('…', 'then')} there."
            found = lists.read(lists.fold(text))
            whole = section in found.hits and lists.spellings(entry) & set(found.hits[section])
            masked = any(found.has(other) for other in lists.MASKED)
            assert whole or masked, (section, entry)


@pytest.mark.parametrize("language", lists.LANGUAGES)
def test_strong_spam_words_are_spam_words(language: str) -> None:
    assert set(lists.table(language)["spam_strong"]) <= set(lists.table(language)["spam"])


def test_umlauts_and_sharp_s_are_found_in_every_spelling() -> None:
    for text in ("Schöne Grüße, bitte bestätigen Sie", "BITTE BESTAETIGEN SIE", "bitte bestatigen Sie"):
        assert "ask_reply" in lists.read(lists.fold(text)).hits, text
    assert lists.spellings("bußgeld") == {"bußgeld", "bussgeld"}
    assert lists.spellings("für") == {"fur", "fuer"}


def test_folding_keeps_every_place() -> None:
    for text in ("İstanbul Äpfel – „Grüße“ ÇA é", "plain", "ẞ ŉ ǰ"):
        assert len(lists.fold(text)) == len(text)


def test_phrases_cross_line_ends_and_commas_but_no_sentence() -> None:
    assert "please confirm" in lists.read(lists.fold("Please,\nconfirm today")).hits["ask_reply"]
    assert "ask_reply" not in lists.read(lists.fold("Say please. Confirm nothing")).hits
    assert "ask_reply" not in lists.read(lists.fold("Say please\n\nConfirm nothing")).hits


def test_a_phrase_with_a_gap_stays_in_its_sentence() -> None:
    assert lists.read(lists.fold("Bitte geben Sie uns bis Freitag Bescheid.")).has("ask_reply")
    assert not lists.read(lists.fold("Gib das her. Ein Bescheid kam.")).has("ask_reply")
    assert not lists.read(lists.fold("Gib " + "sehr " * 30 + "Bescheid")).has("ask_reply")


@pytest.mark.parametrize("text", [
    "Sagt mir bitte bis 2. Dezember Bescheid", "gib mir bis zum 30.11. kurz Bescheid", "gib bis 5. 12. Bescheid", "Gib uns bis 3. Maerz Bescheid"])
def test_the_dot_of_a_day_does_not_part_a_phrase(text: str) -> None:
    found = lists.read(lists.fold(text))
    assert found.has("ask_reply")
    assert lists.quote(found.first("ask_reply"), lists.fold(text), text) in text


def test_a_dot_behind_any_other_number_ends_the_sentence() -> None:
    assert not lists.read(lists.fold("Gib mir 20. Der Bescheid kam.")).has("ask_reply")


def test_letters_beyond_ascii_part_words_as_others_do() -> None:
    plain = lists.row(lists.fold("Siehe example.org, Punkt (3): bitte bestätigen Sie!"))
    assert lists.row(lists.fold("Siehe example.org, Punkt (3): bitte bestätigen Sie! ß → ½"))[:len(plain)] == plain


def test_of_two_phrases_at_one_place_the_longer_is_first() -> None:
    assert lists.read(lists.fold("Your account has been limited.")).first("threat") == "account has been limited"


def test_a_denied_phrase_does_not_count() -> None:
    found = lists.read(lists.fold("No action required from you, nothing urgent. It isn't urgent."))
    assert found.has("no_action") and found.has("calm")
    assert not found.has("ask_act") and not found.has("pressure")


def test_a_quote_is_the_mails_own_writing() -> None:
    text = "Hallo!\nBitte geben Sie uns bis Freitag BESCHEID, danke."
    assert lists.quote("geben sie … bescheid", lists.fold(text), text) == "geben Sie uns bis Freitag BESCHEID"
    assert lists.quote("not there", lists.fold(text), text) == ""


@pytest.mark.parametrize("piece", ["1.", "gib 1.1.", "gib ", "gib . ", "5. "])
def test_a_quote_is_looked_for_in_little_time(piece: str) -> None:
    text = "gib " + piece * (4000 // len(piece))
    began = time.process_time()
    assert lists.quote("gib … bescheid", text, text) == ""
    lists.read(text)
    assert time.process_time() - began < 0.25


def test_the_first_hit_is_the_first_in_the_text() -> None:
    assert lists.read(lists.fold("Urgent! Really ASAP, right now, urgent")).first("pressure") == "urgent"


def test_random_text_is_read_without_error() -> None:
    rng = random.Random(7)
    for _ in range(200):
        text = "".join(chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x250), 0x20AC, 10))) for _ in range(300))
        found = lists.read(lists.fold(text))
        assert found.row.startswith(" ") and found.row.endswith(" ")
