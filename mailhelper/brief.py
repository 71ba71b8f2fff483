"""What a model is told of a mail: the mail itself, its thread, what is known already; made anonymous where its mailbox wants that."""

from collections.abc import Sequence
from typing import NamedTuple

from mailhelper import accounts, mails, message, prompts, senders, triage
from mailhelper.anonymize import Masker
from mailhelper.headers import Address
from mailhelper.message import ParsedMail
from mailhelper.models import Account, Mail
from mailhelper.prompts import Piece, Prompt, Style
from mailhelper.scope import Scope

MOST_THREAD = 6         # mails of the thread besides this one
MOST_CONTACTS = 500     # people whose names are looked for, besides those of the mail and its thread
BUDGETS = {"base": 2500, "optimize": 6000, "reply": 5000}       # tokens of input


class Letter(NamedTuple):
    """A mail with the thread before it, newest first; `masker` is None where a model sees it as it is."""
    parsed: ParsedMail
    thread: Sequence[Piece]
    masker: Masker | None
    language: str


def read(scope: Scope, mail: Mail, masked: bool | None = None) -> Letter:
    """Open a mail for a model.  Whether it is masked says its mailbox, or the caller who only wants to show it."""
    hide = scope.get(Account, mail.account_id).mode != "llm_original" if masked is None else masked     # type: ignore[attr-defined]
    parsed = message.parse(mails.raw(scope, mail.id))
    before = [message.parse(mails.raw(scope, id)) for id in _before(scope, mail)]
    own = [account.address.lower() for account in accounts.listed(scope)]
    return Letter(parsed, [_piece(one, own) for one in before], _masker(scope, [parsed, *before], own) if hide else None, scope.user.language or "en")


def rating(letter: Letter, builtin: triage.Rating, base: triage.Rating | None = None, stronger: bool = False) -> Prompt:
    """The question for a rating; `stronger` for the optimize pass.  Raises Refused where a mail cannot be made anonymous."""
    return prompts.rate(letter.parsed, thread=letter.thread, builtin=builtin, language=letter.language, masker=letter.masker,
                        budget=BUDGETS["optimize" if stronger else "base"], stronger=stronger, base=base)


def reply(letter: Letter, style: Style, instructions: str) -> Prompt:
    """The question for a reply.  Raises Refused where a mail cannot be made anonymous."""
    return prompts.reply(letter.parsed, thread=letter.thread, style=style, language=letter.language, masker=letter.masker, budget=BUDGETS["reply"],
                         instructions=instructions)


def estimate(purpose: str, size: int) -> int:
    """About how many tokens the question about a mail of that many characters or bytes takes; rather too many."""
    return min(BUDGETS[purpose], 900 + size // 3)


def _before(scope: Scope, mail: Mail) -> list[int]:
    """The mails of its thread that came before it, newest first; each once, though a copy may lie in another folder."""
    if mail.thread_id is None:      # type: ignore[attr-defined]
        return []
    earlier = (scope.select(Mail, Mail.id, Mail.message_key).where(Mail.thread == mail.thread_id, Mail.id != mail.id, Mail.date <= mail.date)       # type: ignore[attr-defined]
               .order_by(Mail.date.desc(), Mail.id.desc()).limit(4 * MOST_THREAD).tuples())
    known, ids = {bytes(mail.message_key or b"")}, []
    for id, key in earlier:
        if key is None or bytes(key) not in known:
            known.add(bytes(key or b""))
            ids.append(id)
    return ids[:MOST_THREAD]


def _piece(parsed: ParsedMail, own: Sequence[str]) -> Piece:
    role = "sent" if parsed.sender.address in own else "received"
    return Piece(role, parsed.sender.name or parsed.sender.address, parsed.date, parsed.subject, parsed.text)


def _masker(scope: Scope, parsed: Sequence[ParsedMail], own: Sequence[str]) -> Masker:
    people = [person for one in parsed for person in (one.sender, *one.to, *one.cc, *one.reply_to)]
    mine = [person for person in people if person.address in own] + [Address(scope.user.name, address) for address in own]
    return Masker([*people, *senders.contacts(scope, MOST_CONTACTS)], mine)
