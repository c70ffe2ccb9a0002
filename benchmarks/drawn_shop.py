"""A small shop of drawn garments, and the web page running on it, started by its command."""

import csv
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from catalog.engines.location import store_at
from catalog.index import build
from catalog.score import score
from catalog.scored.table import Scored
from fashion.errors import FashionError
from fashion.jpeg import jpeg_bytes
from serving.ports import free_ports
from training.sources.drawing import draw

STARTER = Path(__file__).parents[1] / "model_store" / "starter"
START_LIMIT = 120  # s


def garment(seed: int, size: int = 200) -> bytes:
    """A drawn garment, `size` px wide and high, as a JPEG."""
    return jpeg_bytes(draw(seed, size)[0], 90)


def detail(seed: int, size: int = 200) -> bytes:
    """The middle of a drawn garment, as a JPEG."""
    middle = draw(seed, size)[0].crop((size // 4, size // 4, 3 * size // 4, 3 * size // 4))
    return jpeg_bytes(middle.resize((size, size)), 75)


def scored_garments(home: Path, titles: Sequence[str], size: int = 200, indexed: bool = True) -> Path:
    """A scored catalog with a product for each title; the last two share a photograph, and every fifth has two
    photographs.

    Args:
        home: folder for table and photographs; the catalog is in its folder `scored`.
        titles: of the products.
        size: px, of the photographs.
        indexed: whether it has an index.
    """
    home.mkdir(exist_ok=True)
    with (home / "products.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image", "title", "price", "added", "stock"])
        for number, title in enumerate(titles):
            seed = min(number, len(titles) - 2)
            own = [title, 5 + number, f"2026-{5 + number // 28:02}-{number % 28 + 1:02}", number % 3]
            (home / f"{number}.jpg").write_bytes(garment(seed, size))
            writer.writerow([f"g/{number}", f"{number}.jpg", *own])
            if number % 5 == 3 and seed == number:
                (home / f"{number}-detail.jpg").write_bytes(detail(seed, size))
                writer.writerow([f"g/{number}", f"{number}-detail.jpg", *own])
    score(STARTER, [str(home / "products.csv")], home / "scored", workers=None)
    if indexed:
        build(Scored.open(home / "scored"), store_at(home / "scored" / "index"))
    return home / "scored"


@contextmanager
def page(*arguments: str | Path) -> Iterator[str]:
    """The address of a running page. Raises FashionError with the page's output if it does not start."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "page", *map(str, arguments), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + START_LIMIT
        while not is_ready(url):
            if process.poll() is not None or time.monotonic() > end:
                process.terminate()
                raise FashionError(f"the page does not start: {process.communicate()[0]}")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


def is_ready(url: str) -> bool:
    """Whether the page answers photographs."""
    try:
        return requests.get(f"{url}/readyz", timeout=10).ok
    except requests.RequestException:
        return False
