"""Finds mail by words without keeping words: the database's text index holds keyed hashes of them.

A mail's words are folded, made distinct and shuffled before they are hashed, so that the index tells neither their order nor how often
they stand: less to guess from than a text with its words exchanged.  Two small backends, SQLite FTS5 and PostgreSQL tsvector, with the
same four fields.  Tokens are letters only, since PostgreSQL's own parser would tear mixed ones apart.
"""

import datetime as dt
import functools
import hashlib
import shlex
from collections.abc import Callable, Iterable, Sequence
from operator import and_
from string import ascii_lowercase
from typing import Any, NamedTuple

from peewee import SQL, Expression

from mailhelper.db import db, is_postgres
from mailhelper.errors import Invalid
from mailhelper.likeness import Words
from mailhelper.message import ParsedMail
from mailhelper.models import Mail
from mailhelper.scope import Scope
from mailhelper.text import words
from mailhelper.triage import KINDS

# What a reader remembers of a mail: hits there stand before hits in the text.
HEAD = ("sender", "people", "subject")
FIELDS = (*HEAD, "body")       # columns of mail_words
LETTERS = dict(zip(FIELDS, "ACBD", strict=True))        # the weight letter that stands for a field in a tsvector
HEAD_LETTERS = frozenset(LETTERS[name] for name in HEAD)
OPERATORS = {"from": "sender", "to": "people", "subject": "subject", "body": "body"}
# Tokens have seven letters, made of pairs: with 26⁷ of them, two words of one mailbox share one once in many thousand mailboxes.
PAIRS = [first + second for first in ascii_lowercase for second in ascii_lowercase]
CACHE = 200_000                                         # words
MOST_TERMS = 100                                        # of a query: a whole letter pasted into the box is found by its beginning


class _Tokens(dict[str, str]):
    """Word → token; a word met for the first time is hashed when it is looked up."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key

    def __missing__(self, word: str) -> str:
        number = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).digest())
        number, first = divmod(number, 676)
        number, second = divmod(number, 676)
        number, third = divmod(number, 676)
        token = self[word] = PAIRS[first] + PAIRS[second] + PAIRS[third] + PAIRS[number % 26][1]
        return token


class Index:
    """Turns words into tokens under one user's key; keeps what it has seen, since mails repeat their words."""

    def __init__(self, scope: Scope) -> None:
        self._tokens = _Tokens(scope.vault.search_key)

    def token(self, word: str) -> str:
        return self._tokens[word]

    def tokens(self, found: Iterable[str]) -> list[str]:
        """Distinct tokens, in no order: a set's, which changes with each process."""
        if len(self._tokens) > CACHE:
            self._tokens.clear()
        return list(map(self._tokens.__getitem__, set(found)))

    def row(self, mail: ParsedMail, body: Sequence[str]) -> tuple[list[str], ...]:
        """The tokens of a mail, one list a field; `body` are the words of its text (text.words)."""
        sender = f"{mail.sender.name} {mail.sender.address}"
        people = " ".join(f"{one.name} {one.address}" for one in (*mail.to, *mail.cc)[:200])
        names = " ".join(part.filename for part in mail.attachments[:50])
        return (self.tokens(words(sender)), self.tokens(words(people)), self.tokens(words(mail.subject)), self.tokens([*body, *words(names)]))


def keep(rows: Sequence[tuple[int, tuple[list[str], ...]]]) -> None:
    """Add (mail id, its tokens) to the index, in the transaction that stores the mails."""
    if not rows:
        return
    if is_postgres():
        values: list[Any] = [value for id, fields in rows for value in (id, _vector(fields))]
        places = ", ".join(["(%s, %s::tsvector)"] * len(rows))
        db.execute_sql(f"INSERT INTO mail_words (mail_id, words) VALUES {places} ON CONFLICT DO NOTHING", values)
    else:
        values = [value for id, fields in rows for value in (id, *(" ".join(tokens) for tokens in fields))]
        db.execute_sql(f"INSERT INTO mail_words (rowid, {', '.join(FIELDS)}) VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(rows))}", values)


def tokens(mail_ids: Sequence[int]) -> dict[int, Words]:
    """The tokens of mails, which must be the scope's own, read back from the index."""
    found: dict[int, Words] = {}
    for at in range(0, len(mail_ids), 500):
        ids = list(mail_ids[at:at + 500])
        marks = ", ".join([db.obj.param] * len(ids))
        if is_postgres():
            for id, vector in db.execute_sql(f"SELECT mail_id, words::text FROM mail_words WHERE mail_id IN ({marks})", ids).fetchall():
                pairs = [part.split(":") for part in vector.replace("'", "").split()]
                found[id] = Words({token for token, marks in pairs if not HEAD_LETTERS.isdisjoint(marks)}, {token for token, _ in pairs})
        else:
            for id, *fields in db.execute_sql(f"SELECT rowid, {', '.join(FIELDS)} FROM mail_words WHERE rowid IN ({marks})", ids).fetchall():
                head = {token for field in fields[:len(HEAD)] for token in field.split()}
                found[id] = Words(head, head.union(fields[-1].split()))
    return found


def _vector(fields: tuple[list[str], ...]) -> str:
    """A tsvector literal; the weight letter tells the field (positions mean nothing, but carry it)."""
    places: dict[str, list[str]] = {}
    for name, tokens in zip(FIELDS, fields, strict=True):
        for token in tokens:
            places.setdefault(token, []).append(f"{len(places.get(token, ())) + 1}{LETTERS[name]}")
    return " ".join(f"{token}:{','.join(marks)}" for token, marks in places.items())


class Query(NamedTuple):
    """A search, understood."""
    terms: tuple[tuple[str, str, bool], ...]        # (field or "", word, wanted)
    conditions: tuple[Expression, ...]              # on plain columns
    tags: tuple[tuple[str, bool], ...] = ()         # (name, wanted)


def parse(text: str) -> Query:
    """Understand what somebody typed.  Raises Invalid("search_…") that says which part is not understood."""
    terms: list[tuple[str, str, bool]] = []
    conditions: list[Expression] = []
    tags: list[tuple[str, bool]] = []
    for part in _parts(text):
        wanted = not (part.startswith("-") and len(part) > 1)
        operator, colon, value = part.lstrip("-").partition(":")
        operator = operator.lower()
        if colon and operator in OPERATORS:
            terms += [(OPERATORS[operator], word, wanted) for word in _some(words(value), part)]
        elif colon and operator == "tag":
            tags.append((_some([value.strip()] if value.strip() else [], part)[0], wanted))
        elif colon and operator in PLAIN:
            condition = PLAIN[operator](value.lower(), part)
            conditions.append(condition if wanted else ~condition)
        elif colon and value and operator.isalpha() and not value.startswith("//"):       # "Re:" is a word, and so is an address of the web
            raise Invalid("search_operator", operator=operator)
        else:
            terms += [("", word, wanted) for word in words(part)]
    if not terms and not conditions and not tags:
        raise Invalid("search_empty")
    return Query(tuple(dict.fromkeys(terms))[:MOST_TERMS], tuple(conditions), tuple(tags))


def _parts(text: str) -> list[str]:
    if text.count('"') % 2:
        raise Invalid("search_quote")
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    return list(lexer)


def _some(found: list[str], part: str) -> list[str]:
    if not found:
        raise Invalid("search_value", part=part)
    return found


def _is(value: str, part: str) -> Expression:
    choices = {"unread": Mail.seen == False, "read": Mail.seen == True, "flagged": Mail.flagged == True,    # noqa: E712 - SQL
               "answered": Mail.answered == True, "done": Mail.done_at.is_null(False)}                      # noqa: E712
    if value not in choices:
        raise Invalid("search_value", part=part)
    return choices[value]


def _has(value: str, part: str) -> Expression:
    if value not in ("attachment", "attachments"):
        raise Invalid("search_value", part=part)
    return Mail.has_attachments == True     # noqa: E712


def _day(compare: Callable[[Any, dt.datetime], Expression]) -> Callable[[str, str], Expression]:
    def read(value: str, part: str) -> Expression:
        try:
            return compare(Mail.date, dt.datetime.combine(dt.date.fromisoformat(value), dt.time()))
        except ValueError:
            raise Invalid("search_value", part=part) from None
    return read


def _level(column: Any) -> Callable[[str, str], Expression]:
    def read(value: str, part: str) -> Expression:
        if value not in ("1", "2", "3"):
            raise Invalid("search_value", part=part)
        return column == int(value)      # type: ignore[no-any-return]
    return read


PLAIN: dict[str, Callable[[str, str], Expression]] = {
    "is": _is, "has": _has, "before": _day(lambda column, day: column < day), "after": _day(lambda column, day: column >= day),
    "urgency": _level(Mail.urgency), "importance": _level(Mail.importance),
    "kind": lambda value, part: Mail.kind == _some([kind for kind in KINDS if kind == value], part)[0],
}


def condition(scope: Scope, query: Query, fields: Sequence[str] = FIELDS) -> Expression | None:
    """What mails must meet to contain the query's words, as an SQL condition; None without words.

    With fewer `fields`, only words there count that the query did not ask for elsewhere.
    """
    index = Index(scope)
    wanted = [_any(places, index.token(word)) for field, word, yes in query.terms if yes and (places := _places(field, fields))]
    unwanted = [_any(_places(field, FIELDS), index.token(word)) for field, word, yes in query.terms if not yes]
    if is_postgres():
        match = " & ".join([*wanted, *(f"!{term}" for term in unwanted)])
        return Mail.id.in_(SQL("(SELECT mail_id FROM mail_words WHERE words @@ %s::tsquery)", [match])) if match else None
    found = SQL("(SELECT rowid FROM mail_words WHERE mail_words MATCH ?)", [" AND ".join(wanted)]) if wanted else None
    others = SQL("(SELECT rowid FROM mail_words WHERE mail_words MATCH ?)", [" OR ".join(unwanted)]) if unwanted else None
    conditions = ([Mail.id.in_(found)] if found else []) + ([Mail.id.not_in(others)] if others else [])
    return functools.reduce(and_, conditions) if conditions else None


def _places(field: str, fields: Sequence[str]) -> Sequence[str]:
    return [field] if field else fields


def _any(fields: Sequence[str], token: str) -> str:
    """One token in any of these fields, in the backend's own language."""
    if is_postgres():
        return token if len(fields) == len(FIELDS) else f"{token}:{''.join(LETTERS[field] for field in fields)}"
    return token if len(fields) == len(FIELDS) else f"{{{' '.join(fields)}}} : {token}"
