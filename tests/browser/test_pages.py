"""Every page in every size, colour scheme and language: nothing for axe to find, nothing sticks out, little to load."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import SIZES

PAGES = ["/", "/inbox", "/inbox?urgency=1&done=0", "/inbox?kind=receipt&unread=1", "/email/1", "/email/8", "/accounts", "/accounts/new",
         "/accounts/1", "/jobs", "/jobs/1", "/settings", "/settings/ai", "/settings/ai/new", "/search?q=contract",
         "/search?q=%22open", "/search", "/nothing/here"]
LOOKS = [(size, theme, lang) for size in SIZES for theme, lang in (("light", "en"), ("dark", "de"))]
PICTURES = os.environ.get("MAILHELPER_SCREENSHOTS")      # a folder to keep a picture of every page in


@pytest.mark.parametrize("size, theme, lang", LOOKS)
def test_every_page_is_accessible_and_fits_its_window(product, visit, size, theme, lang):
    page = visit(product.url, product.sign_in(), size, theme, lang)
    for path in PAGES[:-1]:
        page.goto(path)
        inspect(page, f"{path} {size} {theme} {lang}")


@pytest.mark.parametrize("size, theme, lang", LOOKS)
def test_pages_for_nobody_are_accessible_too(product, visit, size, theme, lang):
    page = visit(product.url, "", size, theme, lang)
    page.goto("/login")
    inspect(page, f"/login {size} {theme} {lang}")


def inspect(page, name):
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name.strip('/').replace('/', '_') or 'matrix'}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    assert not [(name, one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} sticks out"
    assert page.locator("h1").count() == 1, name


def test_a_page_is_readable_at_twice_the_size(product, visit):
    page = visit(product.url, product.sign_in(), "desktop")
    page.set_viewport_size({"width": 720, "height": 450})       # what 1440 × 900 shows at 200 % zoom
    for path in PAGES[:-1]:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_first_visit_loads_little_and_the_next_ones_almost_nothing(product, visit):
    page = visit(product.url, product.sign_in())
    weights = []
    page.on("requestfinished", lambda request: weights.append(request.sizes()["responseBodySize"]))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert sum(weights) <= 120_000
    for path in ("/inbox", "/email/1", "/accounts", "/jobs", "/settings"):
        weights.clear()
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert sum(weights) <= 30_000, path


def test_nothing_moves_after_it_was_shown(product, visit):
    page = visit(product.url, product.sign_in())
    page.add_init_script("""window.shift = 0;
        const add = (list) => list.getEntries().forEach((entry) => { window.shift += entry.value; });
        new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });""")
    for path in ("/", "/inbox", "/email/1", "/email/8"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.shift") < 0.01, path
