"""kill -9 of the worker, again and again during one sync: the job ends, every mail is there, none twice.

KILL9_KILLS and KILL9_MAILS in the environment give a larger dose.
"""

import hashlib
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import corpus
from tests.servers import dovecot
from tests.servers.product import BACKENDS, ENDED, Product, installed

MAILS = int(os.environ.get("KILL9_MAILS", "3000"))
KILLS = int(os.environ.get("KILL9_KILLS", "5"))
AFTER_KILL = 120  # seconds until the job must move again: 45 of silence mean lost, and the sweep comes each minute

pytestmark = [
    pytest.mark.slow,
    pytest.mark.servers,
    pytest.mark.skipif(not dovecot.available(), reason="Dovecot is not installed"),
    pytest.mark.skipif(not corpus.available(), reason="the corpus of real mails is not there (python -m tests.corpus)"),
]


@pytest.fixture(scope="module")
def mailbox():
    with dovecot.Dovecot(["kay"]) as server:
        corpus.fill(server, "kay", MAILS)
        yield server


@pytest.fixture(params=BACKENDS)
def product(request):
    with installed(request.param) as product:
        yield product


def test_a_sync_survives_killed_workers(product, mailbox):
    product.add_user()
    account = product.add_account(mailbox.port, "kay", mailbox.password("kay"))
    product.start("web")
    product.start("worker")
    task = product.fetch(account)
    for number in range(KILLS):
        wait_for_mails(product, task, MAILS * (number + 1) // (KILLS + 2))
        if number % 2:
            product.kill_busiest_child("worker")
        else:
            product.kill("worker")
            product.start("worker")
    job = product.wait(task, AFTER_KILL + MAILS / 20)
    assert (job["status"], job["error"]) == ("completed", None)
    assert product.get("/api/emails?limit=1")["total"] == MAILS
    assert stored(product) == expected()


def wait_for_mails(product: Product, task: str, count: int) -> None:
    """Returns once so many mails are stored and the job is still at it."""
    end = time.monotonic() + AFTER_KILL + MAILS / 20
    while (total := product.get("/api/emails?limit=1")["total"]) < count:
        job = product.get(f"/tasks/{task}")
        assert job["status"] not in ENDED, f"the job ended before it could be killed: {job}, {total} mails"
        assert time.monotonic() < end, f"the job stands still: {job}, {total} mails"
        time.sleep(0.02)


def stored(product: Product) -> Counter[bytes]:
    """What is stored: a digest of the bytes of each mail, and how often it is there."""
    ids = [mail["id"] for mail in product.items("/api/emails")]
    assert len(set(ids)) == len(ids)
    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(lambda id_: digest(product.api("GET", f"/api/emails/{id_}/raw").body), ids))


def expected() -> Counter[bytes]:
    return Counter(digest(mail.raw) for mail in corpus.many(MAILS))


def digest(raw: bytes) -> bytes:
    """IMAP ends lines with CR LF, the corpus with LF."""
    return hashlib.sha256(raw.replace(b"\r\n", b"\n")).digest()
