"""The parity check of exported files fails if they disagree."""

import numpy as np
import pytest

from fashion.engines import Outputs
from fashion.errors import BundleError
from fashion.taxonomy import Label, Taxonomy
from training.bundle.parity import check_fp32, check_int8, compare_int8, is_close
from training.profiles.predictions import Predictions

PIXELS = np.zeros((3, 32, 32, 3), np.uint8)
TAXONOMY = Taxonomy((Label("color", "Black"), Label("color", "White")))


class Constant:
    """An engine that always gives the same answer."""

    name = "constant"

    def __init__(self, logit: float) -> None:
        self.logit = logit

    def run(self, pixels: np.ndarray, features: bool = False) -> Outputs:
        return Outputs(np.full((len(pixels), 2), self.logit, np.float32), np.zeros((len(pixels), 4), np.float32))


def test_largest_difference_of_each_file() -> None:
    differences = check_fp32({"a": Constant(0.0), "b": Constant(0.0), "c": Constant(0.0002)}, PIXELS)
    assert differences == {"b": 0.0, "c": pytest.approx(5e-5, rel=0.01)}


@pytest.mark.parametrize("logit", [0.001, -3.0, float("nan")])
def test_files_that_disagree_are_refused(logit: float) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx and model\.ckpt disagree by .* on 3 images"):
        check_fp32({"model.ckpt": Constant(0.0), "model.onnx": Constant(logit)}, PIXELS)


def test_quantization_that_loses_too_much_accuracy_is_refused() -> None:
    targets = np.tile(np.array([[1, 0]], np.int8), (100, 1))
    probabilities = np.tile(np.array([[0.9, 0.1]], np.float32), (100, 1))
    ids = np.arange(len(targets)).astype(str)
    fp32 = Predictions(probabilities, targets, np.log(probabilities / (1 - probabilities)), ids)
    int8 = Predictions(probabilities.copy(), targets, fp32.logits, ids)
    same = compare_int8(fp32, int8, np.full(2, 0.5), TAXONOMY)
    assert same["difference"] == 0.0
    assert (same["images"], same["positives"]) == (100, 100)
    int8.probabilities[:5, 0] = 0.4
    worse = compare_int8(fp32, int8, np.full(2, 0.5), TAXONOMY)
    with pytest.raises(BundleError, match=r"micro-F1 from 1\.0000 to 0\.9744 on 100 images with 100 labels.*--no-int8"):
        check_int8([worse, worse])
    check_int8([worse, same])  # the second try was good
    assert is_close(same)
    assert not is_close(worse | {"difference": float("nan")})
