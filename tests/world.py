"""A small world for tests: one account, one folder, mails made of plain text."""

import datetime as dt

from mailhelper import drafts, enclosures, judge, providers, ratings, removal, rulebook, runner, tagging, tags, trusted
from mailhelper.imap import Fetched
from mailhelper.intake import Intake
from mailhelper.models import Account, Act, Draft, Enclosure, Folder, Job, Mail, Outgoing, Rule, RuleHit, Tag, Trusted
from mailhelper.scope import Scope

ADDRESS = "ann@home.example"
SERVER = {"host": "127.0.0.1", "port": 1, "security": "none", "username": "ann", "password": "secret of ann", "fingerprint": ""}
RECEIVED = dt.datetime(2026, 11, 20, 9, 12)


def raw(subject: str = "Contract", text: str = "Dear Ann, could you sign the contract by Friday?",
        sender: str = "Miriam Keller <miriam@work.example>",
        id: str = "one@work.example", **headers: str) -> bytes:
    """A mail as bytes; `headers` with _ for -."""
    lines = {"From": sender, "To": f"Ann <{ADDRESS}>", "Subject": subject, "Date": "Fri, 20 Nov 2026 09:12:00 +0000", "Message-ID": f"<{id}>",
             "Content-Type": "text/plain; charset=utf-8", **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{head}\r\n{text}\r\n".encode()


def account(scope: Scope) -> Account:
    with scope:
        return scope.create(Account, name="Home", address=ADDRESS, address_key=scope.vault.lookup("address", ADDRESS), imap=SERVER)


def folder(scope: Scope, account: Account, name: str = "INBOX", role: str = "inbox") -> Folder:
    with scope:
        return scope.create(Folder, account=account, name=name, name_key=scope.vault.lookup("folder", name), role=role, uidvalidity=1)


def keep(scope: Scope, place: Folder, *mails: bytes, uid: int = 1, flags: tuple[str, ...] = ()) -> list[Mail]:
    """Take mails in; their UIDs count up from `uid`."""
    with scope:
        fetched = [Fetched(uid + number, RECEIVED + dt.timedelta(minutes=number), flags, one) for number, one in enumerate(mails)]
        intake = Intake(scope, scope.get(Account, place.account_id))
        intake.keep(place, [intake.arrive(one) for one in fetched])
        return list(scope.select(Mail).where(Mail.folder == place, Mail.uid << [one.uid for one in fetched]).order_by(Mail.uid))


def fill(scope: Scope) -> Mail:
    """One account with one mail that has an attachment, and one job that has ended."""
    place = folder(scope, account(scope))
    text = ("--b\r\nContent-Type: text/plain\r\n\r\nDear Ann, could you sign the contract by Friday?\r\n"
            "--b\r\nContent-Type: application/pdf; name=contract.pdf\r\nContent-Disposition: attachment\r\n\r\nPDF\r\n--b--")
    mail = keep(scope, place, raw(text=text, Content_Type="multipart/mixed; boundary=b"))[0]
    with scope:
        scope.create(Job, kind="sync_user_emails", subject=place.account_id, state="completed", message="done")
    return mail


def remove(scope: Scope, account_id: int) -> None:
    """Remove a mailbox, and let the job that deletes it run."""
    removal.remove(scope, account_id)
    runner.run(scope.select(Job, Job.id).where(Job.kind == removal.KIND, Job.subject == account_id).order_by(Job.id.desc()).get().id)


def done(scope: Scope) -> Act:
    """A line of the journal: some mail of the world was marked as read."""
    with scope:
        mail = scope.select(Mail).get()
        place = {"folder": mail.folder_id, "name": "INBOX", "uid": mail.uid, "uidvalidity": 1}
        return scope.create(Act, account=mail.account_id, mail=mail, what="seen", value=True, state="done",
                            detail={"subject": "Contract", "from": place, "undoes": None})


def tagged(scope: Scope) -> Tag:
    """A tag on some mail of the world."""
    with scope:
        [tag] = tags.made(scope, ["Club"])
        tagging.add(scope, [scope.select(Mail, Mail.id).scalar()], [tag])
        return tag


def ruled(scope: Scope) -> Rule:
    """A rule that did something to the mail of the world."""
    with scope:
        conditions, actions = [{"type": "sender_domain", "value": "work.example"}], [{"type": "tag", "value": "Club"}]
        rule = rulebook.create(scope, {"name": "Work", "conditions": conditions, "actions": actions})
        scope.create(RuleHit, rule=rule, mail=scope.select(Mail, Mail.id).scalar(), what="tag", state="done",
                     detail={"rule": "Work", "subject": "Contract", "value": "Club", "before": None})
        return rule


def outgoing(scope: Scope, state: str = "waiting") -> Outgoing:
    """A mail of the world on its way out."""
    with scope:
        one = draft(scope)
        detail = {"message_id": "out@home.example", "date": "2026-11-20T09:12:00+00:00", "subject": "Re: Contract", "to": ["miriam@work.example"]}
        return scope.create(Outgoing, account=one.account_id, draft=one, mail=one.mail_id, state=state, detail=detail)


def enclosed(scope: Scope) -> Enclosure:
    """A file of some draft of the world."""
    return enclosures.add(scope, draft(scope).id, "contract.pdf", "application/pdf", [b"PDF"])


def trust(scope: Scope) -> Trusted:
    """A host that is trusted."""
    return trusted.add(scope, {"entry": "@work.example"})


def ai_server(scope: Scope) -> int:
    """An AI server where nobody listens."""
    return providers.create(scope, {"name": "Box", "base_url": "http://127.0.0.1:1/v1", "api_key": "key-of-ann", "base_model": "qwen3:4b",
                                    "prices": {"qwen3:4b": {"in": 0, "out": 0}}}).id


def draft(scope: Scope) -> Draft:
    """An answer to some mail of the world."""
    return drafts.write(scope, scope.select(Mail).get(), "Dear Miriam,\n\nyes, on [day].", "professional", "llm:test")


def ai(scope: Scope) -> int:
    """A provider whose server is not there, mailboxes that allow it, and a base rating of each mail; the provider's id."""
    scope.update(Account, mode="llm_original").execute()
    for mail in scope.select(Mail):
        ratings.store(scope, mail.id, "base", judge.rules(scope, mail))
    return providers.create(scope, {"name": "Box", "base_url": "http://127.0.0.1:9/v1", "base_model": "small", "optimize_model": "large"}).id
