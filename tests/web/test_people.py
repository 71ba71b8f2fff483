"""First run, signing in and out, cookies, CSRF, lockout, settings, tokens: over HTTP, as a browser and a script see them."""

import datetime as dt
from typing import Any

import pytest
from peewee import Database

from mailhelper import accounts, crypto, jobs, users
from mailhelper.db import now
from mailhelper.models import Grant, User
from mailhelper.scope import Scope, everyone
from mailhelper.web import people
from tests.conftest import PASSWORD, Answer, Client

PROXY = "10.0.0.1"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "SCRYPT", (2 ** 4, 8, 1))


@pytest.fixture
def carl(db: Database) -> Scope:
    """Somebody with a real password, no admin."""
    users.create("root", PASSWORD, admin=True)
    return users.create("carl", PASSWORD)


@pytest.fixture
def registering(db: Database) -> dict[str, str]:
    """What the first-run form asks."""
    return {"name": "ann", "password": PASSWORD, "again": PASSWORD}


def sign_in(client: Client, name: str = "carl", password: str = PASSWORD, **more: Any) -> Answer:
    return client("POST", f"/login{more.pop('query', '')}", form={"name": name, "password": password, **more.pop("form", {})}, **more)


def cookie(answer: Answer) -> list[str]:
    """The session cookie of an answer, in its parts."""
    assert answer.headers["set-cookie"].startswith("mailhelper=")
    return [part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]]


@pytest.fixture
def parked(carl: Scope) -> str:
    """The id of a job of carl's that needs his key."""
    return str(jobs.start(carl, "sync_all_accounts").id)


# ── the first user ──

def test_a_fresh_instance_asks_for_its_first_user_who_becomes_admin(nobody: Client, registering: dict[str, str]) -> None:
    assert nobody("GET", "/").headers["location"] == "/login"
    assert nobody("GET", "/login").headers["location"] == "/register"
    assert nobody("GET", "/register").status == 200
    assert nobody("POST", "/register", form=registering).headers["location"] == "/"
    assert nobody("GET", "/api/me").json["roles"] == ["user", "admin"]
    assert nobody("GET", "/", script=False).status == 200


@pytest.mark.parametrize("change", [{"again": "another"}, {"password": "short", "again": "short"}, {"name": "a b"}, {"name": ""}, {"name": "a\0b"}])
def test_a_wrong_first_user_is_shown_the_form_again(nobody: Client, registering: dict[str, str], change: dict[str, str]) -> None:
    answer = nobody("POST", "/register", form={**registering, **change})
    assert answer.status == 400 and "form" in answer.text and PASSWORD not in answer.text
    assert not users.any_exist()


def test_after_the_first_user_registration_is_closed(nobody: Client, carl: Scope, registering: dict[str, str], settings: Any) -> None:
    assert nobody("POST", "/register", form=registering).status == 403
    settings(registration="closed")
    assert nobody("POST", "/register", form=registering).status == 403
    assert {user.name for user in users.everybody()} == {"root", "carl"}


def test_open_registration_makes_no_admins(nobody: Client, carl: Scope, registering: dict[str, str], settings: Any) -> None:
    settings(registration="open")
    assert nobody("POST", "/register", form=registering).status == 303
    assert nobody("GET", "/api/me").json["roles"] == ["user"]
    again = Client()("POST", "/register", form=registering)
    assert again.status == 409 and "set-cookie" not in again.headers


@pytest.mark.parametrize("listen,host", [
    ("0.0.0.0:8080", "127.0.0.1"), ("192.0.2.1:8080", "192.0.2.1:8080"), ("[::]:8080", "[::1]:8080"),
    ("127.0.0.1:8080", "mail.example.org"), ("127.0.0.1:8080", "127.0.0.1.evil.example"), ("127.0.0.1:8080", "["),
    ("localhost.evil.example:80", "localhost"),
])
def test_off_loopback_through_a_proxy_and_by_another_name_the_first_user_needs_the_code(
        nobody: Client, registering: dict[str, str], settings: Any, listen: str, host: str) -> None:
    settings(listen=listen)
    for code in ("", "00000000", people._first_code()[:-1], people._first_code() + "0"):
        assert nobody("POST", "/register", form={**registering, "code": code}, headers={"Host": host}).status == 400
    assert not users.any_exist()
    assert 'name="code"' in nobody("GET", "/register", headers={"Host": host}).text
    assert nobody("POST", "/register", form={**registering, "code": people._first_code()}, headers={"Host": host}).status == 303


@pytest.mark.parametrize("listen,host", [("127.0.0.1:8080", "127.0.0.1:8080"), ("[::1]:8080", "[::1]:8080"), ("localhost:8080", "localhost:8080")])
def test_on_loopback_the_first_user_needs_no_code(nobody: Client, registering: dict[str, str], settings: Any, listen: str, host: str) -> None:
    settings(listen=listen)
    assert 'name="code"' not in nobody("GET", "/register", headers={"Host": host}).text
    assert nobody("POST", "/register", form=registering, headers={"Host": host}).status == 303


def test_the_code_cannot_be_guessed(nobody: Client, registering: dict[str, str], settings: Any) -> None:
    settings(listen="0.0.0.0:80")
    for _ in range(20):
        assert nobody("POST", "/register", form={**registering, "code": "guess"}).status == 400
    locked = nobody("POST", "/register", form={**registering, "code": people._first_code()})
    assert locked.status == 429 and int(locked.headers["retry-after"]) > 3000


def test_the_code_is_printed_until_there_is_a_user(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    people.announce()
    assert people._first_code() in capsys.readouterr().err
    users.create("carl", PASSWORD)
    people.announce()
    assert capsys.readouterr().err == ""


# ── in and out ──

def test_signing_in_and_out(nobody: Client, carl: Scope) -> None:
    assert sign_in(nobody).headers["location"] == "/"
    secret = nobody.cookies["mailhelper"]
    assert nobody("GET", "/api/me").json["name"] == "carl"
    assert nobody("POST", "/logout", form={}).headers["location"] == "/login"
    assert "mailhelper" not in nobody.cookies
    nobody.cookies["mailhelper"] = secret       # whoever copied the cookie is out too
    assert nobody("GET", "/api/me").status == 401


@pytest.mark.parametrize("name,password", [
    ("carl", "Befund17"), ("nobody", PASSWORD), ("", ""), ("carl", ""), ("a\0b", "Befund17"), ("carl", "ab" * 50_000),
])
def test_a_failed_sign_in_says_the_same_for_all(nobody: Client, carl: Scope, name: str, password: str) -> None:
    answer = sign_in(nobody, name, password)
    assert answer.status == 400 and "Name or password is wrong." in answer.text
    assert "set-cookie" not in answer.headers
    assert not password or password not in answer.text


def test_the_last_sign_out_parks_jobs_and_the_next_sign_in_resumes_them(nobody: Client, carl: Scope, parked: str) -> None:
    sign_in(nobody)
    nobody("POST", "/logout", form={})
    token = Client(token=users.token(carl, ("read",), 1))
    assert token("GET", f"/tasks/{parked}").json["status"] == "waiting"
    sign_in(nobody)
    assert nobody("GET", f"/tasks/{parked}").json["status"] == "queued"


@pytest.mark.parametrize("url", [
    "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/\t/evil.example", "//[",
    "http:/evil", "",
    "inbox", " //evil.example", "/\r\nSet-Cookie: x=y", "/a\\b",
])
def test_after_the_sign_in_nobody_is_sent_elsewhere(nobody: Client, carl: Scope, url: str) -> None:
    assert sign_in(nobody, form={"next": url}).headers["location"] == "/"
    assert nobody("GET", "/login", form={"next": url}).status == 200


@pytest.mark.parametrize("url", ["/inbox?urgency=3&q=a%2Fb", "/email/5", "/"])
def test_after_the_sign_in_one_is_where_one_wanted_to_be(nobody: Client, carl: Scope, url: str) -> None:
    assert sign_in(nobody, form={"next": url}).headers["location"] == url


# ── cookie and proof ──

def test_the_cookie_is_for_this_site_and_no_script(nobody: Client, carl: Scope) -> None:
    parts = cookie(sign_in(nobody))
    assert {"httponly", "path=/", "samesite=lax"} <= set(parts) and "secure" not in parts


def test_the_cookie_is_secure_exactly_when_the_page_came_over_https(carl: Scope, settings: Any) -> None:
    settings(trusted_proxies=(PROXY,))
    for address, forwarded, secure in ((PROXY, "https", True), (PROXY, "http", False), (PROXY, "", False), ("10.0.0.2", "https", False)):
        answer = sign_in(Client(address=address), headers={"X-Forwarded-Proto": forwarded})
        assert ("secure" in cookie(answer)) is secure
        assert ("strict-transport-security" in answer.headers) is secure


@pytest.mark.parametrize("headers,status", [
    ({"Sec-Fetch-Site": "same-origin"}, 303), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 303), ({"Origin": "http://127.0.0.1"}, 303), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
    ({"Origin": "http://["}, 403), ({}, 303),
])
def test_nobody_can_be_signed_in_from_another_site(nobody: Client, carl: Scope, headers: dict[str, str], status: int) -> None:
    assert sign_in(nobody, headers=headers).status == status


def test_a_form_needs_the_token_of_its_own_session(nobody: Client, carl: Scope, ann: Scope) -> None:
    sign_in(nobody)
    for wrong in ("", "x", Client(ann).csrf):
        assert nobody("POST", "/settings", form={"theme": "dark", "csrf": wrong}, csrf=False).status == 403
    assert nobody("POST", "/api/tokens", json={"scope": ["read"]}, csrf=False).status == 403
    assert nobody("GET", "/api/me").status == 200


def test_no_secret_is_in_the_pages(nobody: Client, carl: Scope) -> None:
    sign_in(nobody)
    for path in ("/", "/settings", "/jobs"):
        answer = nobody("GET", path, script=False)
        assert nobody.cookies["mailhelper"] not in answer.text and PASSWORD not in answer.text


@pytest.mark.parametrize("said", ["unknown|", "|", "saved|javascript:alert(1)", "saved|//evil.example", "x" * 500])
def test_a_forged_note_for_the_next_page_does_no_harm(nobody: Client, carl: Scope, said: str) -> None:
    sign_in(nobody)
    nobody.cookies["toast"] = f'"{said}"'
    answer = nobody("GET", "/", script=False)
    assert answer.status == 200 and "javascript:" not in answer.text and "evil.example" not in answer.text


# ── limits ──

def test_the_sixth_failure_is_429_and_so_is_the_right_password(nobody: Client, carl: Scope) -> None:
    assert [sign_in(nobody, password="wrong").status for _ in range(6)] == [400] * 5 + [429]
    locked = sign_in(nobody)
    assert locked.status == 429 and 14 * 60 < int(locked.headers["retry-after"]) <= 15 * 60
    assert "Too many failed sign-ins" in locked.text
    assert sign_in(Client(address="198.51.100.1")).status == 303


def test_a_proxy_is_believed_about_the_address_only_when_trusted(carl: Scope, settings: Any) -> None:
    def attempt(address: str, forwarded: str) -> int:
        return sign_in(Client(address=address), password="wrong", headers={"X-Forwarded-For": forwarded}).status

    assert [attempt("203.0.113.9", f"192.0.{number}.1") for number in range(6)][-1] == 429       # a stranger's own word counts for nothing
    settings(trusted_proxies=(PROXY,))
    assert [attempt(PROXY, f"192.0.{number}.1, 198.51.100.7:{4000 + number}") for number in range(6)][-1] == 429     # only what the proxy itself saw
    assert attempt(PROXY, "198.51.101.7") == 400
    assert [attempt(PROXY, f"[2001:db8::7]:{number}, {PROXY}") for number in range(6)][-1] == 429


def test_calls_above_the_rate_are_429_where_one_is_set(ann: Scope, settings: Any) -> None:
    client = Client(ann)
    assert all(client("GET", "/api/me").status == 200 for _ in range(5))
    settings(api_rate=3)
    assert [client("GET", "/api/me").status for _ in range(4)] == [200, 200, 200, 429]
    assert client("GET", "/api/me").headers["retry-after"]
    assert client("GET", "/tasks/1").status == 404      # polling is exempt


def test_a_session_ends_when_nothing_happened_for_a_while(nobody: Client, carl: Scope) -> None:
    sign_in(nobody)
    everyone.update(Grant, used_at=now() - dt.timedelta(minutes=29)).execute()
    assert nobody("GET", "/api/me").status == 200
    everyone.update(Grant, used_at=now() - dt.timedelta(minutes=31)).execute()
    answer = nobody("GET", "/api/me")
    assert (answer.status, answer.json["error"]) == (401, "session_expired")
    assert nobody("GET", "/inbox?urgency=3", script=False).headers["location"] == "/login?next=%2Finbox%3Furgency%3D3"


def test_a_session_ends_for_good_after_thirty_days(nobody: Client, carl: Scope) -> None:
    sign_in(nobody)
    everyone.update(Grant, expires_at=everyone.select(Grant).get().expires_at - dt.timedelta(days=30)).execute()
    assert nobody("GET", "/api/me").status == 401


# ── settings ──

GOOD = {"language": "de", "theme": "dark", "density": "compact", "timezone": "Europe/Berlin", "idle_minutes": "60", "mark_read": ""}


def test_settings_are_kept(nobody: Client, carl: Scope) -> None:
    sign_in(nobody)
    assert nobody("POST", "/settings", form=GOOD).status == 303
    assert nobody("GET", "/api/me").json["settings"] == {**GOOD, "idle_minutes": 60, "mark_read": False}


@pytest.mark.parametrize("change", [{"theme": "pink"}, {"timezone": "Mars"}, {"timezone": "a\0"}, {"idle_minutes": "1"}, {"idle_minutes": "x"},
                                    {"idle_minutes": "9" * 30}, {"language": "xx"}])
def test_wrong_settings_are_shown_with_a_sentence(nobody: Client, carl: Scope, change: dict[str, str]) -> None:
    sign_in(nobody)
    assert nobody("POST", "/settings", form={**GOOD, **change}).status == 400
    assert User.get(User.name == "carl").theme == "auto"


def test_the_password_is_changed_over_http_and_ends_other_sessions(nobody: Client, carl: Scope) -> None:
    sign_in(nobody)
    sign_in(other := Client())
    form = {"old": PASSWORD, "new": "another calm sentence", "again": "another calm sentence"}
    for change in ({"old": "wrong"}, {"new": "short", "again": "short"}, {"again": "different"}):
        assert nobody("POST", "/settings/password", form={**form, **change}).status == 400
    assert nobody("POST", "/settings/password", form=form).status == 303
    assert nobody("GET", "/api/me").status == 200
    assert other("GET", "/api/me").status == 401
    assert sign_in(Client()).status == 400 and sign_in(Client(), password="another calm sentence").status == 303


def test_the_old_password_is_asked_five_times(nobody: Client, carl: Scope) -> None:
    sign_in(nobody)
    form = {"old": "wrong", "new": "another calm sentence", "again": "another calm sentence"}
    answers = [nobody("POST", "/settings/password", form=form) for _ in range(6)]
    assert [answer.status for answer in answers] == [400] * 5 + [429]
    assert answers[-1].headers["retry-after"]


def test_another_session_is_ended_from_the_settings_page(nobody: Client, carl: Scope) -> None:
    sign_in(nobody)
    sign_in(other := Client())
    sessions = nobody("GET", "/api/sessions").json["items"]
    assert [one["current"] for one in sessions] == [False, True]
    assert nobody("POST", f"/settings/sessions/{sessions[0]['id']}/delete", form={}).status == 303
    assert other("GET", "/api/me").status == 401
    assert nobody("GET", "/api/me").status == 200
    for id in ("99999999999999999999", "0"):
        assert nobody("POST", f"/settings/sessions/{id}/delete", form={}, script=True).status == 404


@pytest.mark.parametrize("id", ["x", "", "99999999999999999999", "-1", "1.5"])
def test_an_odd_session_or_token_id_is_404(ann: Scope, id: str) -> None:
    token = Client(token=users.token(ann, ("write",), 1))
    for path in ("/api/sessions", "/api/tokens"):
        assert token("DELETE", f"{path}?id={id}").status == 404
        assert token("DELETE", path, json={"id": [id]}).status == 404


# ── tokens ──

def test_a_token_is_shown_once_and_does_what_it_was_made_for(ann: Scope) -> None:
    browser = Client(ann)
    token = browser("POST", "/api/tokens", json={"scope": ["read"], "days": 7, "label": "script"}).json["token"]
    script = Client(token=token)
    assert script("GET", "/api/me").json["name"] == "ann"
    refused = script("DELETE", "/api/tokens", json={"id": 1})
    assert (refused.status, refused.json["error"]) == (403, "scope_missing")
    listed = browser("GET", "/api/tokens")
    assert [(one["label"], one["scope"]) for one in listed.json["items"]] == [("script", ["read"])] and token not in listed.text
    assert browser("DELETE", "/api/tokens", json={"id": listed.json["items"][0]["id"]}).status == 200
    assert script("GET", "/api/me").status == 401


def test_a_token_makes_no_tokens_and_opens_no_pages(ann: Scope) -> None:
    script = Client(token=users.token(ann, ("read", "triage", "write", "admin"), 1))
    assert script("POST", "/api/tokens", json={"scope": ["read"]}).status == 403
    assert script("GET", "/settings", script=True).status == 403
    assert script("POST", "/logout", form={}, script=True).status == 403


@pytest.mark.parametrize("body", [
    {"scope": "read"}, {"scope": [1]}, {"scope": []}, {"scope": ["fly"]}, {"days": 0}, {"days": "7"}, {"days": True}, {"days": 1.5}, {"label": 5},
    {"label": ["x"]}, {"label": "x" * 201}, {"colour": "red"}, [], "x", b"{", b"\xff",
])
def test_a_wrong_token_is_400_with_its_field(ann: Scope, body: Any) -> None:
    answer = Client(ann)("POST", "/api/tokens", json=body)
    assert answer.status == 400
    if isinstance(body, dict):
        assert list(answer.json["fields"]) == list(body)
    assert users.grants(ann, "api") == []


def test_a_token_is_no_session_and_a_session_no_token(ann: Scope) -> None:
    browser, token = Client(ann), users.token(ann, ("read",), 1)
    assert Client(token=browser.cookies["mailhelper"])("GET", "/api/me").status == 401
    client = Client()
    client.cookies["mailhelper"] = token
    assert client("GET", "/api/me").status == 401


def test_somebody_switched_off_is_out_at_once(ann: Scope) -> None:
    browser, script = Client(ann), Client(token=users.token(ann, ("read",), 1))
    User.update(disabled=True).where(User.id == ann.user.id).execute()
    assert browser("GET", "/api/me").status == script("GET", "/api/me").status == 401


@pytest.mark.parametrize("zone, expected", [("Europe/Berlin", "Europe/Berlin"), ("Mars/Olympus", "UTC"), ("", "UTC")])
def test_whoever_signs_up_lives_where_their_browser_does(nobody: Client, registering: dict[str, str], zone: str, expected: str) -> None:
    nobody("POST", "/register", form={**registering, "timezone": zone})
    assert nobody("GET", "/api/me").json["settings"]["timezone"] == expected


def test_what_stands_beside_a_page_is_fresh_after_a_change(ann: Scope) -> None:
    client = Client(ann)
    assert "Somewhere else" not in client("GET", "/settings", script=False).text
    accounts.create_local(ann, "Somewhere else", "ann@home.example")
    client("POST", "/settings", form=GOOD)
    assert "Somewhere else" in client("GET", "/settings", script=False).text


def test_the_first_sign_in_settles_the_language_that_jobs_write_in(nobody: Client, carl: Scope) -> None:
    assert sign_in(nobody, headers={"Accept-Language": "de"}).status == 303
    assert sign_in(nobody, headers={"Accept-Language": "en"}).status == 303
    assert User.get_by_id(carl.user.id).language == "de"
