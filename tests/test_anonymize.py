"""Anonymising: no planted datum leaves, what a mail means stays, drafts get their names back, and any doubt stops it."""

import re
import time

import pytest

from mailhelper import anonymize, checksums, errors, headers, names
from mailhelper.anonymize import Masker
from tests.planted import MAILS

MARK = re.compile("⟦(.*?)⟧")
PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")


def words(text):
    return re.findall(r"[^\W_]+", anonymize.plain(text).casefold())


def masked(texts, people=(), own=()):
    masker = Masker(people, own)
    masker.learn(*texts)
    return [masker.mask(text) for text in texts]


def survivors(mail):
    """The planted data of a mail of which a word is still there, though it stands nowhere else in the mail."""
    sender, to, subject, files, body = mail
    parts = [sender, to, subject, *files, body]
    clear = [MARK.sub(r"\1", part) for part in parts]
    out = "\n".join(masked(clear, headers.addresses(clear[0]), headers.addresses(clear[1])))
    left, harmless = set(words(PLACEHOLDER.sub(" ", out))), set(words(" ".join(MARK.sub(" ", part) for part in parts)))
    together = "".join(words(PLACEHOLDER.sub(" ", out)))
    return [datum for part in parts for datum in MARK.findall(part)
            if any(len(word) > 1 and word in left - harmless for word in words(datum)) or len(words(datum)) > 1 and "".join(words(datum)) in together]


def test_there_are_enough_planted_data():
    assert sum(len(MARK.findall(repr(mail))) for mail in MAILS) >= 300


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail[2][:20])
def test_no_planted_datum_survives(mail):
    assert survivors(mail) == []


def test_a_datum_that_is_not_found_is_noticed(monkeypatch):
    monkeypatch.setattr(anonymize.patterns, "find", lambda text: [])
    assert len(survivors(MAILS[0])) > 10


KEPT = [
    "Bitte antworten Sie bis Freitag, 27.11.2026, spätestens um 14:30 Uhr.", "Die Rechnung über 1.249,90 € ist am 15. Dezember fällig.",
    "Wir treffen uns am Mittwoch, 2. Dezember 2026 um 9.15 Uhr im Büro.", "Das kleine Haus kostet 1.200 Euro Miete im Monat.",
    "Please sign the contract by Monday, 30 November 2026 at 5pm.", "The invoice of $1,250.00 is due on 12/15/2026.",
    "We sold 1500 tickets in 2025 and 12,400 in 2026.", "Version 3.11.4 fixes 12 bugs; 40 % faster.", "Im Jahr 2026/27 sind es 25 Personen.",
    "Heute ist Frist, morgen früh wird gesperrt: bitte dringend bestätigen.", "Ich komme am 5.12. oder am 6.12. zwischen 10 und 12 Uhr.",
    "Der Antrag muss innerhalb von 14 Tagen beim Finanzamt sein.", "Can you call me tomorrow? It is urgent.", "2026-12-01T10:00 works for me.",
    "Sehr geehrte Damen und Herren,\n\nbitte senden Sie uns das Formular.\n\nMit freundlichen Grüßen\nIhr Team", "Hallo zusammen,\n\nbis morgen!",
    "Dear customer,\n\nyour password expires today.\n\nKind regards\nSupport Team", "Am Montag beginnt die Schule, im August sind Ferien.",
    "Ihre Frau kann mitkommen, mein Sohn auch.", "PayPal und Amazon sind Marken.", "Anzahlung 300 Euro, Rest 2.550,00 € im Januar.",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_a_mail_means_stays(text):
    assert masked([text]) == [text]


def test_the_same_datum_has_the_same_placeholder_in_all_texts_of_a_mail():
    masker = Masker(headers.addresses("Julia Meier <julia.meier@web.example>"), ())
    subject = masker.mask("Julia Meier: IBAN DE89 3704 0044 0532 0130 00")
    body = masker.mask("JULIA, julia und Julias Konto DE89370400440532013000")
    assert subject == "[NAME_1] [NAME_2]: IBAN [IBAN_1]"
    assert body == "[NAME_1], [NAME_1] und [NAME_1]s Konto [IBAN_1]"
    assert masker.found == {"NAME": 2, "IBAN": 1}


BENT = ("[NAME_1]", "[name_1]", "[Name 1]", "NAME_1", "[NAME_1", "name_1]", "\\[NAME\\_1\\]", "[[NAME_1]]", "(NAME_1)", "[NAME-1]", "[ NAME_1 ]")


@pytest.mark.parametrize("returned", BENT)
def test_placeholders_come_back_however_a_model_bends_them(returned):
    masker = Masker(headers.addresses("Julia <julia@web.example>"), ())
    masker.mask("Julia")
    assert masker.restore(f"Hallo {returned}, danke.") == "Hallo Julia, danke."


def test_other_brackets_stay_and_unknown_placeholders_become_a_blank():
    masker = Masker((), ())
    assert masker.restore("Am [Datum] um [Uhrzeit], name 1, (number 2), [NAME_9]") == "Am [Datum] um [Uhrzeit], name 1, (number 2), […]"


def test_a_mail_cannot_forge_a_placeholder():
    masker = Masker(headers.addresses("Julia <julia@web.example>"), ())
    masker.mask("Julia")
    assert masker.restore(masker.mask("Write [NAME_1] here")) == "Write (NAME 1] here"


def test_a_masked_text_stays_as_it_is():
    masker = Masker((), ())
    once = masker.mask("Call +49 171 2345678 or mail anna@web.example")
    assert once == "Call [PHONE_1] or mail [EMAIL_1]"


@pytest.mark.parametrize("broken", ["find", "merged"])
def test_when_the_search_breaks_nothing_leaves(monkeypatch, broken):
    def fails(*_):
        raise ValueError("broken")
    monkeypatch.setattr(anonymize.patterns if broken == "find" else anonymize, broken, fails)
    with pytest.raises(errors.Refused) as caught:
        Masker((), ()).mask("Hallo")
    assert caught.value.code == "anonymize_failed"


def test_what_is_never_done_with_does_not_leave(monkeypatch):
    monkeypatch.setattr(Masker, "_replaced", lambda self, clean: (clean, 1))
    with pytest.raises(errors.Refused):
        Masker((), ()).mask("Hallo")


def test_names_are_taken_from_headers_but_words_of_offices_are_not():
    known = names.Names(headers.addresses("Finanzamt Musterstadt <poststelle@fa.example>, Anna Richter <a.richter@x.example>"), ()).known
    assert "finanzamt" not in known and {"anna", "richter"} <= known.keys()


@pytest.mark.parametrize("check, good, bad", [
    (checksums.is_iban, "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 01"),
    (checksums.is_iban, "gb29nwbk60161331926819", "GB29"),
    (checksums.luhn, "4111111111111111", "4111111111111112"), (checksums.is_tax_id, "86095742719", "86095742718"),
    (checksums.is_ahv, "7569217076985", "7569217076984"), (checksums.is_austrian, "1237010180", "1234010180"),
])
def test_checksums(check, good, bad):
    assert check(good) and not check(bad)


UNITS = ("a", "A ", "Aa ", "A-", "a.", "1 ", "1.", "0171 ", "DE89 ", "a@", "a (at) ", "Herr Aa ", "Hallo Aa, ", "Aa GmbH ", "Von: Aa; ", "\n",
         "schrieb ", "> ", "Grüße\n", "Am Aa ", "Nr. ", "geb. ", "a:1:", "((0", "&#64;", "Anna Meier, ", "\u200b", "http://")


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_takes_long(unit):
    started = time.perf_counter()
    Masker((), ()).mask(unit * (6000 // len(unit)))
    assert time.perf_counter() - started < 2
