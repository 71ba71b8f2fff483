"""Mails on their way out: sent once, or honestly unknown, never twice.

    waiting → sending → handing → sent          waiting: the time in which it can be undone, or until the next try
                 ↓         ↓                    handing: from right before the end of the text until the server's answer
              failed    unknown                 unknown: nobody knows; its owner decides, never a second try by itself
"""

import datetime as dt
from contextlib import suppress
from typing import Any

from mailhelper import accounts, acts, drafts, enclosures, errors, imap, invitations, jobs, journal, letter, mails, message, smtp, sync
from mailhelper.db import db, now
from mailhelper.errors import Cancelled, Conflict, Error, Invalid, NotFound, Unclear
from mailhelper.headers import Address
from mailhelper.imap import Mailbox
from mailhelper.language import zone
from mailhelper.letter import Letter
from mailhelper.models import Account, Draft, Job, Outgoing
from mailhelper.runner import Step
from mailhelper.scope import Scope

WAITING, SENDING, HANDING, SENT, FAILED, UNKNOWN, UNDONE = "waiting", "sending", "handing", "sent", "failed", "unknown", "undone"
UNDO_SECONDS = 10
RETRIES = 6
FILED_THERE = ("gmail.com", "googlemail.com", "office365.com", "outlook.com")       # servers that put what they send into Sent themselves


def send(scope: Scope, draft_id: object, seconds: float = UNDO_SECONDS, **more: str) -> Outgoing:
    """Have a draft sent, after the time in which that can be undone.  more: answer and calendar of an answered invitation (rsvp.py).

    Raises NotFound, Conflict (no_smtp, draft_sending), Invalid where nobody is to get it or an address cannot be written to.
    """
    with scope:
        draft = scope.get(Draft, draft_id)
        account = scope.get(Account, draft.account_id)      # type: ignore[attr-defined]
        if not account.smtp:
            raise Conflict("no_smtp")
        people: Any = draft.people
        recipients = [letter.wire_address(address) for name in drafts.PEOPLE for _, address in people[name]]
        if not recipients:
            raise Invalid(fields={"to": "nobody"})
        detail = {"message_id": letter.new_id(account.address), "date": _today(scope), "subject": draft.subject,
                  "to": list(dict.fromkeys(recipients)), **more}
        with db.atomic():
            if not scope.update(Draft, state="sending").where(Draft.id == draft.id, Draft.state == "draft").execute():
                raise Conflict("draft_sending")
            row = scope.create(Outgoing, account=account, draft=draft, mail=draft.mail_id, detail=detail)        # type: ignore[attr-defined]
            _start(scope, row, seconds)
        return row


def undo(scope: Scope, outgoing_id: object) -> Outgoing:
    """Keep it from being sent; its draft is one again.  Raises NotFound, Conflict("sent_already")."""
    with scope:
        row = scope.get(Outgoing, outgoing_id)
        with db.atomic():
            if not scope.update(Outgoing, state=UNDONE).where(Outgoing.id == row.id, Outgoing.state == WAITING).execute():
                raise Conflict("sent_already")
            _reopen(scope, row)
        if job := jobs.active(scope, "send_mail", row.id):
            jobs.cancel(scope, job.id)
        return scope.get(Outgoing, row.id)


def settle(scope: Scope, outgoing_id: object, sent: bool) -> Outgoing:
    """Its owner has found out whether an `unknown` one arrived: file it as sent, or make it a draft again.  Raises NotFound, Conflict."""
    with scope:
        row = scope.get(Outgoing, outgoing_id)
        news: dict[str, Any] = {"state": SENT, "sent_at": now(), "error": None} if sent else {"state": FAILED}
        with db.atomic():
            if not scope.update(Outgoing, **news).where(Outgoing.id == row.id, Outgoing.state == UNKNOWN).execute():
                raise Conflict("sent_already")
            if sent:
                _start(scope, row, 0)
            else:
                _reopen(scope, row)
        return scope.get(Outgoing, row.id)


def listed(scope: Scope, limit: int = 50, before: int | None = None) -> list[Outgoing]:
    """The newest first, below id `before`; inside the owner's scope."""
    query = scope.select(Outgoing).order_by(Outgoing.id.desc()).limit(limit)
    return list(query.where(Outgoing.id < before) if before else query)


def shown(row: Outgoing) -> dict[str, Any]:
    """The JSON shape; inside the owner's scope."""
    detail: Any = row.detail
    return {
        "id": row.id, "account_id": row.account_id, "draft_id": row.draft_id, "email_id": row.mail_id, "state": row.state,       # type: ignore[attr-defined]
        "subject": detail["subject"], "to": detail["to"], "message_id": detail["message_id"], "copy": row.copy, "created_at": row.created_at,
        "sent_at": row.sent_at,
    }


def open_ones(scope: Scope) -> int:
    """How many could not be sent, or may or may not have been: what their owner must look at."""
    return int(scope.select(Outgoing).where(Outgoing.state == UNKNOWN).count())


# ── the job ──

@jobs.kind("send_mail", retries=RETRIES, wait=30, priority=70)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Send one mail, file the copy, tell what it answers; its result is {state, copy}.  Each part is done once, however often it is run."""
    row = scope.get(Outgoing, job.subject)
    post = Post(scope, job, row)
    if row.state == HANDING:        # a worker died in the middle of the end
        post.unclear()
    elif row.state in (WAITING, SENDING):
        step(0, 0, "sending")
        post.hand_over()
    row = scope.get(Outgoing, row.id)
    if row.state == SENT and row.copy is None:
        step(1, 2, "filing")
        post.file()
    row = scope.get(Outgoing, row.id)
    return {"state": row.state, "copy": row.copy}


class Post:
    """One mail on its way."""

    def __init__(self, scope: Scope, job: Job, row: Outgoing) -> None:
        self.scope, self.job, self.row = scope, job, row
        self.account = scope.get(Account, row.account_id)       # type: ignore[attr-defined]
        self.detail: Any = row.detail

    def hand_over(self) -> None:
        """To the mail server; afterwards it is sent, or an error says what it is instead."""
        if not self._turn(SENDING, WAITING, SENDING):
            return
        try:
            text = self._letter()
            smtp.send(imap.Server(**self.account.smtp), accounts.door(self.scope), letter.wire_address(self.account.address), self.detail["to"],
                      letter.size(text), letter.pieces(text), self._ending)
        except Unclear:
            return self.unclear()
        except (Cancelled, errors.Locked):
            self._turn(WAITING, SENDING)
            raise
        except Error as error:
            self._failed(error)
            raise
        self._sent(HANDING)

    def unclear(self) -> None:
        """Nobody knows whether it was taken: what is in Sent has been; else its owner is asked."""
        if self._turn(UNKNOWN, HANDING):
            with suppress(Error), imap.open(accounts.server(self.account), accounts.door(self.scope)) as box:
                if self._is_there(box, self._sent_folder(box)):
                    self._sent(UNKNOWN)
        if self.scope.get(Outgoing, self.row.id).state == UNKNOWN:
            self.scope.update(Outgoing, error="send_unclear").where(Outgoing.id == self.row.id).execute()
            raise Unclear(host=self.account.smtp["host"])

    def file(self) -> None:
        """A copy into Sent, unless the server has put one there; then the draft has done its work."""
        try:
            copy = self._filed()
        except Error as error:
            if not error.permanent and self.job.failures < RETRIES:
                raise
            copy = "failed"
        with db.atomic():
            self.scope.update(Outgoing, copy=copy).where(Outgoing.id == self.row.id).execute()
            self.scope.delete(Draft).where(Draft.id == self.row.draft_id).execute()       # type: ignore[attr-defined]
        with suppress(Conflict, Invalid):
            sync.start(self.scope, self.account.id)

    def _filed(self) -> str:
        host = self.account.smtp["host"].lower()
        if self.account.kind != "imap" or any(host == one or host.endswith("." + one) for one in FILED_THERE):
            return "there"
        with imap.open(accounts.server(self.account), accounts.door(self.scope)) as box:
            folder = self._sent_folder(box)
            if self._is_there(box, folder):
                return "there"
            text = self._letter()
            box.append(folder, ("\\Seen",), letter.size(text), letter.pieces(text))
        return "filed"

    def _sent_folder(self, box: Mailbox) -> str:
        """By its role; made where there is none."""
        folders = box.folders()
        if found := next((one.name for one in folders if one.role == "sent" and one.selectable), None):
            return found
        below = {one.name[:6] for one in folders if one.role != "inbox"}
        name = (below.pop() if len(below) == 1 and below & {"INBOX.", "INBOX/"} else "") + "Sent"
        box.make(name)
        return name

    def _is_there(self, box: Mailbox, folder: str) -> bool:
        box.examine(folder)
        return bool(box.uids(["HEADER", "MESSAGE-ID", self.detail["message_id"]]))

    def _ending(self) -> None:
        if not self._turn(HANDING, SENDING):
            raise Cancelled()

    def _sent(self, state: str) -> None:
        """Note it, write it into the journal, and mark what it answers."""
        with db.atomic():
            news = self.scope.update(Outgoing, state=SENT, sent_at=now(), error=None, error_params=None)
            if not news.where(Outgoing.id == self.row.id, Outgoing.state == state).execute():
                return
            journal.note_sent(self.scope, self.account, self.row.mail_id, self.detail["subject"])      # type: ignore[attr-defined]
        if self.row.mail_id:      # type: ignore[attr-defined]
            if "answer" in self.detail:
                invitations.answered(self.scope, self.row.mail_id, self.detail["answer"])      # type: ignore[attr-defined]
            with suppress(NotFound):
                acts.act(self.scope, self.row.mail_id, "answered", True, why=acts.Why("job", self.job.id))      # type: ignore[attr-defined]

    def _failed(self, error: Error) -> None:
        over = error.permanent or self.job.failures >= RETRIES
        with db.atomic():
            turned = self.scope.update(Outgoing, state=FAILED if over else WAITING, error=error.code, error_params=error.params or None).where(
                Outgoing.id == self.row.id, Outgoing.state << (SENDING, HANDING)).execute()       # handing: the end was answered with a clear no
            if turned and over:
                _reopen(self.scope, self.row)

    def _turn(self, state: str, *before: str) -> bool:
        return bool(self.scope.update(Outgoing, state=state).where(Outgoing.id == self.row.id, Outgoing.state << before).execute())

    def _letter(self) -> Letter:
        draft = self.scope.get(Draft, self.row.draft_id)       # type: ignore[attr-defined]
        people = {name: [Address(*pair) for pair in draft.people[name]] for name in ("to", "cc")}
        answered = _answered(self.scope, self.row.mail_id)       # type: ignore[attr-defined]
        return Letter(
            sender=Address(_own_name(self.account), self.account.address), to=people["to"], cc=people["cc"], subject=draft.subject, text=draft.text,
            date=dt.datetime.fromisoformat(self.detail["date"]), message_id=self.detail["message_id"], in_reply_to=answered[-1] if answered else "",
            references=answered, files=enclosures.files(self.scope, draft.id),
            calendar=self.detail.get("calendar", ""), boundary=f"=_{self.detail['message_id'].partition('@')[0]}")


def _start(scope: Scope, row: Outgoing, seconds: float) -> None:
    job = jobs.start(scope, "send_mail", row.id, here=True)
    scope.update(Job, due=now() + dt.timedelta(seconds=seconds)).where(Job.id == job.id).execute()
    db.after_commit(lambda: jobs.wake(job, seconds))


def _reopen(scope: Scope, row: Outgoing) -> None:
    scope.update(Draft, state="draft").where(Draft.id == row.draft_id).execute()       # type: ignore[attr-defined]


def _today(scope: Scope) -> str:
    """The Date field, on the sender's own clock."""
    return now().replace(tzinfo=dt.UTC, microsecond=0).astimezone(zone(scope.user.timezone)).isoformat()


def _own_name(account: Account) -> str:
    """The name in From: what the mailbox is called, unless that is just its address."""
    return "" if account.name == account.address or "@" in account.name else account.name


def _answered(scope: Scope, mail_id: int | None) -> list[str]:
    """References of an answer (RFC 5322 §3.6.4): those of the mail it answers, and its own id last."""
    if not mail_id:
        return []
    with suppress(NotFound):
        mail = message.parse(mails.raw(scope, mail_id))
        before = mail.references or mail.in_reply_to[:1]
        return [*dict.fromkeys(before[:1] + before[1:][-18:] if len(before) > 19 else before), *([mail.message_id] if mail.message_id else [])]
    return []
