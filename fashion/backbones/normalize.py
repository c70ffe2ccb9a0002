"""Normalize pixels to the network's input, on the network's device."""

import torch
from torch import Tensor, nn

from fashion.preprocess import InputSpec, scale_and_shift


class Normalize(nn.Module):
    """uint8 pixels (B, S, S, 3) -> normalized (B, 3, S, S) on the same device, in channels_last memory format."""

    scale: Tensor
    shift: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        scale, shift = scale_and_shift(spec)
        # Not persistent: the model card holds them, and the state dict keeps the library's keys.
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)
        self.register_buffer("shift", torch.from_numpy(shift), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels * self.scale + self.shift).permute(0, 3, 1, 2)
