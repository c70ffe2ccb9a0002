"""The int8 file on onnxruntime with its defaults, with this project's own decode, resize and answer.

The compared servers thereby process a photograph as this project's does, and differ only in the server.
"""

from pathlib import Path
from typing import Any

import numpy as np

from fashion.answers import make_answer
from fashion.engines import Outputs
from fashion.errors import BundleError
from fashion.model_card import INT8_FILE, ModelCard
from fashion.pipeline import predictions
from fashion.prediction import Prediction
from fashion.preprocess import load_pixels, normalize


class PlainModel:
    """A model as in a tutorial: one session, one image at a time.

    Args:
        bundle: folder written by `python -m training.export`.

    Raises:
        BundleError: the model averages mirror images, which this class does not.
    """

    def __init__(self, bundle: Path) -> None:
        import onnxruntime

        self.card = ModelCard.load(bundle)
        if self.card.mirrored:
            raise BundleError(f"{bundle} averages mirror images; compared servers run each photograph once")
        self._session = onnxruntime.InferenceSession(bundle / INT8_FILE)

    def prepare(self, photograph: bytes) -> np.ndarray:
        """Decode, resize, normalize: float32 (1, 3, S, S)."""
        return normalize(load_pixels(photograph, self.card.input)[None], self.card.input)

    def infer(self, image: np.ndarray) -> Prediction:
        """Run the network on the output of `prepare`."""
        outputs = Outputs(*self._session.run(["logits", "embedding"], {"image": image}))
        return predictions(outputs, self.card)[0]

    def answer(self, photograph: bytes) -> dict[str, Any]:
        """The whole path from photograph to answer."""
        return make_answer(self.card, self.infer(self.prepare(photograph)))
