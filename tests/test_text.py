"""Words, folds, snippets, quotes and charsets."""

import time

import pytest

from mailhelper import text


@pytest.mark.parametrize(
    "word, folded",
    [
        ("Straße", "strasse"),
        ("ÄRGER", "arger"),
        ("café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("ABC", "abc"),
        ("Łódź", "lodz"),
        ("Привет", "привет"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("한국", "한국"),
    ],
)
def test_fold_drops_case_and_diacritics(word, folded):
    assert text.fold(word) == folded
    assert text.words(word) == [folded]


def test_words_keeps_order_repeats_and_numbers_and_drops_single_letters():
    assert text.words("Die Miete, die 1200 Euro: a b Größe!") == ["die", "miete", "die", "1200", "euro", "grosse"]


def test_words_have_two_to_forty_characters():
    assert text.words("ab " + "c" * 40 + " " + "d" * 41) == ["ab", "c" * 40]


def test_words_of_an_address_are_its_parts_and_the_whole():
    assert text.words("mail <Anna.Berg@Example.org>") == ["mail", "anna", "berg", "example", "org", "anna.berg@example.org"]


def test_words_across_curly_quotes_and_lines_do_not_glue():
    assert text.words("„Hallo“\nWelt – ja") == ["hallo", "welt", "ja"]


def test_words_are_capped():
    assert len(text.words("wort " * 50_000)) == text.MAX_WORDS


@pytest.mark.parametrize("hostile", ["@" * 500_000, "a@" * 300_000, "> " * 300_000, "On x\n" * 50_000, "Von: x\n" * 50_000, "-" * 500_000])
def test_hostile_text_takes_linear_time(hostile):
    begin = time.process_time()
    text.words(hostile), text.snippet(hostile), text.split_quote(hostile)
    assert time.process_time() - begin < 3


@pytest.mark.parametrize(
    "attribution",
    [
        "Am 12.03.2024 um 10:00 schrieb Anna Berg <anna@example.org>:",
        "On Tue, 12 Mar 2024, Anna Berg wrote:",
        "On Tue, Mar 12, 2024 at 10:00 AM Anna Berg\n<anna@example.org> wrote:",
        "-----Original Message-----",
        "-----Ursprüngliche Nachricht-----",
        "Von: Anna Berg\nGesendet: Dienstag, 12. März 2024 10:00\nAn: Bert",
        "From: Anna Berg\nSent: Tuesday, March 12, 2024",
    ],
)
def test_split_quote_cuts_at_an_attribution(attribution):
    own, quoted = text.split_quote(f"Ja, gern.\n\n{attribution}\nKommst du?")
    assert own == "Ja, gern."
    assert quoted.endswith("Kommst du?") and quoted.startswith(attribution.split("\n")[0])


def test_split_quote_keeps_answers_between_marked_lines():
    own, quoted = text.split_quote("On Monday Anna wrote:\n> Wann?\nUm acht.\n> Wo?\nHier.")
    assert own == "Um acht.\nHier."
    assert quoted == "On Monday Anna wrote:\n> Wann?\n> Wo?"


def test_a_sentence_that_begins_like_an_attribution_is_no_quote():
    body = "Am Montag komme ich.\nOn Friday I leave.\nVon: mir aus"
    assert text.split_quote(body) == (body, "")


@pytest.mark.parametrize(
    "signature", ["-- \nAnna Berg\nBerg GmbH", "--\nAnna", "Von meinem iPhone gesendet", "Sent from my phone", "Get Outlook for iOS"]
)
def test_signature_is_cut(signature):
    assert text.without_signature(f"Bis bald\n\n{signature}") == "Bis bald"


def test_a_dash_line_far_above_the_end_is_no_signature():
    body = "Oben\n-- \n" + "\n".join(f"Zeile {number}" for number in range(30))
    assert text.without_signature(body) == body


def test_snippet_is_one_line_without_quote_and_signature():
    assert text.snippet("Hallo,\nja.\n\nAm Montag schrieb Bert:\n> Kommst du?\n-- \nAnna") == "Hallo, ja."
    assert text.snippet("wort " * 100, 50).endswith("…") and len(text.snippet("wort " * 100, 50)) <= 50
    assert text.snippet("> nur Zitat") == "nur Zitat"


@pytest.mark.parametrize(
    "data, charset, expected, honest",
    [
        ("Grüße".encode(), "utf-8", "Grüße", True),
        ("Grüße".encode("latin-1"), "iso-8859-1", "Grüße", True),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße", False),
        ("Grüße".encode(), "us-ascii", "Grüße", True),
        ("Grüße".encode(), "x-foo", "Grüße", False),
        (b"\x93Hi\x94", "iso-8859-1", "“Hi”", True),
        ("日本".encode("iso-2022-jp"), "iso-2022-jp", "日本", True),
        (b"\x81\x8d", "", "\x81\x8d", False),
        ("스티".encode("cp949"), "ks_c_5601-1987", "스티", True),
        ("ä".encode(), "idna", "ä", False),
        ("ä".encode(), "zlib", "ä", False),
    ],
)
def test_decode_honours_the_charset_and_falls_back(data, charset, expected, honest):
    assert text.decode(data, charset) == (expected, honest)


def test_decode_never_leaves_a_lone_surrogate():
    text.decode(b"+2AA-", "utf-7")[0].encode("utf-8")


def test_invisible_characters_go_and_emoji_stay():
    assert text.visible("V\u200bi\u00adagra\u202e \U000e0041ok 👩\u200d💻") == "Viagra ok 👩\u200d💻"


def test_base64_with_noise_and_a_cut_end_gives_what_is_there():
    assert text.debase64(b"SGFs\nbG8=") == (b"Hallo", True)
    assert text.debase64(b"SGFsbG8") == (b"Hallo", False)
    assert text.debase64(b"SGFsbG8hA")[0] == b"Hallo!"
