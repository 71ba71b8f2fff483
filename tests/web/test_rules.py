"""Rules in the browser and by script: the editor with its preview, switching, applying, the log, text in and out."""

from html import unescape

import pytest

from mailhelper import rulebook, runner
from mailhelper.models import Job, Mail, Rule
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import fill, folder, ruled

FORM = {"name": "Contracts", "match": "all", "threshold": "85", "priority": "50", "enabled": "1", "when": "subject_contains", "value": "contract",
        "do": "flag", "target": ""}


@pytest.fixture
def mail(ann: Scope) -> Mail:
    mail = fill(ann)
    folder(ann, mail.account, "Archive", "archive")
    return mail


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


def test_a_rule_is_written_previewed_and_kept_by_forms(ann: Scope, client: Client, mail: Mail) -> None:
    shown = unescape(client("POST", "/rules/new", form={**FORM, "name": "", "act": "preview"}).text)
    assert "Would match 1 of your last 1." in shown and ann.select(Rule).count() == 0
    assert 'class="app"' in shown, "a whole page, as scripts look for its living parts in it"
    assert client("POST", "/rules/new", form=FORM).headers["location"] == "/rules"
    [rule] = rulebook.listed(ann)
    assert rulebook.content(rule) == {"name": "Contracts", "enabled": True, "priority": 50, "match": "all", "threshold": 85,
                                      "conditions": [{"type": "subject_contains", "value": "contract"}], "actions": [{"type": "flag"}]}
    listed = unescape(client("GET", "/rules").text)
    assert "the subject contains “contract”" in listed and "Rule saved." in listed
    editor = unescape(client("GET", f"/rules/{rule.id}").text)
    assert 'value="contract"' in editor and "Would match 1 of your last 1." in editor


def test_several_rows_and_choices_that_bring_their_value(ann: Scope, client: Client, mail: Mail) -> None:
    rows = {"when": ["kind:person", "", "has_attachment:yes"], "value": ["", "left over", ""],
            "do": ["set_urgency:3", "move"], "target": ["", "Archive"]}
    assert client("POST", "/rules/new", form={**FORM, **rows}).status == 303
    [rule] = rulebook.listed(ann)
    assert rulebook.content(rule)["conditions"] == [{"type": "kind", "value": "person"}, {"type": "has_attachment", "value": True}]
    assert rulebook.content(rule)["actions"] == [{"type": "set_urgency", "value": 3}, {"type": "move", "value": "Archive"}]
    more = client("POST", f"/rules/{rule.id}", form={**FORM, **rows, "act": "more"}).text
    assert more.count('name="when"') == 2 + 2 + 3


@pytest.mark.parametrize(("wrong", "said"), [
    ({"name": ""}, "Please fill this in."), ({"value": ""}, "Please fill this in."), ({"when": "subject_regex", "value": "("}, "not understood"),
    ({"threshold": "20"}, "from 50 to 100"), ({"do": "move", "target": ""}, "Please fill this in."), ({"when": "odd"}, "Choose one of"),
])
def test_what_is_wrong_is_said_beside_it_and_nothing_is_kept(ann: Scope, client: Client, mail: Mail, wrong: dict[str, str], said: str) -> None:
    answer = client("POST", "/rules/new", form={**FORM, **wrong})
    assert answer.status == 400 and said in unescape(answer.text) and 'class="app"' in answer.text and ann.select(Rule).count() == 0


def test_a_rule_is_switched_applied_taken_back_and_deleted(ann: Scope, client: Client, mail: Mail) -> None:
    client("POST", "/rules/new", form=FORM)
    id = ann.select(Rule, Rule.id).scalar()
    started = client("POST", "/rules/apply", form={"rule": id})
    job = ann.select(Job).where(Job.kind == "apply_rules_to_emails").get()
    assert started.headers["location"] == f"/jobs/{job.id}"
    runner.run(job.id)
    assert "Looked at: 1. Matched: 1. Done: 1." in client("GET", f"/jobs/{job.id}").text
    assert ann.get(Mail, mail.id).flagged and "1 mail" in client("GET", "/rules").text
    log = unescape(client("GET", f"/rules/log?rule={id}&what=flag&state=pending").text)
    assert "Waits for the server" in log and f"/email/{mail.id}" in log
    assert f"/email/{mail.id}" not in client("GET", "/rules/log?state=done").text
    client("POST", f"/rules/{id}/undo")
    assert not ann.get(Mail, mail.id).flagged and f"/email/{mail.id}" in client("GET", "/rules/log?state=undone").text
    client("POST", f"/rules/{id}/switch", form={"enabled": "0"})
    assert not ann.get(Rule, id).enabled
    client("POST", f"/rules/{id}/delete")
    assert ann.select(Rule).count() == 0 and "Contracts" in client("GET", "/rules/log").text


def test_beginnings_from_a_template_and_from_a_mail(client: Client, mail: Mail) -> None:
    assert "Newsletters into the archive" in client("GET", "/rules/new?template=newsletter_archive").text
    shown = unescape(client("GET", f"/rules/new?mail={mail.id}").text)
    assert 'value="From Miriam Keller"' in shown and 'value="miriam@work.example"' in shown and "Would match 1 of your last 1." in shown
    assert f"/rules/new?mail={mail.id}" in client("GET", f"/email/{mail.id}").text
    assert client("GET", "/rules/new?mail=999999").status == 404


def test_text_in_and_out(ann: Scope, client: Client, mail: Mail) -> None:
    ruled(ann)
    text = client("GET", "/rules/export").text
    assert client("POST", "/rules/import", form={"text": text}).status == 303 and ann.select(Rule).count() == 2
    wrong = client("POST", "/rules/import", form={"text": "[[rule]]\nname = ''"})
    assert wrong.status == 400 and "rule 1: name: Please fill this in." in unescape(wrong.text) and ann.select(Rule).count() == 2


def test_rules_by_script(ann: Scope, client: Client, mail: Mail) -> None:
    body = {"name": "x", "conditions": [{"type": "sender_domain", "value": "work.example"}, {"type": "subject_contains", "value": "nothing"}],
            "actions": [{"type": "mark_read"}], "match": "any"}
    made = client("POST", "/api/rules", json=body)
    url = f"/api/rules/{made.json['id']}"
    assert made.status == 201 and client("GET", url).json == made.json
    explained = client("POST", f"{url}/test", json={"email_id": mail.id}).json
    assert explained["matches"] and [one["met"] for one in explained["conditions"]] == [True, False]
    assert client("POST", f"{url}/test", json={"email_id": 10 ** 6}).status == 404
    started = client("POST", f"{url}/test", json={})
    assert started.status == 202
    runner.run(int(started.json["task_id"]))
    task = client("GET", f"/api/rules/task_status/{started.json['task_id']}").json
    assert (task["status"], task["result"]["email_ids"]) == ("completed", [mail.id]) and not ann.get(Mail, mail.id).seen
    assert client("POST", "/api/rules/preview", json=body).json["matched"] == 1
    applied = client("POST", "/api/rules/apply", json={"rule_ids": [made.json["id"]], "email_ids": [mail.id], "dry_run": False})
    assert applied.status == 202 and client("POST", "/api/rules/apply", json={}).status == 409
    runner.run(int(applied.json["task_id"]))
    [line] = client("GET", f"/api/rules/log?email={mail.id}&state=pending").json["items"]
    assert (line["action"], line["rule"], line["error"]) == ("mark_read", "x", None)
    assert client("POST", f"{url}/undo", json={}).json == {"undone": 1, "left": 0} and not ann.get(Mail, mail.id).seen
    assert client("PUT", url, json={**body, "enabled": False}).json["enabled"] is False
    for path, wrong in ((url, {"name": "x", "conditions": [{"type": "subject_regex", "value": "("}]}), ("/api/rules", {}),):
        assert client("PUT" if path == url else "POST", path, json=wrong).status == 400
    for wrong in ({"rule_ids": 5}, {"email_ids": []}, {"dry_run": 1}, {"rule_ids": ["1"]}):
        assert client("POST", "/api/rules/apply", json=wrong).status == 400, wrong
    for query in ("state=odd", "what=odd", "odd=1"):
        assert client("GET", f"/api/rules/log?{query}").status == 400
    assert client("DELETE", url).json == {"deleted": True} and client("GET", url).status == 404
