"""Bytes to the record of a mail."""

import base64
import random
import time
from datetime import datetime

import pytest

from mailhelper import errors, message
from mailhelper.headers import Address

HEAD = b"From: Anna Berg <anna@example.org>\nTo: bert@example.org\nSubject: Hallo\nDate: Fri, 21 Nov 1997 09:55:06 -0600\nMessage-ID: <1@x>\n"


def mixed(*parts: bytes, kind: bytes = b"mixed", head: bytes = HEAD, mark: bytes = b"XX") -> bytes:
    body = b"".join(b"--" + mark + b"\n" + part + b"\n" for part in parts)
    return head + b"Content-Type: multipart/" + kind + b'; boundary="' + mark + b'"\n\npreamble\n' + body + b"--" + mark + b"--\nepilogue\n"


def test_a_plain_mail():
    raw = HEAD + b"Cc: c@x, d@x\nReferences: <a@x> <b@x>\nIn-Reply-To: <b@x>\nX-Odd: =?utf-8?q?=C3=BC?=\nX-Odd: zwei\n\nText\n"
    mail = message.parse(raw)
    assert (mail.subject, mail.sender, mail.message_id) == ("Hallo", Address("Anna Berg", "anna@example.org"), "1@x")
    assert mail.date == datetime(1997, 11, 21, 15, 55, 6) and mail.size == len(raw) and mail.text == "Text\n"
    assert mail.references == ("a@x", "b@x") and mail.in_reply_to == ("b@x",) and [a.address for a in mail.cc] == ["c@x", "d@x"]
    assert mail.header("x-odd") == "ü" and mail.headers("X-ODD") == ("ü", "zwei") and mail.header("none") == ""
    assert mail.defects == () and mail.html == "" and mail.attachments == () and mail.calendar is None


def test_the_same_mail_with_crlf_has_the_same_text():
    raw = mixed(b"\nEins\nZwei", b"Content-Type: text/html\n\n<p>x")
    assert message.parse(raw.replace(b"\n", b"\r\n")).text == message.parse(raw).text


def test_alternative_gives_plain_text_and_html():
    mail = message.parse(mixed(b"Content-Type: text/plain\n\nNur Text", b"Content-Type: text/html\n\n<b>Nur</b> HTML", kind=b"alternative"))
    assert mail.text == "Nur Text" and mail.html == "<b>Nur</b> HTML"


def test_an_empty_plain_part_falls_back_to_the_html():
    mail = message.parse(mixed(b"Content-Type: text/plain\n\n \n", b"Content-Type: text/html\n\n<p>Da</p><p>bin ich", kind=b"alternative"))
    assert mail.text == "Da\n\nbin ich"


def test_all_displayed_parts_are_joined_and_a_footer_stays_with_the_html():
    mail = message.parse(mixed(b"Content-Type: text/html\n\n<p>Haupt</p>", b"\nFuss <x>"))
    assert mail.text == "Haupt\nFuss <x>"
    assert "<p>Haupt</p>" in mail.html and "Fuss &lt;x&gt;" in mail.html


@pytest.mark.parametrize(
    "encoding, body",
    [
        (b"quoted-printable", b"Gr=C3=BC=\n=C3=9Fe"),
        (b"BASE64", base64.b64encode("Grüße".encode())),
        (b"8bit", "Grüße".encode()),
        (b"quoted printable", b"Gr=C3=BC=C3=9Fe"),
        (b"base64;", b"R3LDvMOfZQ"),
        (b"", "Grüße".encode()),
    ],
)
def test_transfer_encodings(encoding, body):
    assert message.parse(HEAD + b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: " + encoding + b"\n\n" + body).text == "Grüße"


def test_uuencode():
    raw = HEAD + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a.txt\n%2&%L;&\\\n`\nend\n"
    assert message.parse(raw).text == "Hallo"


@pytest.mark.parametrize(
    "head, body",
    [
        (b"text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe"),
        (b"text/plain; charset=wrong", "Grüße".encode()),
        (b"text/plain", b"Gr\xfc\xdfe"),
        (b"text/plain; charset=utf-8", b"Gr\xfc\xdfe"),
        (b"text", "Grüße".encode()),
    ],
)
def test_charsets_are_honoured_and_unknown_ones_guessed(head, body):
    assert message.parse(HEAD + b"Content-Type: " + head + b"\n\n" + body).text == "Grüße"


def test_html_names_its_own_charset():
    mail = message.parse(HEAD + b'Content-Type: text/html\n\n<meta http-equiv=x content="text/html; charset=koi8-r">' + "Привет".encode("koi8-r"))
    assert mail.text == "Привет"


def test_attachments_are_numbered_named_and_sized():
    raw = mixed(
        b"\nText",
        b'Content-Type: application/pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="../../a\x01b.pdf"\n\nSGFs\nbG8=',  # noqa: E501
        b"Content-Type: image/png; name=x.png\nContent-ID: <i@x>\n\nPNG",
        b"Content-Type: text/plain\nContent-Disposition: attachment\n\nnotes",
        b"Content-Type: message/rfc822\n\nSubject: Alte =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nx",
        b"Content-Type: application/ms-tnef; name=winmail.dat\n\n\x00",
    )
    mail = message.parse(raw)
    assert [(file.number, file.filename, file.mime, file.size, file.inline) for file in mail.attachments] == [
        (1, "a_b.pdf", "application/pdf", 5, False),
        (2, "x.png", "image/png", 3, True),
        (3, "part-3.txt", "text/plain", 5, False),
        (4, "Alte Grüße.eml", "message/rfc822", 44, False),
        (5, "winmail.dat", "application/ms-tnef", 1, False),
    ]
    assert mail.text == "Text" and mail.attachments[1].content_id == "i@x"
    found, data = message.attachment(raw, 1)
    assert found.filename == "a_b.pdf" and data == b"Hallo"
    for number in (0, 6):
        with pytest.raises(errors.NotFound):
            message.attachment(raw, number)


def test_a_mail_that_is_only_an_attachment():
    mail = message.parse(HEAD + b"Content-Type: application/zip; name=a.zip\n\nPK")
    assert mail.text == "" and [file.filename for file in mail.attachments] == ["a.zip"]


def test_an_invitation_is_kept_as_bytes_and_is_no_file_beside_its_text():
    mail = message.parse(
        mixed(b"\nKomm", b"Content-Type: text/calendar; method=REQUEST\nContent-Transfer-Encoding: base64\n\nQkVHSU4=", kind=b"alternative")
    )
    assert mail.calendar == b"BEGIN" and mail.attachments == () and mail.text == "Komm"


def test_inner_boundaries_that_begin_alike_do_not_mix():
    inner = mixed(b"\ninnen", head=b"", mark=b"XX1")
    assert message.parse(mixed(inner, b"\naussen")).text == "innen\naussen"


def test_a_missing_last_boundary_and_a_missing_multipart_lose_nothing():
    assert message.parse(HEAD + b"Content-Type: multipart/mixed; boundary=XX\n\n--XX\n\nText").text == "Text"
    mail = message.parse(HEAD + b"Content-Type: multipart/mixed\n\nText")
    assert mail.text == "Text" and mail.defects == ("no_parts",)


def test_several_senders_give_the_first_with_an_address():
    assert message.parse(b"From: Niemand <>, Anna <a@x>\n\n").sender == ("Anna", "a@x")
    assert message.parse(b"Sender: a@x\n\n").sender == ("", "a@x") and message.parse(b"\n").sender == ("", "")


def test_a_bad_date_is_named():
    mail = message.parse(b"Date: soon\n\n")
    assert mail.date is None and mail.defects == ("bad_date",)


def nested(depth: int) -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
    return HEAD + b"".join(head % (number, number) for number in range(depth)) + b"\nText"


@pytest.mark.parametrize("raw, defect", [(nested(2000), "too_deep"), (mixed(*[b"\nx"] * 5000), "too_many_parts")])
def test_deep_and_wide_mails_are_cut_and_named(raw, defect):
    mail = message.parse(raw)
    assert mail.subject == "Hallo" and defect in mail.defects


@pytest.mark.parametrize(
    "raw",
    [
        b"X: y\n" * 300_000,
        b"X: y\n" + b" z\n" * 300_000,
        b"x\nTo: y\n" * 100_000,
        b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--ax" * 500_000,
        b"Content-Type: text/plain" + b";" * 500_000 + b"\n\nx",
        b"a" * 2_000_000,
        b"References: " + b"<a@b" * 90_000 + b"\n\n",
        b"Subject: " + b"=?a?q?" * 100_000,
    ],
)
def test_hostile_mails_take_linear_time(raw):
    begin = time.process_time()
    message.parse(raw)
    assert time.process_time() - begin < 3


def test_parse_never_raises():
    source, dice = mixed(b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nSGFsbG8=", nested(3)), random.Random(1)
    for _ in range(500):
        raw = bytearray(source)
        for _ in range(dice.randint(1, 40)):
            raw[dice.randrange(len(raw))] = dice.choice(b'\x00\n\r:;="<>(\xff-?')
        mail = message.parse(bytes(raw[: dice.randrange(len(raw))]))
        assert "unparsable" not in mail.defects


def test_what_breaks_the_parser_is_kept_as_text(monkeypatch):
    monkeypatch.setattr(message, "MAX_PARTS", None)
    mail = message.parse(mixed(b"\nText"))
    assert mail.defects == ("unparsable",) and "Text" in mail.text and mail.size > 0


@pytest.mark.parametrize(
    "name, safe",
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.txt", "y.txt"),
        ("a\u202egnp.exe", "a_gnp.exe"),
        ("...", ""),
        ("a\nb.txt", "a_b.txt"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        (".bashrc", "bashrc"),
        ("a:b?.txt", "a_b_.txt"),
    ],
)
def test_file_names_are_safe(name, safe):
    assert message.safe_name(name) == safe
