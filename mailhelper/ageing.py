"""How ratings age: what asks for something by a day rises as that comes near, and falls when it has passed."""

import datetime as dt
from typing import Any

from mailhelper import db, language, triage
from mailhelper.models import Mail, Rating, User
from mailhelper.scope import Scope, everyone


def now(scope: Scope, rating: Rating | None) -> dict[str, Any]:
    """What the days since have made of a rating's urgency and category; {} of a failed one."""
    if not rating or not rating.urgency:
        return {}
    urgency, category = triage.aged(rating.urgency, rating.category, rating.due, _today(scope.user.timezone))
    return {"urgency": urgency, "category": category}


def run() -> int:
    """Bring what lists show up to the day, of all users; needs no key.  Returns how many mails changed."""
    today = db.now().date()
    near = today + dt.timedelta(triage.FORGOTTEN - 1), today + dt.timedelta(triage.SOON + 1)
    query = (everyone.select(Rating, Mail.id, Mail.urgency, Rating.urgency, Rating.importance, Rating.category, Rating.due, User.timezone)
             .join(Mail, on=(Rating.mail == Mail.id) & (Rating.layer == Mail.layer)).join(User, on=Rating.user == User.id)
             .where(Rating.due.between(*near), Mail.done_at.is_null()).tuples())
    changed = 0
    for mail, shown, urgency, importance, category, due, timezone in list(query):
        urgency, category = triage.aged(urgency, category, due, _today(timezone))
        if urgency != shown:
            values = {"urgency": urgency, "category": category, "score": triage.score(urgency, importance)}
            changed += everyone.update(Mail, **values).where(Mail.id == mail).execute()
    return changed


def _today(timezone: str) -> dt.date:
    """The day it is there."""
    return db.now().replace(tzinfo=dt.UTC).astimezone(language.zone(timezone)).date()
