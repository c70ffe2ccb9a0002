"""Input settings of a training, with defaults from the pretrained weights of the network."""

from dataclasses import asdict, dataclass, replace
from typing import Literal

from fashion.backbones.families import family
from fashion.preprocess import InputSpec


@dataclass(frozen=True)
class InputSettings:
    """The values of `fashion.preprocess.InputSpec`; null takes the value that the network's family declares.

    Attributes:
        size: height and width of the input, pixels.
        mean: mean of the red, green and blue channel, in [0, 1]; subtracted.
        std: standard deviation of the channels, in (0, 1]; divided by.
        resize: `squash` ignores the aspect ratio; `pad` keeps it and fills up with white.
        interpolation: of the resize.
        border: `cut` removes a wide border of one color before the resize; `keep` does not.
    """

    size: int | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize: Literal["squash", "pad"] | None = None
    interpolation: Literal["bilinear", "bicubic"] | None = None
    border: Literal["keep", "cut"] | None = None

    def spec(self, arch: str) -> InputSpec:
        """The input spec of a network. Raises SettingError for a value that no network can use."""
        own = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(family(arch).declared_input(arch), **own)

    @classmethod
    def from_spec(cls, spec: InputSpec) -> "InputSettings":
        """Everything set to the values of `spec`."""
        return cls(**asdict(spec))
