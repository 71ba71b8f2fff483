"""Acting on mail with mouse and keyboard: the page shows it at once, and the mail server soon."""

import time

import pytest

from tests.servers import dovecot as dovecots
from tests.servers.product import Product
from tests.world import raw


@pytest.fixture
def server():
    if not dovecots.available():
        pytest.skip("Dovecot is not installed")
    with dovecots.Dovecot(["ann"]) as server:
        server.deliver([raw(f"Mail {number}", id=f"{number}@x") for number in range(3)], user="ann")
        server.deliver([raw("Old", id="old@x")], "Trash", "ann")
        yield server


@pytest.fixture
def product(server):
    with Product() as product:
        product.add_user()
        product.start("run")
        product.wait(product.fetch(product.add_account(server.port, "ann", server.password("ann"), "ann@home.example")))
        yield product


def soon(check):
    """Until a job has told the server."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.1)
    pytest.fail("the server was not told")


def flags(server, folder="INBOX"):
    """{subject: letters of the flags} as the mail server has them."""
    with server.session("ann") as session:
        if session.select(folder, readonly=True)[1] == [b"0"]:
            return {}
        answers = [one for one in session.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(one, tuple)]
    return {words.decode().strip().removeprefix("Subject: "): {name for name in ("Seen", "Flagged") if name.encode() in head}
            for head, words in answers}


def test_keys_in_the_list_act_and_can_be_taken_back(product, server, visit):
    page = visit(product.url, product.sign_in())
    page.goto("/inbox")
    page.keyboard.press("j")
    id = page.locator(".row.here").get_attribute("data-id")
    subject = page.locator(".row.here a").inner_text()
    page.keyboard.press("m")
    page.wait_for_selector(f".row.read[data-id='{id}']")
    page.keyboard.press("s")
    page.wait_for_selector(f".row.flagged[data-id='{id}']")
    soon(lambda: flags(server)[subject] == {"Seen", "Flagged"})
    page.locator(".toast button").click()
    page.wait_for_selector(f".row:not(.flagged)[data-id='{id}']")
    soon(lambda: flags(server)[subject] == {"Seen"})
    page.keyboard.press("#")
    page.wait_for_function("id => !document.querySelector(`.row[data-id='${id}']`)", arg=id)
    assert page.locator(".row.here").count() == 1, "the next mail is chosen"
    soon(lambda: subject in flags(server, "Trash"))
    page.locator(".toast button").click()
    page.wait_for_selector(f".row[data-id='{id}']")
    soon(lambda: flags(server).get(subject) == {"Seen"})


def test_a_quick_act_with_the_mouse(product, visit):
    page = visit(product.url, product.sign_in())
    page.goto("/inbox")
    page.locator(".row").first.hover()
    page.locator(".row .quick [data-act=flagged]").first.click()
    page.wait_for_selector(".row.flagged")
    page.goto("/journal")
    assert page.locator("tbody tr").count() == 1
    page.locator("tbody button").click()
    page.wait_for_selector("tbody tr:not(:has(button))")


def test_an_opened_mail_counts_as_read_after_two_seconds_and_not_before(product, server, visit):
    page = visit(product.url, product.sign_in())
    page.goto("/inbox")
    page.locator(".row a").first.click()
    subject = page.locator("h1").inner_text()
    unread = page.locator("button[data-key=m]").get_attribute("value")
    assert unread == "1" and flags(server)[subject] == set()
    page.wait_for_selector("button[data-key=m][value='0']")
    soon(lambda: flags(server)[subject] == {"Seen"})
    page.keyboard.press("m")
    page.wait_for_selector("button[data-key=m][value='1']")
    soon(lambda: flags(server)[subject] == set())
    page.keyboard.press("#")
    page.wait_for_url("**/inbox")
    soon(lambda: subject in flags(server, "Trash"))


def test_the_mail_page_acts_without_scripts(product, visit):
    page = visit(product.url, product.sign_in(), script=False)
    page.goto("/inbox")
    page.locator(".row a").first.click()
    page.locator("button[data-key=s]").click()
    assert page.locator("button[data-key=s]").get_attribute("value") == "0"
    page.locator(".toast button").click()
    assert page.locator("button[data-key=s]").get_attribute("value") == "1"
    page.locator("button[data-key='#']").click()
    assert page.url.endswith("/inbox") and page.locator(".row").count() == 2


def test_chosen_rows_are_moved_together_and_brought_back(product, server, visit):
    page = visit(product.url, product.sign_in())
    page.goto("/inbox")
    assert not page.locator("#bulk").is_visible()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator(".row .pick input").nth(1).check(force=True)
    assert page.locator("[data-picked]").inner_text() == "2 chosen"
    page.locator("#bulk summary").click()
    page.locator("#bulk-folder").select_option(label="Archive")
    page.locator("#bulk button[value=move]").click()
    page.wait_for_selector(".toast:has-text('Moved')")
    soon(lambda: len(flags(server, "Archive")) == 2)
    page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('taken back')")
    soon(lambda: len(flags(server)) == 3)


def test_chosen_rows_without_scripts(product, server, visit):
    page = visit(product.url, product.sign_in(), script=False)
    page.goto("/inbox")
    page.locator(".row .pick input").first.check(force=True)
    page.locator("#bulk button[value=flag]").click()
    assert page.locator(".row.flagged").count() == 1 and "Flagged." in page.locator(".toast").inner_text()
