"""Random changes to training images that leave their labels true."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torchvision.transforms import v2

from fashion.errors import SettingError


@dataclass(frozen=True)
class Augment:
    """How strongly training images are varied; each image draws its own values each time it is loaded.

    The defaults change nothing.

    Attributes:
        flip: probability of a left-right mirror image.
        brightness: factor drawn from [1 - brightness, 1 + brightness].
        contrast: the same for contrast.
        saturation: the same for saturation.
        hue: shift drawn from [-hue, hue], in turns of the color circle; at most 0.5. Colors are labels here: keep it
            near 0.
        crop_scale: smallest part of the area that a random crop keeps; 1 does not crop.

    Raises:
        SettingError: a value out of its range.
    """

    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    crop_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("flip", 0, 1),
            ("brightness", 0, 1),
            ("contrast", 0, 1),
            ("saturation", 0, 1),
            ("hue", 0, 0.5),
            ("crop_scale", 0.05, 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingError(f"augment.{name} is {value}; it must lie between {low} and {high}")

    def transform(self, size: int) -> Callable[[Tensor], Tensor]:
        """The augmentation of one image, uint8 (3, S, S) -> uint8 (3, S, S), S being `size`."""
        steps: list[Callable[[Tensor], Tensor]] = []
        if self.crop_scale < 1:
            steps.append(v2.RandomResizedCrop(size, scale=(self.crop_scale, 1.0), antialias=True))
        if self.flip:
            steps.append(v2.RandomHorizontalFlip(self.flip))
        if self.brightness or self.contrast or self.saturation or self.hue:
            steps.append(v2.ColorJitter(self.brightness, self.contrast, self.saturation, self.hue))
        return v2.Compose(steps) if steps else v2.Identity()
