"""Deadlines: which day is meant, seen from the day of the mail, and what is no deadline at all."""
import time
from datetime import date, datetime

import pytest

from mailhelper import deadline, lists

WEDNESDAY = datetime(2026, 11, 25, 10, 0)


def found(text: str, base: datetime = WEDNESDAY) -> list[deadline.Deadline]:
    folded = lists.fold(text)
    return deadline.find(folded, text, frozenset(lists.row(folded)), base)


@pytest.mark.parametrize(("text", "phrase", "day"), [
    ("Bitte bis Freitag antworten", "bis Freitag", "2026-11-27"),
    ("Bitte bis zum 30.11.2026 um 12 Uhr einreichen", "bis zum 30.11.2026 um 12 Uhr", "2026-11-30"),
    ("Das Buch ist am 27.11.2026 fällig.", "27.11.2026 fällig", "2026-11-27"),
    ("Frist 30.11.", "Frist 30.11", "2026-11-30"),
    ("Der Betrag ist zahlbar in 10 Tagen.", "zahlbar in 10 Tagen", "2026-12-05"),
    ("zahlbar innert 30 Tagen", "zahlbar innert 30 Tagen", "2026-12-25"),
    ("spätestens am 3. Dezember", "spätestens am 3. Dezember", "2026-12-03"),
    ("SPAETESTENS UEBERMORGEN", "SPAETESTENS UEBERMORGEN", "2026-11-27"),
    ("Anmeldeschluss: Fr., 27.11.", "Anmeldeschluss: Fr., 27.11", "2026-11-27"),
    ("Einsendeschluss ist der 5. Jänner", "Einsendeschluss ist der 5. Jänner", "2027-01-05"),
    ("Die Frist läuft am 28.11. ab.", "Frist läuft am 28.11", "2026-11-28"),
    ("bis Fr. 27.11. 18.00 Uhr", "bis Fr. 27.11. 18.00 Uhr", "2026-11-27"),
    ("bis Ende November", "bis Ende November", "2026-11-30"),
    ("innerhalb von zwei Wochen", "innerhalb von zwei Wochen", "2026-12-09"),
    ("bis heute 16 Uhr", "bis heute 16 Uhr", "2026-11-25"),
    ("Please confirm by EOD Thursday", "by EOD Thursday", "2026-11-26"),
    ("You can tell me until tomorrow noon", "until tomorrow noon", "2026-11-26"),
    ("due 2 December", "due 2 December", "2026-12-02"),
    ("pay by December 3rd, 2026.", "by December 3rd, 2026", "2026-12-03"),
    ("not later than 2026-12-01", "later than 2026-12-01", "2026-12-01"),
    ("by the end of the week", "by the end of the week", "2026-11-27"),
    ("return by\nend of\nbusiness Friday", "by end of business Friday", "2026-11-27"),
    ("by end of day tomorrow", "by end of day tomorrow", "2026-11-26"),
    ("by 3 PM today", "by 3 PM today", "2026-11-25"),
    ("within the next hour", "within the next hour", "2026-11-25"),
    ("before 12/05", "before 12/05", "2026-12-05"),
    ("before 30/11", "before 30/11", "2026-11-30"),
    ("it expires in 2 hours", "expires in 2 hours", "2026-11-25"),
])
def test_a_deadline_is_resolved_to_its_day(text: str, phrase: str, day: str) -> None:
    first = next(one for one in found("See below. " + text) if one.how != "named")
    assert (first.phrase, first.day.isoformat()) == (phrase, day)


@pytest.mark.parametrize("text", [
    "Wir haben von 9 bis 17 Uhr geöffnet", "zwischen Montag bis Freitag", "Guten Morgen, Anna", "due to the rain on Friday", "by 5 people",
    "open until 6 pm", "We have known each other before. In 3 cases it rained.", "nearby Friday market", "Das liegt in 2 Ordnern.",
    "bis bald", "vor 3 Tagen", "by 31.02.", "version 2.0.1 by design",
])
def test_other_words_of_time_are_no_deadline(text: str) -> None:
    assert found(text) == []


def test_a_goodbye_is_no_deadline() -> None:
    assert not any(one.how == "by" for one in found("Alles klar.\n\nBis Freitag!\nAnna"))


def test_a_day_that_is_only_named_is_told_apart() -> None:
    (only,) = found("Kannst du morgen kommen?")
    assert (only.phrase, only.day, only.how) == ("morgen", date(2026, 11, 26), "named")


def test_by_thursday_written_on_a_thursday_means_the_next() -> None:
    assert found("Please answer by Thursday", datetime(2026, 11, 26, 9))[0].day == date(2026, 12, 3)


@pytest.mark.parametrize(("text", "base", "day"), [
    ("bis 5. Januar", datetime(2026, 12, 28), date(2027, 1, 5)),
    ("bis 28. Dezember", datetime(2027, 1, 3), date(2026, 12, 28)),
    ("by 29 February", datetime(2028, 2, 1), date(2028, 2, 29)),
    ("bis morgen 9 Uhr", datetime(2026, 12, 31, 23, 59), date(2027, 1, 1)),
    ("within 2 hours", datetime(2026, 11, 25, 23, 30), date(2026, 11, 26)),
])
def test_days_around_new_year_and_midnight(text: str, base: datetime, day: date) -> None:
    assert found(f"Bitte: {text}", base)[0].day == day


def test_a_word_for_a_deadline_says_so_itself() -> None:
    assert [found(text)[0].how for text in ("Frist 30.11.", "until Friday")] == ["deadline", "by"]


def test_a_span_is_no_exact_day() -> None:
    assert not found("by end of next week")[0].exact
    assert found("by Friday")[0].exact


def test_the_place_is_where_the_words_stand() -> None:
    text = "Müßte, öfters… Bitte bis Freitag."
    assert text[found(text)[0].start:].startswith("bis Freitag")


def test_a_sentence_ends_at_marks_but_not_in_a_date() -> None:
    text = "Hallo. Bitte bis 30.11. 12 Uhr melden. Danke"
    begin, end = deadline.sentence(text, text.index("30"))
    assert text[begin:end] == "Bitte bis 30.11. 12 Uhr melden."


def test_an_ordinal_ends_no_sentence_and_a_year_does() -> None:
    text = "Hallo. Bitte bis 2. Dezember melden. Wir zahlen bis 31.12.2026. Danke"
    assert [text[slice(*deadline.sentence(text, text.index(word)))] for word in ("2. D", "zahlen", "Danke")] \
        == ["Bitte bis 2. Dezember melden.", "Wir zahlen bis 31.12.2026.", "Danke"]


@pytest.mark.parametrize(("text", "day"), [
    ("Terminerinnerung: Montag, 8:30 Uhr", "2026-11-30"), ("Wir erinnern an Ihren Termin zur Kontrolle am 27. November um 9 Uhr.", "2026-11-27"),
    ("Reminder: your appointment is on Tuesday at 10:15.", "2026-12-01"),
])
def test_the_day_of_an_appointment(text: str, day: str) -> None:
    assert [one.day.isoformat() for one in found(text) if one.how == "appointment"] == [day]


@pytest.mark.parametrize("piece", [
    "by ", "bis 30.", "within ", "deadline ", "in 9 days ", "by the the the ", "1.1.1.1.", "due ( ( (", "\n", "frist - "])
def test_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = piece * (6000 // len(piece))
    began = time.process_time()
    found(text)
    assert time.process_time() - began < 0.25


@pytest.mark.parametrize(("text", "phrase"), [
    ("Bitte reichen Sie es bis zum 30.11. ein.", "bis zum 30.11"), ("Please send it by two.", "by two"), ("Bitte bis elf.", "bis elf"),
])
def test_an_hour_in_words_is_one_and_an_article_is_none(text: str, phrase: str) -> None:
    folded = lists.fold(text)
    found = deadline.find(folded, text, frozenset(lists.row(folded)), datetime(2026, 11, 20, 9))
    assert [one.phrase for one in found] == [phrase]
