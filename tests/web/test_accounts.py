"""The form for a mailbox, and its API: propose, test, save, and errors in words."""

from html import unescape
from typing import Any

import pytest

from mailhelper import accounts, runner, sync
from mailhelper.models import Account, Folder, Job, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.scripted_imap import ScriptedServer
from tests.world import ADDRESS, account, fill

TYPED = {"address": "anna@gmail.com", "name": "Mine", "host": "imap.gmail.com", "port": "993", "security": "tls", "username": "anna",
         "password": "top secret", "mode": "builtin"}
BODY: dict[str, Any] = {"name": "Home", "address": "anna@example.org", "mode": "builtin", "background": False, "imap": {
    "host": "imap.example.org", "port": 993, "security": "tls", "username": "anna", "password": "top secret"}}
FOLDERS = '* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Gesendet\r\n{tag} OK done\r\n'


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


def here(server: ScriptedServer) -> dict[str, str]:
    return {**TYPED, "host": "127.0.0.1", "port": str(server.port), "security": "none"}


def value(text: str, name: str) -> str:
    """What a field of the form holds."""
    tag = next(tag for tag in text.split("<input")[1:] if f'name="{name}"' in tag.split(">")[0])
    return unescape(tag.split('value="')[1].split('"')[0]) if 'value="' in tag.split(">")[0] else ""


def test_the_server_is_proposed_from_the_address(client: Client) -> None:
    shown = client("POST", "/accounts/new", form={"act": "propose", "address": "anna@gmail.com", "security": "tls"})
    assert shown.status == 200
    assert (value(shown.text, "host"), value(shown.text, "port"), value(shown.text, "username")) == ("imap.gmail.com", "993", "anna@gmail.com")


def test_proposing_for_half_an_address_keeps_what_was_typed(client: Client) -> None:
    shown = client("POST", "/accounts/new", form={"act": "propose", "address": "anna", "name": "Mine", "host": "my.host"})
    assert shown.status == 200 and (value(shown.text, "address"), value(shown.text, "host")) == ("anna", "my.host")


def test_saving_keeps_it_and_starts_the_first_sync(ann: Scope, client: Client) -> None:
    answer = client("POST", "/accounts/new", form=TYPED | {"background": "1"})
    [row] = accounts.listed(ann)
    assert (answer.status, answer.headers["location"]) == (303, f"/accounts/{row.id}/welcome")
    assert (row.name, row.address, row.background, row.imap["host"], row.imap["port"]) == ("Mine", "anna@gmail.com", True, "imap.gmail.com", 993)
    assert [(job.kind, job.subject) for job in ann.select(Job)] == [("sync_user_emails", row.id)]
    shown = client("GET", "/accounts").text
    assert "Mine" in shown and "imap.gmail.com" in shown and "top secret" not in shown


def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(ann: Scope, client: Client) -> None:
    answer = client("POST", "/accounts/new", form=TYPED | {"port": "70000", "password": "", "mode": "magic", "address": "nobody"})
    assert answer.status == 400
    for words in ("Use a number from 1 to 65535.", "Please fill this in.", "Choose one of: none, builtin, llm_anonymized, llm_original.",
                  "does not look like a mail address"):
        assert words in unescape(answer.text), words
    assert value(answer.text, "host") == "imap.gmail.com" and value(answer.text, "name") == "Mine"
    assert ann.select(Account).count() == 0


@pytest.mark.parametrize("port", ["abc", "-1", "99999999999", "99 3"])
def test_a_port_that_is_no_number_is_told(client: Client, port: str) -> None:
    answer = client("POST", "/accounts/new", form=TYPED | {"port": port})
    assert answer.status == 400 and "Use a number from" in answer.text


def test_a_password_is_never_in_the_page(ann: Scope, client: Client) -> None:
    for act in ("save", "test", "propose"):
        answer = client("POST", "/accounts/new", form=TYPED | {"act": act, "port": "0"})
        assert "top secret" not in answer.text
    made = accounts.create(ann, BODY)
    assert "top secret" not in client("GET", f"/accounts/{made.id}").text


def test_a_test_that_works_says_so_and_saves_nothing(ann: Scope, client: Client) -> None:
    with ScriptedServer({"LIST": FOLDERS}) as server:
        shown = client("POST", "/accounts/new", form=here(server) | {"act": "test"})
    assert shown.status == 200 and "Gesendet" in shown.text and ann.select(Account).count() == 0
    assert value(shown.text, "host") == "127.0.0.1"


@pytest.mark.parametrize("answers,greeting,words", [
    ({"LOGIN": "{tag} NO [AUTHENTICATIONFAILED] no\r\n"}, "* OK ready\r\n", "did not accept user name or password"),
    ({}, "HTTP/1.1 400 Bad Request\r\n\r\n", "did not answer on port"),
])
def test_a_test_that_fails_says_why(ann: Scope, client: Client, answers: dict[str, Any], greeting: str, words: str) -> None:
    with ScriptedServer(answers, greeting) as server:
        shown = client("POST", "/accounts/new", form=here(server) | {"act": "test"})
    assert shown.status == 200 and words in unescape(shown.text)


def test_changing_keeps_a_password_that_was_not_typed_again(ann: Scope, client: Client) -> None:
    made = accounts.create(ann, BODY)
    answer = client("POST", f"/accounts/{made.id}", form=TYPED | {"password": "", "name": "Other", "host": "imap.example.org"})
    assert answer.status == 303
    row = ann.get(Account, made.id)
    assert (row.name, row.imap["password"], row.imap["host"]) == ("Other", "top secret", "imap.example.org")
    assert ann.select(Job).count() == 0


def test_a_mailbox_of_imported_mail_can_be_named_anew_but_not_tested(ann: Scope, client: Client) -> None:
    local = accounts.create_local(ann, "Old mail", ADDRESS)
    assert client("GET", f"/accounts/{local.id}").status == 200
    assert client("POST", f"/accounts/{local.id}", form={"name": "Older mail", "address": ADDRESS}).status == 303
    assert ann.get(Account, local.id).name == "Older mail"
    assert client("POST", f"/accounts/{local.id}", form={"act": "test", "name": "x", "address": ADDRESS}).status == 400
    assert client("POST", f"/api/accounts/{local.id}/test", json={}).json["error"] == "local_account"
    assert client("POST", f"/mail-account/{local.id}/fetch", json={}).json["error"] == "local_account"
    assert client("GET", "/accounts").status == 200


def test_removing_asks_the_form_and_takes_everything(ann: Scope, client: Client) -> None:
    mail = fill(ann)
    answer = client("POST", f"/accounts/{mail.account_id}/delete")
    assert (answer.status, answer.headers["location"]) == (303, "/accounts")
    assert ann.select(Account).count() == 0
    runner.run(ann.select(Job, Job.id).where(Job.kind == "remove_account").get().id)
    assert ann.select(Mail).count() == 0


def test_the_list_tells_what_is_wrong_and_what_is_under_way(ann: Scope, client: Client) -> None:
    refused = accounts.create(ann, BODY | {"name": "Refused"})
    ann.update(Account, error="login_failed").where(Account.id == refused.id).execute()
    busy = accounts.create(ann, BODY | {"name": "Busy"})
    job = sync.start(ann, busy.id)
    shown = unescape(client("GET", "/accounts").text)
    assert "imap.example.org did not accept user name or password" in shown
    assert f"/tasks/{job.id}/cancel" in shown or f"/tasks/{job.id}" in shown


# ── API ──

def test_an_account_by_api_from_birth_to_end(ann: Scope, client: Client) -> None:
    made = client("POST", "/api/accounts", json=BODY)
    assert made.status == 201 and "password" not in made.text
    url = f"/api/accounts/{made.json['id']}"
    assert client("GET", url).json == made.json == client("GET", "/api/accounts").json["items"][0]
    changed = client("PATCH", url, json={"name": "Work", "imap": {"port": 143, "security": "starttls"}})
    server = changed.json["imap"]
    assert (changed.status, changed.json["name"], server["port"], server["host"]) == (200, "Work", 143, "imap.example.org")
    assert ann.get(Account, made.json["id"]).imap["password"] == "top secret"
    assert client("DELETE", url).json == {"deleted": True}
    assert client("GET", url).status == 404


def test_every_wrong_field_of_the_api_is_named(client: Client) -> None:
    answer = client("POST", "/api/accounts", json={"name": "x", "imap": {"host": "h", "port": "993", "colour": 1}, "odd": 1})
    assert answer.status == 400
    assert answer.json["fields"].keys() == {"address", "imap.port", "imap.username", "imap.password", "imap.colour", "odd"}


def test_the_number_of_mails_is_that_of_the_mailbox(ann: Scope, client: Client) -> None:
    mail = fill(ann)
    empty = account(ann)
    assert {row["id"]: row["emails"] for row in client("GET", "/api/accounts").json["items"]} == {mail.account_id: 1, empty.id: 0}
    assert client("GET", f"/api/accounts/{mail.account_id}").json["emails"] == 1
    [row] = client("GET", f"/api/accounts/{mail.account_id}/folders").json["items"]
    assert row == {"id": ann.select(Folder).get().id, "name": "INBOX", "role": "inbox", "total": 1, "unread": 1, "synced_at": None, "error": None}


LOCAL = {"host": "127.0.0.1", "security": "none", "password": "not yet known"}


def test_the_stored_password_is_not_tried_on_another_host(ann: Scope, client: Client) -> None:
    made = accounts.create(ann, BODY)
    answer = client("POST", f"/api/accounts/{made.id}/test", json={"imap": {"host": "127.0.0.1"}})
    assert (answer.status, list(answer.json["fields"])) == (400, ["imap.password"])


def test_testing_by_api_tries_other_values_without_keeping_them(ann: Scope, client: Client) -> None:
    made = accounts.create(ann, BODY)
    with ScriptedServer({"LIST": FOLDERS}) as server:
        answer = client("POST", f"/api/accounts/{made.id}/test", json={"imap": LOCAL | {"port": server.port}})
        assert any(b"not yet known" in line for line in server.heard)
    assert answer.json.keys() == {"ok", "error", "fingerprint", "capabilities", "folders"}
    assert answer.json["ok"] is True and answer.json["folders"] == [{"name": "INBOX", "role": "inbox"}, {"name": "Gesendet", "role": "sent"}]
    assert ann.get(Account, made.id).imap["host"] == "imap.example.org"


def test_a_failed_test_by_api_is_an_answer_in_words(ann: Scope, client: Client) -> None:
    made = accounts.create(ann, BODY)
    with ScriptedServer({"LOGIN": "{tag} NO no\r\n"}) as server:
        answer = client("POST", f"/api/accounts/{made.id}/test", json={"imap": LOCAL | {"port": server.port}})
    assert (answer.status, answer.json["ok"], answer.json["error"]["code"]) == (200, False, "login_failed")
    assert answer.json["error"]["message"].startswith("127.0.0.1 did not accept")


def test_fetching_is_a_job(ann: Scope, client: Client) -> None:
    made = accounts.create(ann, BODY)
    first = client("POST", f"/mail-account/{made.id}/fetch", json={"max_emails": 5})
    assert first.status == 202 and ann.get(Job, first.json["task_id"]).params == {"max_emails": 5}
    again = client("POST", f"/mail-account/{made.id}/fetch", json={})
    assert (again.status, again.json["task_id"]) == (409, first.json["task_id"])
    form = client("POST", "/mail-accounts/fetch")
    assert form.status == 303 and form.headers["location"].startswith("/jobs/")
    assert client("POST", "/mail-accounts/fetch", json={}).status == 409
    for wrong in (0, -1, True, "5", 1.5):
        assert client("POST", f"/mail-account/{made.id}/fetch", json={"max_emails": wrong}).json["fields"].keys() == {"max_emails"}


def test_the_ledger_names_each_connection_to_its_owner_alone(ann: Scope, bob: Scope, client: Client) -> None:
    made = accounts.create(ann, BODY)
    with ScriptedServer({"LIST": FOLDERS}) as server:
        client("POST", f"/api/accounts/{made.id}/test", json={"imap": LOCAL | {"port": server.port}})
    line = client("GET", "/api/egress").json["items"][0]
    assert (line["host"], line["port"], line["purpose"], line["refused"]) == ("127.0.0.1", server.port, "imap", False)
    assert client("GET", "/api/egress?limit=0").status == 400
    assert Client(bob)("GET", "/api/egress").json == {"items": [], "next": None, "total": 0}
