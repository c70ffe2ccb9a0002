"""A first convolution that sees the photographs' own patterns, each as strongly as the others."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from fashion.backbones.contract import Backbone
from fashion.backbones.normalize import Normalize
from training.data.images import Photographs

IMAGES = 512  # that tell the patterns; more change them no more
PATCHES = 1_000  # of each image, at most about this many
NOISE = 0.01  # of the mean variance, added to each: what is weaker than that is not worth seeing


def whiten(network: Backbone, normalize: Normalize, images: Photographs) -> None:
    """Begin the first convolution with the principal components of the images' patches, scaled to equal variance.

    Photographs vary most from light to dark over all of a patch; random filters nearly all see that, and what tells
    fabrics and seams apart reaches the next layers weakly. Half of the filters are the strongest components, the other
    half their negatives, for the ReLU behind them lets only one side through. The filters go on to learn like any
    other. As in Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498), 3.2, where they are
    kept fixed.

    Args:
        network: its first convolution is changed in place.
        normalize: its input.
        images: of the kind that it will learn from; at most `IMAGES` are looked at.
    """
    weight = network.get_stem().weight
    images = images.sample(IMAGES)
    pixels = (normalize(images[i]["pixels"][None]) for i in range(len(images)))
    covariance = _covariance(pixels, weight.shape[-1], network.get_stem().stride[0])
    variances, components = torch.linalg.eigh(covariance)  # the strongest last
    filters = (components / (variances + NOISE * variances.mean()).sqrt()).T.flip(0)
    half = len(weight) // 2
    with torch.no_grad():
        weight.copy_(torch.cat([filters[:half], -filters[:half]]).reshape(weight.shape))


def _covariance(images: Iterable[Tensor], side: int, stride: int) -> Tensor:
    """Of the values of patches (3, side, side) of normalized images (1, 3, S, S): (3 side^2, 3 side^2), float64."""
    count, total, squares = 0, torch.zeros(3 * side**2).double(), torch.zeros(3 * side**2, 3 * side**2).double()
    for image in images:
        step = max(stride, round(image.shape[-1] / PATCHES**0.5))
        patches = F.unfold(image, side, stride=step)[0].T  # (n, 3 side^2)
        count += len(patches)
        total += patches.sum(0)
        squares += patches.T @ patches
    mean = total / count
    return squares / count - torch.outer(mean, mean)
