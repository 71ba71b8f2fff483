"""Answers invitations by mail (iMIP, RFC 6047): yes, perhaps or no, to whoever invites."""

from typing import Any

from mailhelper import calendars, drafts, invitations, mails, message, outbox
from mailhelper.db import db, now
from mailhelper.errors import Conflict, Invalid
from mailhelper.language import t
from mailhelper.models import Account, Draft, Mail, Outgoing
from mailhelper.scope import Scope

ANSWERS = ("accepted", "tentative", "declined")


def answer(scope: Scope, mail_id: object, answer: str, lang: str) -> Outgoing:
    """Send an answer, after the time in which that can be undone; the card says so once it is sent.

    Raises NotFound, Invalid, Conflict (no_answer_wanted where nobody asks, or the invitation is overtaken or cancelled; no_smtp).
    """
    mail = scope.get(Mail, mail_id)
    if answer not in ANSWERS:
        raise Invalid(fields={"answer": ("bad_choice", {"choices": ", ".join(ANSWERS)})})
    with scope:
        event = invitations.of_mail(scope, mail.id)
        if not wanted(event):
            raise Conflict("no_answer_wanted")
        account: Any = scope.get(Account, mail.account_id)      # type: ignore[attr-defined]
        if not account.smtp:
            raise Conflict("no_smtp")
        own = {one.address.lower() for one in scope.select(Account, Account.address)}
        me = next((one["address"] for one in event["attendees"] if one["address"] in own), account.address)      # type: ignore[index]
        original = message.parse(mails.raw(scope, mail.id)).calendar or b""
        calendar = calendars.reply(original, me, "" if "@" in account.name else account.name, answer, now())
        draft = drafts.write(scope, mail, t(lang, f"event.mail.{answer}", summary=event["summary"]), "", "user")       # type: ignore[index]
        organizer = event["organizer"]      # type: ignore[index]
        with db.atomic():
            people = {"to": [[organizer["name"], organizer["address"]]], "cc": [], "bcc": []}
            subject = t(lang, f"event.subject.{answer}", summary=event["summary"])[:drafts.LONGEST["subject"]]      # type: ignore[index]
            scope.update(Draft, people=people, subject=subject).where(Draft.id == draft.id).execute()
        return outbox.send(scope, draft.id, answer=answer, calendar=calendar)


def wanted(event: dict[str, Any] | None) -> bool:
    """Whether somebody waits for an answer to what `invitations.of_mail` gave."""
    asked = event and event["method"] == "request" and not event["cancelled"] and not event["newer"]
    return bool(asked and event and event["organizer"] and event["organizer"]["address"])
