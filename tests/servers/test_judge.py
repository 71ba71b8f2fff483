"""Models in the real product: the limit over two web processes, Cancel, kill -9 in mid-call, five people at once while a sync runs."""

import json
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.model import answer
from tests.servers import dovecot
from tests.servers.process import free_port
from tests.servers.product import PASSWORD, Answer, Product
from tests.servers.scripted_ai import Server, Step, Talk, serving, stream

pytestmark = [pytest.mark.slow, pytest.mark.servers]
BUTTONS = ("reprocess", "optimize", "generate-reply")
PEOPLE = ("ann", "bea", "cid", "dan", "eva")
SLOW = 5        # times as long as on an idle machine


def sensible(talk: Talk) -> None:
    stream(json.dumps(answer(talk.request)), usage=None)(talk)


def stuck(talk: Talk) -> None:
    """Begins to answer, and never ends."""
    talk.head()
    while not talk.over.is_set():
        talk.delta("x")
        talk.wait(0.2)


@pytest.fixture
def product() -> Iterator[Product]:
    with Product() as product:
        product.add_user()
        yield product


def letters(folder: Path, user: str, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.eml").write_text(
            f"From: Miriam <miriam@work.example>\nTo: {user}@example.org\nSubject: Letter {number}\nMessage-ID: <{user}{number}@x>\n"
            "Date: Fri, 20 Nov 2026 09:12:00 +0000\n\nCould you sign the contract by Friday?\n")
    return folder


def mailbox(product: Product, server: Server, count: int = 1, user: str = "ann", token: str = "") -> list[int]:
    """Imported mails of a user whose mailbox lets a model see them, and a provider; the ids of the mails."""
    product.run("import", letters(product.home / user, user, count), "--user", user, "--address", f"{user}@example.org", answers=(PASSWORD,))
    account = product.api("GET", "/api/accounts", token=token).json["items"][-1]["id"]
    assert product.api("PATCH", f"/api/accounts/{account}", {"mode": "llm_original"}, token).status == 200
    values = {"name": "Box", "base_url": server.url, "base_model": "base-70b", "optimize_model": "strong-400b"}
    assert product.api("POST", "/api/ai-providers", values, token).status == 201
    return [mail["id"] for mail in product.api("GET", "/api/emails?limit=200", token=token).json["items"]]


def press(product: Product, mail: int, button: str, token: str = "") -> Answer:
    return product.api("POST", f"/email/{mail}/{button}", {}, token)


def asked(server: Server, count: int) -> None:
    """Returns once so many questions have come."""
    end = time.monotonic() + 30
    while len(server.requests) < count:
        assert time.monotonic() < end, "nobody asks"
        time.sleep(0.02)


def test_the_sixth_optimize_pass_is_refused_over_two_web_processes(product: Product) -> None:
    with serving(sensible) as server:
        product.start("web")
        ids = mailbox(product, server, 7)
        product.start("worker")
        for id in ids:
            product.wait(press(product, id, "reprocess").json["task_id"])
        first, second = product.port, free_port()
        product.env["MAILHELPER_LISTEN"], product.port = f"127.0.0.1:{second}", second
        product.processes["web 1"] = product.processes.pop("web")
        product.start("web")
        statuses = []
        for number, id in enumerate(ids):
            product.port = (first, second)[number % 2]
            answered = press(product, id, "optimize")
            statuses.append(answered.status)
        assert statuses == [202] * 5 + [429] * 2 and 3000 < int(answered.headers["Retry-After"]) <= 3600


def test_cancel_ends_a_running_question_within_two_seconds(product: Product) -> None:
    with serving(stuck) as server:
        product.start("web")
        id = mailbox(product, server)[0]
        product.start("worker")
        for button in ("reprocess", "generate-reply"):
            server.requests.clear()
            task = press(product, id, button).json["task_id"]
            asked(server, 1)
            assert product.api("POST", f"/tasks/{task}/cancel", {}).json["status"] == "cancelled"
            began = time.monotonic()
            follow = press(product, id, button).json["task_id"]      # the same worker takes it once it has let go of the first
            asked(server, 2)
            assert time.monotonic() - began < 2 * SLOW
            product.api("POST", f"/tasks/{follow}/cancel", {})


def test_a_worker_killed_in_mid_call_leaves_the_job_to_another_that_does_it_once(product: Product) -> None:
    steps: list[Step] = [stuck, sensible]
    with serving(*steps) as server:
        product.start("web")
        id = mailbox(product, server)[0]
        product.start("worker")
        task = press(product, id, "generate-reply").json["task_id"]
        asked(server, 1)
        product.kill("worker")
        product.start("worker")
        job = product.wait(task)
        assert (job["status"], job["error"]) == ("completed", None) and job["result"]["draft"] and len(server.requests) == 2
        assert product.get(f"/api/drafts/{job['result']['draft_id']}")["version"] == 1


@pytest.mark.skipif(not dovecot.available(), reason="Dovecot is not installed")
def test_five_people_press_all_three_buttons_while_a_sync_runs(product: Product) -> None:
    with serving(sensible) as server, dovecot.Dovecot(["ann"]) as mails:
        product.start("web")
        tokens = {"ann": product.token}
        for name in PEOPLE[1:]:
            tokens[name] = product.add_user(name, admin=False)
        own = {name: mailbox(product, server, 2, name, tokens[name])[0] for name in PEOPLE}
        product.token = tokens["ann"]
        product.start("worker")
        for name in PEOPLE:     # an optimize pass needs a base
            product.token = tokens[name]
            product.wait(press(product, own[name], "reprocess").json["task_id"])
        product.token = tokens["ann"]
        mails.deliver([f"Subject: Letter {number}\nMessage-ID: <s{number}@x>\n\nHello\n".encode() for number in range(300)], user="ann")
        sync = product.fetch(product.add_account(mails.port, "ann", mails.password("ann")))
        with ThreadPoolExecutor(5) as pool:
            pressed = list(pool.map(lambda name: [timed(product, own[name], button, tokens[name]) for button in BUTTONS], PEOPLE))
        times = [seconds for each in pressed for seconds, _ in each]
        assert statistics.median(times) < 0.1 * SLOW, times
        for name, each in zip(PEOPLE, pressed, strict=True):
            product.token = tokens[name]
            for _, task in each:
                job = product.wait(task)
                assert (job["status"], job["error"]) == ("completed", None), job
                stranger = tokens[PEOPLE[(PEOPLE.index(name) + 1) % 5]]
                assert product.api("GET", f"/tasks/{task}", token=stranger).status == 404
        product.token = tokens["ann"]
        assert product.wait(sync)["result"]["email_count"] == 300


def timed(product: Product, mail: int, button: str, token: str) -> tuple[float, str]:
    """How long one click took, and its task."""
    began = time.monotonic()
    answered = press(product, mail, button, token)
    seconds = time.monotonic() - began
    assert answered.status == 202, answered.body
    return seconds, str(answered.json["task_id"])
