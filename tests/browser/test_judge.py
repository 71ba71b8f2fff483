"""The three buttons in a browser: the result comes without a reload, what is typed stays, and all works without scripts."""

import json

import pytest

from tests.model import answer
from tests.servers.product import PASSWORD, Product
from tests.servers.scripted_ai import serving, stream
from tests.servers.test_judge import letters


@pytest.fixture
def model():
    with serving(lambda talk: stream(json.dumps(answer(talk.request)), usage=None)(talk)) as server:
        yield server


@pytest.fixture
def product(model):
    with Product() as product:
        product.add_user()
        product.start("run")
        product.run("import", letters(product.home / "ann", "ann", 1), "--user", "ann", "--address", "ann@example.org", answers=(PASSWORD,))
        account = product.get("/api/accounts")["items"][0]["id"]
        assert product.api("PATCH", f"/api/accounts/{account}", {"mode": "llm_original"}).status == 200
        values = {"name": "Box", "base_url": model.url, "base_model": "base-70b", "optimize_model": "strong-400b"}
        assert product.api("POST", "/api/ai-providers", values).status == 201
        yield product


def test_results_come_without_a_reload_and_what_is_typed_stays(product, visit):
    id = product.get("/api/emails")["items"][0]["id"]
    page = visit(product.url, product.sign_in())
    page.goto(f"/email/{id}")
    page.evaluate("window.same = true")
    page.click("form[action$='/reprocess'] button")
    page.wait_for_selector("text=Rated anew: 7")
    page.click("details.ask summary")
    assert "strong-400b" in page.inner_text("details.ask") and "tokens" in page.inner_text("details.ask")
    page.click("form[action$='/optimize'] button")
    page.wait_for_selector("text=by strong-400b")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("r")
    page.wait_for_selector("#draft textarea")
    page.fill("#draft textarea", "My own words.")
    page.click("form[action$='/reprocess'] button")
    page.wait_for_selector("form[action$='/reprocess'] button:not([disabled])")
    assert page.input_value("#draft textarea") == "My own words." and page.evaluate("window.same")
    page.click("#draft button.primary")
    page.wait_for_selector("text=Edited by you")
    assert page.locator("section.preview").count() == 0
    page.click("text=What a model would see")
    assert "could you sign the contract by friday?" in page.inner_text("section.preview").lower()


def test_without_scripts_a_button_leads_to_the_page_of_its_job(product, visit):
    id = product.get("/api/emails")["items"][0]["id"]
    page = visit(product.url, product.sign_in(), script=False)
    page.goto(f"/email/{id}")
    page.click("form[action$='/generate-reply'] button")
    assert "/jobs/" in page.url
    product.wait(page.url.rsplit("/", 1)[1])
    page.goto(f"/email/{id}")
    page.fill("#draft textarea", "My own words.")
    page.click("#draft button.primary")
    assert "My own words." in page.input_value("#draft textarea") and "Edited by you" in page.inner_text("#draft")
