"""The generated sample data set: drawn garments with true labels, for the demo, the tests and first steps."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fashion.engines import available_cores
from fashion.errors import SettingError
from fashion.jpeg import jpeg_bytes
from training.sources.drawing import draw
from training.sources.drawing.shop_words import SHOP_GROUPS, in_shop_words
from training.sources.drawing.wardrobe import GROUPS
from training.sources.writer import DATASET_FILE, SPLITS, OutputExists, ProductRow, write_dataset

DRAWING = 1  # increased when the same seed gives another picture, so that earlier folders are not reused
# By group, the share of images where it is not annotated (null), as in data labeled by people.
NOT_ANNOTATED = {"material": 0.04, "neckline": 0.04, "pattern": 0.03, "sleeve": 0.04, "style": 0.06}
DEFAULT_TRAIN, DEFAULT_VAL, DEFAULT_TEST = 1800, 240, 100  # images: a demo's training of minutes on two cores
DEFAULT_SIZE = 160  # pixels
_SMALLEST, _LARGEST = 32, 2048  # pixels


def make_sample(
    out: Path,
    train: int = DEFAULT_TRAIN,
    val: int = DEFAULT_VAL,
    test: int = DEFAULT_TEST,
    size: int = DEFAULT_SIZE,
    seed: int = 0,
    workers: int | None = None,
    shop_words: bool = False,
) -> Path:
    """Draw a data set into a new folder in the training format, and return that folder.

    An existing folder made with the same settings is reused, with a message. The same settings give the same images.

    Args:
        out: the folder to create.
        train, val, test: number of images in each split.
        size: width and height of the images, pixels.
        seed: of all random choices; another seed gives other garments.
        workers: processes that draw; 1 draws in this process, None takes one per core.
        shop_words: use the labels of the shipped model, see `training.sources.drawing.shop_words`.

    Raises:
        SettingError: a number is out of range.
        OutputExists: the folder holds something else.
    """
    counts = dict(zip(SPLITS, (train, val, test), strict=True))
    _check(counts, size, seed, workers)
    out = Path(out)
    source = f"generated sample, drawing {DRAWING}: {train} train, {val} val, {test} test, {size} px, seed {seed}"
    source += ", in a shop's words" if shop_words else ""
    if _is_same_sample(out, source):
        print(f"{out}: the sample is there already, made with the same settings; using it")
        return out
    rows = _rows(counts, size, seed, workers or available_cores())
    if shop_words:
        rows = (row._replace(cells=in_shop_words(row.cells)) for row in rows)
    write_dataset(rows, out, SHOP_GROUPS if shop_words else GROUPS, source)
    return out


def _check(counts: dict[str, int], size: int, seed: int, workers: int | None) -> None:
    for name, count in counts.items():
        if count < (1 if name == "train" else 0):
            raise SettingError(f"the sample's {name} is {count}; give the number of images to draw, train at least 1")
    if not _SMALLEST <= size <= _LARGEST:
        raise SettingError(f"the sample's size is {size} pixels; choose {_SMALLEST} to {_LARGEST}")
    if seed < 0:
        raise SettingError(f"the sample's seed is {seed}; choose 0 or a larger whole number")
    if workers is not None and workers < 1:
        raise SettingError(f"the sample's workers are {workers}; choose 1 or more")


def _is_same_sample(out: Path, source: str) -> bool:
    """Whether the folder holds exactly this sample. Raises OutputExists if it holds another data set."""
    description = out / DATASET_FILE
    if not description.is_file():
        return False  # the writer refuses a folder that holds anything else
    made = json.loads(description.read_text(encoding="utf-8")).get("source")
    if made != source:
        raise OutputExists(f"{out} holds another data set ({made}); remove it or choose another folder")
    return True


def _rows(counts: dict[str, int], size: int, seed: int, workers: int) -> Iterator[ProductRow]:
    tasks = [
        (split, number, size, _image_seed(seed, at, number))
        for at, split in enumerate(SPLITS)
        for number in range(counts[split])
    ]
    with tqdm(total=len(tasks), desc="drawing the sample", unit="image") as bar:
        for row in _drawn(tasks, min(workers, len(tasks))):
            bar.update()
            yield row


def _drawn(tasks: list[tuple[str, int, int, int]], workers: int) -> Iterator[ProductRow]:
    if workers == 1:
        yield from map(_row, tasks)
        return
    # Spawned, because forking is unsafe while torch or pyarrow threads run.
    # Workers ignore ctrl-C: this process handles it and ends them.
    quiet = (signal.SIGINT, signal.SIG_IGN)
    with multiprocessing.get_context("spawn").Pool(workers, signal.signal, quiet) as pool:
        yield from pool.imap(_row, tasks, chunksize=16)


def _image_seed(seed: int, split: int, number: int) -> int:
    """The seed of one image, so that it depends neither on the images drawn before nor on the process."""
    return int(np.random.SeedSequence((seed, split, number)).generate_state(1, np.uint64)[0])


def _row(task: tuple[str, int, int, int]) -> ProductRow:
    split, number, size, seed = task
    image, labels = draw(seed, size)
    rng = np.random.default_rng((seed, 1))
    photograph = jpeg_bytes(image, int(rng.integers(78, 95)))
    cells: dict[str, list[str] | None] = dict(labels)
    for group, share in NOT_ANNOTATED.items():
        if rng.random() < share:
            cells[group] = None
    return ProductRow(split, f"{split}-{number:05d}", photograph, cells)
