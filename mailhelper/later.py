"""Mail put off until a time or until it is answered: lists leave it out until then, and it comes back by itself, whatever was restarted."""

import datetime as dt
from typing import Any

from mailhelper import mails
from mailhelper.db import db, now
from mailhelper.errors import Invalid
from mailhelper.language import local, zone
from mailhelper.models import Mail, Snooze
from mailhelper.scope import Scope

FOR_EVER = dt.datetime(9999, 1, 1)      # until an answer comes, whenever that is
MORNING, EVENING = 8, 18                # on the owner's clock
LONGEST = dt.timedelta(days=36_500)


def times(tz: str, at: dt.datetime | None = None) -> dict[str, dt.datetime]:
    """What a person may choose from, as naive UTC: evening (while it lies ahead), tomorrow, week (next Monday), month; mornings."""
    here = local(at or now(), tz)
    days = {"tomorrow": 1, "week": 7 - here.weekday(), "month": 30}
    found = {name: _clock(here.date() + dt.timedelta(count), MORNING, tz) for name, count in days.items()}
    return found if here.hour >= EVENING else {"evening": _clock(here.date(), EVENING, tz), **found}


def typed(text: str, tz: str) -> dt.datetime:
    """A time that somebody typed (ISO 8601; on their own clock unless it names a zone), as naive UTC.  Raises Invalid."""
    try:
        at = dt.datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone(tz))).astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise Invalid(fields={"until": "bad_time"}) from None


def snooze(scope: Scope, mail_id: object, until: dt.datetime | None, answer: bool = False) -> Snooze:
    """Put a mail off until a time, or until somebody answers in its thread, or whichever comes first.  Raises NotFound, Invalid."""
    mail = scope.get(Mail, mail_id)
    if until is None and not answer:
        raise Invalid(fields={"until": "missing"})
    if until and not now() < until < now() + LONGEST:
        raise Invalid(fields={"until": "not_ahead"})
    with scope, db.atomic():
        scope.delete(Snooze).where(Snooze.mail == mail).execute()
        return scope.create(Snooze, mail=mail, until=until or FOR_EVER, answer=answer)


def wake(scope: Scope, mail_id: object) -> bool:
    """Bring a mail back now; whether it was put off.  Raises NotFound."""
    mail = scope.get(Mail, mail_id)
    return bool(scope.delete(Snooze).where(Snooze.mail == mail).execute())


def of_mail(scope: Scope, mail_id: int) -> dict[str, Any] | None:
    """Until when a mail is put off: {until: time or None, answer, due, answered}; None where it is not."""
    row = scope.select(Snooze).where(Snooze.mail == mail_id).get_or_none()
    return _shown(row) if row else None


def due(scope: Scope) -> int:
    """How many mails have come back and wait to be looked at."""
    return int(scope.select(Snooze).where(Snooze.until <= now()).count())


def listed(scope: Scope, lang: str) -> list[dict[str, Any]]:
    """Rows of what has come back, then of what is put off, the next to come first; each with `snooze` as in `of_mail`."""
    found = {row.mail_id: _shown(row) for row in scope.select(Snooze).order_by(Snooze.until).limit(mails.MOST)}
    rows = {row["id"]: row for row in mails.some(scope, list(found), lang)}
    return [{**rows[id], "snooze": shown} for id, shown in found.items() if id in rows]


def _shown(row: Snooze) -> dict[str, Any]:
    until: Any = row.until
    return {"until": None if until >= FOR_EVER else until, "answer": bool(row.answer), "due": until <= now(), "answered": bool(row.answered)}


def _clock(day: dt.date, hour: int, tz: str) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), zone(tz)).astimezone(dt.UTC).replace(tzinfo=None)
