"""Training on small images first: most of what is to be learned shows at a fraction of the cost.

Source: Tan and Le, EfficientNetV2 (arXiv:2104.00298), "progressive learning"; Howard's entry of DAWNBench, 2018.
"""

from dataclasses import dataclass

from torch import Tensor
from torchvision.transforms.v2.functional import resize

from fashion.errors import SettingError

STEP = 16  # px; sizes between are not told apart by a network that halves them five times
LEAST = 32  # px


@dataclass(frozen=True)
class ImageGrowth:
    """How the images of a training grow to the size that the model will see.

    Attributes:
        start: size of the first images, as a part of the input size; 1 trains at the input size throughout.
        since: part of the training until which they stay so small.
        until: part of the training after which the images have the input size.

    Raises:
        SettingError: a value out of its range.
    """

    start: float = 1.0
    since: float = 0.0
    until: float = 0.75

    def __post_init__(self) -> None:
        for name, low, high in (("start", 0.1, 1.0), ("since", 0.0, 1.0), ("until", 0.01, 1.0)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingError(f"--model.growth.{name} is {value}; it must lie between {low} and {high}")
        if self.since >= self.until:
            raise SettingError(f"--model.growth.since is {self.since}; it must be below until, {self.until}")

    def size(self, progress: float, size: int) -> int:
        """The size to train at, px, after a part of the training, for an input of `size` px."""
        if self.start == 1 or progress >= self.until:
            return size
        grown = size * (self.start + (1 - self.start) * max(0, progress - self.since) / (self.until - self.since))
        return min(size, max(LEAST, round(grown / STEP) * STEP))


def shrink(pixels: Tensor, size: int) -> Tensor:
    """uint8 pixels (B, S, S, 3) -> the same images as (B, size, size, 3)."""
    if pixels.shape[1] == size:
        return pixels
    return resize(pixels.permute(0, 3, 1, 2), [size, size], antialias=True).permute(0, 2, 3, 1)
