"""Debian's chromium for tests of the page: tabs that fail the test if they write an error to the console."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium")
if not CHROMIUM:
    pytest.skip("no chromium: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import Browser, Page, expect  # noqa: E402

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 30_000  # ms; the machine may be busy
SERIOUS = ("serious", "critical")  # violations
expect.set_options(timeout=PATIENCE)
EXPECTED: list[str] = []  # expected error statuses or messages, which browsers write to the console


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser."""
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # required for root
        yield running
        running.close()


@contextmanager
def tabs(browser: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """Opens pages; fails if any of them wrote an error to the console that EXPECTED does not name."""
    errors: list[str] = []
    contexts = []

    def keep(text: str) -> None:
        if not any(expected in text for expected in EXPECTED):
            errors.append(text)

    def open_page(path: str = "/", viewport: dict[str, int] = WIDE, scheme: str = "light") -> Page:
        context = browser.new_context(viewport=viewport, color_scheme=scheme, accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: keep(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(path if path.startswith("http") else url + path)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    EXPECTED.clear()
    assert errors == []


def violations(tab: Page) -> list[str]:
    """Serious violations of accessibility rules."""
    found = Axe().run(tab).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in SERIOUS]
