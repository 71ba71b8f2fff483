"""Files of large mails that a sync left on the server: fetches one when somebody asks for it."""

from typing import Any

from mailhelper import accounts, imap, intake, jobs, message
from mailhelper.db import db
from mailhelper.errors import Conflict, NotFound, Refused
from mailhelper.message import Attachment
from mailhelper.models import Account, Body, Folder, Job, Mail, Raw
from mailhelper.runner import Step
from mailhelper.scope import Scope

LARGEST = 25_000_000        # bytes of a file that is kept here


def start(scope: Scope, mail_id: object, number: int) -> Job:
    """Queue fetching one file.  Raises NotFound; Conflict attachment_here, attachment_too_large, or when one of that mail is under way."""
    with scope:
        mail = scope.get(Mail, mail_id)
        part = _part(scope, mail, number)
        if part.size > LARGEST:
            raise Conflict("attachment_too_large", size=LARGEST // 1_000_000)
        return jobs.start(scope, "fetch_attachment", mail.id, number=number)


@jobs.kind("fetch_attachment", timeout=600, retries=2, wait=30, priority=70)
def run(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    """Fetch one file and put it in its place; its result is {email_id, number, size}."""
    mail, number = scope.get(Mail, job.subject), int(jobs.params(job)["number"])
    part = _part(scope, mail, number)
    account, folder = scope.get(Account, mail.account_id), scope.get(Folder, mail.folder_id)       # type: ignore[attr-defined]
    step(0, 0, "connecting")
    with imap.open(accounts.server(account), accounts.door(scope)) as box:
        selected = box.examine(folder.name)
        known = mail.uid > 0 and selected.uidvalidity == folder.uidvalidity
        step(0, 0, "fetching_file")
        data = box.section(mail.uid, part.left_out) if known else b""
    if not data:
        raise Refused("act_gone")       # moved or deleted since the last sync
    size = _keep(scope, mail, number, data)
    return {"email_id": mail.id, "number": number, "size": size}


def _part(scope: Scope, mail: Mail, number: int) -> Attachment:
    part, _ = message.attachment(scope.get(Raw, mail.id).data, number)
    if not (part.left_out and mail.partial):
        raise Conflict("attachment_here")
    return part


def _keep(scope: Scope, mail: Mail, number: int, data: bytes) -> int:
    """Store the mail with that file in it; how many bytes the file has."""
    raw = message.fill_in(scope.get(Raw, mail.id).data, number, data)
    parsed = message.parse(raw)
    if not 1 <= number <= len(parsed.attachments):
        raise NotFound()
    partial = any(part.left_out for part in parsed.attachments)
    with db.atomic():
        scope.update(Raw, data=raw).where(Raw.mail == mail.id).execute()
        scope.update(Body, content=intake.content(parsed)).where(Body.mail == mail.id).execute()
        scope.update(Mail, partial=partial or None).where(Mail.id == mail.id).execute()
    return parsed.attachments[number - 1].size
