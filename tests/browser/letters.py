"""A small mailbox that was never anybody's: about thirty mails in English and German, dated around now."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

ANN = "ann@example.org"
HOSTILE = """<html><head><script>document.title = "owned"</script><style>body { background: url(http://tracker.invalid/css.png) }</style></head>
<body onload="document.title = 'owned'"><h1>A letter with everything</h1><img src="http://tracker.invalid/pixel.png" onerror="alert(1)">
<a href="javascript:alert(1)">Click</a> <a href="https://example.org/read">Read on</a><svg onload="alert(1)"><script>alert(1)</script></svg>
<iframe src="https://example.org/"></iframe>
<form action="https://example.org/"><input name="password"><button>Send</button></form>
<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math><p>The end of the letter.</p></body></html>"""
PLAIN = [
    ("Miriam Keller", "Contract: signature today", "Dear Ann,\n\nthe last version is attached. Could you sign it by 17:00 today?\n\nBest,\nMiriam"),
    ("Primarschule Nord", "Einverständnis Schulreise", "Liebe Eltern,\n\nbitte geben Sie das Blatt bis morgen unterschrieben zurück."),
    ("Finanzamt", "Fristerinnerung", "Sehr geehrte Frau Beck,\n\ndie Unterlagen fehlen noch. Bitte reichen Sie sie innert 10 Tagen ein."),
    ("Jonas Beck", "Sunday?", "Hi Ann,\n\ncan you come for lunch on Sunday? The children ask for you.\n\nJonas"),
    ("Buchladen am Markt", "Rechnung 4471", "Guten Tag,\n\nanbei die Rechnung über 38,50. Zahlbar innert 30 Tagen."),
    ("Turnverein", "Protokoll der Sitzung", "Liebe alle,\n\nanbei das Protokoll. Keine Rückmeldung nötig."),
    ("Dr. Weiss", "Please confirm Tuesday", "Dear Ann,\n\nyour appointment is on Tuesday at 9:30. Please confirm.\n\n> earlier text\n> more of it"),
]


def letters(now: datetime | None = None) -> Iterator[bytes]:
    """The mails, oldest last."""
    at = now or datetime.now(UTC)
    for number, (name, subject, text) in enumerate(PLAIN):
        mail = letter(name, subject, text, at - timedelta(hours=number))
        if "attached" in text or "anbei" in text:
            mail.add_attachment(b"%PDF-1.4 nothing", maintype="application", subtype="pdf", filename=f"{subject}.pdf")
        yield mail.as_bytes()
    yield html(at - timedelta(hours=8)).as_bytes()
    for number in range(22):
        mail = letter("Weekly Gardener", f"Issue {number}: what to plant now", "Bulbs, mostly.\n\nUnsubscribe below.", at - timedelta(days=number))
        mail["List-Id"] = "Weekly Gardener <weekly.gardener.example>"
        mail["List-Unsubscribe"] = "<https://gardener.example/leave>"
        yield mail.as_bytes()


def letter(name: str, subject: str, text: str, at: datetime) -> EmailMessage:
    mail = EmailMessage()
    address = f"{name.lower().replace(' ', '.').replace('..', '.')}@sender.example"
    mail["From"], mail["To"], mail["Subject"] = f"{name} <{address}>", f"Ann Beck <{ANN}>", subject
    mail["Date"], mail["Message-ID"] = format_datetime(at), make_msgid(domain="sender.example")
    mail.set_content(text)
    return mail


def html(at: datetime) -> EmailMessage:
    mail = letter("Odd Sender", "A letter with everything", "The plain twin of the letter.", at)
    mail.add_alternative(HOSTILE, subtype="html")
    return mail
