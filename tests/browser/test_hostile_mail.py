"""A mail that tries everything shows its words, runs nothing, and asks nobody on the net."""

from tests.browser.test_journeys import mail


def test_no_script_runs_and_nothing_is_loaded(product, visit):
    page = visit(product.url, product.sign_in())
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/email/{mail(product, 'A letter with everything')}")
    frame = page.frame_locator(".mail-frame")
    frame.locator("text=The end of the letter.").wait_for()
    page.wait_for_load_state("networkidle")
    assert "owned" not in page.title()
    assert [url for url in asked if not url.startswith((product.url, "data:"))] == []
    assert frame.locator("script, iframe, form, input, [onload], [onerror]").count() == 0
    assert frame.locator("a[href^='javascript']").count() == 0
    assert page.locator(".box .icon + p a").count() >= 1, "it offers the blocked pictures"


def test_the_plain_text_is_one_click_away(product, visit):
    page = visit(product.url, product.sign_in())
    page.goto(f"/email/{mail(product, 'A letter with everything')}")
    page.locator("a[href='?view=text']").click()
    page.wait_for_selector(".body")
    assert "plain twin" in page.locator(".body").inner_text()
