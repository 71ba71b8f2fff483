"""Lists of threads and single ones: who takes part, who wrote last, and who is waited for, with the reason."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from peewee import SQL, Case, Expression, Select, fn

from mailhelper import filters, language, mails
from mailhelper.db import db, now, rows
from mailhelper.errors import Invalid, NotFound
from mailhelper.mails import Page
from mailhelper.models import Account, Asked, Folder, Mail, Rating, Thread
from mailhelper.scope import Scope

NEEDS, AWAITING = "needs_reply", "awaiting_reply"
STATES = ("", NEEDS, AWAITING)
LEFT_OUT = ("trash", "drafts")              # folders whose mails are not of a thread: what was thrown away, and what was not sent
ASKING = ("question", "asks", "deadline")    # reasons that say what is asked, the plainest first
PEOPLE = 4                                  # named in a list
MOST = 200                                  # rows a page; the newest mails of a thread that are shown


class Place(NamedTuple):
    """What of the user's mailboxes decides about threads."""
    folders: list[int]          # ids of those whose mails are of threads
    addresses: frozenset[str]   # the user's own
    keys: list[bytes]           # the same, hashed


def page(scope: Scope, asked: Mapping[str, str], lang: str) -> Page:
    """Threads, that with the newest mail first: the list of GET /api/threads.  Raises Invalid with the wrong parameters.

    asked: state (needs_reply, awaiting_reply), limit, cursor.
    """
    place, limit = _place(scope), _checked(asked)
    where = [Mail.thread.is_null(False), Mail.folder << place.folders, *_state_is(scope, place, asked.get("state", ""))]
    query = scope.select(Mail, Mail.date, Mail.id, Mail.thread).where(*where, _is_last(place))
    total = query.count() if asked.get("state") else scope.select(Mail, fn.COUNT(Mail.thread.distinct())).where(*where).scalar()
    if asked.get("cursor"):
        query = query.where(filters.after((Mail.date, Mail.id), asked["cursor"]))
    found = list(query.order_by(Mail.date.desc(), Mail.id.desc()).limit(limit + 1).tuples())
    following = filters.cursor(found[limit - 1][:2]) if len(found) > limit else None
    return Page(_shown(scope, place, [row[1] for row in found[:limit]], lang), following, total or 0)


def read(scope: Scope, thread_id: object, lang: str) -> dict[str, Any]:
    """One thread with its mails, oldest first: GET /api/threads/<id>.  Raises NotFound, also where all its mails are thrown away."""
    thread, place = scope.get(Thread, thread_id), _place(scope)
    which = Mail.thread == thread, Mail.folder << place.folders
    ids = [id for id, in scope.select(Mail, Mail.id).where(*which).order_by(Mail.date.desc(), Mail.id.desc()).limit(MOST).tuples()]
    if not ids:
        raise NotFound()
    [shown] = _shown(scope, place, ids[:1], lang)
    return {**shown, "items": mails.of_ids(scope, ids, lang)[::-1]}


def settle(scope: Scope, thread_id: object) -> None:
    """The owner has dealt with all of it: nothing in it is open, and no answer is waited for.  Raises NotFound."""
    thread = scope.get(Thread, thread_id)
    mine = scope.select(Mail, Mail.id).where(Mail.thread == thread)
    with db.atomic():
        scope.update(Mail, done_at=now()).where(Mail.thread == thread, Mail.done_at.is_null()).execute()
        scope.delete(Asked).where(Asked.mail << mine).execute()


# ── conditions ──

def _place(scope: Scope) -> Place:
    folders = [id for id, in scope.select(Folder, Folder.id).where(Folder.role.not_in(LEFT_OUT)).tuples()]
    with scope:
        own = list(scope.select(Account, Account.address, Account.address_key))
    return Place(folders, frozenset(one.address.lower() for one in own), [bytes(one.address_key) for one in own])


def _checked(asked: Mapping[str, str]) -> int:
    wrong: dict[str, Any] = {name: "unknown_field" for name in asked if name not in ("state", "limit", "cursor")}
    if asked.get("state", "") not in STATES:
        wrong["state"] = ("bad_choice", {"choices": ", ".join(STATES[1:])})
    limit = asked.get("limit") or "50"
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= MOST:
        wrong["limit"] = ("out_of_range", {"low": 1, "high": MOST})
    if wrong:
        raise Invalid(fields=wrong)
    return int(limit)


def _is_last(place: Place) -> Expression:
    """True of the newest mail of a thread."""
    later = Mail.alias("later")
    newer = (later.date > Mail.date) | ((later.date == Mail.date) & (later.id > Mail.id))
    return ~fn.EXISTS(later.select(SQL("1")).where(later.user == Mail.user, later.thread == Mail.thread, later.folder << place.folders, newer))


def _state_is(scope: Scope, place: Place, state: str) -> list[Expression]:
    """Of the last mail of a thread."""
    if state == NEEDS:
        others = Mail.sender_key.is_null() | Mail.sender_key.not_in(place.keys)
        return [Mail.needs_reply == True, Mail.done_at.is_null(), Mail.answered == False, others]      # noqa: E712 - SQL
    return [Mail.id << scope.select(Asked, Asked.mail)] if state == AWAITING else []


# ── what is shown ──

def _shown(scope: Scope, place: Place, last: Sequence[int], lang: str) -> list[dict[str, Any]]:
    """The threads of these last mails, in the shape of the API; inside the owner's scope."""
    found = mails.of_ids(scope, last, lang)
    ids = [row["thread_id"] for row in found]
    counts, people, asked, rated = _counts(scope, place, ids), _people(scope, place, ids), _asked(scope, last), _rated(scope, last)
    threads = []
    for row in found:
        id = row["thread_id"]
        count, unread = counts[id]
        threads.append({"id": id, "subject": row["subject"], "people": people[id], "count": count, "unread": unread, "date": row["date"],
                        **_state(row, asked.get(row["id"]), rated.get(row["id"], []), place, lang), "last": row})
    return threads


def _state(row: dict[str, Any], asked: list[Any] | None, rated: list[Any], place: Place, lang: str) -> dict[str, Any]:
    """Who is waited for, and why; both empty when nobody is.  asked, rated: reasons as they are stored."""
    sender, rating = row["from"], row["triage"]
    if asked is not None:
        why = _plainest(asked, lang)
        key = "threads.why.awaiting_reason" if why else "threads.why.awaiting"
        words = language.t(lang, key, day=language.day(lang, row["date"].date()), reason=why)
        return {"state": AWAITING, "reason": words}
    mine = sender["address"].lower() in place.addresses
    if rating and rating["needs_reply"] and not (mine or row["done"] or row["flags"]["answered"]):
        why, who = _plainest(rated, lang), sender["name"] or sender["address"]
        key = "threads.why.needs_reason" if why else "threads.why.needs"
        return {"state": NEEDS, "reason": language.t(lang, key, who=who, reason=why)}
    return {"state": "", "reason": ""}


def _plainest(reasons: Sequence[Any], lang: str) -> str:
    """The reason that says best what was asked, in words; "" where none does."""
    found = {code: mails.reason((code, params), lang) for code, params in reversed(reasons) if code in ASKING}
    return next((found[code] for code in ASKING if code in found), "")


def _counts(scope: Scope, place: Place, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """{thread: (mails, unread ones)}."""
    unread = Case(None, [(Mail.seen == False, 1)], 0)       # noqa: E712 - SQL
    counted = scope.select(Mail, Mail.thread, fn.COUNT(Mail.id), fn.SUM(unread)).where(Mail.thread << list(ids), Mail.folder << place.folders)
    return {thread: (count, int(new)) for thread, count, new in counted.group_by(Mail.thread).tuples()}


def _people(scope: Scope, place: Place, ids: Sequence[int]) -> dict[int, list[dict[str, str]]]:
    """{thread: who wrote its newest mails, the newest first, each once}."""
    rank = fn.ROW_NUMBER().over(partition_by=[Mail.thread], order_by=[Mail.date.desc(), Mail.id.desc()])
    ranked = scope.select(Mail, Mail.id, rank.alias("rank")).where(Mail.thread << list(ids), Mail.folder << place.folders).alias("ranked")
    newest = Select((ranked,), (ranked.c.id,)).where(ranked.c.rank <= 2 * PEOPLE)
    found = rows(scope.select(Mail, Mail.thread, Mail.head).where(Mail.id.in_(newest)).order_by(Mail.date.desc(), Mail.id.desc()))
    people: dict[int, dict[str, dict[str, str]]] = {}
    for thread, sealed in found:
        name, address = Mail.head.python_value(sealed)["from"]
        people.setdefault(thread, {}).setdefault(address.lower(), {"name": name, "address": address})
    return {thread: list(known.values())[:PEOPLE] for thread, known in people.items()}


def _rated(scope: Scope, last: Sequence[int]) -> dict[int, list[Any]]:
    """{mail: why it was rated as it is}, of the rating that counts."""
    counts = (Rating.mail == Mail.id) & (Rating.layer == Mail.layer)
    found = rows(scope.select(Rating, Rating.mail, Rating.detail).join(Mail, on=counts).where(Rating.mail << list(last)))
    return {mail: Rating.detail.python_value(sealed).get("reasons", []) for mail, sealed in found}


def _asked(scope: Scope, last: Sequence[int]) -> dict[int, list[Any]]:
    """{mail: why it asks for an answer} of those that the user wrote."""
    return {mail: Asked.reasons.python_value(sealed)
            for mail, sealed in rows(scope.select(Asked, Asked.mail, Asked.reasons).where(Asked.mail << list(last)))}
