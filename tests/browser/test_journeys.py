"""What people do, from the first start to a corrected rating: with scripts, without, on a phone, and by keyboard alone."""

import re
import socket

import pytest

from tests.servers.product import PASSWORD


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
@pytest.mark.parametrize("size, lang", [("desktop", "en"), ("phone", "de")])
def test_from_the_first_start_to_the_first_rated_mail(fresh, mailbox, visit, size, lang, script):
    page = visit(fresh.url, "", size, "light", lang, script)
    page.goto("/")
    register(page)
    page.locator(".welcome .btn.primary").click()
    add_mailbox(page, mailbox)
    choose(page, script, mailbox)
    assert page.locator(".cell").count() == 9
    page.locator(".row a").first.click()
    page.wait_for_selector("#rating .reasons li")
    assert page.locator("h1").inner_text()


def register(page):
    page.fill("[name=name]", "ann")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=again]", PASSWORD)
    page.locator("form button").click()
    page.wait_for_selector(".welcome")


def add_mailbox(page, mailbox):
    page.fill("[name=address]", "ann@example.org")
    page.locator("[value=propose]").click()
    assert page.locator("[name=host]").input_value() == "imap.example.org"
    page.fill("[name=host]", "127.0.0.1")
    page.fill("[name=port]", str(mailbox.port))
    page.select_option("[name=security]", "none")
    page.fill("[name=username]", "ann")
    page.fill("[name=password]", "wrong")
    page.locator("[value=test]").click()
    assert page.locator(".test .box.bad").count() == 1
    assert page.locator("[name=password]").input_value() == ""
    page.fill("[name=password]", mailbox.password("ann"))
    page.locator("[value=save]").click()
    page.wait_for_url("**/welcome")


def choose(page, script, mailbox):
    """How to rate is chosen while mails come in: with scripts the page follows the sync by itself; without, one looks again."""
    assert page.locator("[name=mode]:checked").get_attribute("value") == "builtin"
    for _ in range(40):
        if page.locator("[data-live=list] .row").count() and not page.locator("[data-live=sync] progress").count():
            break
        page.wait_for_timeout(250)
        if not script:
            page.reload()
    assert "30" in page.locator("#arrived").inner_text()
    page.locator("main form .btn.primary").click()
    page.wait_for_selector(".matrix")


def test_a_correction_counts_at_once_and_can_be_taken_back(product, visit):
    page = visit(product.url, product.sign_in())
    page.goto(f"/email/{mail(product, 'Sunday?')}")
    before = page.locator("#rating .badge").inner_text()
    page.keyboard.press("9")
    page.wait_for_selector("#rating .badge.red")
    assert page.locator(".fix[aria-pressed=true]").inner_text() == "9"
    page.locator(".toast button").click()
    page.wait_for_function("before => document.querySelector('#rating .badge').innerText === before", arg=before)


def test_a_correction_works_without_scripts(product, visit):
    page = visit(product.url, product.sign_in(), script=False)
    page.goto(f"/email/{mail(product, 'Protokoll der Sitzung')}")
    page.locator(".fix[data-key='9']").click()
    assert page.locator("#rating .badge.red").count() == 1
    page.locator(".toast button").click()
    assert page.locator("#rating .badge.red").count() == 0


def test_the_list_is_walked_and_worked_by_keyboard(product, visit):
    page = visit(product.url, product.sign_in())
    page.goto("/inbox")
    page.keyboard.press("j")
    page.keyboard.press("j")
    chosen = page.locator(".row.here")
    assert chosen.get_attribute("data-id") == page.locator(".row").nth(1).get_attribute("data-id")
    page.keyboard.press("e")
    page.wait_for_selector(".row.here.done")
    page.locator(".toast button").click()
    page.wait_for_selector(".row.here:not(.done)")
    page.keyboard.press("k")
    page.keyboard.press("o")
    page.wait_for_url("**/email/*")
    page.keyboard.press("u")
    page.wait_for_url("**/inbox")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("contract")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=contract")
    assert page.locator(".row").count() == 1
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_selector(".matrix")
    page.keyboard.press("?")
    assert page.locator("dialog[open] h2").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_a_mail_is_marked_as_done_without_scripts_and_one_stays_in_the_list(product, visit):
    page = visit(product.url, product.sign_in(), script=False)
    page.goto("/inbox?kind=newsletter&done=0")
    rows = page.locator(".row").count()
    page.locator(".row").first.hover()
    page.locator(".row .quick button").first.click()
    assert page.url.endswith("/inbox?kind=newsletter&done=0")
    assert page.locator(".row").count() == rows - 1
    page.locator(".toast button").click()
    page.goto("/inbox?kind=newsletter&done=0")
    assert page.locator(".row").count() == rows


def test_filters_narrow_the_list_and_chips_take_them_away(product, visit):
    page = visit(product.url, product.sign_in(), "phone")
    page.goto("/inbox")
    page.locator(".filter summary").click()
    page.select_option("[name=kind]", "newsletter")
    page.locator(".filter button.primary").click()
    page.wait_for_url("**kind=newsletter**")
    assert page.locator(".row").count() == 22
    page.locator(".chips a").first.click()
    page.wait_for_url(re.compile(r"/inbox(\?sort=\w+)?$"))
    assert page.locator(".row").count() == 30


def test_rating_again_shows_its_progress_and_result_in_place(product, visit):
    page = visit(product.url, product.sign_in())
    page.goto(f"/email/{mail(product, 'Rechnung 4471')}")
    page.locator("form[action$=reprocess] button").click()
    page.wait_for_selector("form[action$=reprocess] button[disabled], .state")
    page.wait_for_selector("form[action$=reprocess] button:not([disabled])")
    page.goto("/jobs")
    page.locator("tbody a").first.click()
    assert page.locator(".state.completed").count() >= 1


def test_a_sync_that_hangs_can_be_cancelled_where_it_shows(fresh, visit):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fresh.add_user()
        fresh.add_account(silent.getsockname()[1], "ann", "a password", "ann@example.org")
        page = visit(fresh.url, fresh.sign_in())
        page.goto("/accounts")
        page.locator(".box-card form[action$=fetch] button").click()
        page.locator(".job-acts button").click()
        page.wait_for_selector(".job-live", state="detached")
        assert page.locator(".box-card form[action$=fetch] button").is_enabled()
        page.goto("/jobs")
        assert page.locator(".state.cancelled").count() == 1


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_phones_bar_opens_to_all_places(product, visit, script):
    page = visit(product.url, product.sign_in(), "phone", script=script)
    page.goto("/inbox")
    assert page.locator(".views a:visible").count() == 5
    page.locator(".to-more").click()
    page.locator(".views .to-settings").click()
    page.wait_for_url("**/settings")


def test_help_opens_without_scripts(product, visit):
    page = visit(product.url, product.sign_in(), script=False)
    page.goto("/")
    page.locator("header [href='#help']").click()
    assert page.locator("#help").is_visible()


def test_a_theme_and_a_language_are_kept(product, visit):
    page = visit(product.url, product.sign_in())
    page.goto("/settings")
    page.select_option("[name=theme]", "dark")
    page.select_option("[name=language]", "de")
    page.locator("form[action='/settings'] button").click()
    page.wait_for_selector("html[lang=de][data-theme=dark]")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 27)"
    page.select_option("[name=theme]", "auto")
    page.select_option("[name=language]", "en")
    page.locator("form[action='/settings'] button").click()
    page.wait_for_selector("html[lang=en][data-theme=auto]")


def mail(product, subject):
    return next(item["id"] for item in product.items("/api/emails") if item["subject"] == subject)
