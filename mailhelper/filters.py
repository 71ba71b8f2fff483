"""What a list of mails can be filtered by: the query parameters of GET /api/emails, as conditions for the database."""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from peewee import Expression

from mailhelper import language, tags, triage
from mailhelper.errors import Invalid, NotFound
from mailhelper.models import Account, Folder, Mail, Sender
from mailhelper.scope import Scope


def conditions(scope: Scope, asked: Mapping[str, str]) -> list[Expression]:
    """What the mails of a list must meet.  Raises Invalid with the wrong parameters, NotFound for foreign ids."""
    wrong: dict[str, Any] = {}
    where: list[Expression] = []
    for name, text in asked.items():
        if name not in FILTERS:
            wrong[name] = "unknown_field"
        elif text:
            try:
                where += [FILTERS[name](scope, text)] if FILTERS[name] else []
            except Invalid as error:
                wrong |= {name: (error.code, error.params)}
    if wrong:
        raise Invalid(fields=wrong)
    return where


def _account(scope: Scope, text: str) -> Expression:
    return Mail.account == scope.get(Account, text)


def _folder(scope: Scope, text: str) -> Expression:
    """By id, else by name; a folder may be called "2026"."""
    named = scope.select(Folder, Folder.id).where(Folder.name_key == scope.vault.lookup("folder", text))
    try:
        if text.isdecimal():
            return Mail.folder == scope.get(Folder, text)
    except NotFound:
        if not named.exists():
            raise
    return Mail.folder << named


def _sender(scope: Scope, text: str) -> Expression:
    return Mail.sender_key == scope.get(Sender, text).address_key       # type: ignore[no-any-return]


def _level(column: Any) -> Any:
    def read(scope: Scope, text: str) -> Expression:
        if text not in ("1", "2", "3"):
            raise Invalid("out_of_range", low=1, high=3)
        return column == int(text)
    return read


def _choice(column: Any, choices: Sequence[str]) -> Any:
    def read(scope: Scope, text: str) -> Expression:
        if text not in choices:
            raise Invalid("bad_choice", choices=", ".join(choices))
        return column == text
    return read


def _yes(condition: Expression, otherwise: Expression) -> Any:
    def read(scope: Scope, text: str) -> Expression:
        if text.lower() not in ("1", "0", "true", "false"):
            raise Invalid("not_a_boolean")
        return condition if text.lower() in ("1", "true") else otherwise
    return read


def _is(column: Any) -> Any:
    return _yes(column == True, column == False)        # noqa: E712 - SQL


def _day(compare: Any) -> Any:
    def read(scope: Scope, text: str) -> Expression:
        try:
            at = dt.datetime.fromisoformat(text)
            at = (at if at.tzinfo else at.replace(tzinfo=language.zone(scope.user.timezone))).astimezone(dt.UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            raise Invalid("bad_date") from None
        return compare(at)      # type: ignore[no-any-return]
    return read


FILTERS: dict[str, Any] = {
    "account": _account, "folder": _folder, "sender": _sender, "urgency": _level(Mail.urgency), "importance": _level(Mail.importance),
    "category": _choice(Mail.category, triage.CATEGORIES), "kind": _choice(Mail.kind, triage.KINDS),
    "tag": tags.having,
    "unread": _yes(Mail.seen == False, Mail.seen == True), "flagged": _is(Mail.flagged), "answered": _is(Mail.answered),      # noqa: E712
    "needs_reply": _is(Mail.needs_reply), "done": _yes(Mail.done_at.is_null(False), Mail.done_at.is_null()),
    "since": _day(lambda at: Mail.date >= at), "before": _day(lambda at: Mail.date < at), "sort": None, "limit": None, "cursor": None,
}
CHOOSING = tuple(name for name, read in FILTERS.items() if read)        # those that choose mails; the others say how a list is shown


# Filters whose condition is the same whenever it is written; the others look for what a name or id means now.
LASTING = frozenset(FILTERS) - {"account", "folder", "tag", "cursor"}


def cursor(values: Sequence[Any]) -> str:
    """Where a page ended: the sorted columns of its last row."""
    return base64.urlsafe_b64encode(json.dumps([str(value) for value in values]).encode()).decode().rstrip("=")


def after(columns: Sequence[Any], place: str) -> Expression:
    """Rows below the cursor's, all columns descending."""
    try:
        texts = json.loads(base64.urlsafe_b64decode(place + "=" * (-len(place) % 4)))
        values = [dt.datetime.fromisoformat(text) if column is Mail.date else _number(text) for column, text in zip(columns, texts, strict=True)]
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise Invalid(fields={"cursor": "bad_cursor"}) from None
    below = columns[-1] < values[-1]
    for column, value in zip(columns[-2::-1], values[-2::-1], strict=True):
        below = (column < value) | ((column == value) & below)
    return below


def _number(text: str) -> int:
    """Raises ValueError also for what is too large for a column."""
    if abs(number := int(text)) >= 2 ** 31:
        raise ValueError
    return number
