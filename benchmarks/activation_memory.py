"""Compute the memory that a training step keeps for its backward pass, on any machine, without running it.

From the command line:  python -m benchmarks.activation_memory
"""

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.document import table
from fashion.backbones.families import build

LABELS = 228
SIZES = (224, 384, 512)
# Weights in fp32, their gradients, Adam's two moments, and autocast's copy of the weights in bf16.
BYTES_A_WEIGHT = 4 + 4 + 8 + 2


def activation_bytes(arch: str, size: int, dtype: torch.dtype = torch.bfloat16) -> int:
    """Bytes of activations that autograd keeps for one image: all tensors saved for backward except weights, each once.

    Computed on torch's meta device, which has shapes but no data.

    Args:
        arch: see `fashion.backbones.families.build`.
        size: height and width of the input, px.
        dtype: of the activations, as autocast makes them.
    """
    with torch.device("meta"):
        network = build(arch, LABELS).to(dtype).train()
        images = torch.empty(2, 3, size, size, dtype=dtype)
    weights = {_storage(values) for values in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(values: Tensor) -> Tensor:
        if _storage(values) not in weights:
            kept[_storage(values)] = values
        return values

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda values: values):
        network(images)
    return sum(values.untyped_storage().nbytes() for values in kept.values()) // len(images)


def _storage(values: Tensor) -> int:
    """The storage's id, equal for tensors that share memory."""
    return values.untyped_storage()._cdata


def step_bytes(arch: str, size: int, batch: int) -> int:
    """Bytes of weights, gradients, Adam's moments and activations of a step; without cuDNN's workspace."""
    with torch.device("meta"):
        weights = sum(values.numel() for values in build(arch, LABELS).parameters())
    return weights * BYTES_A_WEIGHT + batch * activation_bytes(arch, size)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.activation_memory", description=__doc__)
    parser.add_argument("--arch", default="resnet50", help="(default: %(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", default=[12, 32, 64, 128], help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    rows = [
        [f"{size}", f"{activation_bytes(options.arch, size) / 1e6:.0f}"]
        + [f"{step_bytes(options.arch, size, batch) / 1e9:.1f}" for batch in options.batches]
        for size in SIZES
    ]
    head = ["input, px", "activations of an image, MB", *(f"batch {batch}, GB" for batch in options.batches)]
    print(table(head, rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
