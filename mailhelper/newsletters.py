"""Newsletters by sender: how many come, how many are read, and leaving their lists."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from peewee import Case, fn

from mailhelper import accounts, mails, message, unsubscribing
from mailhelper.db import now
from mailhelper.errors import Conflict, Error, NotFound
from mailhelper.models import Account, Farewell, Mail
from mailhelper.scope import Scope
from mailhelper.unsubscribing import Ways

KINDS = ("newsletter", "marketing")
SHOWN = 200
MONTH = dt.timedelta(days=30)
GRACE = dt.timedelta(days=2)        # lists may take so long; what comes later says that it did not work
DONE, REFUSED = "done", "refused"


class Newsletter(NamedTuple):
    """What came from one sender; `farewell`: how their list was left, and `since`: mails that came all the same."""
    mail_id: int                    # the newest
    name: str
    address: str
    total: int
    seen: int
    month: int                      # in the last 30 days
    last: dt.datetime
    farewell: Farewell | None
    since: int


def listed(scope: Scope) -> list[Newsletter]:
    """Senders of newsletters and advertising, those who write most first; inside the owner's scope."""
    month = Case(None, [(Mail.received > now() - MONTH, 1)], 0)
    seen = Case(None, [(Mail.seen == True, 1)], 0)      # noqa: E712 - SQL
    query = (scope.select(Mail, fn.MAX(Mail.id), fn.COUNT(Mail.id), fn.SUM(seen), fn.SUM(month), Mail.sender_key)
             .where(Mail.kind << KINDS, Mail.sender_key.is_null(False), *mails.kept(scope)).group_by(Mail.sender_key)
             .order_by(fn.SUM(month).desc(), fn.COUNT(Mail.id).desc()).limit(SHOWN).tuples())
    found = [(id, count, int(read), int(recent), bytes(key)) for id, count, read, recent, key in query]
    heads = {row.id: row for row in scope.select(Mail, Mail.id, Mail.head, Mail.date).where(Mail.id << [one[0] for one in found])} if found else {}
    left = {bytes(one.sender_key): one for one in scope.select(Farewell).order_by(Farewell.id)}
    after = _after(scope, list(left.values()))
    return [Newsletter(id, *_sender(heads[id]), count, read, recent, heads[id].date, left.get(key), after.get(key, 0))
            for id, count, read, recent, key in found]


def _sender(mail: Mail) -> tuple[str, str]:
    name, address = mail.head["from"]
    return name, address


def _after(scope: Scope, left: Sequence[Farewell]) -> dict[bytes, int]:
    """{sender key: mails that came although their list was left}."""
    return {bytes(one.sender_key): scope.select(Mail).where(Mail.sender_key == one.sender_key, Mail.received > one.at + GRACE).count()
            for one in left if one.state == DONE}


def ways(scope: Scope, mail_id: object) -> Ways:
    """How the sender of a mail lets one leave.  Raises NotFound."""
    mail = scope.get(Mail, mail_id)
    authserv = scope.get(Account, mail.account_id).authserv or ""       # type: ignore[attr-defined]
    return unsubscribing.ways(message.parse(mails.raw(scope, mail.id)), authserv)     # type: ignore[attr-defined]


def leave(scope: Scope, mail_id: object) -> Farewell:
    """Leave the list of a mail by the one request of RFC 8058; only ever at the owner's click.  What came of it is kept.

    Raises NotFound, Conflict("unsubscribe_by_hand") where the mail does not prove that this request is its sender's.
    """
    mail = scope.get(Mail, mail_id)
    if mail.sender_key is None:
        raise NotFound()
    url = ways(scope, mail.id).post      # type: ignore[attr-defined]
    if not url:
        raise Conflict("unsubscribe_by_hand")
    state, code = DONE, None
    try:
        unsubscribing.post(accounts.door(scope), url)
    except Error as error:
        state, code = REFUSED, error.code
    with scope:
        scope.delete(Farewell).where(Farewell.sender_key == mail.sender_key).execute()
        return scope.create(Farewell, sender_key=mail.sender_key, state=state, error=code)
