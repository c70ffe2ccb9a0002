"""PCA whitening initialization of the first convolution, from patches of the training images."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from fashion.backbones.contract import Backbone
from fashion.backbones.normalize import Normalize
from training.data.images import Photographs

IMAGES = 512  # images sampled; more do not change the components
PATCHES = 1_000  # approximate maximum of patches per image
NOISE = 0.01  # regularization: this fraction of the mean variance is added to each, so that noise is not amplified


def whiten(network: Backbone, normalize: Normalize, images: Photographs) -> None:
    """Set the first convolution to the principal components of image patches, scaled to equal variance.

    Image patches vary most in overall brightness. Random filters respond mostly to that, so the fine structure of
    fabrics and seams reaches the next layers only weakly. Half of the filters are the strongest components, the other
    half their negatives, because the following ReLU passes only one sign. The filters are trained further like any
    other, unlike in the source, where they stay fixed: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU"
    (arXiv:2404.00498), 3.2.

    Args:
        network: its first convolution is changed in place.
        normalize: normalizes its input.
        images: training images; at most `IMAGES` are used.
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
    """Covariance of patches (3, side, side) of normalized images (1, 3, S, S): (3 side^2, 3 side^2), float64."""
    count, total, squares = 0, torch.zeros(3 * side**2).double(), torch.zeros(3 * side**2, 3 * side**2).double()
    for image in images:
        step = max(stride, round(image.shape[-1] / PATCHES**0.5))
        patches = F.unfold(image, side, stride=step)[0].T  # (n, 3 side^2)
        count += len(patches)
        total += patches.sum(0)
        squares += patches.T @ patches
    mean = total / count
    return squares / count - torch.outer(mean, mean)
