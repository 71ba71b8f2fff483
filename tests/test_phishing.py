"""Phishing: borrowed names, links that lead elsewhere, and honest mail about accounts that must not be called phishing."""
import time
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage

import pytest

from mailhelper import message, phishing, triage

ME = "anna@example.org"
CONTEXT = triage.Context(frozenset({ME}), datetime(2026, 11, 25, 9), authserv="mx.example.org")


def rated(sender: str, subject: str, body: str, html: str = "", context: triage.Context = CONTEXT, **fields: str) -> triage.Rating:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, ME, subject, "<1@example.org>"
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    if html:
        mail.add_alternative(html, subtype="html")
    return triage.builtin(message.parse(mail.as_bytes()), context)


def codes(rating: triage.Rating) -> set[str]:
    return {reason.code for reason in rating.reasons}


@pytest.mark.parametrize(("host", "how"), [
    ("paypa1-service.com", "swap"), ("arnazon.de", "swap"), ("micros0ft.com", "swap"), ("paypla.com", "swap"), ("sparkase.de", "swap"),
    ("paypal-login.xyz", "borrowed"), ("dhl-paket.info", "borrowed"), ("secure.postfinance.ch.login-check.com", "borrowed"),
    ("apple-id-support.com", "borrowed"), ("xn--pypal-4ve.com", "punycode"),
])
def test_a_disguised_domain_is_seen(host: str, how: str) -> None:
    assert phishing.disguise(host)[1] == how


@pytest.mark.parametrize("host", [
    "paypal.com", "mail.paypal.de", "amazon.co.uk", "email.apple.com", "chaseford.com", "postbank.de", "musterbank.example", "t-online.de",
    "apple-orchard.example", "example.org", "zoll.de", "post.ch", "finanzamt.bayern.de", "sparkasse-musterstadt.de", "",
])
def test_an_honest_domain_is_left_alone(host: str) -> None:
    assert phishing.disguise(host) == ("", "")


@pytest.mark.parametrize(("host", "own"), [
    ("mail.shop.co.uk", "shop.co.uk"), ("a.b.example.com", "example.com"), ("example.com", "example.com"), ("com", "com"),
    ("a.x.gv.at", "x.gv.at"),
])
def test_the_registered_domain(host: str, own: str) -> None:
    assert phishing.registered(host) == own


@pytest.mark.parametrize(("sender", "subject", "body", "code"), [
    ("PayPal <service@paypa1-konto.com>", "Konto gesperrt", "Ihr Konto wurde gesperrt. Bitte bestätigen Sie Ihre Daten.", "lookalike"),
    ("Sparkasse <info@spk-sicherheit.online>", "Wichtig", "Ihr Konto wurde vorübergehend gesperrt. Klicken Sie hier. "
     "Bitte bestätigen Sie Ihre Daten.", "name_spoof"),
    ("IT <helpdesk@firma-support.tk>", "Your password expires today", "Click here to update your password or lose access.", "cheap_domain"),
    ("Bank <x@xn--bnk-0na.com>", "Sign in", "Suspicious activity: verify your identity by clicking the link below.", "punycode"),
])
def test_phishing_is_called_so_and_says_why(sender: str, subject: str, body: str, code: str) -> None:
    rating = rated(sender, subject, body)
    assert rating.kind == "phishing" and rating.spam
    assert (rating.urgency, rating.importance, rating.needs_reply) == (1, 1, False)
    assert code in codes(rating)


def test_a_link_that_shows_one_address_and_leads_to_another() -> None:
    html = ('<p>Your account has been limited. <a href="http://evil.example/login">https://www.mybank.example/login</a> '
            "to confirm your identity</p>")
    rating = rated("My Bank <info@mail-service.example>", "Limited", "Your account has been limited. Confirm your identity.", html)
    assert rating.kind == "phishing"
    assert {"shown": "www.mybank.example", "target": "evil.example"} in [reason.params for reason in rating.reasons]


@pytest.mark.parametrize(("target", "shown", "kind"), [
    ("https://click.newsmail.example/x", "https://www.postfinance.ch/login", "phishing"),
    ("https://click.newsmail.example/x", "https://www.my-own-shop.example/login", "person"),
    ("https://click.newsmail.example/x", "https://www.linkedin.com/company/x", "person"),
])
def test_a_brands_address_over_a_link_of_the_sender_counts_and_a_counting_link_does_not(target: str, shown: str, kind: str) -> None:
    html = f'<p>Unusual activity. <a href="{target}">{shown}</a></p>'
    rating = rated("Service <info@newsmail.example>", "Notice", "Unusual activity on your account. Verify your identity.", html)
    assert (rating.kind, "link_target" in codes(rating)) == (kind, kind == "phishing")


@pytest.mark.parametrize(("sender", "subject", "body", "code"), [
    ("Dr. Petra Lang <petra.lang.direktion@mail-buero.example>", "Kurze Frage",
     "Anna, bist du am Platz? Ich sitze in einer Sitzung und kann nicht telefonieren. Besorg bitte fünf Geschenkkarten "
     "und schick mir die Codes. Das bleibt unter uns.", "phishing_gift_cards"),
    ("Robert Hale <ceo.hale@gmail.com>", "Quick favour", "Are you at your desk? I'm in a meeting and can't talk. I need some gift cards for a "
     "client today, scratch them and send me the codes. Keep this between us.", "phishing_secrecy"),
    ("Geschäftsleitung <gl.firma@gmx.de>", "Zahlung", "Hallo Anna, wir brauchen dringend eine Eilüberweisung. Bin in einer Besprechung, "
     "nur per Mail erreichbar.", "phishing_transfer"),
    ("Kind <neue.nummer88@web.de>", "Hallo Mama", "Hallo Mama, mein Handy ist kaputt, das ist meine neue Nummer. Schreib mir auf WhatsApp, "
     "ich müsste heute dringend eine Rechnung bezahlen.", "phishing_new_number"),
    ("Your son <x@mail.example>", "hi mum", "Hi mum, I dropped my phone in the sink. This is my new number, text me on WhatsApp. "
     "Could you pay a bill for me, it is urgent?", "phishing_new_number"),
])
def test_a_secret_errand_for_money_is_phishing(sender: str, subject: str, body: str, code: str) -> None:
    rating = rated(sender, subject, body)
    assert (rating.kind, rating.urgency, rating.needs_reply) == ("phishing", 1, False)
    assert code in codes(rating)


@pytest.mark.parametrize(("sender", "body"), [
    ("Lisa <lisa@gmx.ch>", "Hoi Anna, sollen wir Ben zum Geburtstag Geschenkkarten kaufen? Sag ihm nichts!"),
    ("Lea <lea@web.de>", "Hallo Mama, mein altes Handy habe ich Ben gegeben. Meine neue Nummer ist 0171 5550100. Bis Sonntag!"),
    ("Tom <tom@gmail.com>", "Hi all, I lost my phone. My new number is 555 0100, text me on WhatsApp."),
    ("Kasse <kasse@verein.example>", "Hallo Anna, kannst du bitte die Überweisung veranlassen? Es eilt, die Halle will das Geld heute."),
    ("Jo <jo@firm.example>", "Hi Anna, I'm in a meeting until 3. Could you send me the agenda, please?"),
])
def test_an_honest_errand_is_not_phishing(sender: str, body: str) -> None:
    assert rated(sender, "Kurze Frage", body).kind == "person"


@pytest.mark.parametrize("footer", ["Newsletter abbestellen", "Gratis Versand. Jetzt bestellen!"])
def test_a_shop_that_sells_gift_cards_is_no_errand(footer: str) -> None:
    body = f"Geschenkkarten, die immer passen. Codes per Mail! Nur heute, sofort da. Folgen Sie uns auf WhatsApp.\n\n{footer}"
    assert rated("Laden <hallo@laden.example>", "Last minute", body).kind in ("marketing", "newsletter", "person")


def test_a_fee_is_named_a_bait_and_no_threat() -> None:
    rating = rated("DHL <info@dhl-zoll-service.example>", "Ihr Paket", "Für Ihr Paket ist eine Zollgebühr offen. Hier klicken.")
    assert rating.kind == "phishing"
    assert "phishing_bait" in codes(rating) and "phishing_threat" not in codes(rating)


def test_a_failed_check_by_the_own_server_counts_and_one_by_a_stranger_does_not() -> None:
    body = "Unusual activity. Please verify your identity by clicking the link below."
    failed = "mx.example.org; dmarc=fail header.from=bank.example"
    assert rated("Bank <info@bank.example>", "Check", body, Authentication_Results=failed).kind == "phishing"
    assert rated("Bank <info@bank.example>", "Check", body, Authentication_Results=failed.replace("mx.", "evil.")).kind != "phishing"


@pytest.mark.parametrize(("sender", "subject", "body"), [
    ("GitHub <noreply@github.com>", "New sign-in", "A new device signed in to your account. If this was you, no action is needed."),
    ("Dropbox <no-reply@dropbox.com>", "Confirm your email", "Click the button to verify your account. This link expires in 48 hours."),
    ("PayPal <service@paypal.de>", "Zahlung", "Sie haben eine Zahlung über 20,00 EUR gesendet. Ihr Konto wurde belastet."),
    ("Raiffeisenbank <info@raiffeisen.at>", "Neue AGB", "Bitte bestätigen Sie Ihre Daten in der Filiale."),
    ("Peter <peter@firma.example>", "Re: login",
     "Hi Anna, did you change your password? There was suspicious activity on the server, can you check?"),
    ("Verein <kasse@tv-hinterdorf.example>", "Mitgliederdaten", "Hallo Anna, bitte prüf kurz, ob deine Adresse noch stimmt."),
])
def test_honest_mail_about_accounts_is_not_phishing(sender: str, subject: str, body: str) -> None:
    assert rated(sender, subject, body).kind not in ("phishing", "spam")


def test_somebody_the_user_trusts_is_not_called_phishing() -> None:
    context = triage.Context(frozenset({ME}), datetime(2026, 11, 25, 9), triage.Sender(trusted=True))
    body = "Suspicious activity: please verify your identity by clicking the link below."
    assert rated("x@service-login.xyz", "Check", body).kind == "phishing"
    assert rated("x@service-login.xyz", "Check", body, context=context).kind != "phishing"


@pytest.mark.parametrize("html", ["<a href=" * 3000, ">" + " " * 20_000 + "http", "<a href='http://a'>http://b" * 700, "> http://" * 2000])
def test_hostile_html_costs_little(html: str) -> None:
    began = time.process_time()
    rated("x@service-login.xyz", "Verify your account", "verify your account, click here", html)
    assert time.process_time() - began < 0.5


def test_a_domain_that_poses_as_the_readers_own_is_seen() -> None:
    own = frozenset({"finch-software.com"})
    for host in ("finch-softvvare.com", "finch-s0ftware.com", "finch-softwares.net", "finch-software-login.com", "finch-software.top"):
        assert phishing.poses(host, own) == "finch-software.com", host
    for host in ("finch-software.com", "mail.finch-software.com", "finch-software.de", "finch.com", "software.com"):
        assert phishing.poses(host, own) == "", host


def test_a_link_to_a_borrowed_name_counts_in_plain_text_too() -> None:
    rating = rated("Team <hello@weloop.example>", "Konto", "Ihr Konto wurde gesperrt. Bestätigen Sie Ihre Daten: https://paypa1-service.com/login")
    assert rating.kind == "phishing"
    assert "lookalike" in {reason.code for reason in rating.reasons}


ERRAND = "Are you free? I am in a meeting right now and can't talk. I need something done at once, keep this between us."


@pytest.mark.parametrize(("body", "kind"), [
    (ERRAND, "phishing"),
    ("Please confirm your bank details today, the payment could not be made.", "phishing"),
    ("Hi Anna, this is my private address. Shall we have lunch on Friday?", "person"),
])
def test_the_name_of_a_contact_at_a_strange_address_counts_beside_what_is_wanted(body: str, kind: str) -> None:
    known = rated("Miriam Keller <ceo@weloop.example>", "Quick favour", body, context=replace(CONTEXT, sender=triage.Sender(namesake=True)))
    assert known.kind == kind
    assert rated("Miriam Keller <ceo@weloop.example>", "Quick favour", body).kind == "person"
    assert ("contact_spoof" in codes(known)) == (kind == "phishing")
