"""Invitations in mail: what each says, which of several about the same event counts, and what else is at that time."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from mailhelper import calendars
from mailhelper.calendars import Invitation, Person
from mailhelper.db import now
from mailhelper.models import Invite, Occasion
from mailhelper.scope import Scope

COLUMNS = ("mail", "uid_key", "method", "sequence", "stamp", "content")
MOST_CONFLICTS = 10


class Prepared(NamedTuple):
    """An invitation ready to be stored: sealed and hashed."""
    values: tuple[Any, ...]                                 # of COLUMNS after the mail
    times: tuple[tuple[dt.datetime, dt.datetime], ...]


def prepare(scope: Scope, calendar: bytes | None) -> Prepared | None:
    """What to store of a mail's calendar part; None without one, or where nothing can be read."""
    found = calendars.parse(calendar) if calendar else None
    if found is None:
        return None
    # The organizer counts as part of the name of an event: nobody else's mail may cancel it.
    organizer = found.organizer.address if found.organizer else ""
    key = scope.vault.lookup("event", f"{found.uid}\n{found.recurrence_id}\n{organizer}")
    busy = found.times if found.method in ("request", "publish", "add") and not found.cancelled else ()
    return Prepared((key, found.method, found.sequence, found.stamp, Invite.content.seal(_content(found))), busy)


def keep(scope: Scope, found: Sequence[tuple[int, Prepared]]) -> None:
    """Store invitations of new mails: (mail id, what `prepare` gave).  Inside a transaction."""
    scope.insert(Invite, COLUMNS, [(id, *one.values) for id, one in found])
    scope.insert(Occasion, ("mail", "start", "end"), [(id, start, end) for id, one in found for start, end in one.times])


def of_mail(scope: Scope, mail_id: int) -> dict[str, Any] | None:
    """The shape of `invitation` in GET /api/emails/<id>; None where the mail has none.

    newer: the mail that has overtaken this one; cancelled: by this mail or a newer one; conflicts: other known events at the same time.
    """
    row = scope.select(Invite).where(Invite.mail == mail_id).get_or_none()
    if row is None:
        return None
    content: dict[str, Any] = row.content
    same = list(scope.select(Invite, Invite.mail, Invite.method, Invite.sequence, Invite.stamp).where(Invite.uid_key == row.uid_key))
    last = max((one for one in same if one.method != "reply"), key=_rank, default=row)
    overtaken = row.method != "reply" and _rank(last) > _rank(row)
    return {
        **content, "method": row.method, "sequence": row.sequence, "answer": row.answer,
        "newer": last.mail_id if overtaken else None, "cancelled": content["cancelled"] or overtaken and last.method == "cancel",
        "conflicts": [] if content["cancelled"] or overtaken or row.method == "reply" else _conflicts(scope, row),
    }


def answered(scope: Scope, mail_id: int, answer: str) -> None:
    """The owner has answered: accepted, tentative or declined."""
    scope.update(Invite, answer=answer).where(Invite.mail == mail_id).execute()


def _conflicts(scope: Scope, row: Invite) -> list[dict[str, Any]]:
    """Known events that overlap this one, the next first; without what has been overtaken, cancelled or declined."""
    mine = list(scope.select(Occasion).where(Occasion.mail == row.mail_id, Occasion.end > now()).order_by(Occasion.start))       # type: ignore[attr-defined]
    if not mine:
        return []
    nearby = (scope.select(Occasion).where(Occasion.mail != row.mail_id, Occasion.start < mine[-1].end, Occasion.end > mine[0].start)        # type: ignore[attr-defined]
              .order_by(Occasion.start).limit(500))
    at = {one.mail_id: one for one in reversed(list(nearby)) if any(one.start < own.end and one.end > own.start for own in mine)}
    others = list(scope.select(Invite).where(Invite.mail << list(at), Invite.uid_key != row.uid_key)) if at else []
    keys = [one.uid_key for one in others]
    newest: dict[bytes, Invite] = {}
    for one in scope.select(Invite).where(Invite.uid_key << keys, Invite.method != "reply") if keys else ():
        key = bytes(one.uid_key)
        newest[key] = max(newest.get(key, one), one, key=_rank)
    counted = [one for one in others if newest[bytes(one.uid_key)].mail_id == one.mail_id and one.answer != "declined"]     # type: ignore[attr-defined]
    found = [{"email_id": one.mail_id, "summary": one.content["summary"], "start": at[one.mail_id].start, "end": at[one.mail_id].end}     # type: ignore[attr-defined, index]
             for one in counted]
    return sorted(found, key=lambda one: one["start"])[:MOST_CONFLICTS]


def _rank(row: Invite) -> tuple[Any, ...]:
    """Which of several mails about one event is the newest (RFC 5546 §2.1.5): SEQUENCE, then DTSTAMP; a cancellation beats what it cancels."""
    return row.sequence, row.stamp or dt.datetime.min, row.method == "cancel", row.mail_id      # type: ignore[attr-defined]


def _content(found: Invitation) -> dict[str, Any]:
    return {
        "uid": found.uid, "recurrence_id": found.recurrence_id, "stamp": _text(found.stamp), "summary": found.summary, "location": found.location,
        "description": found.description, "organizer": _person(found.organizer) if found.organizer else None,
        "attendees": [_person(one) for one in found.attendees], "start": _text(found.start, found.floating),
        "end": _text(found.end, found.floating), "all_day": found.all_day,
        "floating": found.floating, "unclear": found.unclear, "wall": found.wall, "zone": found.zone, "repeats": found.repeats,
        "cancelled": found.cancelled,
    }


def _person(one: Person) -> dict[str, str]:
    return {"name": one.name, "address": one.address, "answer": one.answer}


def _text(at: dt.date | None, floating: bool = False) -> str | None:
    """RFC 3339; a floating time has no Z, a day is a day."""
    if at is None or floating or not isinstance(at, dt.datetime):
        return at.isoformat() if at is not None else None
    return f"{at.isoformat()}Z"
