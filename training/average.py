"""Averages the weights of several trainings of one network: a model soup, as fast as one of them.

From the command line:  python -m training.average RUN/checkpoints/last.ckpt OTHER/checkpoints/last.ckpt --out FILE

The trainings must have started from the same trained weights, or one from the result of another: then the average is
often better than each (Wortsman et al. 2022, "Model soups", arXiv:2203.05482). The average of independently trained
networks is useless. `python -m training.export RUN --checkpoint FILE` exports it and scores it on validation images.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fashion.errors import BundleError, SettingError, one_line_errors
from training.fitting.runs import KEPT, load_module
from training.weights import torch_files

SAME = ("arch", "labels", "gates", "input")  # hyperparameters that determine what weights mean


def average(checkpoints: Sequence[Path], out: Path) -> None:
    """Write a checkpoint with the mean of the weights of several others.

    Batch norm statistics are averaged too; the input size is the first's. The file can be exported and used as initial
    weights, but not resumed.

    Args:
        checkpoints: two or more, written by `training.fit`.
        out: the file to write.

    Raises:
        SettingError: fewer than two checkpoints.
        BundleError: one is missing or broken, or they are of different networks, labels or inputs.
    """
    if len(checkpoints) < 2:
        raise SettingError("an average needs two or more checkpoints")
    contents = [_read(path) for path in checkpoints]
    first, *others = contents
    for path, content in zip(checkpoints[1:], others, strict=True):
        for name in SAME:
            if _meaning(content, name) != _meaning(first, name):
                raise BundleError(
                    f"{path} has another {name} than {checkpoints[0]}; average checkpoints of one network"
                )
    states = [content["state_dict"] for content in contents]
    mean = {name: _mean([state[name] for state in states]) for name in states[0]}
    torch_files.write({name: first[name] for name in KEPT if name in first} | {"state_dict": mean}, out)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise BundleError(f"no checkpoint {str(path)!r}; a training writes RUN/checkpoints/best.ckpt and last.ckpt")
    load_module(path)  # raises a clear error for a file that is not a checkpoint of this project
    return torch_files.read(path)


def _meaning(checkpoint: Mapping[str, Any], name: str) -> Any:
    """A hyperparameter, without the input's size: convolutions mean the same at every size."""
    value = checkpoint["hyper_parameters"].get(name)
    return {key: each for key, each in value.items() if key != "size"} if name == "input" else value


def _mean(values: Sequence[Tensor]) -> Tensor:
    """The mean of floating point tensors; counters of batch norms are taken from the first."""
    return torch.stack(list(values)).mean(0) if values[0].is_floating_point() else values[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the average, and print the command that exports it."""
    parser = argparse.ArgumentParser(
        prog="python -m training.average", description="Average the weights of several trainings of one network."
    )
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CKPT", help="RUN/checkpoints/last.ckpt, ...")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="checkpoint to write")
    options = parser.parse_args(arguments)
    with one_line_errors():
        average(options.checkpoints, options.out)
        print(f"wrote  {options.out}: the mean of {len(options.checkpoints)} checkpoints")
        print(f"next   python -m training.export RUN --checkpoint {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
