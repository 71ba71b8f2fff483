"""Invitations in mails: which of several counts, what else is at that time, and what the card says."""

import email
import email.policy
from typing import Any

from mailhelper import calendars, invitations, rsvp
from mailhelper.models import Folder, Mail, Outgoing
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.servers.sink import Sink
from tests.test_calendars import calendar
from tests.test_outbox import mailbox, work
from tests.world import account, folder, keep, raw


def place(scope: Scope) -> Folder:
    return folder(scope, account(scope))


def invite(scope: Scope, place: Folder, number: int, *lines: str, uid: str = "1@x", hour: int = 10, method: str = "REQUEST",
           organizer: str = "miriam@work.example") -> Mail:
    """A mail with an invitation to a meeting on 1 December 2099."""
    data = calendar(f"ORGANIZER:mailto:{organizer}", f"DTSTART:20991201T{hour}0000Z", f"DTEND:20991201T{hour + 1}0000Z", *lines, method=method)
    text = data.replace(b"UID:1@x", f"UID:{uid}".encode()).decode()
    kind = f"text/calendar; method={method}; charset=utf-8"
    [mail] = keep(scope, place, raw(f"Mail {number}", text, id=f"{number}@x", Content_Type=kind), uid=number)
    return mail


def card(scope: Scope, mail: Mail) -> dict[str, Any]:
    found = invitations.of_mail(scope, mail.id)
    assert found
    return found


def test_the_api_says_what_a_mail_invites_to(ann: Scope) -> None:
    mail = invite(ann, place(ann), 1)
    found = Client(ann)("GET", f"/api/emails/{mail.id}").json["invitation"]
    assert (found["method"], found["summary"], found["start"], found["end"]) == ("request", "Meeting", "2099-12-01T10:00:00Z", "2099-12-01T11:00:00Z")
    assert (found["newer"], found["cancelled"], found["conflicts"], found["answer"]) == (None, False, [], None)


def test_a_mail_without_one_has_none(ann: Scope) -> None:
    [mail] = keep(ann, place(ann), raw())
    assert Client(ann)("GET", f"/api/emails/{mail.id}").json["invitation"] is None


def test_an_update_overtakes_by_its_sequence_whatever_came_first(ann: Scope) -> None:
    here = place(ann)
    new, old = invite(ann, here, 1, "SEQUENCE:2", hour=14), invite(ann, here, 2, "SEQUENCE:1", hour=12)
    assert (card(ann, old)["newer"], card(ann, new)["newer"]) == (new.id, None)
    assert "A newer mail has changed this" in Client(ann)("GET", f"/email/{old.id}").text


def test_of_the_same_sequence_the_later_stamp_counts(ann: Scope) -> None:
    here = place(ann)
    new, old = invite(ann, here, 1, "DTSTAMP:20991102T000000Z"), invite(ann, here, 2, "DTSTAMP:20991101T000000Z")
    assert (card(ann, old)["newer"], card(ann, new)["newer"]) == (new.id, None)


def test_a_cancellation_cancels(ann: Scope) -> None:
    here = place(ann)
    first, cancel = invite(ann, here, 1), invite(ann, here, 2, method="CANCEL")
    assert card(ann, first)["cancelled"] and card(ann, cancel)["cancelled"] and card(ann, first)["newer"] == cancel.id
    assert "Cancelled" in Client(ann)("GET", f"/email/{cancel.id}").text


def test_nobody_but_the_organizer_changes_or_cancels(ann: Scope) -> None:
    here = place(ann)
    first = invite(ann, here, 1)
    invite(ann, here, 2, "SEQUENCE:9", method="CANCEL", organizer="mallory@evil.example")
    assert not card(ann, first)["cancelled"] and card(ann, first)["newer"] is None


def test_what_is_at_the_same_time_is_named(ann: Scope) -> None:
    here = place(ann)
    one, two = invite(ann, here, 1, uid="a"), invite(ann, here, 2, "SUMMARY:Dentist", uid="b")
    invite(ann, here, 3, uid="c", hour=11)
    [found] = card(ann, one)["conflicts"]
    assert found["email_id"] == two.id and "At the same time" in Client(ann)("GET", f"/email/{one.id}").text


def test_what_was_overtaken_cancelled_or_declined_is_no_conflict(ann: Scope) -> None:
    here = place(ann)
    one = invite(ann, here, 1, uid="a")
    invite(ann, here, 2, uid="b"), invite(ann, here, 3, "SEQUENCE:1", uid="b", hour=20)
    invite(ann, here, 4, uid="c"), invite(ann, here, 5, "SEQUENCE:1", uid="c", method="CANCEL")
    no = invite(ann, here, 6, uid="d")
    invitations.answered(ann, no.id, "declined")
    assert card(ann, one)["conflicts"] == []


def test_a_series_collides_where_it_meets(ann: Scope) -> None:
    here = place(ann)
    one = invite(ann, here, 1, uid="a")
    data = calendar("DTSTART:20991124T103000Z", "DURATION:PT15M", "RRULE:FREQ=WEEKLY;COUNT=3").decode().replace("UID:1@x", "UID:b")
    [series] = keep(ann, here, raw("Series", data, id="s@x", Content_Type="text/calendar; method=REQUEST"), uid=9)
    [found] = card(ann, one)["conflicts"]
    assert found["email_id"] == series.id and str(found["start"]) == "2099-12-01 10:30:00"


def test_invitations_of_others_are_nobodys_conflict(ann: Scope, bob: Scope) -> None:
    one = invite(ann, place(ann), 1, uid="a")
    invite(bob, place(bob), 1, uid="b")
    with ann:
        assert card(ann, one)["conflicts"] == []


def test_the_card_is_on_the_readers_clock(ann: Scope) -> None:
    ann.user.timezone = "Asia/Tokyo"
    mail = invite(ann, place(ann), 1)
    client = Client(ann)
    type(ann.user).update(timezone="Asia/Tokyo").execute()
    shown = client("GET", f"/email/{mail.id}").text
    assert "Tuesday, 1 December 2099, 19:00" in shown and "Invitation" in shown


def test_a_reply_says_who_comes(ann: Scope) -> None:
    mail = invite(ann, place(ann), 1, "ATTENDEE;CN=Bob;PARTSTAT=DECLINED:mailto:bob@x.example", method="REPLY")
    assert "Bob does not come" in Client(ann)("GET", f"/email/{mail.id}").text


def test_an_unknown_zone_is_said_on_the_card(ann: Scope) -> None:
    data = calendar('DTSTART;TZID="Customer zone":20991201T100000').decode()
    [mail] = keep(ann, place(ann), raw("Mail", data, Content_Type="text/calendar; method=REQUEST"))
    assert "2099-12-01 10:00 in a time zone “Customer zone” that nobody knows" in Client(ann)("GET", f"/email/{mail.id}").text


# ── answering ──

def test_an_answer_goes_to_the_organizer_and_stands_on_the_card(ann: Scope) -> None:
    with Sink() as sink:
        box = mailbox(ann, sink.port)
        mail = invite(ann, folder(ann, box), 1, "SEQUENCE:2", "ATTENDEE;CN=Ann:mailto:ann@home.example")
        assert 'value="tentative"' in Client(ann)("GET", f"/email/{mail.id}").text
        rsvp.answer(ann, mail.id, "accepted", "en")
        assert card(ann, mail)["answer"] is None, "not before it is sent"
        work(ann)
    assert card(ann, mail)["answer"] == "accepted" and sink.taken[0].recipients == ["miriam@work.example"]
    sent = email.message_from_bytes(sink.taken[0].raw, policy=email.policy.default)
    part = next(part for part in sent.walk() if part.get_content_type() == "text/calendar")
    assert part.get_param("method") == "REPLY" and sent["subject"] == "Accepted: Meeting"
    said = calendars.parse(part.get_payload(decode=True))
    assert said and (said.method, said.uid, said.sequence, said.organizer and said.organizer.address) == ("reply", "1@x", 2, "miriam@work.example")
    assert [(one.name, one.address, one.answer) for one in said.attendees] == [("Home", "ann@home.example", "accepted")]


def test_nobody_is_answered_who_does_not_ask(ann: Scope) -> None:
    box = mailbox(ann, 1)
    here = folder(ann, box)
    cancelled, plain = invite(ann, here, 1, method="CANCEL"), keep(ann, here, raw(id="p@x"), uid=9)[0]
    client = Client(ann)
    for mail in (cancelled, plain):
        assert client("POST", f"/api/emails/{mail.id}/rsvp", json={"answer": "accepted"}).json["error"] == "no_answer_wanted"
    asked = invite(ann, here, 3, uid="other")
    assert client("POST", f"/api/emails/{asked.id}/rsvp", json={"answer": "maybe"}).status == 400
    assert ann.select(Outgoing).count() == 0
