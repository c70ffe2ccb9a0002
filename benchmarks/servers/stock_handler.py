"""A TorchServe handler modeled on `ts.torch_handler.vision_handler`, which itself needs the package captum.

`benchmarks.servers.torchserve` packs it into a separate archive, without any code of this project.
"""

import io

import torch
from PIL import Image
from torchvision import transforms
from ts.torch_handler.base_handler import BaseHandler


class StockHandler(BaseHandler):
    """Decodes with Pillow, prepares with torchvision, runs `model.pth` in fp32; answers every label."""

    image_processing = transforms.Compose(
        [
            transforms.Resize((512, 512)),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )

    def preprocess(self, data: list[dict[str, bytearray]]) -> torch.Tensor:
        rows = (row.get("data") or row.get("body") for row in data)
        images = [self.image_processing(Image.open(io.BytesIO(row or b""))) for row in rows]
        return torch.stack(images).to(self.device)

    def postprocess(self, data: torch.Tensor) -> list[dict[str, float]]:
        return [{self.mapping[str(i)]: value for i, value in enumerate(row)} for row in data.sigmoid().tolist()]
