"""The command line.  Results on standard output in a form that scripts can read, everything else on standard error."""

import argparse
import getpass
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mailhelper import __version__, accounts, db, demo, diagnosis, importer, jobs, logs, mails, queue, runner, serve, sync, users, worker
from mailhelper.config import config, shown
from mailhelper.db import db as database
from mailhelper.doctor import checks
from mailhelper.errors import Conflict, Error, Invalid, NotFound
from mailhelper.models import ACTIVE, COMPLETED, Account, Job
from mailhelper.scope import Scope
from mailhelper.web.routing import to_json

assert worker.huey      # imported for the job kinds it registers
LANG = "en"
MARKS = {diagnosis.GOOD: "ok  ", diagnosis.HINT: "hint", diagnosis.BAD: "BAD "}
WITHOUT_SCHEMA = ("config", "doctor", "db", "run")      # commands that may meet a database that is not up to date


def main(args: Sequence[str]) -> int:
    """Run one command; the exit code: 0, 1 failure, 2 usage."""
    asked = parser().parse_args(args)
    logs.setup(config.log_level if asked.command in ("run", "web", "worker", "watch") else "WARNING")
    try:
        if asked.command not in WITHOUT_SCHEMA:
            with database.connection_context():
                _check_schema(asked.command)
        code = asked.run(asked)
        return int(code or 0)
    except Error as error:
        fields = error.field_sentences(LANG) if isinstance(error, Invalid) else {}
        say(f"mailhelper: {error.sentence(LANG)}", *(f"  {name}: {words}" for name, words in fields.items()))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 1


def say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def out(value: Any) -> None:
    print(value if isinstance(value, str) else to_json(value), flush=True)


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="mailhelper", description="A self-hosted mail helper.", epilog="--data DIR is understood everywhere.")
    top.add_argument("--version", action="version", version=f"mailhelper {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., Any], help: str, *options: tuple[str, dict[str, Any]], under: Any = None) -> None:
        one = (under or commands).add_parser(name, help=help)
        for flag, settings in options:
            one.add_argument(flag, **settings)
        one.set_defaults(run=run)

    def group(name: str, help: str) -> Any:
        return commands.add_parser(name, help=help).add_subparsers(dest="what", required=True, metavar="WHAT")

    user: tuple[str, dict[str, Any]] = ("--user", {"required": True, "metavar": "NAME"})
    as_json: tuple[str, dict[str, Any]] = ("--json", {"action": "store_true", "help": "as JSON"})
    command("run", lambda asked: serve.run(), "web, worker and watcher together")
    command("web", lambda asked: serve.web(), "the web server alone")
    command("worker", lambda asked: serve.worker(not asked.no_periodic), "the worker alone",
            ("--no-periodic", {"action": "store_true", "help": "start no periodic jobs: exactly one worker of several should"}))
    command("watch", lambda asked: serve.watcher(), "the watcher alone: listens to mail servers and has new mail fetched at once")
    command("demo", lambda asked: demo.run(asked.port), "a throw-away instance with a sample mailbox, until it is stopped",
            ("--port", {"type": int, "help": "default: any that is free"}))
    people = group("user", "people")
    command("add", user_add, "make a user; password from standard input", ("name", {}), ("--admin", {"action": "store_true"}), under=people)
    command("list", user_list, "all users", as_json, under=people)
    command("passwd", user_passwd, "change a password: the old one, then the new one", ("name", {}), under=people)
    command("create", token_create, "make a personal token; prints it alone", user,
            ("--scope", {"default": "read,triage,write", "help": "of read, triage, write, admin"}), ("--days", {"type": int, "default": 365}),
            under=group("token", "personal tokens"))
    boxes = group("account", "mailboxes")
    command("add", account_add, "add a mailbox; your password, then the mailbox's; prints its id", user, ("--address", {"required": True}),
            ("--host", {"required": True}), ("--port", {"type": int}), ("--security", {"choices": accounts.SECURITY, "default": "tls"}),
            ("--username", {"help": "default: the address"}), ("--name", {"help": "default: the address"}), ("--fingerprint", {"default": ""}),
            ("--mode", {"choices": accounts.MODES, "default": "builtin"}), under=boxes)
    command("list", account_list, "mailboxes of a user", user, as_json, under=boxes)
    command("test", account_test, "examine the way to its server, step by step", ("id", {}), user, as_json, under=boxes)
    command("sync", sync_now, "fetch mail now", user, ("--account", {"metavar": "ID"}))
    command("import", import_now, "take mail from mbox, Maildir, .eml or a folder of them", ("path", {"type": Path}), user,
            ("--name", {"default": "Import"}), ("--address", {"default": "", "help": "whose mail it is"}))
    command("search", search_now, "find mail", ("query", {}), user, as_json)
    command("doctor", doctor, "check that everything is as it should be", as_json)
    command("config", config_shown, "all settings and their effective values", as_json)
    base = group("db", "the database")
    command("upgrade", db_upgrade, "bring it up to date", under=base)
    command("status", db_status, "what is applied and pending", as_json, under=base)
    return top


def _check_schema(command: str) -> None:
    """`user add` on a fresh directory just works; a database of an older version wants `db upgrade`."""
    if not db.runner().applied():
        db.upgrade()
    elif waiting := db.pending():
        say(f"mailhelper: the database needs {', '.join(waiting)}; please run: mailhelper db upgrade")
        raise SystemExit(1)


def secret(prompt: str) -> str:
    """A password: asked at a terminal, else one line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{prompt}: ")
    return sys.stdin.readline().rstrip("\r\n")


def opened(name: str) -> Scope:
    """The user's scope, by their password."""
    return users.unlock(name, secret(f"Password of {name}"))


# ── people ──

def user_add(asked: argparse.Namespace) -> None:
    with database.connection_context():
        out(str(users.create(asked.name, secret("New password"), admin=asked.admin).user.name))


def user_list(asked: argparse.Namespace) -> None:
    with database.connection_context():
        rows = [{"id": one.id, "name": one.name, "admin": one.admin, "disabled": one.disabled} for one in users.everybody()]
    table(asked, rows)


def user_passwd(asked: argparse.Namespace) -> None:
    with database.connection_context():
        old = secret("Present password")
        users.change_password(users.unlock(asked.name, old), old, secret("New password"))
    say("The password is changed; all sessions are ended.")


def token_create(asked: argparse.Namespace) -> None:
    with database.connection_context():
        out(users.token(opened(asked.user), tuple(asked.scope.split(",")), asked.days, "command line"))


def table(asked: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    """A list for scripts (--json) or eyes: tab-separated, a line a row."""
    if asked.json:
        out(rows)
        return
    for row in rows:
        out("\t".join("yes" if value is True else "" if value in (None, False) else str(value) for value in row.values()))


# ── mailboxes ──

def account_add(asked: argparse.Namespace) -> None:
    port = asked.port or (993 if asked.security == "tls" else 143)
    with database.connection_context(), opened(asked.user) as scope:
        server = {"host": asked.host, "port": port, "security": asked.security, "username": asked.username or asked.address,
                  "password": secret("Password of the mailbox"), "fingerprint": asked.fingerprint}
        account = accounts.create(scope, {"name": asked.name or asked.address, "address": asked.address, "imap": server, "mode": asked.mode})
    if asked.security == "none":
        say("Warning: without encryption, everybody on the way can read this mailbox and its password.")
    out(str(account.id))


def account_list(asked: argparse.Namespace) -> None:
    with database.connection_context(), opened(asked.user) as scope:
        rows = [{"id": one.id, "name": one.name, "address": one.address, "kind": one.kind, "mode": one.mode, "synced_at": one.synced_at,
                 "error": one.error} for one in accounts.listed(scope)]
    table(asked, rows)


def account_test(asked: argparse.Namespace) -> int:
    with database.connection_context(), opened(asked.user) as scope:
        account = scope.get(Account, asked.id)
        if account.kind != "imap":
            raise Invalid("local_account")
        lines = [diagnosis.told(one, LANG) for one in diagnosis.examine(accounts.server(account), accounts.door(scope))]
    if asked.json:
        out(lines)
    for line in [] if asked.json else lines:
        out(f"{MARKS[line['state']]} {line['title']}: {line['text']}")
    return int(any(line["state"] == diagnosis.BAD for line in lines))


def sync_now(asked: argparse.Namespace) -> int:
    with database.connection_context(), opened(asked.user) as scope:
        chosen = [scope.get(Account, asked.account).id] if asked.account else [one.id for one in accounts.listed(scope) if one.kind == "imap"]
        if not chosen:
            raise NotFound("no_account")
        return max(follow(scope, lambda id=id: sync.start(scope, id, here=True)) for id in chosen)      # type: ignore[misc]


def import_now(asked: argparse.Namespace) -> int:
    with database.connection_context(), opened(asked.user) as scope:
        account = accounts.create_local(scope, asked.name, asked.address or f"{scope.user.name}@localhost")
        return follow(scope, lambda: importer.start(scope, account, asked.path))


def follow(scope: Scope, start: Callable[[], Job]) -> int:
    """Do a job here, with a progress bar; or watch it, where a worker does it already.  Prints its result."""
    try:
        job = start()
        threading.Thread(target=runner.run, args=(job.id,), daemon=True).start()
    except Conflict as conflict:
        job = scope.get(Job, conflict.params["task_id"])
    try:
        while job.state in ACTIVE:
            time.sleep(0.2)
            with scope:
                job = scope.get(Job, job.id)
                bar(job)
    except KeyboardInterrupt:
        jobs.cancel(scope, job.id)
        raise
    if sys.stderr.isatty():
        say("")
    with scope:
        if job.state != COMPLETED:
            error = jobs.shown(job, LANG)["error"]
            say(error["message"] if error else jobs.message(job, LANG))
            return 1
        out(job.result)
    return 0


def bar(job: Job) -> None:
    """One line that is written over, at a terminal only."""
    if sys.stderr.isatty():
        full = job.progress * 30 // 100
        sys.stderr.write(f"\r[{'#' * full}{'.' * (30 - full)}] {job.progress:3} % {jobs.message(job, LANG)[:60]:60}")
        sys.stderr.flush()


def search_now(asked: argparse.Namespace) -> None:
    with database.connection_context(), opened(asked.user) as scope:
        found = mails.find(scope, asked.query, 50, LANG)
        if asked.json:
            out(found._asdict())
        else:
            for row in found.items:
                out(f"{row['id']}\t{row['date']:%Y-%m-%d}\t{row['from']['name'] or row['from']['address']}\t{row['subject']}")


# ── operating ──

def doctor(asked: argparse.Namespace) -> int:
    found = checks()
    if asked.json:
        out({"checks": found, "settings": {name: value for name, value, _ in shown(config)}})
    else:
        for check in found:
            out(f"{'ok  ' if check['ok'] else 'BAD '} {check['name']}: {check['text']}")
        for name, value, _ in shown(config):
            out(f"     {name}={value}")
    return 0 if all(check["ok"] or not check["grave"] for check in found) else 1


def config_shown(asked: argparse.Namespace) -> None:
    if asked.json:
        out([{"name": name, "value": value, "help": help} for name, value, help in shown(config)])
        return
    for name, value, help in shown(config):
        out(f"# {help}\n{name}={value}\n")


def db_upgrade(asked: argparse.Namespace) -> None:
    queue.prepare()
    with database.connection_context():
        out("\n".join(db.upgrade()) or "up to date")


def db_status(asked: argparse.Namespace) -> None:
    with database.connection_context():
        rows = [{"name": one.name, "applied": one.applied} for one in db.runner().status()]
    if asked.json:
        out(rows)
    else:
        for row in rows:
            out(f"{row['name']}\t{'applied' if row['applied'] else 'pending'}")
