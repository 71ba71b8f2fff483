"""One mail in the browser and in the API: its sandboxed body, its files, what a person says of it, and its jobs."""

import base64
import re
from typing import Any

import pytest

from mailhelper import mails, runner, users
from mailhelper.models import Job, JobLog, Mail
from mailhelper.scope import Scope
from mailhelper.web import routing
from tests.conftest import Client
from tests.world import account, fill, folder, keep, raw

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
HTML = """<html><body onload="alert(1)"><script>alert(2)</script><p style="color:red">Hello <b>Ann</b></p><a href="javascript:alert(3)">click</a>
<a href="https://work.example/x">link</a><img src="https://tracker.example/p.gif" alt="t"><img src="cid:logo@x"><iframe src="https://x.example"></iframe>
<form action="https://x.example"><input name="a"></form></body></html>"""


def multipart(kind: str, *parts: str) -> str:
    return "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--"


def html_mail(html: str = HTML) -> bytes:
    picture = ("Content-Type: image/png; name=logo.png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <logo@x>\r\n"
               "Content-Disposition: inline\r\n\r\n" + base64.b64encode(PNG).decode())
    return raw("Offer", multipart("related", f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}", picture), id="html@x",
               Content_Type="multipart/related; boundary=b")


def store(scope: Scope, *letters: bytes) -> list[int]:
    return [mail.id for mail in keep(scope, folder(scope, account(scope)), *letters)]


@pytest.fixture
def mail(ann: Scope) -> int:
    return int(fill(ann).id)


@pytest.fixture
def html(ann: Scope) -> int:
    return store(ann, html_mail())[0]


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


# ── to read ──

def test_the_page_shows_head_text_files_and_rating(client: Client, mail: int) -> None:
    shown = client("GET", f"/email/{mail}")
    assert shown.status == 200
    for words in ("Contract", "Miriam Keller", "miriam@work.example", "could you sign the contract", "contract.pdf"):
        assert words in shown.text


def test_a_page_of_hostile_names_is_escaped(ann: Scope, client: Client) -> None:
    [id] = store(ann, raw("<script>alert(1)</script>", "<script>alert(2)</script>", '"<img src=x onerror=alert(3)>" <a@b.example>', id="1@x"))
    for path in (f"/email/{id}", "/inbox", "/", "/search?q=alert"):
        text = client("GET", path).text
        assert "<script>alert" not in text and "<img src=x" not in text, path


def test_the_body_runs_nothing_and_loads_nothing(client: Client, html: int) -> None:
    answer = client("GET", f"/email/{html}/body")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["img-src"] == "data:" and "script-src" not in policy
    assert policy["frame-ancestors"] == "'self'" and policy["form-action"] == "'none'" and policy["base-uri"] == "'none'"
    assert policy["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN" and answer.headers["content-type"].startswith("text/html")
    assert "Hello <b>Ann</b>" in answer.text and "https://work.example/x" in answer.text
    for bad in ("script", "onload", "javascript", "tracker.example", "iframe", "<form", "<input"):
        assert bad not in answer.text, bad


def test_pictures_of_the_mail_itself_are_shown_inline(client: Client, html: int) -> None:
    text = client("GET", f"/email/{html}/body").text
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in text and "cid:" not in text


def test_remote_pictures_come_only_when_asked_for(client: Client, html: int) -> None:
    asked = client("GET", f"/email/{html}/body?remote=1")
    assert "https://tracker.example/p.gif" in asked.text and "script" not in asked.text
    assert "img-src data: https: http:" in asked.headers["content-security-policy"]
    assert "remote=1" in client("GET", f"/email/{html}").text, "the page offers it"


def test_a_text_mail_has_an_empty_body_frame_and_no_crash(client: Client, mail: int) -> None:
    assert client("GET", f"/email/{mail}/body").status == 200


def test_many_pictures_cost_one_look_at_the_bytes(ann: Scope, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [f"Content-Type: image/png\r\nContent-ID: <{n}@x>\r\n\r\n{n}" for n in range(30)]
    pictures = "".join(f'<img src="cid:{n}@x">' for n in range(30))
    text = multipart("related", f"Content-Type: text/html\r\n\r\n{pictures}", *parts)
    [id] = store(ann, raw("Many", text, Content_Type="multipart/related; boundary=b"))
    look, calls = mails.raw, []

    def watched(*args: Any) -> bytes:
        calls.append(args)
        return look(*args)

    monkeypatch.setattr(mails, "raw", watched)
    assert client("GET", f"/email/{id}/body").text.count("data:image/png") == 30
    assert len(calls) <= 2


def test_the_api_gives_sanitised_html(client: Client, html: int) -> None:
    read = client("GET", f"/api/emails/{html}").json
    assert "Hello <b>Ann</b>" in read["html"]
    for bad in ("script", "onload", "javascript", "tracker.example", "iframe"):
        assert bad not in read["html"], bad
    assert [(part["filename"], part["inline"]) for part in read["attachments"]] == [("logo.png", True)]


def test_the_bytes_come_as_they_are(ann: Scope, client: Client, mail: int) -> None:
    answer = client("GET", f"/api/emails/{mail}/raw")
    assert answer.data == mails.raw(ann, mail)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="mail-{mail}.eml"')


@pytest.mark.parametrize("mime,name,sent,plain,encoded", [
    ("application/pdf", "contract.pdf", "application/octet-stream", "contract.pdf", "contract.pdf"),
    ("text/html", "evil.html", "application/octet-stream", "evil.html", "evil.html"),
    ("image/svg+xml", "evil.svg", "application/octet-stream", "evil.svg", "evil.svg"),
    ("image/png", "Grüße.png", "image/png", "Gr__e.png", "Gr%C3%BC%C3%9Fe.png"),
    ("text/plain", "../../etc/passwd", "application/octet-stream", None, None),
    ("text/plain", 'a"; filename=b.exe', "application/octet-stream", None, None),
    ("image/png", "a\tb.png", "image/png", None, None),
])
def test_files_are_for_saving_under_a_safe_name(ann: Scope, client: Client, mime: str, name: str, sent: str, plain: str | None,
                                                encoded: str | None) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    part = f'Content-Type: {mime}\r\nContent-Disposition: attachment; filename="{quoted}"\r\n\r\ndata'
    [id] = store(ann, raw("File", multipart("mixed", "Content-Type: text/plain\r\n\r\nhi", part), Content_Type="multipart/mixed; boundary=b"))
    answer = client("GET", f"/api/emails/{id}/attachments/1")
    assert (answer.status, answer.data.strip(), answer.headers["content-type"]) == (200, b"data", sent)
    said = re.fullmatch(r"attachment; filename=\"([^\"\\/\r\n]*)\"; filename\*=UTF-8''([A-Za-z0-9%._~-]*)", answer.headers["content-disposition"])
    assert said and (plain is None or (said[1], said[2]) == (plain, encoded))
    assert "sandbox" in answer.headers["content-security-policy"] and answer.headers["x-content-type-options"] == "nosniff"


def test_no_name_breaks_out_of_its_header() -> None:
    class Headers(dict[str, str]):
        def set_header(self, name: str, value: str) -> None:
            self[name] = value

    headers = Headers()
    before, routing.response = routing.response, headers      # type: ignore[assignment]
    try:
        routing.download(b"", "text/plain", 'a"\r\nSet-Cookie: x=1\\\ud800.txt')
    finally:
        routing.response = before
    assert not set("\r\n") & set("".join(headers.values())) and headers["Content-Disposition"].count('"') == 2


def test_a_file_that_is_not_there_is_404(client: Client, mail: int) -> None:
    for number in ("2", "0", "99999999999999999999"):
        assert client("GET", f"/api/emails/{mail}/attachments/{number}").status == 404


# ── done, and corrections ──

def test_done_can_be_undone_from_the_note_that_says_so(ann: Scope, client: Client, mail: int) -> None:
    answer = client("POST", f"/email/{mail}/done", form={"done": "1", "next": "/inbox"})
    assert (answer.status, answer.headers["location"]) == (303, "/inbox") and ann.get(Mail, mail).done_at
    shown = client("GET", "/inbox").text
    undo = f"/email/{mail}/done?done=0"
    assert undo in shown
    assert undo not in client("GET", "/inbox").text, "said once"
    assert client("POST", undo).status == 303 and ann.get(Mail, mail).done_at is None


def test_a_next_address_elsewhere_is_not_followed(client: Client, mail: int) -> None:
    for url in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert client("POST", f"/email/{mail}/done", form={"done": "1", "next": url}).headers["location"] == f"/email/{mail}"


def test_done_by_script(ann: Scope, client: Client, mail: int) -> None:
    for path in (f"/email/{mail}/done", f"/api/emails/{mail}/flags"):
        assert client("POST", path, json={"done": True}).json["done"] is True and ann.get(Mail, mail).done_at
        assert client("POST", path, json={"done": False}).json["done"] is False and ann.get(Mail, mail).done_at is None
        for wrong in ("false", 1, None):
            answer = client("POST", path, json={"done": wrong})
            assert answer.status == 400 and answer.json["fields"].keys() == {"done"}


def test_a_correction_by_form_and_its_undo(ann: Scope, client: Client, mail: int) -> None:
    before = ann.get(Mail, mail)
    assert client("POST", f"/email/{mail}/correct", form={"urgency": "1", "importance": "1"}).status == 303
    assert (ann.get(Mail, mail).layer, ann.get(Mail, mail).score) == ("user", 3)
    assert f"/email/{mail}/correct/undo" in client("GET", f"/email/{mail}").text
    assert client("POST", f"/email/{mail}/correct/undo").status == 303
    assert (ann.get(Mail, mail).layer, ann.get(Mail, mail).score) == ("builtin", before.score)
    for form in ({"urgency": "9"}, {"urgency": "x"}, {}):
        assert client("POST", f"/email/{mail}/correct", form=form).status == 400


def test_a_correction_by_script_answers_with_the_mail(client: Client, mail: int) -> None:
    answer = client("POST", f"/api/emails/{mail}/correct", json={"urgency": 1, "importance": 3, "note": "calm"})
    assert answer.status == 200 and (answer.json["triage"]["score"], answer.json["layers"]["user"]["rated_by"]) == (5, "user")
    back = client("DELETE", f"/api/emails/{mail}/correct")
    assert back.status == 200 and back.json["layers"]["user"] is None and back.json["triage"]["rated_by"] == "builtin"
    wrong = client("POST", f"/api/emails/{mail}/correct", json={"urgency": 7, "colour": "red"})
    assert wrong.status == 400 and wrong.json["fields"].keys() == {"colour"}
    assert client("POST", f"/api/emails/{mail}/correct", json={"urgency": 7, "spam": 3}).json["fields"].keys() == {"urgency", "spam"}


# ── jobs ──

def test_a_job_route_answers_202_to_a_script_and_303_to_a_form(ann: Scope, client: Client, mail: int) -> None:
    answer = client("POST", f"/email/{mail}/reprocess", json={})
    assert answer.status == 202 and answer.json.keys() == {"status", "task_id", "task_type", "message"}
    assert (answer.json["status"], answer.json["task_type"]) == ("queued", "huey") and isinstance(answer.json["task_id"], str)
    runner.run(int(answer.json["task_id"]))
    answer = client("POST", f"/emails/{mail}/reprocess")
    [job] = ann.select(Job).where(Job.kind == "reprocess_email_base", Job.state == "queued")
    assert (answer.status, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    runner.run(job.id)
    token = Client(token=users.token(ann, ("triage",), 1))
    assert token("POST", f"/email/{mail}/reprocess", form={}).status == 202


def test_the_same_job_twice_is_409_with_its_task(client: Client, mail: int) -> None:
    first = client("POST", f"/email/{mail}/reprocess", json={})
    again = client("POST", f"/email/{mail}/reprocess", json={})
    assert (again.status, again.json["error"], again.json["task_id"]) == (409, "already_running", first.json["task_id"])


def test_bad_input_is_400_and_a_missing_mail_404(client: Client, mail: int) -> None:
    answer = client("POST", f"/email/{mail}/reprocess", json={"colour": "red"})
    assert answer.status == 400 and answer.json["fields"].keys() == {"colour"}
    for body in (b"{", b"[1]", b"\xff", b"[" * 100_000):
        assert client("POST", f"/email/{mail}/reprocess", json=body).json["error"] == "bad_json"
    assert client("POST", "/email/99999/reprocess", json={}).status == 404


def test_one_more_than_the_limit_is_429_with_retry_after(client: Client, mail: int, bob: Scope) -> None:
    answers = [client("POST", f"/email/{mail}/reprocess", json={}) for _ in range(routing.STARTS + 1)]
    assert [answer.status for answer in answers[1:-1]] == [409] * (routing.STARTS - 1)
    assert (answers[-1].status, answers[-1].json["error"]) == (429, "limited")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    with bob:
        other = fill(bob).id
        assert Client(bob)("POST", f"/email/{other}/reprocess", json={}).status == 202, "the limit is each person's own"
    task = client("GET", f"/tasks/{answers[0].json['task_id']}")
    assert task.status == 200, "asking is not limited"


def test_a_task_tells_its_state_to_its_owner(ann: Scope, bob: Scope, client: Client, mail: int) -> None:
    id = client("POST", f"/email/{mail}/reprocess", json={}).json["task_id"]
    assert (client("GET", f"/tasks/{id}").json["status"], client("GET", f"/tasks/{id}/status").json["state"]) == ("queued", "PENDING")
    runner.run(int(id))
    task = client("GET", f"/tasks/{id}").json
    assert (task["status"], task["state"], task["progress"], task["error"]) == ("completed", "SUCCESS", 100, None)
    assert task["result"]["email_id"] == mail and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", task["finished_at"])
    with bob:
        assert Client(bob)("GET", f"/tasks/{id}").status == 404


def test_cancel_by_script_and_by_form(ann: Scope, client: Client, mail: int) -> None:
    id = client("POST", f"/email/{mail}/reprocess", json={}).json["task_id"]
    assert client("POST", f"/tasks/{id}/cancel", json={}).json["status"] == "cancelled"
    assert client("POST", f"/tasks/{id}/cancel", json={}).json["status"] == "cancelled", "twice does no harm"
    id = client("POST", f"/email/{mail}/reprocess", json={}).json["task_id"]
    answer = client("POST", f"/tasks/{id}/cancel", form={}, script=False)
    assert (answer.status, answer.headers["location"]) == (303, f"/jobs/{id}") and ann.get(Job, id).state == "cancelled"


def test_the_pages_of_jobs_tell_what_happened(ann: Scope, client: Client, mail: int) -> None:
    id = int(client("POST", f"/email/{mail}/reprocess", json={}).json["task_id"])
    ann.delete(Mail).execute()
    runner.run(id)
    shown = client("GET", f"/jobs/{id}").text
    assert "Gave up" in shown and "There is nothing here." in shown
    assert "Redo base pass" in client("GET", "/jobs").text


def test_a_line_of_the_log_names_the_host_and_is_no_internal_error(ann: Scope, client: Client) -> None:
    mail = fill(ann)
    job = ann.create(Job, kind="sync_user_emails", subject=mail.account_id, state="failed", error="login_failed",
                     error_params={"host": "imap.work.example"})
    ann.create(JobLog, job=job, code="failed", params={"code": "login_failed"})
    shown = client("GET", f"/jobs/{job.id}").text
    assert "imap.work.example did not accept" in shown and "Something went wrong on our side" not in shown


def test_jobs_come_in_pages(ann: Scope, client: Client) -> None:
    for number in range(5):
        ann.create(Job, kind="sync_all_accounts", subject=number, state="completed")
    first = client("GET", "/api/jobs?limit=3").json
    second = client("GET", f"/api/jobs?limit=3&cursor={first['next']}").json
    assert (first["total"], second["next"]) == (5, None)
    ids = [int(job["task_id"]) for job in (*first["items"], *second["items"])]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == 5
    for query, field in (("limit=0", "limit"), ("limit=%C2%B2", "limit"), ("cursor=x", "cursor"), ("cursor=" + "9" * 30, "cursor"), ("odd=1", "odd")):
        answer = client("GET", f"/api/jobs?{query}")
        assert answer.status == 400 and answer.json["fields"].keys() == {field}, query
