"""How soon the pages of the sample mailbox are painted on a slow computer, and what they weigh.

    python -m tests.bench.paint [--slower 4] [--times 3]

First load: nothing is kept yet, everything compressed; next: the page again, with its assets kept.  The contract: painted within 1 s
at a quarter of this computer's speed, at most 120 kB first and 30 kB after.  Needs Chromium.
"""

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGS, CHROMIUM
from tests.servers.process import free_port

PAGES = ("/", "/inbox", "/email/1", "/accounts", "/jobs", "/settings")
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime || 0"


class Seen(NamedTuple):
    painted: float      # ms after the click
    weight: int         # bytes that came over the wire, headers included


@contextlib.contextmanager
def demo() -> Iterator[dict[str, str]]:
    """`mailhelper demo`, ready: what it prints, by name."""
    command = [sys.executable, "-m", "mailhelper", "demo", "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            said: dict[str, str] = {}
            for line in process.stdout or ():
                name, _, value = line.strip().partition("=")
                said[name] = value
                if name == "ready":
                    break
            yield said
        finally:
            process.terminate()


def sign_in(page: Any, said: dict[str, str]) -> None:
    page.goto(f"{said['url']}/login")
    page.fill("[name=name]", said["login"])
    page.fill("[name=password]", said["password"])
    page.locator("form button").first.click()
    page.wait_for_selector("#main h1")


def look(browser: Browser, said: dict[str, str], path: str, slower: float) -> tuple[Seen, Seen]:
    """A page at the first visit and at the next one."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    try:
        page = context.new_page()
        sign_in(page, said)
        wire = context.new_cdp_session(page)
        weights: list[float] = []
        wire.on("Network.loadingFinished", lambda event: weights.append(event["encodedDataLength"]))
        wire.send("Network.enable")
        wire.send("Network.clearBrowserCache")
        wire.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        seen = []
        for _ in range(2):
            weights.clear()
            page.goto("about:blank")
            page.goto(said["url"] + path)
            page.wait_for_load_state("networkidle")
            seen.append(Seen(page.evaluate(PAINTED), int(sum(weights))))
        return seen[0], seen[1]
    finally:
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slower", type=float, default=4)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    if not CHROMIUM or not shutil.which(CHROMIUM):
        sys.exit("Chromium is not installed")
    print(f"{options.slower:g} × slower, median of {options.times}{'first: ms':>16}{'kB':>8}{'next: ms':>12}{'kB':>8}")
    with demo() as said, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        for path in PAGES:
            looks = [look(browser, said, path, options.slower) for _ in range(options.times)]
            row = [statistics.median(getattr(pair[number], name) for pair in looks) for number in (0, 1) for name in ("painted", "weight")]
            print(f"{path:28}{row[0]:16.0f}{row[1] / 1000:8.1f}{row[2]:12.0f}{row[3] / 1000:8.1f}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
