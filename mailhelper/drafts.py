"""Mails that are being written: each new answer of a model is a version of its own, and what a person edited stays theirs."""

import re
from collections.abc import Mapping
from typing import Any

from peewee import fn

from mailhelper import mails
from mailhelper.db import db, now
from mailhelper.errors import Conflict, Invalid
from mailhelper.headers import addresses
from mailhelper.models import Account, Draft, Mail
from mailhelper.scope import Scope

PEOPLE = ("to", "cc", "bcc")
MOST_PEOPLE = 200
LONGEST = {"subject": 900, "text": 500_000}     # characters; RFC 5322 §2.1.1 has lines of at most 998
REPLY = re.compile(r"\s*(re|aw|antw|antwort)\s*(\[\d+\])?:", re.I)
ADDRESS = re.compile(r"[^\s<>@,;:\"()\[\]\\]+@[^\s<>@,;:\"()\[\]\\]+")

Pairs = list[list[str]]


def write(scope: Scope, mail: Mail, text: str, style: str, written_by: str) -> Draft:
    """Keep a new version of the answer to a mail; those before it stay as they are."""
    people, subject = answering(scope, mail)
    with scope, db.atomic():
        last = scope.select(Draft, fn.MAX(Draft.version)).where(Draft.mail == mail).scalar() or 0
        return scope.create(Draft, account=mail.account_id, mail=mail, version=last + 1, style=style, written_by=written_by, people=people,     # type: ignore[attr-defined]
                            subject=subject, text=text)


def answering(scope: Scope, mail: Mail) -> tuple[dict[str, Pairs], str]:
    """To whom an answer to a mail goes, and its subject (RFC 5322 §3.6.2, §3.6.5)."""
    with scope:
        own = {account.address.lower() for account in scope.select(Account, Account.address)}
        head, sender = mail.head, mail.head["from"]
        to = head["to"] if sender[1].lower() in own else mails.content(scope, mail.id)["reply_to"] or [sender]
    subject = head["subject"]
    kept = [[name, address] for name, address in to if ADDRESS.fullmatch(address)]
    return {"to": kept[:MOST_PEOPLE], "cc": [], "bcc": []}, (subject if REPLY.match(subject) else f"Re: {subject}")[:LONGEST["subject"]]


def of_mail(scope: Scope, mail_id: int) -> list[dict[str, Any]]:
    """The versions of the answer to a mail, newest first, in the shape of `read`."""
    with scope:
        return [_shown(row) for row in scope.select(Draft).where(Draft.mail == mail_id).order_by(Draft.version.desc())]


def read(scope: Scope, draft_id: object) -> dict[str, Any]:
    """The shape of GET /api/drafts/<id>.  Raises NotFound."""
    with scope:
        return _shown(scope.get(Draft, draft_id))


def change(scope: Scope, draft_id: object, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set some of to, cc, bcc ([{name, address}]), subject, text.  Raises NotFound, Invalid with the wrong fields."""
    with scope:
        row = scope.get(Draft, draft_id)
        if row.state != "draft":
            raise Conflict("draft_sending")
        wrong: dict[str, Any] = {name: "unknown_field" for name in values if name not in (*PEOPLE, *LONGEST)}
        people = {name: _people(values[name], name, wrong) for name in PEOPLE if name in values}
        texts = {name: _text(values[name], name, wrong) for name in LONGEST if name in values}
        if wrong:
            raise Invalid(fields=wrong)
        scope.update(Draft, people={**row.people, **people}, **texts, edited_at=now()).where(Draft.id == row.id).execute()
        return _shown(scope.get(Draft, row.id))


def remove(scope: Scope, draft_id: object) -> None:
    """Throw a draft away.  Raises NotFound."""
    row = scope.get(Draft, draft_id)
    if not scope.delete(Draft).where(Draft.id == row.id, Draft.state == "draft").execute():
        raise Conflict("draft_sending")


def typed(line: str) -> list[dict[str, str]]:
    """The people of a line that somebody typed, in the shape that `change` takes."""
    return [_person(one) for one in addresses(line)]


def _people(value: Any, field: str, wrong: dict[str, Any]) -> Pairs:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        wrong[field] = "not_people"
        return []
    pairs = [[one.get("name") or "", one.get("address") or ""] for one in value]
    if len(pairs) > MOST_PEOPLE:
        wrong[field] = ("too_many_people", {"count": MOST_PEOPLE})
    elif not all(isinstance(name, str) and isinstance(address, str) and _is_person(name, address) for name, address in pairs):
        wrong[field] = "not_people"
    return pairs


def _is_person(name: str, address: str) -> bool:
    """A line break would let whoever wrote it add header fields."""
    return bool(ADDRESS.fullmatch(address)) and len(name) + len(address) <= 400 and (not name or name.isprintable())


def _text(value: Any, field: str, wrong: dict[str, Any]) -> str:
    if not isinstance(value, str) or len(value) > LONGEST[field]:
        wrong[field] = ("too_long", {"count": LONGEST[field]})
        return ""
    return " ".join(value.split()) if field == "subject" else value.replace("\r\n", "\n")


def _person(pair: Any) -> dict[str, str]:
    return {"name": pair[0], "address": pair[1]}


def _shown(row: Draft) -> dict[str, Any]:
    people = {name: [_person(pair) for pair in row.people[name]] for name in PEOPLE}
    same = {name: getattr(row, name) for name in ("id", "account_id", "version", "state", "style", "written_by")}
    return {**same, "email_id": row.mail_id, **people, "subject": row.subject, "text": row.text, "created_at": row.created_at,      # type: ignore[attr-defined]
            "edited_at": row.edited_at}
