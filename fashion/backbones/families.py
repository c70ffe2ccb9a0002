"""Find the family of a network by its name: `resnet50` or `timm/NAME`."""

from typing import cast

from fashion.backbones import resnet
from fashion.backbones.contract import TIMM_PREFIX, Backbone, Family
from fashion.errors import SettingError


def family(arch: str) -> Family:
    """The family's module for `arch`; a name without a prefix is a torchvision ResNet.

    Raises:
        SettingError: a timm network is requested, but timm is not installed.
    """
    if arch.startswith(TIMM_PREFIX):
        try:  # imported here: it takes half a second, and ResNets do not need the package
            from fashion.backbones import timm
        except ModuleNotFoundError as error:
            if error.name != "timm":
                raise
            raise SettingError(
                f"{arch} is a network of timm, which is not installed; pip install timm, or take the engine int8 "
                "or onnx, which need no network's code"
            ) from None
        return cast(Family, timm)
    return cast(Family, resnet)


def build(arch: str, num_outputs: int) -> Backbone:
    """A network with random weights and a head of `num_outputs` logits.

    Raises:
        SettingError: an unknown architecture, or one without a pooled linear head.
    """
    return family(arch).build(arch, num_outputs)
