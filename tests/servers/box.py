"""A mailbox on a real server, and the account here that follows it."""

from typing import Any

from mailhelper import accounts, db, mails, runner, sync
from mailhelper.egress import Door, Policy
from mailhelper.imap import Server
from mailhelper.models import Account, Job, Raw
from mailhelper.scope import Scope
from tests.servers.dovecot import Dovecot
from tests.world import raw


def letter(number: int | str, **headers: str) -> bytes:
    return raw(f"Mail {number}", id=f"{number}@x", **headers)


class Box:
    """A mailbox on the server, and the account here that follows it."""

    def __init__(self, scope: Scope, server: Dovecot) -> None:
        self.scope, self.server, self.user = scope, server, server.add_user()
        values = {"address": "ann@home.example", "imap": {"host": "127.0.0.1", "port": server.port, "security": "none", "username": self.user,
                                                          "password": server.password(self.user)}}
        self.account: Account = accounts.create(scope, values)

    @property
    def imap(self) -> Server:
        return accounts.server(self.account)

    @property
    def door(self) -> Door:
        """For looking at the server beside the sync; leaves no line in the ledger."""
        return Door(Policy(private=True), lambda entry: None)

    def deliver(self, *numbers: int | str, folder: str = "INBOX", flags: tuple[str, ...] = (), **headers: str) -> None:
        self.server.deliver([letter(number, **headers) for number in numbers], folder, self.user, flags)

    def filter(self, **filters: Any) -> None:
        accounts.change(self.scope, self.account.id, {"filters": filters or None})

    def start(self, **params: Any) -> Job:
        return sync.start(self.scope, self.account.id, **params)

    def job(self, **params: Any) -> Job:
        """One run, whatever came of it."""
        job = self.start(**params)
        runner.run(job.id)
        return self.scope.get(Job, job.id)

    def sync(self, **params: Any) -> dict[str, Any]:
        """The counts of a run that went well."""
        job = self.job(**params)
        assert (job.state, job.error) == ("completed", None)
        result: dict[str, Any] = job.result
        return result

    def counts(self, **params: Any) -> tuple[int, int, int, int]:
        result = self.sync(**params)
        assert result["errors"] == []
        return result["email_count"], result["updated"], result["moved"], result["deleted"]

    def here(self, folder: str = "") -> set[str]:
        """Subjects of the mails here."""
        return {row["subject"].removeprefix("Mail ") for row in self.rows() if folder in ("", row["folder"])}

    def rows(self) -> list[dict[str, Any]]:
        page = mails.page(self.scope, {"limit": "200"}, "en")
        assert page.total == len(page.items) == self.scope.select(Raw).count()
        assert db.db.execute_sql("SELECT COUNT(*) FROM mail_words").fetchone()[0] == page.total
        return page.items

    def id(self, number: int | str) -> int:
        return int(next(row["id"] for row in self.rows() if row["subject"] == f"Mail {number}"))

    def act(self, folder: str, *commands: tuple[str, ...]) -> None:
        """What another mail program does meanwhile."""
        with self.server.session(self.user) as session:
            session.select(folder)
            for name, *arguments in commands:
                status, said = session.uid(name, *arguments) if name != "EXPUNGE" else session.expunge()
                assert status == "OK", said


def new_uidvalidity(box: Box, folder: str = "INBOX") -> None:
    """Dovecot gives new UIDs when its list of them is gone."""
    place = box.server.maildir(folder, box.user)
    for path in place.iterdir():
        if path.name.startswith("dovecot"):
            path.unlink()
    (place / "dovecot-uidlist").write_text("3 V1999999999 N1 G0123456789abcdef0123456789abcdef\n")
    box.server._give(place / "dovecot-uidlist")
