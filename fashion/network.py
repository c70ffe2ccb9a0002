"""The network: normalized images in; logits, embedding and feature map out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock, Bottleneck

from fashion.errors import SettingError
from fashion.preprocess import InputSpec, scale_and_shift

# ResNet50 is the model of this project; ResNet18 has the same layout and makes tests quick.
_LAYERS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], list[int]]] = {
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
}
ARCHITECTURES = tuple(_LAYERS)


class Output(NamedTuple):
    """What the network says of B images.

    Attributes:
        logits: (B, A), one for each label.
        embedding: (B, E), the pooled feature map; E is 2048 for ResNet50. `logits` is linear in it.
        features: (B, E, h, w), the last feature map, h = w = input size / 32; its mean over h and w is `embedding`.
    """

    logits: Tensor
    embedding: Tensor
    features: Tensor


class FashionNet(ResNet):
    """torchvision's ResNet that also hands out what its head is computed from.

    Its state dict has torchvision's names, so the weights load into `torchvision.models.resnet50(num_classes=A)`.
    """

    def forward(self, images: Tensor) -> Output:
        """images: (B, 3, S, S) normalized, S at least 32."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (B, 64, S/4, S/4)
        features = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (B, E, S/32, S/32)
        embedding = torch.flatten(self.avgpool(features), 1)  # (B, E)
        return Output(self.fc(embedding), embedding, features)


class Normalize(nn.Module):
    """uint8 pixels (B, S, S, 3) -> normalized (B, 3, S, S) on the same device, in channels_last memory format."""

    scale: Tensor
    shift: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        scale, shift = scale_and_shift(spec)
        # Not persistent: the model card holds them, and the state dict stays torchvision's.
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)
        self.register_buffer("shift", torch.from_numpy(shift), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels * self.scale + self.shift).permute(0, 3, 1, 2)


def build(arch: str, num_labels: int) -> FashionNet:
    """A network with random weights, its head initialized for `num_labels` logits.

    Raises:
        SettingError: an unknown architecture.
    """
    if arch not in _LAYERS:
        raise SettingError(f"architecture {arch!r} is unknown; choose one of: {', '.join(ARCHITECTURES)}")
    block, layers = _LAYERS[arch]
    return FashionNet(block, layers, num_classes=num_labels)
