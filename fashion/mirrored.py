"""Each image and its mirror image, answered as one: a little more accurate, in twice the time."""

import numpy as np

from fashion.engines import Engine, Outputs


class MirroredEngine:
    """An engine that also runs the mirror image of each image and answers with the mean of the two.

    A garment is the same garment in a mirror, so what the network says of only one of the two is noise. The mean is
    taken of the logits, of the embeddings and of the feature maps, the latter mirrored back; as logits are linear in
    those, everything that holds of one run holds of the mean.

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

    def run(self, pixels: np.ndarray, features: bool = False, beside: int = 1) -> Outputs:
        """See `Engine.run`."""
        count = len(pixels)
        found = self._engine.run(np.concatenate([pixels, pixels[:, :, ::-1]]), features, beside)
        logits, embedding = ((rows[:count] + rows[count:]) / 2 for rows in (found.logits, found.embedding))
        maps = found.features
        return Outputs(logits, embedding, None if maps is None else (maps[:count] + maps[count:, ..., ::-1]) / 2)
