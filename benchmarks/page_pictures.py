"""Screenshots of the page for docs/page.md, with drawn garments, because no photographs are shipped.

    python -m benchmarks.page_pictures

It uses Debian's Chromium and writes page_try.png, page_joined.png, page_review.png, page_batch.png,
page_browse.png and page_product.png.
"""

import argparse
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright

from benchmarks.drawn_shop import STARTER, detail, garment, page, scored_garments
from fashion.errors import SettingError, one_line_errors

OUT = Path("docs/img")
SIZE: ViewportSize = {"width": 1280, "height": 800}
SIDE = 400  # px, of the garments
TRIED, JOINED = (1, 7), 14  # seeds of garments
PRODUCTS = 14
PATIENCE = 30_000  # ms


def take_try(tab: Page, url: str, folder: Path) -> None:
    """Garments with their attributes, and the evidence for a sleeve in color."""
    files = []
    for seed in TRIED:
        files.append(folder / f"garment-{seed}.jpg")
        files[-1].write_bytes(garment(seed, SIDE))
    tab.goto(url)
    tab.set_input_files("#files", files)
    expect(tab.locator(".card .attributes")).to_have_count(len(files))
    expect(tab.locator("#clear")).to_be_visible()  # colors are measured
    first = tab.locator(".card").filter(has=tab.locator("button[aria-label^=sleeve]")).first
    _show_evidence(first, "sleeve")
    first.evaluate("(card) => card.scrollIntoView({ block: 'end' })")
    tab.mouse.wheel(0, 24)  # the card's border too


def take_joined(tab: Page, url: str, folder: Path) -> None:
    """A garment and a part of it as one product."""
    files = [folder / name for name in ("front.jpg", "detail.jpg")]
    files[0].write_bytes(garment(JOINED, SIDE))
    files[1].write_bytes(detail(JOINED, SIDE))
    tab.goto(url)
    tab.set_input_files("#files", files)
    expect(tab.locator("#clear")).to_be_visible()
    for box in tab.locator(".pick").all():
        box.check()
    tab.keyboard.press("p")
    card = tab.locator(".card")
    expect(card).to_have_count(1)
    expect(tab.locator("#clear")).to_be_visible()
    _show_evidence(card, "pattern")
    tab.locator("#results").evaluate("(results) => results.scrollIntoView({ block: 'end' })")


def _show_evidence(card: Locator, group: str) -> None:
    card.locator(f"button[aria-label^={group}]").focus()
    expect(card.locator(".evidence")).to_have_text(re.compile("lies$"))  # "lies ..." means that a better map follows


def take_review(tab: Page, url: str, folder: Path) -> None:
    """The first product of the queue."""
    tab.goto(f"{url}/review")
    tab.locator("#options button").first.wait_for()
    tab.wait_for_load_state("networkidle")


def take_batch(tab: Page, url: str, folder: Path) -> None:
    """Products that may all have one label."""
    take_review(tab, url, folder)
    tab.select_option("#kind", "batches")
    tab.select_option("#group", "pattern")
    expect(tab.locator("#batch-question")).to_contain_text("are Solid")
    tab.wait_for_function("() => [...document.querySelectorAll('#tiles img')].every((image) => image.naturalWidth)")


def take_browse(tab: Page, url: str, folder: Path) -> None:
    """All products, with filters."""
    tab.goto(f"{url}/browse")
    tab.wait_for_load_state("networkidle")


def take_product(tab: Page, url: str, folder: Path) -> None:
    """A product with two photographs, its attributes, colors and checks."""
    tab.goto(f"{url}/browse/product/g/8")
    tab.wait_for_load_state("networkidle")


PICTURES: dict[str, Callable[[Page, str, Path], None]] = {
    "page_try": take_try,
    "page_joined": take_joined,
    "page_review": take_review,
    "page_batch": take_batch,
    "page_browse": take_browse,
    "page_product": take_product,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_pictures", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors(), tempfile.TemporaryDirectory() as home:
        browser_path = shutil.which("chromium")
        if browser_path is None:
            raise SettingError("there is no chromium: apt-get install chromium")
        folder = Path(home)
        titles = [f"Garment {number}" for number in range(1, PRODUCTS + 1)]
        expect.set_options(timeout=PATIENCE)
        with page(STARTER, scored_garments(folder / "shop", titles, SIDE)) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path)
            for name, take in PICTURES.items():
                tab = browser.new_page(viewport=SIZE)
                tab.set_default_timeout(PATIENCE)
                take(tab, url, folder)
                tab.screenshot(path=options.out / f"{name}.png")
                print(f"wrote  {options.out / name}.png")
                tab.close()
            browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
