"""Find the cosine of embeddings that separates slightly changed copies of a photograph from other products.

    python -m benchmarks.duplicates BUNDLE FOLDER [--count 3000] [--copies 200]

FOLDER holds photographs of different products. Some are compared with typical changed copies of themselves, and all
with their nearest other photograph; a good threshold is below nearly all similarities of the former and above nearly
all of the latter. The latter include true duplicates, if the folder has any: the closest pairs are printed.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.changed_photographs import jpeg
from benchmarks.machine import describe
from catalog.similar.near_duplicates import THRESHOLD
from catalog.similar.spaces import unit_vectors
from fashion.errors import DataError, one_line_errors
from fashion.predictor import Predictor
from fashion.preprocess import Source

THRESHOLDS = (0.98, 0.99, 0.995, 0.997, 0.998, 0.999, 0.9995)
BATCH = 16
NAMED = 5  # closest pairs of different files that are printed


def _scaled(photo: Image.Image, factor: float) -> Image.Image:
    return photo.resize((round(photo.width * factor), round(photo.height * factor)), Image.Resampling.BICUBIC)


def _cropped(photo: Image.Image, part: float) -> Image.Image:
    return photo.crop((round(photo.width * part), round(photo.height * part), photo.width, photo.height))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG quality 75": lambda photo: jpeg(photo, 75),
    "JPEG quality 40": lambda photo: jpeg(photo, 40),
    "scaled to 3/4": lambda photo: _scaled(photo, 0.75),
    "scaled to 3/2": lambda photo: _scaled(photo, 1.5),
    "2 % brighter": lambda photo: photo.point(lambda value: min(255, round(value * 1.02))),
    "2 % cropped": lambda photo: _cropped(photo, 0.02),
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def embeddings(predictor: Predictor, photos: Sequence[Source]) -> np.ndarray:
    """Embeddings at unit length, (N, E)."""
    found = []
    for start in tqdm(range(0, len(photos), BATCH), unit="batch", disable=None):
        for outcome in predictor.predict_each(photos[start : start + BATCH]):
            found.append(outcome.get().embedding)
    return unit_vectors(np.stack(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the quantiles and the effect of each threshold; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duplicates", description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folder", type=Path, help="folder of photographs")
    parser.add_argument("--count", type=int, default=3000, help="photographs, drawn at random (default: %(default)s)")
    parser.add_argument("--copies", type=int, default=200, help="of them that are changed (default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        paths = sorted(path for path in options.folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        if len(paths) < 2:
            raise DataError(f"{options.folder} holds {len(paths)} photographs; at least 2 are needed")
        paths = random.Random(0).sample(paths, min(options.count, len(paths)))
        predictor = Predictor.from_bundle(options.bundle)
        own = embeddings(predictor, paths)
        cosines = own @ own.T
        np.fill_diagonal(cosines, -1)
        photos = [Image.open(path).convert("RGB") for path in paths[: options.copies]]
        changed = {
            name: (own[: len(photos)] * embeddings(predictor, [change(photo) for photo in photos])).sum(1)
            for name, change in CHANGES.items()
        }
    _report(paths, cosines, changed)
    return 0


def _report(paths: Sequence[Path], cosines: np.ndarray, changed: dict[str, np.ndarray]) -> None:
    nearest = cosines.max(1)
    print(f"{len(paths)} photographs; cosine at the quantiles   1 %    10 %   50 %   90 %   99 %")
    for name, values in {**changed, "nearest other photograph": nearest}.items():
        print(f"  {name:<40}" + "".join(f"{q:7.4f}" for q in np.quantile(values, (0.01, 0.1, 0.5, 0.9, 0.99))))
    print("\nthreshold   copies found" + " " * 4 + "photographs with another one at or above it")
    all_changed = np.concatenate([values for name, values in changed.items() if name != "mirrored"])
    for threshold in THRESHOLDS:
        mark = "  <- catalog.duplicates" if threshold == THRESHOLD else ""
        print(f"{threshold:9.4f} {np.mean(all_changed >= threshold):14.1%} {np.mean(nearest >= threshold):12.1%}{mark}")
    print("\nclosest pairs of different files:")
    rows, columns = np.nonzero(np.triu(cosines >= min(np.sort(nearest)[-2 * NAMED :]), 1))
    for i in np.argsort(-cosines[rows, columns])[:NAMED]:
        print(f"  {cosines[rows[i], columns[i]]:.4f}  {paths[rows[i]].name}  {paths[columns[i]].name}")
    print(f"\nMachine: {describe()}")


if __name__ == "__main__":
    raise SystemExit(main())
