"""The network of the stock archive: TorchServe requires a file with one class without constructor arguments."""

import json
from pathlib import Path

from torchvision.models.resnet import Bottleneck, ResNet


class StockResNet50(ResNet):
    """torchvision's ResNet50 with as many outputs as the archive has names."""

    def __init__(self) -> None:
        names = json.loads(Path(__file__).with_name("index_to_name.json").read_text())
        super().__init__(Bottleneck, [3, 4, 6, 3], num_classes=len(names))
