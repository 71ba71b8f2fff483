"""The main job, end to end: a mailbox of 6,046 real mails comes in whole, readable, rated and findable; by command line and API alone."""

import email
import email.policy
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from tests import corpus
from tests.servers import dovecot
from tests.servers.product import Product

MAILS = int(os.environ.get("MAILBOX_MAILS", str(corpus.SIZE)))
SAMPLE = 5  # each so manieth mail is read and compared

pytestmark = [
    pytest.mark.slow,
    pytest.mark.servers,
    pytest.mark.skipif(not dovecot.available(), reason="Dovecot is not installed"),
    pytest.mark.skipif(not corpus.available(), reason="the corpus of real mails is not there (python -m tests.corpus)"),
]


@pytest.fixture(scope="module")
def server():
    with dovecot.Dovecot(["mia"]) as server:
        corpus.fill(server, "mia", MAILS)
        yield server


@pytest.fixture(scope="module")
def product(server):
    with Product() as product:
        product.add_user()
        product.start("run")
        product.account = product.add_account(server.port, "mia", server.password("mia"))
        product.first = product.wait(product.fetch(product.account), MAILS / 20 + 60)
        yield product


@pytest.fixture(scope="module")
def mails(product):
    return list(product.items("/api/emails"))


def test_every_mail_is_there_and_rated(product, mails):
    assert (product.first["status"], product.first["error"], product.first["result"]["errors"]) == ("completed", None, [])
    assert product.first["result"]["email_count"] == MAILS == len({mail["id"] for mail in mails})
    assert [mail["id"] for mail in mails if mail["triage"] is None or mail["triage"]["failed"]] == []


def test_flags_are_those_of_the_server(product, server):
    kept = [corpus.flags(number) for number in range(MAILS)]
    for asked, letter in (("unread=0", "S"), ("flagged=1", "F"), ("answered=1", "R")):
        assert product.get(f"/api/emails?limit=1&{asked}")["total"] == sum(letter in flags for flags in kept), asked
    with server.session("mia") as session:
        session.select("INBOX")
        session.store("1:2", "+FLAGS", r"(\Seen \Flagged)")
    job = product.wait(product.fetch(product.account))
    assert job["result"]["updated"] == sum(not {"S", "F"} <= set(corpus.flags(number)) for number in (0, 1))


def test_a_round_without_changes_is_quick_and_does_nothing(product):
    product.wait(product.fetch(product.account))
    job = product.wait(product.fetch(product.account))
    assert [job["result"][count] for count in ("email_count", "updated", "moved", "deleted")] == [0, 0, 0, 0]
    assert (moment(job["finished_at"]) - moment(job["started_at"])).total_seconds() <= 0.5


def test_texts_are_those_of_an_independent_parser(product, mails):
    with ThreadPoolExecutor(4) as pool:
        compared = list(pool.map(lambda mail: compare(product, mail["id"]), mails[::SAMPLE]))
    judged = [same for same in compared if same is not None]
    assert len(judged) > 0.75 * len(compared)  # the others have no plain part
    assert sum(judged) >= 0.99 * len(judged)


def test_lists_filter_sort_and_search(product, mails):
    urgent = product.get("/api/emails?urgency=3&sort=score&limit=200")
    assert all(mail["triage"]["urgency"] == 3 for mail in urgent["items"])
    assert urgent["total"] == sum(mail["triage"]["urgency"] == 3 for mail in mails)
    scores = [mail["triage"]["score"] for mail in urgent["items"]]
    assert scores == sorted(scores, reverse=True)
    hits = product.get("/api/search?q=linux+kernel&limit=20")["items"]
    assert hits
    for hit in hits:
        shown = str(product.get(f"/api/emails/{hit['id']}")).lower()
        assert "linux" in shown and "kernel" in shown
    assert product.get("/api/search?q=quexnowhere")["items"] == []


def compare(product: Product, mail: int) -> bool | None:
    """Whether our text of a mail begins with the words of Python's own parser (which takes one part); None where that one gives up."""
    independent = plain_text(product.api("GET", f"/api/emails/{mail}/raw").body)
    if independent is None:
        return None
    theirs = words(independent)
    return words(product.get(f"/api/emails/{mail}")["text"])[: len(theirs)] == theirs


def plain_text(raw: bytes) -> str | None:
    """The text of a mail's first plain part; None if it has none, or one that this parser cannot decode either."""
    try:
        part = email.message_from_bytes(raw, policy=email.policy.default).get_body(("plain",))
        text = part.get_content() if part else ""
    except Exception:  # the standard library raises a great many things at mails such as these
        return None
    return text if text.strip() and "\ufffd" not in text else None


def words(text: str) -> list[str]:
    """The words of a text, without marks and what little is different about space."""
    return ["".join(filter(str.isalnum, word)).lower() for word in text.split() if any(map(str.isalnum, word))]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
