"""Mixup: images that are two images at once, and are to be answered as the mixture they are.

Source: Zhang et al. (arXiv:1710.09412).
"""

import torch
from torch import Tensor


def mix(pixels: Tensor, alpha: float) -> tuple[Tensor, Tensor, float]:
    """Mix each image of a batch with another one.

    Args:
        pixels: uint8 (B, S, S, 3).
        alpha: the share of the first image is drawn from Beta(alpha, alpha), for the whole batch.

    Returns:
        The mixtures, uint8 (B, S, S, 3), the index of each one's second image, (B,), and the share of the first.
    """
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    other = torch.randperm(len(pixels), device=pixels.device)
    mixed = pixels.float().mul_(share).add_(pixels[other].float(), alpha=1 - share)
    return mixed.round_().to(torch.uint8), other, share
