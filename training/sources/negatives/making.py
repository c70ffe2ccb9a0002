"""Creates a folder of negatives: chooses the kinds of pictures for each split and writes them."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fashion.errors import SettingError
from training.sources.negatives import abstract, crops, indoors, libraries, objects, outdoors, screens, walls
from training.sources.negatives.camera import compressed, developed, size_of_picture
from training.sources.negatives.surfaces import Rng, chance
from training.sources.writer import new_dataset_folder

DEFAULT_COUNT = 3000
SMALLEST_COUNT = 12
KINDS = {
    kind: draw
    for family in (walls, outdoors, indoors, screens, objects, abstract)
    for kind, draw in family.KINDS.items()
}
# Kinds held out from training. They are half of the drawn validation pictures, to measure generalization.
VALIDATION_ONLY = (
    *("tiles", "marble", "night", "dunes", "street", "kitchen", "pie chart", "map", "receipt", "chat"),
    *("bird", "fruit", "car", "julia"),
)
CROP, PHOTOGRAPH = "background", "photograph"
_OFTEN = {"wall": 3, "gradient": 2, "placeholder": 4, "banner": 2, "cat": 2}  # weights of kinds common in practice
_SHARES = {CROP: 0.25, PHOTOGRAPH: 0.05}  # shares of a split


def make_negatives(out: Path, count: int = DEFAULT_COUNT, photographs: Path | None = None, seed: int = 1) -> str:
    """Draw pictures without a product into a new folder: images/, train.csv and val.csv with columns image and kind.

    The same settings give the same files. A sixth of them are for validation.

    Args:
        out: the folder to make.
        count: pictures in both splits together.
        photographs: a folder of train.csv, val.csv and images/ of single garments; a quarter of the pictures are then
            background corners of these, from the photographs of the same split.
        seed: of all random choices.

    Returns:
        A one-line summary.

    Raises:
        SettingError: a number is out of range.
        DataError: `photographs` is not such a folder.
        OutputExists: `out` exists and is not an empty folder.
    """
    if count < SMALLEST_COUNT:
        raise SettingError(f"--count is {count}; choose {SMALLEST_COUNT} or more pictures")
    if seed < 0:
        raise SettingError(f"--seed is {seed}; choose 0 or a larger whole number")
    sources = {} if photographs is None else {s: crops.files_of_split(photographs, s) for s in ("train", "val")}
    counts = {"train": count - count // 6, "val": count // 6}
    if absent := libraries.missing():
        print(f"{' and '.join(absent)} not installed: their photographs are left out")
    made: Counter[str] = Counter()
    with new_dataset_folder(out) as folder, tqdm(total=count, desc="making negatives", unit="image") as bar:
        (folder / "images").mkdir()
        for split, wanted in counts.items():
            with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file)
                table.writerow(("image", "kind"))
                for number, (kind, content) in enumerate(_pictures(split, wanted, sources.get(split, []), seed)):
                    name = f"{split}-{number:05d}.jpg"
                    (folder / "images" / name).write_bytes(content)
                    table.writerow((name, kind))
                    made[kind if kind in (CROP, PHOTOGRAPH) else "drawn"] += 1
                    bar.update()
    parts = f"{made['drawn']:,} drawn, {made[CROP]:,} backgrounds, {made[PHOTOGRAPH]:,} of libraries' photographs"
    return f"{out}: {counts['train']:,} train, {counts['val']:,} val ({parts})"


def _pictures(split: str, wanted: int, files: list[Path], seed: int) -> Iterator[tuple[str, bytes]]:
    """Kind and JPEG bytes of each picture of one split: crops, then photographs, then drawn ones for the rest."""
    salt = (seed, ("train", "val").index(split))
    made = 0
    rng = np.random.default_rng((*salt, 0))
    for crop in crops.background_crops(files, rng, int(wanted * _SHARES[CROP])):
        yield CROP, compressed(crop, rng)
        made += 1
    shipped = libraries.photographs(split)
    for number in range(int(wanted * _SHARES[PHOTOGRAPH]) if shipped else 0):
        yield (
            PHOTOGRAPH,
            compressed(libraries.random_crop(shipped[number % len(shipped)], rng, *size_of_picture(rng)), rng),
        )
        made += 1
    kinds = kinds_of_split(split)
    for number in range(wanted - made):
        kind = kinds[number % len(kinds)]
        rng = np.random.default_rng((*salt, 1, number))
        yield kind, compressed(draw_picture(kind, rng), rng)


def kinds_of_split(split: str) -> list[str]:
    """The cycle of kinds to draw; in validation every second one is in `VALIDATION_ONLY`."""
    shared = [kind for kind in KINDS if kind not in VALIDATION_ONLY]
    if split == "train":
        return [kind for turn in range(max(_OFTEN.values())) for kind in shared if turn < _OFTEN.get(kind, 1)]
    return [kind for i, kind in enumerate(shared) for kind in (kind, VALIDATION_ONLY[i % len(VALIDATION_ONLY)])]


def draw_picture(kind: str, rng: Rng) -> Image.Image:
    """A picture of the kind, mostly without camera effects for screens and mostly with them for others."""
    image = KINDS[kind](rng, *size_of_picture(rng))
    return image if chance(rng, 0.75 if kind in screens.KINDS else 0.15) else developed(image, rng)
