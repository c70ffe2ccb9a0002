"""The page's evidence maps: computed once for a photograph, whatever is asked at the same time."""

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from photos import photo

from fashion.errors import InvalidImage
from fashion.predictor import Predictor
from fashion.preprocess import Source
from page.browsing.photographs import EvidenceMaps


class CountingPredictor(Predictor):
    """Counts its computations of evidence, and makes them last long enough to overlap."""

    computed = 0

    def evidence(self, image: Source, labels: Sequence[int], concurrency: int = 1) -> np.ndarray:
        self.computed += 1
        time.sleep(0.1)
        return super().evidence(image, labels, concurrency)


def test_labels_that_are_asked_for_at_once_share_one_computation(bundle: Path, tmp_path: Path) -> None:
    predictor = CountingPredictor.from_bundle(bundle, engine="int8")
    assert isinstance(predictor, CountingPredictor)
    maps, labels = EvidenceMaps(predictor), ["color:Black", "color:Red", "sleeve:Sleeveless", "category:Jeans"]
    names = [str(tmp_path / f"{number}.png") for number in range(2)]
    for number, name in enumerate(names):
        Path(name).write_bytes(photo(number))
    together = threading.Barrier(len(names) * len(labels))

    def ask(name: str, label: str) -> bytes:
        together.wait(60)
        return maps.picture(name, label)

    with ThreadPoolExecutor(together.parties) as pool:
        asked = [pool.submit(ask, name, label) for name in names for label in labels]
        pictures = [each.result() for each in asked]
    assert predictor.computed == len(names)
    assert pictures == [maps.picture(name, label) for name in names for label in labels]
    assert len(set(pictures)) > len(names)


def test_an_unreadable_photograph_is_tried_again(bundle: Path, tmp_path: Path) -> None:
    maps, path = EvidenceMaps(Predictor.from_bundle(bundle, engine="int8")), tmp_path / "a.png"
    path.write_bytes(b"no image")
    changed = path.stat().st_mtime_ns
    with pytest.raises(InvalidImage):
        maps.picture(str(path), "color:Black")
    path.write_bytes(photo())
    os.utime(path, ns=(changed, changed))
    assert maps.picture(str(path), "color:Black").startswith(b"\xff\xd8")
