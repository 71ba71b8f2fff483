"""Newsletters by sender, and one-click unsubscribing: only where a valid signature covers the offer, never by GET, never by itself."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mailhelper import egress, errors, message, newsletters, unsubscribing
from mailhelper.db import now
from mailhelper.egress import Door, Policy
from mailhelper.errors import Conflict, Error
from mailhelper.models import Account, Draft, Egress, Farewell, Folder, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import account, folder, keep, raw

OFFER = {"List_Unsubscribe": "<mailto:off@news.example>, <https://news.example/off?u=1>", "List_Unsubscribe_Post": "List-Unsubscribe=One-Click",
         "DKIM_Signature": "v=1; d=news.example; s=a; h=From:Subject:List-Unsubscribe:\r\n List-Unsubscribe-Post; bh=x; b=y",
         "Authentication_Results": "mx.home.example; spf=pass; dkim=pass header.d=news.example header.s=a"}


def ways(authserv: str = "mx.home.example", **headers: str | None) -> unsubscribing.Ways:
    wanted = {name: value for name, value in {**OFFER, **headers}.items() if value is not None}
    return unsubscribing.ways(message.parse(raw(**wanted)), authserv)


def test_a_signed_offer_of_one_click_is_taken() -> None:
    assert ways() == ("https://news.example/off?u=1", "mailto:off@news.example", "https://news.example/off?u=1")
    assert ways(Authentication_Results="mx.home.example; dkim=pass header.i=@news.example").post


@pytest.mark.parametrize("headers", [
    {"List_Unsubscribe_Post": None}, {"List_Unsubscribe_Post": "yes"}, {"DKIM_Signature": None}, {"Authentication_Results": None},
    {"DKIM_Signature": "v=1; d=news.example; h=From:List-Unsubscribe; b=y"},
    {"DKIM_Signature": "v=1; d=news.example; h=From:List-Unsubscribe-Post; b=y"},
    {"DKIM_Signature": OFFER["DKIM_Signature"].replace("d=news.example", "d=evil.example")}, {"authserv": ""}, {"authserv": "other.example"},
    {"Authentication_Results": "mx.home.example; dkim=fail header.d=news.example"},
    {"Authentication_Results": "evil; dkim=pass header.d=news.example"},
    {"Authentication_Results": "mx.home.example; dkim=pass header.d=evil.example"}, {"List_Unsubscribe": "<http://news.example/off>"},
    {"List_Unsubscribe": "<mailto:off@news.example>"}, {"List_Unsubscribe": None}, {"List_Unsubscribe": "<https://user@news.example/>"},
    {"List_Unsubscribe": "https://news.example/off"},
])
def test_anything_less_is_left_to_a_persons_hand(headers: dict[str, Any]) -> None:
    assert ways(**headers).post == ""


def test_a_second_field_that_the_signature_cannot_know_spoils_the_offer() -> None:
    doubled = raw(**OFFER).replace(b"List-Unsubscribe:", b"List-Unsubscribe: <https://evil.example/>\r\nList-Unsubscribe:", 1)
    assert unsubscribing.ways(message.parse(doubled), "mx.home.example").post == ""


# ── asking the sender's server ──

class Sender(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, str, str, dict[str, str]]] = []
    status = 200

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.asked.append((self.command, self.path, body, dict(self.headers)))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "https://news.example/elsewhere")
        self.end_headers()

    do_POST = do_GET = _answer

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Sender], Door]]:
    """The sender's server on this machine, and a door that finds it there."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sender)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(egress, "FOREIGN_PURPOSES", frozenset())        # which would refuse this machine
    monkeypatch.setattr(egress.Connection, "start_tls", lambda self, name, fingerprint="": None)
    port = server.server_address[1]
    connect = Door.connect
    monkeypatch.setattr(Door, "connect", lambda self, host, _, purpose, timeout=30.0: connect(self, host, port, purpose, timeout))
    Sender.asked, Sender.status = [], 200
    entries: list[Any] = []
    yield Sender, Door(Policy(private=True), entries.append, lambda host, port: ["127.0.0.1"])
    server.shutdown()
    server.server_close()


def test_one_post_and_nothing_else(sender: tuple[type[Sender], Door]) -> None:
    server, door = sender
    unsubscribing.post(door, "https://news.example/off?u=1")
    [(method, path, body, headers)] = server.asked
    assert (method, path, body) == ("POST", "/off?u=1", "List-Unsubscribe=One-Click")
    assert headers["Host"] == "news.example" and "Cookie" not in headers and "Referer" not in headers


@pytest.mark.parametrize("status", [302, 404, 500])
def test_no_redirect_is_followed_and_a_refusal_is_said(sender: tuple[type[Sender], Door], status: int) -> None:
    server, door = sender
    server.status = status
    with pytest.raises(errors.Refused):
        unsubscribing.post(door, "https://news.example/off")
    assert len(server.asked) == 1


def test_the_lan_is_never_asked() -> None:
    door = Door(Policy(private=True, allowed=("127.0.0.1",)), lambda entry: None, lambda host, port: ["127.0.0.1"])
    with pytest.raises(Error) as caught:
        unsubscribing.post(door, "https://news.example/off")
    assert caught.value.code == "egress_refused"


# ── as a page ──

@pytest.fixture
def mail(ann: Scope) -> Mail:
    place: Folder = folder(ann, account(ann))
    ann.update(Account, authserv="mx.home.example").execute()
    letters = [raw(f"News {n}", id=f"{n}@news", sender="The News <news@news.example>", **OFFER) for n in range(3)]
    found = keep(ann, place, *letters)
    ann.update(Mail, kind="newsletter").execute()
    ann.update(Mail, seen=True).where(Mail.id == found[0].id).execute()
    return found[-1]


def test_senders_with_volume_and_how_much_is_read(ann: Scope, mail: Mail) -> None:
    [one] = newsletters.listed(ann)
    assert (one.mail_id, one.name, one.address, one.total, one.seen, one.farewell) == (mail.id, "The News", "news@news.example", 3, 1, None)
    shown = Client(ann)("GET", "/newsletters").text
    assert "news@news.example" in shown and "33 %" in shown


def test_looking_asks_nobody(ann: Scope, mail: Mail, sender: tuple[type[Sender], Door]) -> None:
    client = Client(ann)
    for path in ("/newsletters", f"/newsletters/{mail.id}", f"/api/newsletters/{mail.id}", "/api/newsletters", f"/email/{mail.id}"):
        assert client("GET", path).status == 200
    assert client("GET", f"/newsletters/{mail.id}/leave").status == 405
    assert sender[0].asked == [] and "Unsubscribe now" in client("GET", f"/newsletters/{mail.id}").text


def test_a_click_leaves_the_list_and_what_comes_later_is_counted(ann: Scope, mail: Mail, sender: tuple[type[Sender], Door],
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Door.__init__, "__defaults__", (lambda host, port: ["127.0.0.1"],))
    client = Client(ann)
    assert client("POST", f"/newsletters/{mail.id}/leave").headers["location"] == "/newsletters"
    assert [one[0] for one in sender[0].asked] == ["POST"]
    assert (ann.select(Farewell).get().state, ann.select(Egress).get().purpose) == ("done", "unsubscribe")
    [one] = newsletters.listed(ann)
    assert one.farewell and one.since == 0 and "Unsubscribed" in client("GET", "/newsletters").text
    ann.update(Farewell, at=now().replace(2026, 10, 1)).execute()
    assert newsletters.listed(ann)[0].since == 3 and f"/rules/new?mail={mail.id}" in client("GET", "/newsletters").text
    sender[0].status = 500
    assert client("POST", f"/api/newsletters/{mail.id}/unsubscribe", json={}).json["error"]["code"] == "unsubscribe_refused"


def test_without_proof_there_is_no_click(ann: Scope, mail: Mail, sender: tuple[type[Sender], Door]) -> None:
    ann.update(Account, authserv=None).execute()
    shown = Client(ann)("GET", f"/newsletters/{mail.id}").text
    assert "Unsubscribe now" not in shown and "mailto:off@news.example" in shown and "https://news.example/off?u=1" in shown
    with pytest.raises(Conflict):
        newsletters.leave(ann, mail.id)
    assert sender[0].asked == [] and ann.select(Farewell).count() == 0


def test_the_other_way_is_a_mail_that_its_owner_sends(ann: Scope, mail: Mail) -> None:
    place = Client(ann)("POST", f"/newsletters/{mail.id}/write").headers["location"]
    draft = ann.get(Draft, place.rpartition("/")[2])
    assert draft.people["to"] == [["", "off@news.example"]] and draft.subject == "unsubscribe" and draft.state == "draft"
    asked = unsubscribing.letter("mailto:a%2Bb@x.example?subject=leave%0d%0aBcc:%20c@x&cc=d@x&body=please")
    assert asked == ("a+b@x.example", "leave Bcc: c@x", "please")
