"""The input pipeline of VisualFashionAttributePrediction, re-implemented from its description for comparison.

It opens a photograph with Pillow and runs torchvision's transforms on the PIL image: color jitter (brightness, contrast
and saturation 0.2, hue 0.1) and a mirror image at the photograph's own size, then 512x512 px, a float tensor, and the
normalization.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fashion.preprocess import InputSpec
from training.data.augment import Augment

SPEC = InputSpec(512, mean=(0.6765, 0.6347, 0.6207), std=(0.3284, 0.3371, 0.3379))
AUGMENT = Augment(flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1)


class SeedPhotographs(Dataset):
    """Image files -> normalized float tensors (3, S, S) and targets (A,)."""

    def __init__(
        self, files: Sequence[Path], spec: InputSpec, augment: Augment, labels: int, resize_first: bool
    ) -> None:
        jitter = transforms.ColorJitter(augment.brightness, augment.contrast, augment.saturation, augment.hue)
        steps = [jitter, transforms.RandomHorizontalFlip(augment.flip)]
        steps.insert(0 if resize_first else len(steps), transforms.Resize((spec.size, spec.size)))
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(spec.mean, spec.std)])
        self.files, self.labels = files, labels

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(Image.open(self.files[index])), torch.zeros(self.labels)


def seed_loader(
    files: Sequence[Path], spec: InputSpec, augment: Augment, batch_size: int, labels: int, resize_first: bool = False
) -> DataLoader:
    """A loader of its batches in this process.

    Args:
        files: JPEG photographs, in this order.
        spec: size, mean and std.
        augment: strength of the jitter; cropping is ignored.
        batch_size: images in each.
        labels: length of the targets.
        resize_first: jitter the resized image instead, which the original does not.
    """
    return DataLoader(SeedPhotographs(files, spec, augment, labels, resize_first), batch_size=batch_size)
