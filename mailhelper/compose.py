"""Begins a mail: a new one, an answer to one or to all, or one passed on; with signature and quoted original."""

from typing import Any

from mailhelper import drafts, enclosures, mails
from mailhelper.db import db
from mailhelper.errors import Conflict
from mailhelper.language import full, t
from mailhelper.models import Account, Draft, Mail
from mailhelper.scope import Scope

NOBODY: dict[str, Any] = {"to": [], "cc": [], "bcc": []}
HOW = ("reply", "all", "forward")
MOST_LINES = 2_000          # quoted


def blank(scope: Scope, account_id: object | None = None) -> Draft:
    """A new mail, from the given mailbox or the first that can send.  Raises NotFound, Conflict("no_smtp") without any mailbox."""
    with scope:
        account = scope.get(Account, account_id) if account_id else _first(scope)
        return scope.create(Draft, account=account, written_by="user", people=NOBODY, subject="", text=_signature(account))


def answer(scope: Scope, mail_id: object, how: str, lang: str) -> Draft:
    """An answer (reply, all) or the mail passed on (forward), from the mailbox it came to.  Raises NotFound, TooLarge."""
    mail = scope.get(Mail, mail_id)
    with scope:
        account, content = scope.get(Account, mail.account_id), mails.content(scope, mail.id)       # type: ignore[attr-defined]
        quote = _forwarded(mail, content, scope.user.timezone, lang) if how == "forward" else _quoted(mail, content, scope.user.timezone, lang)
        signature = _signature(account)
        draft = drafts.write(scope, mail, f"{signature or chr(10)}\n{quote}", "", "user")
        values: dict[str, Any] = {}
        if how == "all":
            values["people"] = _everybody(scope, mail, content, draft.people)       # type: ignore[arg-type]
        elif how == "forward":
            subject = mail.head["subject"]
            values = {"people": NOBODY, "subject": f"Fwd: {subject}"[:drafts.LONGEST["subject"]]}
        if values:
            scope.update(Draft, **values).where(Draft.id == draft.id).execute()
        if how == "forward":
            enclosures.add_from_mail(scope, draft.id, mail.id)
        return scope.get(Draft, draft.id)


def send_from(scope: Scope, draft_id: object, account_id: object) -> None:
    """Choose the mailbox a draft goes out from.  Raises NotFound."""
    draft, account = scope.get(Draft, draft_id), scope.get(Account, account_id)
    with db.atomic():
        scope.update(Draft, account=account).where(Draft.id == draft.id).execute()


def senders(scope: Scope) -> list[dict[str, Any]]:
    """The mailboxes that can send: [{id, name, address}]."""
    with scope:
        return [{"id": one.id, "name": one.name, "address": one.address} for one in scope.select(Account).order_by(Account.id) if one.smtp]


def _first(scope: Scope) -> Account:
    accounts = list(scope.select(Account).order_by(Account.id))
    if not accounts:
        raise Conflict("no_smtp")
    return next((one for one in accounts if one.smtp), accounts[0])


def _signature(account: Account) -> str:
    text = str(account.signature or "").strip("\n")
    return f"\n\n-- \n{text}\n" if text else ""


def _quoted(mail: Mail, content: dict[str, Any], tz: str, lang: str) -> str:
    head: Any = mail.head
    who = head["from"][0] or head["from"][1]
    lines = content["text"].strip("\n").split("\n")[:MOST_LINES]
    first = t(lang, "compose.wrote", who=who, at=full(lang, mail.date, tz))      # type: ignore[arg-type]
    return "\n".join([first, *(f">{line}" if line.startswith(">") else f"> {line}" for line in lines)])


def _forwarded(mail: Mail, content: dict[str, Any], tz: str, lang: str) -> str:
    head: Any = mail.head
    fields = [("compose.from", _written(head["from"])), ("compose.date", full(lang, mail.date, tz)), ("draft.subject", head["subject"]),      # type: ignore[arg-type]
              ("draft.to", ", ".join(map(_written, head["to"])))]
    return "\n".join([t(lang, "compose.forwarded"), *(f"{t(lang, name)}: {value}" for name, value in fields), "", content["text"].strip("\n")])


def _written(pair: list[str]) -> str:
    return f"{pair[0]} <{pair[1]}>" if pair[0] else pair[1]


def _everybody(scope: Scope, mail: Mail, content: dict[str, Any], people: dict[str, Any]) -> dict[str, Any]:
    """All who got the mail, in Cc, without the owner and without anybody twice."""
    head: Any = mail.head
    taken = {account.address.lower() for account in scope.select(Account, Account.address)} | {address.lower() for _, address in people["to"]}
    others = []
    for name, address in [*head["to"], *content["cc"]]:
        if address.lower() not in taken and drafts.ADDRESS.fullmatch(address):
            taken.add(address.lower())
            others.append([name, address])
    return {**people, "cc": others[:drafts.MOST_PEOPLE]}
