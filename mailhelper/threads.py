"""Joins mails by the ids they have and name (RFC 5322 §3.6.4), whatever order they come in."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from peewee import SQL, fn

from mailhelper import subjects
from mailhelper.db import now
from mailhelper.models import Mail, Snooze, Thread, ThreadKey, ThreadSubject
from mailhelper.scope import Scope

MOST_REFERENCES = 30            # the newest of a longer chain are enough to join, and a hostile one has thousands


class Link(NamedTuple):
    """What decides the thread of one mail."""
    keys: tuple[bytes, ...]     # keyed hashes of its Message-ID and of each it refers to; own first
    date: dt.datetime
    talk: subjects.Talk


def link(scope: Scope, message_id: str, references: Sequence[str], date: dt.datetime, subject: str = "", people: Collection[str] = ()) -> Link:
    """Hash the ids of a mail, and its subject with each of the other `people` it is from or to (none for what is sent to many)."""
    ids = dict.fromkeys([message_id, *references[-MOST_REFERENCES:]] if message_id else references[-MOST_REFERENCES:])
    return Link(tuple(scope.vault.lookup("message-id", id) for id in ids if id), date, subjects.talk(scope, subject, people, bool(references)))


def assign(scope: Scope, links: Sequence[Link]) -> list[int]:
    """The thread id of each mail, in order; makes threads, and merges those that a mail shows to be one.  Inside a transaction."""
    wanted = {key for link in links for key in link.keys}
    stored = scope.select(ThreadKey, ThreadKey.key, ThreadKey.thread).where(ThreadKey.key << list(wanted)).tuples() if wanted else ()
    known = {bytes(key): thread for key, thread in stored}
    answers = subjects.Answers(scope, [(one.talk, one.date) for one in links])
    named = [{known[key] for key in one.keys if key in known} | answers.threads(i) for i, one in enumerate(links)]
    groups = _groups(links, named, answers)
    fresh: list[tuple[int, dt.datetime]] = []
    joins: list[tuple[list[int], dt.datetime]] = []
    threads: dict[int, int] = {}
    for first, members in groups.items():
        found = sorted({thread for i in members for thread in named[i]})
        latest = max(links[i].date for i in members)
        if found:
            threads[first] = found[0]
            joins.append((found, latest))
        else:
            fresh.append((first, latest))
    for found, latest in sorted(joins):     # always in the same order, lest two syncs of one user wait for each other
        _join(scope, found, latest)
    ids = scope.insert(Thread, ("latest",), [(latest,) for _, latest in fresh], ids=True)
    threads.update(zip((first for first, _ in fresh), ids, strict=True))
    new = {key: threads[first] for first, members in groups.items() for i in members for key in links[i].keys if key not in known}
    scope.insert(ThreadKey, ("thread", "key"), [(new[key], key) for key in sorted(new)])
    of = {i: threads[first] for first, members in groups.items() for i in members}
    joined = [of[i] for i in range(len(links))]
    answers.keep(joined)
    return joined


def answered(scope: Scope, threads: Collection[int]) -> None:
    """Mails of others came into these threads: what waits for an answer there is back (later.py).  Inside a transaction."""
    if threads:
        waits = scope.select(Mail, Mail.id).where(Mail.thread << list(threads))
        (scope.update(Snooze, until=now(), answered=True)
         .where(Snooze.answer, Snooze.answered.is_null(), Snooze.until > now(), Snooze.mail.in_(waits)).execute())


def drop_empty(scope: Scope, threads: Collection[int] | None = None) -> None:
    """Forget threads (of these, or of all) that no mail is left of."""
    empty = Thread.id.not_in(scope.select(Mail, Mail.thread).where(Mail.thread.is_null(False)))
    if threads is not None:
        empty = Thread.id.in_(set(threads)) & ~fn.EXISTS(scope.select(Mail, SQL("1")).where(Mail.thread == Thread.id))
    scope.delete(Thread).where(empty).execute()


def _groups(links: Sequence[Link], named: Sequence[Collection[int]], answers: subjects.Answers) -> dict[int, list[int]]:
    """Mails of this batch that share an id or a thread that is known, or answer each other: {first of the group: all of it}."""
    root: list[int] = list(range(len(links)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    owner: dict[object, int] = {}
    for i, one in enumerate(links):
        for key in (*one.keys, *named[i]):
            first = owner.setdefault(key, i)
            root[max(find(first), find(i))] = min(find(first), find(i))
    for i, j in answers.pairs:
        root[max(find(i), find(j))] = min(find(i), find(j))
    groups: dict[int, list[int]] = {}
    for i in range(len(links)):
        groups.setdefault(find(i), []).append(i)
    return groups


def _join(scope: Scope, threads: list[int], latest: dt.datetime) -> None:
    """Keep the oldest of several threads, and move everything of the others there."""
    keep, others = threads[0], threads[1:]
    if others:
        latest = max(latest, *(row[0] for row in scope.select(Thread, Thread.latest).where(Thread.id << others).tuples()))
        scope.update(Mail, thread=keep).where(Mail.thread << others).execute()
        scope.update(ThreadKey, thread=keep).where(ThreadKey.thread << others).execute()
        scope.update(ThreadSubject, thread=keep).where(ThreadSubject.thread << others).execute()
        scope.delete(Thread).where(Thread.id << others).execute()
    scope.update(Thread, latest=latest).where(Thread.id == keep, Thread.latest < latest).execute()
