"""Restores batch norms that were folded into convolutions, as in files for serving, so that training can continue."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fashion.backbones.contract import Backbone
from fashion.backbones.normalize import Normalize
from training.data.images import Photographs

IMAGES = 512  # images for the statistics; more make no difference to the first training steps
BATCH = 64


def unfold(network: Backbone, normalize: Normalize, images: Photographs) -> None:
    """Give each folded batch norm (identity plus a bias) the statistics of its input.

    A folded norm has scale 1, mean 0 and variance 1. Training would normalize by very different batch statistics and
    destroy what the network has learned. So its mean and variance are set to those of its input, and its scale and bias
    undo them: the outputs are unchanged, and training continues from there.

    Args:
        network: changed in place; its outputs stay the same.
        normalize: normalizes its input.
        images: training images; at most `IMAGES` are used.
    """
    images = images.sample(IMAGES)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    moments = {norm: _Moments(norm.num_features) for norm in norms}
    hooks = [norm.register_forward_pre_hook(moments[norm].see) for norm in norms]
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                stop = min(start + BATCH, len(images))
                network(normalize(torch.stack([images[i]["pixels"] for i in range(start, stop)])))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        for norm, found in moments.items():
            mean, variance = found.mean, found.variance
            norm.bias.copy_(norm.bias + mean)
            norm.weight.copy_((variance + norm.eps).sqrt())
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)


class _Moments:
    """Mean and variance of each channel of a norm's inputs, in float64."""

    def __init__(self, channels: int) -> None:
        self.count, self.sum, self.squares = 0, torch.zeros(channels).double(), torch.zeros(channels).double()

    def see(self, norm: nn.Module, given: Sequence[Tensor]) -> None:
        """Forward pre-hook; `given` is one tensor (B, C, h, w)."""
        values = given[0].detach().double()
        self.count += values.numel() // values.shape[1]
        self.sum += values.sum((0, 2, 3))
        self.squares += values.square().sum((0, 2, 3))

    @property
    def mean(self) -> Tensor:
        return self.sum / self.count

    @property
    def variance(self) -> Tensor:
        return (self.squares / self.count - self.mean.square()).clamp(min=0)
