"""Photographs of products for browsers: JPEG thumbnails, and overlays with the evidence for a label."""

import os
import threading
from functools import lru_cache

import numpy as np
from PIL import Image

from fashion.errors import InvalidImage
from fashion.explanation import OVERLAY_SIDE, overlay
from fashion.jpeg import jpeg_bytes
from fashion.options import parse_options
from fashion.predictor import Predictor
from fashion.preprocess import decode
from fashion.tables.stored import file_of_photograph, photograph_source

SIDES = (240, 640)  # px, for lists and for a product's page
QUALITY = 85
CACHED_MAPS = 64  # cached evidence maps, 80 kB per photograph with 300 labels
CACHED_THUMBNAILS = 512  # cached thumbnails, about 10 kB each


@lru_cache(CACHED_THUMBNAILS)
def thumbnail(name: str, side: int, changed: int) -> bytes:
    """A photograph as a JPEG thumbnail.

    Args:
        name: of the photograph, see `fashion.tables.stored`.
        side: maximum length of the longer side, px.
        changed: modification time of the file, ns; part of the cache key.

    Raises:
        InvalidImage: it cannot be read.
    """
    image = decode(photograph_source(name), side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return jpeg_bytes(image, QUALITY)


class EvidenceMaps:
    """Overlays of photographs with the evidence for labels. One computation gives all labels and is cached.

    Args:
        predictor: the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._maps = lru_cache(CACHED_MAPS)(self._all_maps)
        self._locks = lru_cache(CACHED_MAPS)(lambda name, changed: threading.Lock())
        self._choosing = threading.Lock()

    def picture(self, name: str, label: str) -> bytes:
        """A photograph overlaid with the evidence for a label, `group:name`, as JPEG.

        Raises:
            InvalidImage: it cannot be read.
            InvalidOption: there is no such label.
        """
        labels = parse_options({"labels": [label]}, self._predictor.card).labels or ()
        changed = modified_at(name)
        with self._choosing:
            computing = self._locks(name, changed)
        with computing:  # browsers ask for several labels before the first is computed
            evidence = self._maps(name, changed)[self._predictor.taxonomy.index[labels[0]]]
        image = decode(photograph_source(name), OVERLAY_SIDE)
        return jpeg_bytes(overlay(image, evidence, self._predictor.card.input), QUALITY)

    def _all_maps(self, name: str, changed: int) -> np.ndarray:
        return self._predictor.evidence(photograph_source(name), range(len(self._predictor.taxonomy)))


def modified_at(name: str) -> int:
    """Modification time of a photograph's file, ns. Raises InvalidImage if it is missing."""
    path = file_of_photograph(name)
    try:
        return os.stat(path).st_mtime_ns
    except OSError as error:
        raise InvalidImage(f"cannot read {path!r}: {error.strerror}") from None
