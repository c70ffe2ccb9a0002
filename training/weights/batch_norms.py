"""Batch norms that were folded into the convolutions before them, as in files for serving, and learn again."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fashion.backbones.contract import Backbone
from fashion.backbones.normalize import Normalize
from training.data.images import Photographs

IMAGES = 512  # that tell the statistics; more change the first steps of a training no more
BATCH = 64


def unfold(network: Backbone, normalize: Normalize, images: Photographs) -> None:
    """Give each batch norm, so far the identity plus a bias, the statistics of what reaches it.

    A folded norm has scale 1, mean 0 and variance 1. Training would normalize by the statistics of its batches, which
    are quite others, and lose what the network knows. So its mean and variance become those of its input, and its scale
    and bias undo them: the network answers as before, and goes on from there when it learns.

    Args:
        network: changed in place, answers the same.
        normalize: its input.
        images: of the kind that it will learn from; at most `IMAGES` are looked at.
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
    """Mean and variance of each channel over all that a norm is given, in float64."""

    def __init__(self, channels: int) -> None:
        self.count, self.sum, self.squares = 0, torch.zeros(channels).double(), torch.zeros(channels).double()

    def see(self, norm: nn.Module, given: Sequence[Tensor]) -> None:
        """A forward pre-hook: given is one tensor (B, C, h, w)."""
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
