"""Stored mails: lists of them, the matrix, one to read."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from peewee import JOIN, SQL, Case, ModelSelect, fn

from mailhelper import filters, intake, language, message, search, tags, triage
from mailhelper.db import ask, now, rows, written
from mailhelper.errors import Conflict, Invalid, NotFound, sentence
from mailhelper.message import Attachment
from mailhelper.models import REMOVED, Body, Folder, Mail, Rating, Raw, Snooze
from mailhelper.scope import Scope
from mailhelper.text import words

MOST = 200          # rows a page
SORTS: dict[str, tuple[Any, ...]] = {
    "date": (Mail.date, Mail.id), "score": (Mail.score, Mail.date, Mail.id), "size": (Mail.size, Mail.id),
}
ALIASES = {Mail: "t1", Folder: "t2", Rating: "t3"}      # as peewee names the tables of _rows
ROW = (Mail.id, Mail.account, Folder.name, Mail.thread, Mail.date, Mail.size, Mail.seen, Mail.flagged, Mail.answered, Mail.has_attachments,
       Mail.done_at, Mail.head, Mail.layer, Mail.urgency, Mail.importance, Mail.score, Mail.category, Mail.kind, Mail.needs_reply,
       Rating.spam, Rating.confidence, Rating.rated_by, Rating.error, Rating.detail)
MAIL_COLUMNS = 12   # of ROW; the rating follows, and last whether there are tags, so that only a list with some asks for them
# One piece of SQL: peewee would take a millisecond to write the columns and to convert them, as long as all the rest of a list page.
COLUMNS = SQL(", ".join(f'"{ALIASES[column.model]}"."{column.column_name}"' for column in ROW)
              + ', EXISTS (SELECT 1 FROM "mail_tag" WHERE "mail_id" = "t1"."id")')
Query = tuple[str, list[Any]]       # SQL and its values
MOST_REMEMBERED = 1000
_remembered: dict[bytes, tuple[Query, Query]] = {}      # under a hash that takes the user's key, as in web.side
PLACE = {column.name: number for number, column in enumerate(ROW) if column.model is Mail}


class Page(NamedTuple):
    """A list of rows (api.md), the cursor of the next page, and how many there are in all."""
    items: list[dict[str, Any]]
    next: str | None
    total: int


# ── lists ──

def page(scope: Scope, asked: Mapping[str, str], lang: str, total: int | None = None) -> Page:
    """Rows by the query parameters of GET /api/emails; counted only if `total` is not known yet.

    Raises Invalid with the wrong parameters, NotFound for foreign ids.
    """
    sort, limit = _sort(asked), _limit(asked)
    listing, counting = _written(scope, asked)
    found = ask(*listing)
    following = _cursor(found[limit - 1], sort) if len(found) > limit else None
    count = ask(*counting)[0][0] if total is None else total
    return Page(_shown(scope, found[:limit], lang), following, count)


def _written(scope: Scope, asked: Mapping[str, str]) -> tuple[Query, Query]:
    """The SQL of a list and of its count.  Remembered, unless a filter names what may come and go, such as a tag."""
    if not filters.LASTING.issuperset(asked):
        return _write(scope, asked)
    key = scope.vault.lookup("list", repr((scope.user.id, scope.user.timezone, sorted(asked.items()))))
    if key not in _remembered:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[key] = _write(scope, asked)
    return _remembered[key]


def _write(scope: Scope, asked: Mapping[str, str]) -> tuple[Query, Query]:
    columns = SORTS[_sort(asked)]
    wanted = [*filters.conditions(scope, asked), *([] if asked.get("folder") else kept(scope))]
    query = _rows(scope).where(*wanted).order_by(*(column.desc() for column in columns)).limit(_limit(asked) + 1)
    if asked.get("cursor"):
        query = query.where(filters.after(columns, asked["cursor"]))
    return written(query), written(scope.select(Mail, fn.COUNT(Mail.id)).where(*wanted))


def ids(scope: Scope, asked: Mapping[str, str], most: int) -> list[int]:
    """The mails of a list, newest first, at most so many and one more.  Raises as `page`."""
    wanted = [*filters.conditions(scope, asked), *([] if asked.get("folder") else kept(scope))]
    return [id for id, in rows(scope.select(Mail, Mail.id).where(*wanted).order_by(Mail.date.desc(), Mail.id.desc()).limit(most + 1))]


def find(scope: Scope, text: str, limit: int, lang: str) -> Page:
    """The mails that match a search: those first that match in subject or people, then the newest.

    Each row has `highlights`: its words that matched.  Raises Invalid("search_…").
    """
    query = search.parse(text)
    match, head = search.condition(scope, query), search.condition(scope, query, search.HEAD)
    where = [*query.conditions, *tags.asked(scope, query.tags), *([match] if match is not None else []), *kept(scope)]
    order = [Mail.date.desc(), Mail.id.desc()] if head is None else [Case(None, [(head, 0)], 1), Mail.date.desc(), Mail.id.desc()]
    asked = {word for _, word, yes in query.terms if yes}
    found = rows(_rows(scope).where(*where).order_by(*order).limit(limit))
    items = [{**row, "highlights": _highlights(row, asked)} for row in _shown(scope, found, lang)]
    return Page(items, None, scope.select(Mail).where(*where).count())


def some(scope: Scope, ids: Sequence[int], lang: str) -> list[dict[str, Any]]:
    """Rows of these mails, wherever they are, the newest first."""
    order = Mail.date.desc(), Mail.id.desc()
    return _shown(scope, rows(_rows(scope).where(Mail.id << list(ids)).order_by(*order)), lang) if ids else []


def matrix(scope: Scope) -> dict[str, Any]:
    """Counts of the nine cells, rows from the top urgency down, of the colours, and of what is done."""
    open_ = Case(None, [(Mail.done_at.is_null(), 1)], 0)
    counted = (scope.select(Mail, Mail.urgency, Mail.importance, fn.COUNT(Mail.id), fn.SUM(open_))
               .where(Mail.urgency.is_null(False), *kept(scope)).group_by(Mail.urgency, Mail.importance).tuples())
    counts = {(urgency, importance): (count, int(still)) for urgency, importance, count, still in counted}
    cells, colours = [], {"red": 0, "yellow": 0, "green": 0}
    for urgency in (3, 2, 1):
        for importance in (1, 2, 3):
            score = triage.score(urgency, importance)
            count, still = counts.get((urgency, importance), (0, 0))
            colour = triage.colour(score)
            cells.append({"urgency": urgency, "importance": importance, "score": score, "colour": colour, "count": count, "open": still})
            colours[colour] += still
    total, done = scope.select(Mail, fn.COUNT(Mail.id), fn.COUNT(Mail.done_at)).where(*kept(scope)).tuples().get()
    return {"cells": cells, "colours": colours, "open": total - done, "done": done, "total": total}


def latest(scope: Scope, urgency: int, importance: int) -> str | None:
    """Subject of the newest mail of a cell that is not done."""
    found = rows(scope.select(Mail, Mail.head).where(Mail.score == triage.score(urgency, importance), Mail.urgency == urgency, Mail.done_at.is_null())
                 .where(*kept(scope)).order_by(Mail.score.desc(), Mail.date.desc()).limit(1))
    return Mail.head.python_value(found[0][0])["subject"] if found else None


def waiting(scope: Scope) -> dict[str, int]:
    """How many mails are unread, and how many want an answer; of what is not done."""
    unread = Case(None, [(Mail.seen == False, 1)], 0)       # noqa: E712 - SQL
    reply = Case(None, [(Mail.needs_reply == True, 1)], 0)      # noqa: E712
    inbox, answer = scope.select(Mail, fn.SUM(unread), fn.SUM(reply)).where(Mail.done_at.is_null(), *kept(scope)).tuples().get()
    return {"inbox": int(inbox or 0), "reply": int(answer or 0)}


def of_ids(scope: Scope, ids: Sequence[int], lang: str) -> list[dict[str, Any]]:
    """The rows of these mails, in this order."""
    place = {id: number for number, id in enumerate(ids)}
    found = rows(_rows(scope).where(Mail.id << list(ids))) if ids else []
    with scope:
        return _shown(scope, sorted(found, key=lambda row: place[row[0]]), lang)


def kept(scope: Scope) -> list[SQL]:
    """What lists and counts leave out unless they are asked for that folder: the trash; mailboxes that are being removed; what is put off.

    Written out, as every list asks it.
    """
    me, at = int(scope.user.id), now().isoformat(" ")
    hidden = f"""SELECT "id" FROM "folder" WHERE "user_id" = {me} AND "role" IN ('trash', '{REMOVED}')"""
    put_off = f"""SELECT "mail_id" FROM "snooze" WHERE "user_id" = {me} AND "until" > '{at}'"""
    return [SQL(f"""("t1"."folder_id" NOT IN ({hidden}))"""), SQL(f"""("t1"."id" NOT IN ({put_off}))""")]


def _rows(scope: Scope) -> ModelSelect:
    return (scope.select(Mail, COLUMNS).join(Folder).switch(Mail)
            .join(Rating, JOIN.LEFT_OUTER, on=(Rating.mail == Mail.id) & (Rating.layer == Mail.layer)))


def _shown(scope: Scope, found: Sequence[tuple[Any, ...]], lang: str) -> list[dict[str, Any]]:
    """Rows as the driver gives them, opened and put into the shape of the API; inside the owner's scope."""
    folders: dict[bytes, str] = {}
    tagged = tags.names(scope, [row[0] for row in found if row[-1]])
    return [_row(row, folders, tagged, lang) for row in found]


def _row(row: tuple[Any, ...], folders: dict[bytes, str], tagged: dict[int, list[str]], lang: str) -> dict[str, Any]:
    id, account, folder, thread, date, size, seen, flagged, answered, has_attachments, done_at, sealed = row[:MAIL_COLUMNS]
    head = Mail.head.python_value(sealed)
    name = folders.get(folder := bytes(folder))
    if name is None:
        name = folders[folder] = Folder.name.python_value(folder)
    return {
        "id": id, "account_id": account, "folder": name, "thread_id": thread,
        "from": _person(head["from"]), "to": [_person(one) for one in head["to"]], "subject": head["subject"], "date": _time(date), "size": size,
        "flags": {"read": bool(seen), "flagged": bool(flagged), "answered": bool(answered)}, "has_attachments": bool(has_attachments),
        "snippet": head["snippet"], "tags": tagged.get(id, []), "done": done_at is not None, "triage": _triage(row[MAIL_COLUMNS:-1], lang),
    }


def _time(value: dt.datetime | str) -> dt.datetime:
    """SQLite's driver gives text."""
    return dt.datetime.fromisoformat(value) if isinstance(value, str) else value


def _person(pair: Sequence[str]) -> dict[str, str]:
    return {"name": pair[0], "address": pair[1]}


def _triage(values: Sequence[Any], lang: str) -> dict[str, Any] | None:
    layer, urgency, importance, score, category, kind, needs_reply, spam, confidence, rated_by, error, sealed = values
    if layer is None or rated_by is None:
        return None
    detail = Rating.detail.python_value(sealed)
    reasons = [sentence(lang, error, detail.get("params"))] if error else [reason(one, lang) for one in detail.get("reasons", ())]
    return {
        "urgency": urgency, "importance": importance, "score": score or None, "colour": triage.colour(score) if score else None, "category": category,
        "kind": kind, "spam": bool(spam), "needs_reply": bool(needs_reply), "summary": detail.get("summary", ""),
        "suggested_tags": detail.get("tags", []), "reasons": reasons, "confidence": confidence, "rated_by": rated_by, "failed": error is not None,
    }


def reason(pair: Sequence[Any], lang: str) -> str:
    """A reason as it is stored ([code, params]), in words."""
    code, params = pair
    if not params:
        return _plain_reason(lang, code)
    if "day" in params:
        params = {**params, "day": language.day(lang, params["day"])}
    return language.t(lang, f"reason.{code}", **params)


@lru_cache(1024)        # most mails of a list share these; those that quote a mail are not kept
def _plain_reason(lang: str, code: str) -> str:
    return language.t(lang, f"reason.{code}")


def _highlights(row: dict[str, Any], asked: set[str]) -> list[str]:
    shown = f"{row['subject']} {row['from']['name']} {row['from']['address']} {row['snippet']}"
    return sorted({word for word in shown.split() if not asked.isdisjoint(words(word))})


# ── what was asked ──

def _sort(asked: Mapping[str, str]) -> str:
    sort = asked.get("sort") or "date"
    if sort not in SORTS:
        raise Invalid(fields={"sort": ("bad_choice", {"choices": ", ".join(SORTS)})})
    return sort


def _limit(asked: Mapping[str, str]) -> int:
    text = asked.get("limit") or "50"
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise Invalid(fields={"limit": ("out_of_range", {"low": 1, "high": MOST})})
    return int(text)


def _cursor(row: tuple[Any, ...], sort: str) -> str:
    return filters.cursor([row[PLACE[column.name]] for column in SORTS[sort]])


# ── one mail ──

def read(scope: Scope, mail_id: object, lang: str) -> dict[str, Any]:
    """A row with text, attachments and all rating layers: the shape of GET /api/emails/<id> but for sanitised HTML.  Raises NotFound."""
    mail = scope.get(Mail, mail_id)
    found = rows(_rows(scope).where(Mail.id == mail.id, Folder.role != REMOVED))
    if not found:
        raise NotFound()
    kept = content(scope, mail.id)
    for part in kept["attachments"]:
        part["fetched"] = not (mail.partial and part.pop("left_out", ""))      # in a whole mail, anybody could have written that
    return {**_shown(scope, found, lang)[0], **kept, "layers": layers(scope, mail.id, lang)}


def content(scope: Scope, mail_id: int) -> dict[str, Any]:
    """What its page shows (intake.content): kept apart for large mails, else read from the bytes."""
    body = scope.select(Body).where(Body.mail == mail_id).get_or_none()
    return body.content if body else intake.content(message.parse(raw(scope, mail_id)))


def raw(scope: Scope, mail_id: object) -> bytes:
    """The bytes as they came.  Raises NotFound."""
    data: bytes = scope.get(Raw, mail_id).data
    return data


def attachment(scope: Scope, mail_id: object, number: int) -> tuple[Attachment, bytes]:
    """One attached file and its content.  Raises NotFound; Conflict("attachment_left_out") where only the text of a large mail is here."""
    part, data = message.attachment(raw(scope, mail_id), number)
    if part.left_out and scope.get(Mail, mail_id).partial:
        raise Conflict("attachment_left_out")
    return part, data


def layers(scope: Scope, mail_id: int, lang: str) -> dict[str, dict[str, Any] | None]:
    """Each layer's rating, or None."""
    columns = (Rating.layer, Rating.urgency, Rating.importance, Rating.category, Rating.kind, Rating.needs_reply, Rating.spam, Rating.confidence,
               Rating.rated_by, Rating.error, Rating.detail)
    found = {row[0]: row for row in rows(scope.select(Rating, *columns).where(Rating.mail == mail_id))}
    return {layer: _layer(found.get(layer), lang) for layer in reversed(triage.LAYERS)}


def _layer(row: tuple[Any, ...] | None, lang: str) -> dict[str, Any] | None:
    if row is None:
        return None
    score = triage.score(row[1], row[2]) if row[1] else 0
    return _triage((*row[:3], score, *row[3:]), lang)


def mark_done(scope: Scope, mail_id: object, done: bool) -> None:
    """The owner has dealt with it, or has not after all.  Raises NotFound."""
    mail = scope.get(Mail, mail_id)
    scope.update(Mail, done_at=now() if done else None).where(Mail.id == mail.id).execute()
    if done:
        scope.delete(Snooze).where(Snooze.mail == mail).execute()
