"""The page as its command runs it, with a small scored catalog of drawn garments and the model that comes along."""

import csv
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from PIL import Image

from serving.ports import free_ports
from training.sources.drawing import draw

STARTER = Path(__file__).parents[1] / "model_store" / "starter"
PRODUCTS = 14  # the last two are the same photograph
HOSTILE = "<img src=x onerror=alert(1)>"  # what a product and a file are called


def garment(seed: int, size: int = 200) -> bytes:
    """A drawn garment as a JPEG."""
    file = io.BytesIO()
    draw(seed, size)[0].save(file, "JPEG", quality=90)
    return file.getvalue()


def large_photograph() -> bytes:
    """A JPEG of about 1 MB."""
    picture = draw(3, 400)[0].resize((2400, 2400))
    grain = Image.effect_noise(picture.size, 24).convert("RGB")
    file = io.BytesIO()
    Image.blend(picture, grain, 0.2).save(file, "JPEG", quality=86)
    return file.getvalue()


def scored_garments(home: Path) -> Path:
    """A scored and indexed catalog."""
    from catalog.engines.location import store_at
    from catalog.index import build
    from catalog.score import score
    from catalog.scored.table import Scored

    home.mkdir(exist_ok=True)
    with (home / "products.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image", "title", "price", "added", "stock"])
        for number in range(PRODUCTS):
            seed = min(number, PRODUCTS - 2)
            (home / f"{number}.jpg").write_bytes(garment(seed))
            title = HOSTILE if number == 0 else f"Garment {number}"
            writer.writerow([f"g/{number}", f"{number}.jpg", title, 5 + number, f"2026-05-{number + 1:02}", number % 3])
    score(STARTER, [str(home / "products.csv")], home / "scored", workers=None)
    build(Scored.open(home / "scored"), store_at(home / "scored" / "index"))
    return home / "scored"


@contextmanager
def page(*arguments: str | Path) -> Iterator[str]:
    """A running page's address."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "page", *map(str, arguments), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + 120
        while not _is_ready(url):
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < end
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).ok
    except requests.RequestException:
        return False
