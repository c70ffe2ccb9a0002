"""Optional changes to torchvision's random initialization that cost nothing at training time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from fashion.backbones.contract import Backbone
from fashion.backbones.normalize import Normalize
from fashion.errors import SettingError
from training.data.images import Photographs
from training.fitting.whitening import whiten


@dataclass(frozen=True)
class Initialization:
    """Changes to the initial random weights. Weights that are loaded afterwards replace them.

    Attributes:
        zero_residual: the last batch norm of each residual block starts at 0, so that each block is the identity at
            first. Goyal et al. 2017, "Accurate, Large Minibatch SGD" (arXiv:1706.02677), 5.1.
        prior: initial probability of every label, set by the head's bias; 0 leaves it near 0.5. Most labels are
            rare; with a low prior no steps are spent on learning that. Lin et al. 2017, "Focal Loss for
            Dense Object Detection" (arXiv:1708.02002), 3.3.
        whiten: initialize the first convolution from image patches, see `training.fitting.whitening`.

    Raises:
        SettingError: a value out of its range.
    """

    zero_residual: bool = False
    prior: float = 0.0
    whiten: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.prior < 1:
            raise SettingError(f"--model.init.prior is {self.prior}; it must be at least 0 and below 1")

    def apply(self, network: Backbone, normalize: Normalize, images: Callable[[], Photographs]) -> None:
        """Change the random weights of a network.

        Args:
            network: changed in place.
            normalize: normalizes its input.
            images: returns training images; called only if they are needed.
        """
        if self.zero_residual:
            for norm in network.residual_norms():
                nn.init.zeros_(cast(Tensor, norm.weight))
        if self.prior:
            nn.init.constant_(network.get_head().bias, math.log(self.prior / (1 - self.prior)))
        if self.whiten:
            whiten(network, normalize, images())
