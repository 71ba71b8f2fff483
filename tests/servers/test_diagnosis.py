"""The examination of real servers: what is well, what could be better, where the way breaks off."""

from pathlib import Path
from typing import Any

import pytest

from mailhelper import accounts, diagnosis, language, runner
from mailhelper.egress import Door, Entry, Policy
from mailhelper.imap import Server
from mailhelper.imapcheck import Measures
from mailhelper.models import Job
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.scripted_imap import EXAMINE, ScriptedServer, account, door
from tests.servers import dovecot as dovecots
from tests.servers.dovecot import Dovecot

needs_dovecot = pytest.mark.skipif(not dovecots.available(), reason="no dovecot here")
PARTS = ["connection", "login", "encryption", "capabilities", "folders", "namespaces", "idle", "latency", "quota"]


def here(server: Dovecot, security: str = "none", host: str = "good.test", **values: Any) -> Server:
    user = server.add_user()
    port = server.tls_port if security == "tls" else server.port
    return Server(**{"host": host, "port": port, "security": security, "username": user, "password": server.password(user), **values})


def local(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def examine(server: Server) -> dict[str, tuple[str, str]]:
    ledger: list[Entry] = []
    found = diagnosis.examine(server, Door(Policy(private=True), ledger.append, local))
    for lang in language.LANGUAGES:
        assert all(diagnosis.told(one, lang)["text"] for one in found)
    return {one.part: (one.state, one.code) for one in found}


@needs_dovecot
@pytest.mark.servers
def test_a_good_server_gets_a_good_report(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.authority.file))
    server = here(dovecot, "tls")
    assert examine(server)["encryption"] == ("hint", "ending")      # the certificates of these tests live for days
    monkeypatch.setattr(diagnosis, "SOON", 0)
    found = examine(server)
    assert list(found) == PARTS
    assert found.pop("folders") == ("hint", "missing")       # this one has but an archive
    assert {state for state, _ in found.values()} == {"good"}
    assert found["encryption"] == ("good", "well")


@needs_dovecot
@pytest.mark.servers
@pytest.mark.parametrize("security,values,part,code", [
    ("tls", {"host": "old.test"}, "encryption", "certificate_expired"), ("tls", {"fingerprint": "00"}, "encryption", "certificate_changed"),
    ("none", {"password": "wrong"}, "login", "login_failed"), ("none", {"port": 9}, "connection", "connection_refused")])
def test_where_the_way_breaks_off_is_said(
        dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, security: str, values: Any, part: str, code: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.authority.file))
    ledger: list[Entry] = []
    lines = diagnosis.examine(here(dovecot, security, **values), Door(Policy(private=True), ledger.append, local))
    assert [(one.part, one.code) for one in lines if one.state == "bad"] == [(part, code)]
    reached = [one.part for one in lines if one.state == "good"]
    assert reached == {"connection": [], "encryption": ["connection"], "login": ["connection"]}[part]
    prints = [one.params["fingerprint"] for one in lines if one.code == "fingerprint"]
    assert [len(text) for text in prints] == ([64] if part == "encryption" else [])


@needs_dovecot
@pytest.mark.servers
def test_a_plain_server_is_told_what_it_lacks() -> None:
    with Dovecot({"u": "secret"}, without=("IDLE", "CONDSTORE", "QRESYNC", "MOVE", "UIDPLUS", "NAMESPACE")) as server:
        lines = diagnosis.examine(Server("plain.test", server.port, "none", "u", "secret"), Door(Policy(private=True), lambda entry: None, local))
    hints = {one.code for one in lines if one.state == "hint"}
    assert hints == {"none", "no_condstore", "no_uidplus", "missing"}
    assert {one.part for one in lines if one.code == "none"} == {"encryption", "idle", "namespaces"}


def test_a_full_mailbox_and_its_namespaces_are_read() -> None:
    answers = {
        "EXAMINE": EXAMINE, "LIST": '* LIST (\\Sent) "." Sent\r\n* LIST (\\Trash) "." Trash\r\n* LIST () "." INBOX\r\n{tag} OK done\r\n',
        "NAMESPACE": '* NAMESPACE (("INBOX." ".")) (("user." ".")) NIL\r\n{tag} OK done\r\n',
        "GETQUOTAROOT": '* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE 950 1000 MESSAGE 5 9)\r\n{tag} OK done\r\n'}
    with ScriptedServer(answers, capability="* CAPABILITY IMAP4rev1 AUTH=PLAIN NAMESPACE QUOTA\r\n") as server:
        lines = {one.part: one for one in diagnosis.examine(account(server), door())}
    assert (lines["quota"].state, lines["quota"].code, lines["quota"].params["percent"]) == ("hint", "nearly_full", 95)
    assert diagnosis.told(lines["quota"], "de")["text"].startswith("973 kB von 1,0 MB sind belegt (95 %).")
    assert diagnosis.told(lines["namespaces"], "en")["text"] == "Your folders begin with “INBOX.”; places shared with others: 1."


def test_refused_extras_are_no_failure() -> None:
    no = "{tag} NO not for you\r\n"
    with ScriptedServer({"EXAMINE": EXAMINE, "NAMESPACE": no, "GETQUOTAROOT": no, "LIST": '* LIST () "." INBOX\r\n{tag} OK done\r\n'},
                        capability="* CAPABILITY IMAP4rev1 AUTH=PLAIN NAMESPACE QUOTA\r\n") as server:
        lines = {one.part: one.code for one in diagnosis.examine(account(server), door())}
    assert (lines["namespaces"], lines["quota"]) == ("none", "unknown")


@pytest.mark.parametrize("used,latency,expected", [
    (10, 0.01, {"quota": "well", "latency": "well"}), (90, 0.01, {"quota": "nearly_full", "latency": "well"}),
    (99, 0.5, {"quota": "full", "latency": "slow"}), (None, 0.01, {"quota": "unknown", "latency": "well"})])
def test_what_is_measured_is_judged(used: int | None, latency: float, expected: dict[str, str]) -> None:
    lines = diagnosis._measured(Measures(latency, latency, None, None, 0, used, 100))
    assert {one.part: one.code for one in lines if one.part in expected} == expected


@needs_dovecot
@pytest.mark.servers
def test_the_page_shows_the_report_of_the_job(ann: Scope, dovecot: Dovecot) -> None:
    user = dovecot.add_user()
    where = {"host": "127.0.0.1", "port": dovecot.port, "security": "none", "username": user, "password": dovecot.password(user)}
    made = accounts.create(ann, {"address": "ann@home.example", "imap": where})
    client, page = Client(ann), f"/accounts/{made.id}/diagnosis"
    assert "Not examined yet" in client("GET", page).text
    assert client("POST", page).headers["location"] == page
    assert client("POST", f"/api{page}", json={}).status == 409
    assert "Cancel" in client("GET", page).text
    job = ann.select(Job).where(Job.kind == diagnosis.KIND).get()
    runner.run(job.id)
    assert ann.get(Job, job.id).state == "completed"
    assert "User name and password are right" in client("GET", page).text
    found = client("GET", f"/api{page}").json
    assert found["status"] == "completed" and [line["part"] for line in found["findings"]] == PARTS
    assert user not in str(job.__data__)


def test_imported_mail_has_nothing_to_examine(ann: Scope, tmp_path: Path) -> None:
    made = accounts.create_local(ann, "Old mail", "ann@home.example")
    assert Client(ann)("POST", f"/api/accounts/{made.id}/diagnosis", json={}).status == 400
