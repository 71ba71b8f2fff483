"""The built-in rating, on mail as households get it: urgency, importance, kind, reasons that are true, and caution."""
import random
import re
import time
import tomllib
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailhelper import language, message, triage
from mailhelper.headers import Address
from mailhelper.message import ParsedMail

ROOT = Path(triage.__file__).parent
ME = "anna.meier@example.org"
NOW = datetime(2026, 11, 25, 9, 0)                      # a Wednesday
CONTEXT = triage.Context(frozenset({ME}), NOW, language="de", timezone="Europe/Zurich")
KNOWN = replace(CONTEXT, sender=triage.Sender(received=9, written=6))
CALENDAR = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


def parsed(sender: str, subject: str, body: str, to: str = f"Anna Meier <{ME}>", html: str = "", **fields: str) -> ParsedMail:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"], mail["Message-ID"] = "Wed, 25 Nov 2026 09:00:00 +0000", "<1@example.org>"
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    if html:
        mail.add_alternative(html, subtype="html")
    return message.parse(mail.as_bytes())


def rated(*args: Any, context: triage.Context = CONTEXT, **fields: Any) -> triage.Rating:
    return triage.builtin(parsed(*args, **fields), context)


def codes(rating: triage.Rating) -> set[str]:
    return {reason.code for reason in rating.reasons}


def test_score_and_colour_are_those_of_the_matrix() -> None:
    assert [[triage.score(u, i) for i in (1, 2, 3)] for u in (3, 2, 1)] == [[7, 8, 9], [5, 6, 7], [3, 4, 5]]
    assert [triage.colour(score) for score in (4, 5, 7, 8)] == ["green", "yellow", "yellow", "red"]
    assert triage.LAYERS[0] == "user" and triage.LAYERS[-1] == "builtin"


def test_a_request_of_a_tax_office_with_a_deadline() -> None:
    rating = rated("Finanzamt <poststelle@fa-muster.bayern.de>", "Einkommensteuer 2025",
                   "Sehr geehrte Frau Meier,\n\nes fehlen noch Belege. "
                   "Bitte reichen Sie die Unterlagen bis zum 30.11.2026 ein.\n\nIhr Finanzamt")
    assert (rating.urgency, rating.importance, rating.category, rating.kind) == (2, 3, "action_required", "person")
    assert triage.Reason("deadline", {"phrase": "bis zum 30.11.2026", "day": "2026-11-30"}) in rating.reasons
    assert rating.summary == "Bitte reichen Sie die Unterlagen bis zum 30.11.2026 ein."
    assert "Behörde" in rating.suggested_tags


@pytest.mark.parametrize(("sender", "subject", "body"), [
    ("Peter <peter@firma.example>", "Offerte",
     "Hallo Anna\n\nkannst du mir die Offerte bitte bis heute 16 Uhr schicken? Der Kunde wartet.\n\nPeter"),
    ("Chef <vogel@firma.example>", "Dringend: Zahlen", "Anna, ich brauche deine Zahlen sofort, spätestens in 2 Stunden."),
    ("Stadtwerke <rechnung@stadtwerke.example>", "2. Mahnung",
     "Guten Tag Frau Meier,\n\ndie Rechnung ist noch nicht eingegangen. "
     "Bitte überweisen Sie den Betrag bis zum 26.11.2026, sonst wird der Strom gesperrt. Es fallen Mahngebühren an."),
    ("Lisa <lisa@firm.example>", "URGENT: server", "Anna,\n\nthe shop is down. Can you call me immediately?"),
    ("John <j@lettings.example>", "Keys", "Dear Anna,\n\nplease confirm by 5 pm today whether you can hand over the keys."),
])
def test_what_presses_today_is_urgent(sender: str, subject: str, body: str) -> None:
    rating = rated(sender, subject, body)
    assert (rating.urgency, rating.category) == (3, "urgent")
    assert codes(rating) & {"deadline", "pressure", "overdue"}


@pytest.mark.parametrize(("sender", "subject", "body", "reply"), [
    ("Schule <sekretariat@schule.example>", "Elternabend",
     "Liebe Eltern\n\nBitte geben Sie uns bis Freitag Bescheid, ob Sie kommen.", True),
    ("HR <hr@firma.example>", "Gespräch",
     "Sehr geehrte Frau Meier,\n\npasst Ihnen Dienstag um 10 Uhr? Wir bitten um Rückmeldung bis Freitag.", True),
    ("Lena <lena@gmx.ch>", "Samstag?", "Hoi Anna\n\nHast du am Samstag Lust auf eine Wanderung? Gib mir doch bis Freitag Bescheid.", True),
    ("Shop <service@shop.example>", "Your plan",
     "Your subscription will be suspended on 30 November unless you renew by that date. Renew now.", False),
])
def test_what_is_asked_within_the_week_is_soon(sender: str, subject: str, body: str, reply: bool) -> None:
    rating = rated(sender, subject, body)
    assert (rating.urgency, rating.category, rating.needs_reply) == (2, "action_required", reply)


@pytest.mark.parametrize(("subject", "body"), [
    ("Protokoll", "Hallo Anna\n\nzur Info das Protokoll von gestern. Eilt nicht.\n\nGruss"),
    ("Update", "Anna, quick heads-up: delivery is now May 18. No action required from your end."),
    ("Unterlagen", "Sehr geehrte Frau Meier,\n\nvielen Dank. Wir melden uns bis morgen bei Ihnen."),
    ("Status", "Hi Anna, I'll send you the slides by tomorrow. All good here."),
    ("Idea", "Hi Anna, not urgent at all, this isn't a blocker. Found a nice paper."),
])
def test_news_without_a_request_can_wait(subject: str, body: str) -> None:
    rating = rated("Peter <peter@firma.example>", subject, body)
    assert (rating.urgency, rating.category, rating.needs_reply) == (1, "information", False)


def test_the_quoted_request_of_another_mail_does_not_count() -> None:
    rating = rated("Peter <peter@firma.example>", "AW: Protokoll",
                   "Erledigt, danke.\n\nPeter\n\nAm 24.11.2026 um 10:12 schrieb Anna Meier:\n"
                   "> Kannst du mir das Protokoll bis morgen schicken?\n> Dringend!")
    assert (rating.urgency, rating.needs_reply) == (1, False)


def test_the_signature_does_not_count() -> None:
    body = "Anbei das Foto von gestern.\n\n-- \nCall us today! Please reply immediately, urgent"
    assert rated("P <p@firma.example>", "Foto", body).urgency == 1


@pytest.mark.parametrize(("body", "urgency"), [
    ("Surprise party for Mark! Please let me know by tomorrow if you can make it.", 2),
    ("Könnt ihr bis heute Abend sagen, ob ihr zum Grillen kommt?", 2),
])
def test_plans_among_friends_are_not_pressing(body: str, urgency: int) -> None:
    assert rated("Tom <tom@example.com>", "Party", "Hi Anna,\n\n" + body).urgency == urgency


def test_what_is_cancelled_tomorrow_is_soon() -> None:
    rating = rated("Kita <leitung@kita.example>", "Kita", "Liebe Eltern,\n\nwegen Krankheit bleibt die Kita morgen leider geschlossen.")
    assert rating.urgency == 2
    assert triage.Reason("deadline", {"phrase": "morgen", "day": "2026-11-26"}) in rating.reasons


def test_a_deadline_is_resolved_in_the_readers_time_zone() -> None:
    late = replace(parsed("P <p@firma.example>", "x", "Anna, kannst du mir das bis morgen schicken?"), date=datetime(2026, 11, 25, 23, 30))
    assert ("day", "2026-11-27") in triage.builtin(late, CONTEXT).reasons[0].params.items()
    assert ("day", "2026-11-26") in triage.builtin(late, replace(CONTEXT, timezone="America/New_York")).reasons[0].params.items()


def test_a_deadline_of_an_old_mail_presses_no_more() -> None:
    later = replace(CONTEXT, now=datetime(2027, 6, 1))
    rating = rated("P <p@firma.example>", "x", "Anna, kannst du mir das bis morgen schicken?", context=later)
    assert rating.urgency == 1
    assert "deadline_passed" in codes(rating)


@pytest.mark.parametrize(("kind", "sender", "subject", "body", "fields"), [
    ("newsletter", "Verein <info@verein.example>", "Rundbrief", "Liebe alle, das war los.",
     {"List_Unsubscribe": "<mailto:x@verein.example>"}),
    ("marketing", "Shop <news@shop.example>", "Nur heute: 20% auf alles",
     "Jetzt shoppen: 20% Rabatt, nur heute!\nNewsletter abbestellen", {}),
    ("marketing", "Shop <hello@shop.example>", "Summer sale", "Save up to 50% off. Shop now!",
     {"List_Unsubscribe": "<https://shop.example/u>"}),
    ("receipt", "Bahn <noreply@bahn.example>", "Ihre Buchung", "Ihre Buchungsbestätigung: Wien - Zürich am 3.12.", {}),
    ("receipt", "Spotify <no-reply@spotify.com>", "Your receipt", "Thanks for your payment. Total charged: 10.99.", {}),
    ("notification", "DHL <noreply@dhl.de>", "Ihr Paket", "Ihre Sendung wird heute zwischen 10 und 13 Uhr zugestellt.", {}),
    ("notification", "Peter <p@firma.example>", "Automatische Antwort: x",
     "Ich bin bis 30.11. nicht im Büro. In dringenden Fällen an Frau Huber.", {}),
    ("notification", "Peter <p@firma.example>", "Re: x", "Danke!", {"Auto_Submitted": "auto-replied"}),
    ("cold_outreach", "Max <max@agentur.example>", "Mehr Kunden",
     "Guten Tag Frau Meier,\n\nwir helfen Unternehmen wie Ihrem mit "
     "Suchmaschinenoptimierung. Haben Sie Zeit für ein kurzes Telefonat?", {}),
    ("spam", "x <a123@cheap-pills.biz>", "V1AGRA!!!",
     "Cheap viagra, cialis, no prescription. Order now! Satisfaction guaranteed", {}),
    ("person", "Tom <tom@lists.example>", "Re: [dev] patch", "Can you try again? Urgent!",
     {"List_Post": "<mailto:dev@lists.example>", "In_Reply_To": "<2@example.org>"}),
    ("person", "Mama <mama@bluewin.ch>", "Weihnachten", "Liebe Anna\n\nKommt ihr am 24. oder erst am 25.?\n\nBussi", {}),
])
def test_the_kind_of_a_mail(kind: str, sender: str, subject: str, body: str, fields: dict[str, Any]) -> None:
    rating = rated(sender, subject, body, **fields)
    assert rating.kind == kind
    assert rating.spam == (kind == "spam")
    if kind != "person" or fields:
        assert rating.urgency == 1


@pytest.mark.parametrize(("sender", "body", "reply"), [
    ("Uschi <uschi@gmx.de>", "Ihr Lieben,\n\nam Samstag wird gefeiert. Sagt mir bitte bis 2. Dezember Bescheid, wer kommt.", True),
    ("Mehmet <mehmet@verlag.example>", "Hallo Anna,\n\nein Beleg fehlt noch. Bitte reiche ihn bis Montag nach.", False),
    ("Kita <leitung@kita.example>", "Liebe Eltern,\n\nbitte gebt den Kindern bis Freitag eine Regenjacke mit.", False),
    ("Vermieter <info@haus.example>", "Guten Tag\n\nBitte überweisen Sie den Betrag bis 27. November auf unser Konto.", False),
])
def test_requests_with_a_day_inside_are_heard(sender: str, body: str, reply: bool) -> None:
    rating = rated(sender, "Kurz", body)
    assert (rating.category, rating.needs_reply, rating.urgency) == ("action_required", reply, 2)
    asked = next(str(reason.params["phrase"]) for reason in rating.reasons if reason.code == "asks")
    assert any(day in asked for day in ("2. Dezember", "Montag", "Freitag", "27. November"))


@pytest.mark.parametrize(("to", "body", "reply"), [
    (ME, "Im Text steht 1872 statt 1827. Ist eine Änderung jetzt noch möglich oder zu spät?", True),
    (ME, "The hall is booked. When does the bus leave on Sunday?", True),
    (f"{ME}, ben@example.org", "Im Text steht 1872 statt 1827. Ist eine Änderung jetzt noch möglich oder zu spät?", False),
    (ME, "So viel Regen, seltsam oder? Wir bleiben daheim.", False),
])
def test_a_question_to_nobody_else_needs_no_you(to: str, body: str, reply: bool) -> None:
    assert rated("Henrik <henrik@example.com>", "Kapitel 3", f"Liebe Anna,\n\n{body}", to=to).needs_reply == reply


@pytest.mark.parametrize("body", [
    "magst du heute um eins mit zum Essen? Kein Stress, sonst ein andermal.", "kannst du mir bis heute Abend die Liste schicken? Eilt nicht.",
    "could you send me the photos today? No rush at all.", "can you have a look by tomorrow, only if you have time?",
    "kannst du bis morgen drüberschauen? Nur wenn du Zeit hast.",
])
def test_what_can_wait_by_its_own_words_is_never_red(body: str) -> None:
    rating = rated("Jonas <jonas@firma.example>", "Kurz", f"Hi Anna,\n\n{body}\n\nJonas", context=KNOWN)
    assert triage.colour(triage.score(rating.urgency, rating.importance)) != "red"
    assert "calm" in codes(rating)


def test_calm_words_do_not_lower_what_is_at_stake() -> None:
    rating = rated("Amt <post@amt.example>", "Mahnung", "Anna, zur Info: bitte überweisen Sie bis morgen, sonst folgt ein Mahnbescheid.")
    assert rating.urgency == 3


@pytest.mark.parametrize(("sender", "subject", "body"), [
    ("Praxis <termine@praxis.example>", "Terminerinnerung: Freitag, 8:30 Uhr", "Liebe Frau Meier,\n\nbis dann. Ihr Praxisteam"),
    ("Physio <noreply@physio.example>", "Erinnerung", "Guten Tag, wir erinnern Sie an Ihren Termin am 26. November um 9 Uhr."),
    ("Dental Care <reminders@dental.example>", "See you soon", "Dear Anna, your appointment with Dr. Lee is on Thursday, 10:15."),
])
def test_an_appointment_within_days_is_soon(sender: str, subject: str, body: str) -> None:
    rating = rated(sender, subject, body)
    assert (rating.urgency, rating.importance) == (2, 2)
    assert "appointment" in codes(rating)


def test_an_appointment_that_is_over_can_wait() -> None:
    rating = rated("Praxis <noreply@praxis.example>", "Terminerinnerung: Freitag, 8:30 Uhr", "Ihr Praxisteam",
                   context=replace(CONTEXT, now=datetime(2026, 12, 3)))
    assert (rating.urgency, rating.importance, "deadline_passed" in codes(rating)) == (1, 1, False)


@pytest.mark.parametrize(("sender", "subject", "body"), [
    ("Hotel <reservations@hotel.example>", "Your reservation is confirmed", "Dear Anna Meier,\n\nwe look forward to welcoming you."),
    ("Shop <orders@shop.example>", "Refund for your return", "Hello Anna,\n\nwe refunded 30 EUR to your card."),
    ("Gasthof <buchung@gasthof.example>", "Reservierung bestätigt", "Liebe Frau Meier, Ihre Reservierung ist bestätigt."),
    ("Streams <no-reply@streams.example>", "Your receipt", "Hi Anna, we received your payment. The next payment is due in one month."),
])
def test_a_receipt_asks_for_nothing(sender: str, subject: str, body: str) -> None:
    rating = rated(sender, subject, body)
    assert (rating.kind, rating.category, rating.importance) == ("receipt", "information", 1)
    assert "asks" not in codes(rating)


def test_a_bill_that_somebody_wants_paid_is_no_receipt() -> None:
    rating = rated("Buchhaltung <buchhaltung@firma.example>", "Reise", "Hallo Anna,\n\nfür die Abrechnung fehlt ein Beleg. Reiche ihn bitte nach.")
    assert (rating.kind, rating.category) == ("person", "action_required")


def test_a_price_list_to_nobody_is_spam_and_a_greeted_one_advertising() -> None:
    prices = "Desk lamp $ 40, chair $ 45, shelf $ 40. Free shipping, big sale, discount on bestsellers, shop now."
    kinds = [rated("lamps9911@lamps.example", "Lamps for $ 40", greeting + prices).kind for greeting in ("", "Hello Anna,\n\n")]
    assert kinds == ["spam", "marketing"]


def test_an_address_written_with_blanks_is_hidden() -> None:
    rating = rated("x <a@shop.example>", "pills", "cheapest pills, free shipping, order now\nhttp : / / www . pillsale . example / ?a=1")
    assert rating.kind == "spam"
    assert "http : / / www" in [reason.params.get("phrase") for reason in rating.reasons]


def test_an_invitation_is_calendar() -> None:
    mail = replace(parsed("Tom <tom@firm.example>", "Invitation: sync", "Join us"), calendar=CALENDAR)
    assert triage.builtin(mail, CONTEXT).kind == "calendar"


def test_unasked_advertising_without_a_way_off_the_list_is_spam() -> None:
    case = ("Deals <deals77123@shopper.example>", "Best prices!!", "Lowest prices, guaranteed! Act now, special offer. "
            + "Blah blah. " * 900)
    spam, honest = rated(*case), rated(*case[:2], case[2] + "\n\nTo unsubscribe from this list, click here.")
    assert (spam.kind, "no_way_off" in codes(spam)) == ("spam", True)
    assert (honest.kind, "no_way_off" in codes(honest)) == ("marketing", False)


def test_the_folder_counts_for_ones_own_mail_and_for_junk() -> None:
    case = ("Tom <tom@example.com>", "URGENT", "Anna, can you answer immediately, by today?")
    assert rated(*case).urgency == 3
    own, junk = rated(*case, context=replace(CONTEXT, role="sent")), rated(*case, context=replace(CONTEXT, role="junk"))
    assert (own.urgency, own.needs_reply, codes(own)) == (1, False, {"own_mail"})
    assert (junk.kind, junk.urgency, codes(junk)) == ("spam", 1, {"junk_folder"})
    assert rated(*case, context=replace(KNOWN, role="junk")).kind == "person"


def test_discussion_lists_are_never_urgent() -> None:
    rating = rated("Tom <t@lists.example>", "URGENT", "Please reply immediately, by today! Can you?", List_Id="<dev.lists.example>",
                   List_Post="<mailto:dev@lists.example>")
    assert (rating.urgency, rating.importance, rating.needs_reply) == (1, 1, False)


def test_whom_the_user_writes_to_counts_more_and_is_not_taken_for_a_seller() -> None:
    body = "Hi Anna,\n\nshall we book a demo? We help companies like yours with lead generation. Could you send me the contract?"
    stranger, known = rated("Max <max@firm.example>", "Demo", body), rated("Max <max@firm.example>", "Demo", body, context=KNOWN)
    assert (stranger.kind, known.kind) == ("cold_outreach", "person")
    assert triage.Reason("you_wrote", {"count": 6}) in known.reasons
    assert known.importance > stranger.importance


def test_one_of_many_counts_less_than_alone() -> None:
    body = "Could someone please review the plan? Please reply."
    many = ", ".join([ME, *(f"p{number}@firm.example" for number in range(12))])
    assert rated("T <t@firm.example>", "Plan", body, to=many).importance < rated("T <t@firm.example>", "Plan", body).importance
    assert not rated("T <t@firm.example>", "Plan", body, to="team@firm.example").needs_reply


def test_an_offer_that_presses_is_not_urgent() -> None:
    rating = rated("David <d@vendor.example>", "URGENT: 40% off expires today",
                   "Hi Anna,\n\nour discount of 40% ends today at 5 pm. Can you confirm by 4 pm?")
    assert rating.kind in ("marketing", "spam") and rating.urgency == 1
    assert "pushy_offer" in codes(rating)


@pytest.mark.parametrize("language_wanted", language.LANGUAGES)
def test_every_reason_has_its_sentence_in_each_language(language_wanted: str) -> None:
    for code, params in [reason for case in SAMPLE for reason in rated(*case).reasons]:
        assert language.t(language_wanted, f"reason.{code}", **params)


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_the_catalogue_explains_the_reasons_that_there_are_and_no_others(lang: str) -> None:
    source = "".join((ROOT / f"{name}.py").read_text("utf-8") for name in ("bulk", "phishing", "asks", "triage"))
    codes_given = set(re.findall(r'(?:Reason|_day)\("(\w+)"', source)) | set(re.findall(r'"(phishing_\w+)"', source))
    assert tomllib.loads((ROOT / "locale" / lang / "reasons.toml").read_text("utf-8"))["reason"].keys() == codes_given


SAMPLE = [
    ("Peter <peter@firma.example>", "Dringend: Offerte",
     "Hallo Anna\n\nkannst du mir die OFFERTE bitte\nbis heute 16 Uhr schicken? Sonst verfällt sie.\n\nPeter"),
    ("Shop <news@shop.example>", "Nur heute: 20% auf alles", "Jetzt shoppen: 20% Rabatt, nur heute!\nNewsletter abbestellen"),
    ("x <a@cheap-pills.biz>", "V i a g r a", "Cheap cialis, no prescription. Order now! v [ iagra"),
    ("Amt <post@amt.example>", "Vorladung", "Sehr geehrte Frau Meier,\n\nBitte bestätigen Sie den Erhalt innerhalb von 7 Tagen."),
    ("Max <max@agentur.example>", "Hallo", "Wir helfen Unternehmen mit Suchmaschinenoptimierung. Wann passt ein kurzes Telefonat?"),
    ("PayPal <service@paypa1-konto.com>", "Konto", "Ihr Konto wurde gesperrt. Bitte bestätigen Sie Ihre Daten."),
    ("Tom <tom@example.com>", "Frage", "Hey Anna, when you have time: what do you think of the plan? Should we ask Ben?"),
]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case[1])
def test_every_quoted_phrase_stands_in_the_mail(case: tuple[str, str, str]) -> None:
    rating, whole = rated(*case), " ".join(f"{case[1]} {case[2]}".split())
    for reason in rating.reasons:
        for name in ("phrase", "hurry"):
            if name in reason.params:
                assert str(reason.params[name]).lstrip("…") in whole, reason


def test_reasons_are_few_and_never_none() -> None:
    for case in SAMPLE:
        assert 1 <= len(rated(*case).reasons) <= 6
    assert codes(rated("Tom <tom@example.com>", "Foto", "Anbei das Foto.")) == {"nothing_asked"}


def test_the_summary_passes_over_the_greeting_and_loses_no_letter() -> None:
    rating = rated("Tom <tom@example.com>", "Foto", "Hallo Anna,\n\ndas Foto vom 2. Dezember hängt an. Schön war es!")
    assert rating.summary == "das Foto vom 2. Dezember hängt an."


def test_the_summary_is_the_mails_own_words_and_short() -> None:
    body = "Hallo Anna,\n\nwie besprochen. " + "Sehr lang und breit erzählt. " * 30 + "Kannst du mir antworten?"
    rating = rated("P <p@firma.example>", "x", body)
    assert rating.summary == "Kannst du mir antworten?"
    assert len(rated("P <p@firma.example>", "x", "wort " * 400).summary) <= 240
    assert rated("P <p@firma.example>", "Nur ein Betreff", "").summary == "Nur ein Betreff"


def test_tags_are_in_the_readers_language() -> None:
    case = ("Schule <sekretariat@schule.example>", "Elternabend", "Der Elternabend der Schule ist am 9. Dezember.")
    assert rated(*case).suggested_tags == ("Schule",)
    assert rated(*case, context=replace(CONTEXT, language="en")).suggested_tags == ("school",)


def test_authentication_results_count_only_from_the_own_server() -> None:
    body = "Hi Anna,\n\n40% off for your team, expires today. Register now."
    header = "mx.example.org; dmarc=pass header.from=example.org"
    trusting = replace(CONTEXT, authserv="mx.example.org")
    assert rated("Tom <tom@example.org>", "URGENT: canteen", body, context=trusting, Authentication_Results=header).kind == "person"
    assert not rated("Tom <tom@example.org>", "x", body, context=CONTEXT, Authentication_Results=header).confidence > 1


def test_confidence_is_higher_with_clear_marks() -> None:
    clear = rated("Verein <info@verein.example>", "Rundbrief", "Das war los.", List_Unsubscribe="<mailto:x@verein.example>")
    vague = rated("x@example.com", "hm", "let me know?")
    assert 0 <= vague.confidence < 0.6 < clear.confidence <= 1


def test_odd_mail_is_rated_without_error() -> None:
    rng = random.Random(3)
    empty = message.parse(b"")
    assert triage.builtin(empty, CONTEXT).urgency == 1
    assert triage.builtin(replace(empty, sender=Address("", "not an address")), CONTEXT).kind
    for _ in range(150):
        raw = bytes(rng.choice(b"bis by ?!.\n$%[ab{please30.11:@<>\xc3\xbc") for _ in range(400))
        rating = triage.builtin(message.parse(b"From: a@b.c\nSubject: " + raw[:40].replace(b"\n", b"") + b"\n\n" + raw), CONTEXT)
        assert rating.urgency in (1, 2, 3) and rating.importance in (1, 2, 3) and 0 <= rating.confidence <= 1
        assert rating.category in triage.CATEGORIES and rating.kind in triage.KINDS and 1 <= len(rating.suggested_tags) <= 5


@pytest.mark.parametrize("piece", [
    "? ", "can you ", "bitte gib ", "by by ", "bis 30.11. ", "please ", "a b c ", "v [ i ", "! ", "\n\n", "geben sie ", "$%", "you? ",
    "urgent ", "http://1.1.1.1 ", "> ", "am x schrieb ", "ä" * 50, "a*b ", "in 3 ", "heute "])
def test_hostile_text_costs_little(piece: str) -> None:
    mail = replace(parsed("x@example.com", "x", "y"), text=piece * (200_000 // len(piece)), subject=piece * 2000)
    triage.builtin(mail, CONTEXT)
    began = time.process_time()
    triage.builtin(mail, CONTEXT)
    assert time.process_time() - began < 0.3
