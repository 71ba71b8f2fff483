"""Nothing of a person's mail, words, addresses or passwords lies open in the data directory, the servers or the logs."""

import base64
import quopri

import pytest

from tests.servers import dovecot
from tests.servers.canaries import found
from tests.servers.product import BACKENDS, installed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.servers,
    pytest.mark.skipif(not dovecot.available(), reason="Dovecot is not installed"),
]

SUBJECT, BODY, HTML, NAME, ADDRESS, DOMAIN = "quexsubject", "quexbodyword", "quexmarkup", "quexperson", "quexaddress", "quexdomain"
FILE, CONTENT, FOLDER, MESSAGE_ID = "quexfilename", "quexattached", "quexfolder", "quexmessageid"
BOX, OWNER_ADDRESS, NEVER = "quexboxuser", "quexowner", "quexunfound"
OWNER_PASSWORD, WRONG_PASSWORD = "quexown-passphrase", "quexwrong-passphrase"
WORDS = [SUBJECT, BODY, HTML, NAME, ADDRESS, DOMAIN, FILE, CONTENT, FOLDER, MESSAGE_ID]
WORDS += [BOX, OWNER_ADDRESS, OWNER_PASSWORD, WRONG_PASSWORD, NEVER]

MAIL = f"""\
From: "{NAME} Smith" <{ADDRESS}%d@{DOMAIN}.example>
To: {OWNER_ADDRESS}@{DOMAIN}.example
Subject: {SUBJECT} number %d, please answer by Friday
Message-ID: <{MESSAGE_ID}%d@{DOMAIN}.example>
Date: Mon, 02 Nov 2026 10:%02d:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: multipart/alternative; boundary="a"

--a
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

{quopri.encodestring(f"Hello, {BODY}! Could you send it?".encode()).decode()}
--a
Content-Type: text/html; charset=utf-8

<p>Hello, <b>{HTML}</b> {BODY}</p>
--a--
--b
Content-Type: application/octet-stream; name="{FILE}.bin"
Content-Disposition: attachment; filename="{FILE}.bin"
Content-Transfer-Encoding: base64

{base64.b64encode(CONTENT.encode() * 3).decode()}
--b--
"""
COUNT = 30


@pytest.fixture
def mailbox():
    with dovecot.Dovecot([BOX]) as server:
        mails = [(MAIL % (number, number, number, number)).encode() for number in range(COUNT)]
        server.deliver(mails[::2], user=BOX)
        server.deliver(mails[1::2], f"{FOLDER}.sub", user=BOX)
        with server.session(BOX) as session:
            session.subscribe(f"{FOLDER}.sub")
        yield server


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_word_address_password_or_key_lies_open_anywhere(backend, mailbox):
    with installed(backend) as product:
        secrets = use(product, mailbox)
        words = [*WORDS, mailbox.password(BOX), *secrets]
        for server in product.servers:
            server.save()
        places = [product.data, product.log, *(server.folder for server in product.servers)]
        assert found(words, places) == [], "while it runs"
        for name in list(product.processes):
            product.stop(name)
        assert found(words, places) == [], "after it has stopped"
        assert keys_elsewhere(product.data) == []


def use(product, mailbox) -> list[str]:
    """A round through all that a person does; returns the secrets that it made."""
    token = product.add_user(password=OWNER_PASSWORD)
    product.start("run")
    account = product.add_account(mailbox.port, BOX, mailbox.password(BOX), address=f"{OWNER_ADDRESS}@{DOMAIN}.example", own=OWNER_PASSWORD)
    broken = product.add_account(mailbox.port, BOX, WRONG_PASSWORD, address=f"{OWNER_ADDRESS}2@{DOMAIN}.example", own=OWNER_PASSWORD)
    cookie = product.sign_in(password=OWNER_PASSWORD)
    job = product.wait(product.fetch(account))
    assert (job["status"], job["result"]["email_count"]) == ("completed", COUNT)
    assert product.wait(product.fetch(broken))["status"] == "failed"
    assert product.api("POST", f"/api/accounts/{broken}/test", {}).status < 500
    mails = list(product.items("/api/emails"))
    assert len(mails) == COUNT
    assert any(SUBJECT in mail["subject"] for mail in mails)
    read(product, mails[0]["id"], cookie)
    rated = product.api("POST", f"/email/{mails[0]['id']}/reprocess", {})
    assert product.wait(rated.json["task_id"])["status"] == "completed"
    fail(product, mails[0]["id"])
    product.sign_out(cookie)
    return [token, *(pair.split("=", 1)[1] for pair in cookie.split("; ") if len(pair) > 20)]


def read(product, mail: int, cookie: str) -> None:
    """Reads and searches, by the API and by the pages."""
    assert BODY in product.get(f"/api/emails/{mail}")["text"]
    assert CONTENT in product.api("GET", f"/api/emails/{mail}/attachments/1").body.decode()
    for word in (SUBJECT, BODY, f"from:{ADDRESS}1", NEVER):
        hits = product.get(f"/api/search?q={word}")["items"]
        assert bool(hits) == (word != NEVER), word
    for page in ("/", "/inbox", f"/email/{mail}", f"/search?q={BODY}", "/accounts", "/jobs"):
        assert product.request("GET", page, headers={"Cookie": cookie}).status < 500


def fail(product, mail: int) -> None:
    """What goes wrong is logged too: wrong passwords, bad input, pages that do not exist."""
    with pytest.raises(RuntimeError):
        product.sign_in(password=WRONG_PASSWORD)
    product.api("POST", "/api/accounts", {"address": f"{ADDRESS}@{DOMAIN}.example", NEVER: BODY})
    product.api("GET", f"/api/emails/{mail}/attachments/{FILE}")
    product.api("GET", f"/api/search?q=before:{NEVER}")
    product.api("GET", "/api/me", token=f"{NEVER}-token")
    product.attempt("account", "test", "1", "--user", "ann", answers=(WRONG_PASSWORD,))


def keys_elsewhere(data) -> list[str]:
    """Where the instance key lies besides its own file."""
    key = data / "instance.key"
    secret = key.read_bytes().strip()
    forms = {secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"="), base64.urlsafe_b64encode(secret).rstrip(b"=")}
    others = [path for path in data.rglob("*") if path.is_file() and path != key]
    return [str(path) for path in others if any(form in path.read_bytes() for form in forms)]
