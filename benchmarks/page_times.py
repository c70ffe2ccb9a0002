"""Time until the page is usable, and its delay in showing an answer compared with the Predictor.

    python -m benchmarks.page_times

With the starter, in Debian's Chromium, on this machine. It writes the section `times` of docs/page.md.
"""

import argparse
import base64
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.document import table, write_section
from benchmarks.drawn_shop import STARTER, page
from benchmarks.machine import describe
from fashion.errors import SettingError, one_line_errors
from fashion.jpeg import jpeg_bytes
from fashion.predictor import Predictor
from training.sources.drawing import draw

PAGE = Path("docs/page.md")
USABLE, ANSWER = 2.0, 0.5  # s: goals, see `PageTimes.usable` and `PageTimes.later`
REPEATS = 5
DROP = """([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  window.dropped = performance.now();
  const sinceDropped = () => performance.now() - window.dropped;
  const cards = document.getElementById("cards");
  window.shown = new Promise((resolve) => {
    const afterPainting = () => requestAnimationFrame(() => setTimeout(() => resolve(sinceDropped())));
    const watch = new MutationObserver(() => cards.querySelector(".attributes") && afterPainting());
    watch.observe(cards, { childList: true, subtree: true });
  });
  const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.getElementById("drop").dispatchEvent(event);
}"""


@dataclass(frozen=True)
class PageTimes:
    """Medians, in seconds.

    Attributes:
        usable: from opening the URL until a photograph can be chosen and the settings work.
        predictor: the Predictor in its own process, from the bytes of the photograph to its answer.
        shown: from dropping the photograph until its attributes are painted.
        colors: from dropping the photograph until its colors are shown.
    """

    usable: float
    predictor: float
    shown: float
    colors: float

    @property
    def later(self) -> float:
        """Delay of the page's answer after the Predictor's."""
        return self.shown - self.predictor


def large_photograph() -> bytes:
    """A JPEG of about 1 MB."""
    picture = draw(3, 400)[0].resize((2400, 2400))
    grain = Image.effect_noise(picture.size, 24).convert("RGB")
    return jpeg_bytes(Image.blend(picture, grain, 0.2), 86)


def measure_times(browser: Browser, url: str, folder: Path, repeats: int = REPEATS) -> PageTimes:
    """Measure a running page.

    Args:
        browser: that opens it.
        url: of the page.
        folder: for the photograph.
        repeats: of everything; the first ones are warm-up and not counted.
    """
    photograph = folder / "large.jpg"
    photograph.write_bytes(large_photograph())
    usable = [_usable(browser, url) for _ in range(repeats + 1)][1:]
    predictor = Predictor.from_bundle(STARTER)
    own = [_seconds(lambda: predictor.answer(predictor.predict(photograph.read_bytes()))) for _ in range(repeats + 1)]
    tab = browser.new_page()
    tab.goto(url)
    answered = [_answered(tab, photograph) for _ in range(repeats + 1)][1:]
    tab.close()
    shown, colors = zip(*answered, strict=True)
    return PageTimes(*(statistics.median(times) for times in (usable, own[1:], shown, colors)))


def _usable(browser: Browser, url: str) -> float:
    context = browser.new_context()  # nothing is cached
    tab = context.new_page()
    start = time.perf_counter()
    tab.goto(url, wait_until="commit")
    tab.wait_for_function("() => document.getElementById('caution-means')?.textContent")
    found = time.perf_counter() - start
    context.close()
    return found


def _answered(tab: Page, photograph: Path) -> tuple[float, float]:
    """From the drop until attributes are painted, and until colors are there, s."""
    tab.evaluate(DROP, [base64.b64encode(photograph.read_bytes()).decode(), photograph.name])
    shown = tab.evaluate("() => window.shown")
    tab.wait_for_function("() => document.querySelector('.colors li')")
    colors = tab.evaluate("() => performance.now() - window.dropped")
    tab.locator("#clear").click()
    return shown / 1000, colors / 1000


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def section(times: PageTimes, load: float, beside: str) -> str:
    """The Markdown that goes into the page."""
    rows = [
        ["the page is usable after it is opened", f"{times.usable:.2f} s", f"{USABLE:g} s"],
        ["the Predictor's answer to a photograph of 1 MB", f"{1000 * times.predictor:.0f} ms", ""],
        ["the answer shows after the photograph is dropped", f"{1000 * times.shown:.0f} ms", ""],
        ["delay after the Predictor's answer", f"{1000 * times.later:.0f} ms", f"{1000 * ANSWER:.0f} ms"],
        ["its colors show after it is dropped", f"{1000 * times.colors:.0f} ms", ""],
    ]
    return (
        f"{table(['with the starter', 'measured', 'goal, at most'], rows)}\n\n"
        f"Medians of {REPEATS}, in chromium on the same machine, nothing cached. Beside it ran {beside} (load average "
        f"{load:.1f} before). Machine: {describe()}. Measured by\n\n    python -m benchmarks.page_times"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_times", description=__doc__.split("\n")[0])
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    parser.add_argument("--beside", default="nothing", help="what else the machine does (default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors(), tempfile.TemporaryDirectory() as home:
        browser_path = shutil.which("chromium")
        if browser_path is None:
            raise SettingError("there is no chromium: apt-get install chromium")
        load = os.getloadavg()[0]
        with page(STARTER) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            times = measure_times(browser, url, Path(home))
            browser.close()
        print(times)
        write_section("times", section(times, load, options.beside), options.page)
    print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
