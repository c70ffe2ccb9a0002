"""Photographs of products as browsers show them: small, as JPEG, or with the evidence for a label in color."""

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from fashion.errors import InvalidImage
from fashion.explanation import OVERLAY_SIDE, overlay
from fashion.options import parse_options
from fashion.predictor import Predictor
from fashion.preprocess import decode

SIDES = (240, 640)  # px, of lists and of a product's own page
QUALITY = 85
EVIDENCE_KEPT = 64  # photographs whose maps are in memory, of 80 kilobytes each with 300 labels
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
    return _jpeg(image)


class EvidenceMaps:
    """Photographs with the evidence for labels. One pass over a photograph serves all its labels, and is kept.

    Args:
        predictor: the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._maps = lru_cache(EVIDENCE_KEPT)(self._all_maps)

    def picture(self, path: Path, label: str) -> bytes:
        """A photograph with the evidence for a label, `group:name`, as JPEG.

        Raises:
            InvalidImage: it cannot be read.
            InvalidOption: there is no such label.
        """
        labels = parse_options({"labels": [label]}, self._predictor.card).labels or ()
        evidence = self._maps(path, changed_at(path))[self._predictor.taxonomy.index[labels[0]]]
        return _jpeg(overlay(decode(path, OVERLAY_SIDE), evidence, self._predictor.card.input))

    def _all_maps(self, path: Path, changed: int) -> np.ndarray:
        return self._predictor.evidence(path, range(len(self._predictor.taxonomy)))


def changed_at(path: Path) -> int:
    """When a file was changed, ns. Raises InvalidImage where it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise InvalidImage(f"cannot read {str(path)!r}: {error.strerror}") from None


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
