"""The sample mailbox: some sixty mails of Anna Berger, who does not exist, for looking around before one's own mail is here."""

import datetime as dt
import hashlib
from itertools import groupby

from peewee import chunked

from mailhelper import accounts, limits
from mailhelper.db import db
from mailhelper.imap import Fetched
from mailhelper.intake import BATCH, Intake
from mailhelper.language import t
from mailhelper.models import Account, Folder, Mail
from mailhelper.samplemail import OWNER, Letter, letters
from mailhelper.scope import Scope

ADDRESS = OWNER.rpartition("<")[2].rstrip(">")
FOLDERS = {"Sent": "sent", "INBOX": "inbox", "Newsletter": ""}      # the sent ones first: whom she wrote to is known when they answer


def load(scope: Scope, now: dt.datetime, lang: str) -> int:
    """Put the sample mailbox into an account of its own; `now` is naive UTC.  The number of mails added: 0 when it is there already."""
    with scope:
        account, folders = _place(scope, lang)
        written = letters(now, scope.user.timezone)
        intake, added = Intake(scope, account), 0
        for name, group in groupby(sorted(written, key=lambda one: list(FOLDERS).index(one.folder)), key=lambda one: one.folder):
            for batch in chunked(group, BATCH):
                kept = intake.keep(folders[name], [intake.arrive(Fetched(_uid(one), one.received, one.flags, one.raw)) for one in batch])
                added += kept.new
        if added == len(written):
            done = [_uid(one) for one in written if one.done]
            scope.update(Mail, done_at=now).where(Mail.account == account, Mail.uid << done).execute()
        return added


def _place(scope: Scope, lang: str) -> tuple[Account, dict[str, Folder]]:
    """Account and folders of the sample, made if there are none; two clicks at a time make one."""
    with db.atomic():
        limits.count(f"sample:{scope.user.id}", 1)      # writing one row makes the other wait for our commit
        account = _account(scope) or accounts.create_local(scope, t(lang, "welcome.sample_name"), ADDRESS)
        return account, {name: accounts.local_folder(scope, account, name, role) for name, role in FOLDERS.items()}


def _account(scope: Scope) -> Account | None:
    """Known by its owner's address: its name is in the language of whoever loaded it, and can be changed."""
    return next((one for one in accounts.listed(scope) if one.kind == "local" and one.address == ADDRESS), None)


def _uid(letter: Letter) -> int:
    """The same for a mail whenever it is loaded, though its days differ."""
    return int.from_bytes(hashlib.sha256(letter.name.encode()).digest()[:6])
