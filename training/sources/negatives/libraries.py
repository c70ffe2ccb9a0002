"""Crops of the sample photographs in scikit-learn and scikit-image, if these are installed."""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from training.sources.negatives.surfaces import Rng

_FOLDERS = {"sklearn": "datasets/images", "skimage": "data"}
_CLOTHED = {"astronaut", "camera"}  # show people in clothes
_VALIDATION = {"flower", "coffee", "rocket", "moon", "grass", "page"}
_SMALLEST = 100  # pixels


def photographs(split: str) -> list[Path]:
    """The files of one split; the splits share no photograph. Nothing is downloaded."""
    found = []
    for library, folder in _FOLDERS.items():
        place = find_spec(library)
        if place is not None and place.origin is not None:
            files = (Path(place.origin).parent / folder).glob("*")
            found += sorted(file for file in files if file.suffix in (".jpg", ".png") and file.stem not in _CLOTHED)
    return [file for file in found if (file.stem in _VALIDATION) == (split == "val") and _is_large(file)]


def missing() -> list[str]:
    """The libraries that are not installed."""
    return [library for library in _FOLDERS if find_spec(library) is None]


def random_crop(file: Path, rng: Rng, width: int, height: int) -> Image.Image:
    """A random crop of the photograph, resized to width x height without distortion."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    scale = min(image.width / width, image.height / height) * rng.uniform(0.25, 1)
    left = rng.uniform(0, image.width - width * scale)
    top = rng.uniform(0, image.height - height * scale)
    box = (left, top, left + width * scale, top + height * scale)
    return image.resize((width, height), Image.Resampling.BICUBIC, box, reducing_gap=2.0)


def _is_large(file: Path) -> bool:
    with Image.open(file) as image:
        return min(image.size) >= _SMALLEST
