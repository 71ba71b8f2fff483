"""A real Chromium in front of the real program with a real mail server behind it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.letters import letters
from tests.servers import dovecot as dovecots
from tests.servers.product import Product

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def mailbox() -> Iterator[dovecots.Dovecot]:
    if not dovecots.available():
        pytest.skip("Dovecot is not installed")
    with dovecots.Dovecot(["ann"]) as server:
        server.deliver(letters(), user="ann")
        yield server


@pytest.fixture(scope="session")
def product(mailbox: dovecots.Dovecot) -> Iterator[Product]:
    """The program with user ann, whose mailbox has been fetched."""
    with Product() as product:
        product.add_user()
        product.start("run")
        account = product.add_account(mailbox.port, "ann", mailbox.password("ann"), "ann@example.org")
        product.wait(product.fetch(account))
        yield product


@pytest.fixture
def fresh(mailbox: dovecots.Dovecot) -> Iterator[Product]:
    """The program as it starts for the very first time."""
    with Product() as product:
        product.run("db", "upgrade")
        product.start("run")
        yield product


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """`visit(url, cookie="", size="desktop", theme="light", lang="en", script=True)` opens a window; any complaint of the browser fails the test."""
    contexts, complaints = [], []

    def open_window(url: str, cookie: str = "", size: str = "desktop", theme: str = "light", lang: str = "en", script: bool = True) -> Any:
        width, height = SIZES[size]
        window = {"width": width, "height": height}
        context = chromium.new_context(viewport=window, color_scheme=theme, locale=lang, java_script_enabled=script, base_url=url)
        contexts.append(context)
        for pair in filter(None, cookie.split("; ")):
            name, _, value = pair.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": url}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert not complaints
