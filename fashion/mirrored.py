"""Test-time augmentation by mirroring: a little more accurate, in twice the time."""

import numpy as np

from fashion.engines import Engine, Outputs


class MirroredEngine:
    """An engine that averages the outputs for each image and its mirror image.

    A garment has the same attributes in a mirror, so differences between the two are noise. Logits, embeddings and
    feature maps (mirrored back) are averaged; since logits are linear in both, they remain consistent with them.

    Args:
        engine: runs the network.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.lanes, self.in_batches = f"{engine.name}, mirrored", engine.lanes, engine.in_batches

    @property
    def head(self) -> np.ndarray:
        """See `Engine.head`."""
        return self._engine.head

    def run(self, pixels: np.ndarray, features: bool = False, concurrency: int = 1) -> Outputs:
        """See `Engine.run`."""
        count = len(pixels)
        found = self._engine.run(np.concatenate([pixels, pixels[:, :, ::-1]]), features, concurrency)
        logits, embedding = ((rows[:count] + rows[count:]) / 2 for rows in (found.logits, found.embedding))
        maps = found.features
        return Outputs(logits, embedding, None if maps is None else (maps[:count] + maps[count:, ..., ::-1]) / 2)
