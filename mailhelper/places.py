"""Where an act takes a mail: the folders of its own mailbox, by name, by what they are for, or back where it came from."""

from mailhelper.errors import Conflict, Invalid
from mailhelper.models import DONE, PENDING, Account, Act, Folder, Mail
from mailhelper.scope import Scope

MOVES = ("move", "trash", "archive", "undelete")
ARCHIVE = "Archive"


def target(scope: Scope, account: Account, mail: Mail, what: str, to: object) -> Folder:
    """The folder that an act of MOVES means; inside the owner's scope.

    Raises NotFound for a foreign id, Invalid for what is no folder there, Conflict no_trash, no_archive, not_in_trash.
    """
    if what == "trash":
        return _trash(scope, account)
    if what == "archive":
        return _archive(scope, account, make=bool(to))
    return _home(scope, account, mail) if what == "undelete" else _folder(scope, account, to)


def with_role(scope: Scope, account: Account, role: str) -> Folder | None:
    """The account's folder for this, if the server has one."""
    found = scope.select(Folder).where(Folder.account == account, Folder.role == role, Folder.gone_at.is_null())
    row: Folder | None = found.order_by(Folder.id).first()
    return row


def holds(scope: Scope, folder_id: int, uid: int) -> bool:
    """Whether a mail here stands under this UID."""
    return bool(scope.select(Mail, Mail.id).where(Mail.folder == folder_id, Mail.uid == uid).exists())


def _trash(scope: Scope, account: Account) -> Folder:
    """Raises Conflict("no_trash") for a server that has none; imported mail gets one."""
    row = with_role(scope, account, "trash")
    if row is None and account.kind != "local":
        raise Conflict("no_trash")
    return row or _make(scope, account, "Trash", "trash")


def _archive(scope: Scope, account: Account, make: bool) -> Folder:
    """Raises Conflict("no_archive") where there is none, unless the owner said that it may be made: on the server, by the job that tells it."""
    row = with_role(scope, account, "archive")
    if row is None and not make:
        raise Conflict("no_archive")
    return row or _make(scope, account, _prefix(scope, account) + ARCHIVE, "archive")


def _make(scope: Scope, account: Account, name: str, role: str) -> Folder:
    key = scope.vault.lookup("folder", name)
    row: Folder | None = scope.select(Folder).where(Folder.account == account, Folder.name_key == key).get_or_none()
    if row is None:
        return scope.create(Folder, account=account, name=name, name_key=key, role=role)
    scope.update(Folder, role=role, gone_at=None).where(Folder.id == row.id).execute()
    return scope.get(Folder, row.id)


def _prefix(scope: Scope, account: Account) -> str:
    """Servers such as Courier keep all folders below the inbox: "INBOX." before each name."""
    names = [name for name, in scope.select(Folder, Folder.name).where(Folder.account == account, Folder.gone_at.is_null()).tuples()]
    others = {name[:6] for name in names if name.upper() != "INBOX"}
    return others.pop() if len(others) == 1 and others & {"INBOX.", "INBOX/"} else ""


def _home(scope: Scope, account: Account, mail: Mail) -> Folder:
    """Where it was before it came into the trash, as far as that is known, else the inbox."""
    here = scope.get(Folder, mail.folder_id)        # type: ignore[attr-defined]
    if here.role != "trash":
        raise Conflict("not_in_trash")
    moves = scope.select(Act).where(Act.mail == mail, Act.what << MOVES, Act.state << (PENDING, DONE)).order_by(Act.id.desc()).limit(20)
    came = next((one.detail["from"]["folder"] for one in moves if one.detail["to"]["folder"] == here.id), 0)
    origin = scope.select(Folder).where(Folder.id == came, Folder.account == account, Folder.gone_at.is_null()).get_or_none()
    home = origin or with_role(scope, account, "inbox") or scope.select(Folder).where(Folder.account == account, Folder.id != here.id).first()
    if home is None:
        raise Conflict("undo_gone")
    return home     # type: ignore[no-any-return]


def _folder(scope: Scope, account: Account, to: object) -> Folder:
    """A folder of the mail's own account.  Raises NotFound for a foreign id, Invalid for what is no folder there."""
    if isinstance(to, int) and not isinstance(to, bool):
        row: Folder | None = scope.get(Folder, to)
    else:
        key = scope.vault.lookup("folder", str(to))
        row = scope.select(Folder).where(Folder.account == account, Folder.name_key == key).get_or_none()
    if row is None or row.account_id != account.id or row.gone_at:      # type: ignore[attr-defined]
        raise Invalid(fields={"folder": "no_such_folder"})
    return row
