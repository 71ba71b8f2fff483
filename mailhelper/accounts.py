"""Mailboxes of a user: add, test, change, remove; and the door through which their connections go."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from peewee import Case, fn

from mailhelper import imap, pace, smtp
from mailhelper.config import config
from mailhelper.db import db, now
from mailhelper.egress import Door, Entry, Policy
from mailhelper.errors import Conflict, Invalid
from mailhelper.imap import Server
from mailhelper.models import Account, Egress, Folder, Grant, Mail, User
from mailhelper.scope import Scope, drop_grants, grant

FIELDS = ("name", "address", "imap", "smtp", "mode", "judge", "signature", "filters", "background", "interval")
SERVER = ("host", "port", "security", "username", "password", "fingerprint")
FILTERS = ("include", "exclude", "since", "unseen", "newest", "total", "largest")
SECURITY = ("tls", "starttls", "none")
LLM = ("llm_anonymized", "llm_original")         # modes in which a model may be asked, and what it sees
MODES = ("none", "builtin", *LLM)
JUDGE = ("unsure", "all")                        # which new mails it is asked about: those the built-in rater is unsure of, or all
MAX_SIGNATURE = 2000
BACKGROUND_TTL = dt.timedelta(days=30)


def create(scope: Scope, values: Mapping[str, Any]) -> Account:
    """Add a mailbox on a server.  `values` as in api.md.  Raises Invalid with the wrong fields ("imap.port", …)."""
    clean = _checked(values, None)
    with scope, db.atomic():
        clean["judge_from"] = now() if clean["mode"] in LLM else None
        account = scope.create(Account, kind="imap", address_key=_address_key(scope, clean["address"]), **clean)
        _grant_background(scope, account)
    return account


def create_local(scope: Scope, name: str, address: str) -> Account:
    """The mailbox of that name that holds imported mail; made if there is none."""
    with scope:
        for account in scope.select(Account).where(Account.kind == "local"):
            if account.name == name:
                return account      # type: ignore[no-any-return]
        return scope.create(Account, kind="local", name=name, address=address, address_key=_address_key(scope, address))


def local_folder(scope: Scope, account: Account, name: str, role: str = "") -> Folder:
    """The folder of that name of a mailbox of imported mail; made if there is none."""
    key = scope.vault.lookup("folder", name)
    row: Folder | None = scope.select(Folder).where(Folder.account == account, Folder.name_key == key).get_or_none()
    return row or scope.create(Folder, account=account, name=name, name_key=key, role=role)


def ledger(scope: Scope, limit: int, before: int | None = None) -> list[Egress]:
    """The newest outbound connections first, below id `before`."""
    with scope:
        query = scope.select(Egress).order_by(Egress.id.desc()).limit(limit)
        return list(query.where(Egress.id < before) if before else query)


def change(scope: Scope, account_id: object, values: Mapping[str, Any]) -> Account:
    """Change some fields; a password that is left out stays.  Raises Invalid, NotFound."""
    account = scope.get(Account, account_id)
    with scope, db.atomic():
        clean = _checked(values, account)
        clean["address_key"] = _address_key(scope, clean["address"])
        mended = clean["imap"] != account.imap      # another name does not make a password right
        clean["error"] = None if mended else account.error
        if clean["filters"] != account.filters:     # what they left out so far is not in what the next sync remembers
            scope.update(Folder, modseq=None).where(Folder.account == account).execute()
        if clean["mode"] in LLM and account.mode not in LLM:
            clean["judge_from"] = now()
        scope.update(Account, **clean).where(Account.id == account.id).execute()
        changed = scope.get(Account, account.id)
        if mended or changed.interval != account.interval:
            pace.hurry(changed)
        _grant_background(scope, changed)
    return changed


def listed(scope: Scope) -> list[Account]:
    with scope:
        return list(scope.select(Account).order_by(Account.id))


def renew_background(scope: Scope) -> None:
    """At sign-in: the opt-in to syncing while logged out counts thirty days from now again, also where it had run out."""
    scope.update(Grant, expires_at=now() + BACKGROUND_TTL).where(Grant.purpose == "background").execute()
    granted = scope.select(Grant, Grant.subject).where(Grant.purpose == "background")
    for id, in scope.select(Account, Account.id).where(Account.background, Account.id.not_in(granted)).tuples():
        grant(scope, "background", BACKGROUND_TTL, subject=id)


def background_ends(scope: Scope) -> dict[int, dt.datetime]:
    """{account id: when its opt-in to syncing while logged out runs out}."""
    return dict(scope.select(Grant, Grant.subject, Grant.expires_at).where(Grant.purpose == "background").tuples())


def server(account: Account) -> Server:
    """How to reach its IMAP server; inside the owner's scope."""
    return Server(**account.imap)


def door(scope: Scope, typed: str = "") -> Door:
    """The user's way out: their policy, and a ledger they can read.  `typed`: a mail host that they enter just now.

    Connections last longer than a request's transaction and end in other threads, so the entry is written by the scope it was made in.
    """
    local_only = bool(User.select(User.local_only).where(User.id == scope.user.id).scalar())      # a watcher's scope may be hours old
    policy = Policy(private=scope.user.admin, allowed=config.allow_private, local_only=local_only,
                    named=_mail_hosts(scope) | {typed} if local_only else frozenset())

    def ledger(entry: Entry) -> None:
        with scope:
            scope.create(Egress, **entry._asdict())

    return Door(policy, ledger)


def test(scope: Scope, values: Mapping[str, Any], account_id: object | None = None) -> imap.Probe:
    """Try to connect and sign in with these values (those of the account where left out).  Raises Invalid for values that cannot be tried."""
    with scope:
        account = scope.get(Account, account_id) if account_id is not None else None
        if account and account.kind != "imap":
            raise Invalid("local_account")
        merged = _checked(values, account)
        return imap.probe(Server(**merged["imap"]), door(scope, merged["imap"]["host"]))


def _mail_hosts(scope: Scope) -> frozenset[str]:
    """The servers of all the user's mailboxes."""
    with scope:
        return frozenset(server["host"] for row in scope.select(Account, Account.imap, Account.smtp) for server in (row.imap, row.smtp) if server)


def test_sending(scope: Scope, values: Any, account_id: object) -> imap.Probe:
    """The same for the server that sends: `values` as `smtp` of an account, or None for what is stored.

    Raises Invalid, NotFound, Conflict("no_smtp").
    """
    with scope:
        account = scope.get(Account, account_id)
        merged = _checked({"smtp": values} if values is not None else {}, account)
        if merged["smtp"] is None:
            raise Conflict("no_smtp")
        return smtp.probe(Server(**merged["smtp"]), door(scope))


def counts(scope: Scope, account: Account | None = None) -> dict[int, int]:
    """{account id: mails}, of all or of one; without those that have none."""
    query = scope.select(Mail, Mail.account, fn.COUNT(Mail.id)).group_by(Mail.account)
    return dict((query.where(Mail.account == account) if account else query).tuples())


def shown(account: Account, mails: int) -> dict[str, Any]:
    """The JSON shape; passwords never come back."""
    return {
        "id": account.id, "kind": account.kind, "name": account.name, "address": account.address, "mode": account.mode,
        "judge": account.judge, "imap": _without_password(account.imap), "smtp": _without_password(account.smtp), "signature": account.signature,
        "filters": account.filters, "background": account.background, "interval": account.interval or pace.INTERVAL, "synced_at": account.synced_at,
        "error": account.error, "emails": mails, "created_at": account.created_at,
    }


def folder_counts(scope: Scope) -> dict[int, int]:
    """{account id: folders}, without those that have none."""
    return dict(scope.select(Folder, Folder.account, fn.COUNT(Folder.id)).where(Folder.gone_at.is_null()).group_by(Folder.account).tuples())


def folder_names(scope: Scope) -> dict[int, list[dict[str, Any]]]:
    """{account id: [{id, name, role}]} of all folders there are, inbox first."""
    names: dict[int, list[dict[str, Any]]] = {}
    with scope:
        rows = scope.select(Folder, Folder.account, Folder.id, Folder.name, Folder.role).where(Folder.gone_at.is_null()).tuples()
        for account, id, name, role in sorted(rows, key=lambda row: (row[3] != "inbox", row[2].casefold())):
            names.setdefault(account, []).append({"id": id, "name": name, "role": role})
    return names


def folders(scope: Scope, account_id: object) -> list[dict[str, Any]]:
    """Its folders with counts and last sync.  Raises NotFound."""
    account = scope.get(Account, account_id)
    unread = fn.SUM(Case(None, [(Mail.seen, 0)], 1))
    counted = {row[0]: row[1:] for row in scope.select(Mail, Mail.folder, fn.COUNT(Mail.id), unread)
               .where(Mail.account == account).group_by(Mail.folder).tuples()}
    with scope:
        rows = list(scope.select(Folder).where(Folder.account == account, Folder.gone_at.is_null()))
    return [{"id": row.id, "name": row.name, "role": row.role, "total": counted.get(row.id, (0, 0))[0], "unread": int(counted.get(row.id, (0, 0))[1]),
             "synced_at": row.scanned_at, "error": row.error} for row in sorted(rows, key=lambda row: (row.role != "inbox", row.name.casefold()))]


def _checked(values: Mapping[str, Any], account: Account | None) -> dict[str, Any]:
    """The columns that `values` mean, over those the account has.  Raises Invalid."""
    wrong: dict[str, Any] = {name: "unknown_field" for name in values if name not in FIELDS}
    fresh: dict[str, Any] = {"smtp": None, "filters": None, "mode": "builtin", "judge": "unsure", "signature": None, "background": False,
                             "interval": pace.INTERVAL}
    old = {name: getattr(account, name) for name in FIELDS} if account else fresh
    merged = {**old, **values}
    _text(merged, "name", wrong, merged.get("address"))
    if "@" not in _text(merged, "address", wrong)[1:-1]:
        wrong.setdefault("address", "bad_address")
    for name, choices in (("mode", MODES), ("judge", JUDGE)):
        if merged[name] not in choices:
            wrong[name] = ("bad_choice", {"choices": ", ".join(choices)})
    if not isinstance(merged["signature"], str | None) or len(merged["signature"] or "") > MAX_SIGNATURE:
        wrong["signature"] = ("too_long", {"count": MAX_SIGNATURE})
    if not isinstance(merged["background"], bool):
        wrong["background"] = "not_a_boolean"
    elif merged["background"] and account and account.kind != "imap":
        wrong["background"] = "local_account"
    merged["interval"] = _whole(pace.INTERVAL if merged["interval"] is None else merged["interval"], "interval", pace.LEAST, pace.MOST, wrong)
    if account is None or account.kind == "imap":
        merged["imap"] = _server(merged.get("imap"), old.get("imap"), "imap", wrong)
    elif merged.get("imap"):
        wrong["imap"] = "local_account"
    if merged["smtp"] is not None:
        merged["smtp"] = _server(merged["smtp"], old.get("smtp"), "smtp", wrong)
    merged["filters"] = _filters(merged["filters"], wrong)
    if wrong:
        raise Invalid(fields=wrong)
    return {name: merged.get(name) for name in FIELDS}


def _text(values: dict[str, Any], name: str, wrong: dict[str, Any], default: Any = None) -> str:
    value = values.get(name) or default
    if not isinstance(value, str) or not value.strip():
        wrong.setdefault(name, "missing")
        return ""
    values[name] = value.strip()[:200]
    return value.strip()


def _whole(value: Any, name: str, low: int, high: int, wrong: dict[str, Any]) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        wrong[name] = ("out_of_range", {"low": low, "high": high})
    return value


def _server(values: Any, old: dict[str, Any] | None, field: str, wrong: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        wrong[field] = "missing"
        return {}
    wrong.update({f"{field}.{name}": "unknown_field" for name in values if name not in SERVER})
    kept = dict(old or {})
    if old and str(values.get("host") or old["host"]).lower() != old["host"].lower():
        kept |= {"password": "", "fingerprint": ""}     # never to another host: who may only change settings must not learn it
    given = {name: value for name, value in values.items() if value is not None and not (name == "password" and value == "")}
    merged = {"fingerprint": "", "security": "tls", **kept, **given}
    for name in ("host", "username", "password"):
        if not isinstance(merged.get(name), str) or not merged[name].strip():
            wrong[f"{field}.{name}"] = "missing"
    _whole(merged.get("port"), f"{field}.port", 1, 65535, wrong)
    if merged["security"] not in SECURITY:
        wrong[f"{field}.security"] = ("bad_choice", {"choices": ", ".join(SECURITY)})
    if not isinstance(merged["fingerprint"], str):
        wrong[f"{field}.fingerprint"] = "missing"
    return {name: merged.get(name) for name in SERVER}


def checked_filters(values: Any) -> dict[str, Any] | None:
    """Filters as they are kept, None for none.  Raises Invalid with the wrong fields."""
    wrong: dict[str, Any] = {}
    filters = _filters(values, wrong)
    if wrong:
        raise Invalid(fields=wrong)
    return filters


def _filters(values: Any, wrong: dict[str, Any]) -> dict[str, Any] | None:
    if not values:
        return None
    if not isinstance(values, Mapping):
        wrong["filters"] = "missing"
        return None
    wrong.update({f"filters.{name}": "unknown_field" for name in values if name not in FILTERS})
    for name in ("include", "exclude"):
        if not isinstance(values.get(name, []), list) or not all(isinstance(item, str) for item in values.get(name, [])):
            wrong[f"filters.{name}"] = "not_a_list"
    for name in ("newest", "total"):
        if values.get(name) is not None:
            _whole(values[name], f"filters.{name}", 1, 10_000_000, wrong)
    if not isinstance(values.get("unseen", False), bool):
        wrong["filters.unseen"] = "not_a_boolean"
    try:
        dt.date.fromisoformat(values.get("since") or "2000-01-01")
    except (ValueError, TypeError):
        wrong["filters.since"] = "bad_date"
    return dict(values)


def _grant_background(scope: Scope, account: Account) -> None:
    """Keep the grant in step with the opt-in."""
    drop_grants(scope, Grant.purpose == "background", Grant.subject == account.id)
    if account.background:
        grant(scope, "background", BACKGROUND_TTL, subject=account.id)


def _without_password(values: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in values.items() if name != "password"} if values else None


def _address_key(scope: Scope, address: str) -> bytes:
    return scope.vault.lookup("address", address.lower())
