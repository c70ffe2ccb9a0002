"""Progressive resizing: training starts on small images, which are cheaper and teach most of what is to be learned.

Source: Tan and Le, EfficientNetV2 (arXiv:2104.00298), "progressive learning"; Howard's entry of DAWNBench, 2018.
"""

from dataclasses import dataclass

from torch import Tensor
from torchvision.transforms.v2.functional import resize

from fashion.errors import SettingError

STEP = 16  # px between sizes; finer steps make no difference to a network of total stride 32
LEAST = 32  # px, smallest size


@dataclass(frozen=True)
class ImageGrowth:
    """How the size of the training images grows to the input size of the model.

    Attributes:
        start: initial image size as a fraction of the input size; 1 trains at the input size throughout.
        since: fraction of the training at which the images start to grow.
        until: fraction of the training from which on they have the input size.

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
        """Image size in px at `progress` (0 to 1) of the training, for an input of `size` px."""
        if self.start == 1 or progress >= self.until:
            return size
        grown = size * (self.start + (1 - self.start) * max(0, progress - self.since) / (self.until - self.since))
        return min(size, max(LEAST, round(grown / STEP) * STEP))


def shrink(pixels: Tensor, size: int) -> Tensor:
    """Resize uint8 pixels (B, S, S, 3) to (B, size, size, 3)."""
    if pixels.shape[1] == size:
        return pixels
    return resize(pixels.permute(0, 3, 1, 2), [size, size], antialias=True).permute(0, 2, 3, 1)
