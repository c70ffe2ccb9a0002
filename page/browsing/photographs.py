"""Photographs of products as browsers show them: small, as JPEG, or with the evidence for a label in color."""

import base64
import io
from functools import lru_cache
from pathlib import Path

from PIL import Image

from fashion.errors import InvalidImage
from fashion.options import AnswerOptions, parse_options
from fashion.prediction import Prediction
from fashion.predictor import Predictor
from fashion.preprocess import decode

SIDES = (240, 640)  # px, of lists and of a product's own page
QUALITY = 85
KEPT = 512  # small photographs in memory, of some ten kilobytes each


@lru_cache(KEPT)
def small(path: Path, side: int, changed: int) -> bytes:
    """A photograph as JPEG.

    Args:
        path: the file.
        side: px, of the longer side at most.
        changed: when the file was, ns; another time is another photograph.

    Raises:
        InvalidImage: it cannot be read.
    """
    image = decode(path, side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def heat_map(predictor: Predictor, path: Path, label: str) -> bytes:
    """A photograph with the evidence for a label, `group:name`, as JPEG.

    Raises:
        InvalidImage: it cannot be read.
        InvalidOption: there is no such label.
    """
    options: AnswerOptions = parse_options({"labels": [label], "explain": "overlay"}, predictor.card)
    found = predictor.predict_each([path], features=True)[0].result
    if not isinstance(found, Prediction):
        raise found
    return base64.b64decode(predictor.answer(found, options, path)["attributes"][0]["overlay"])


def changed_at(path: Path) -> int:
    """When a file was changed, ns. Raises InvalidImage where it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise InvalidImage(f"cannot read {str(path)!r}: {error.strerror}") from None
