"""Where the network's first weights come from: ImageNet, a file, or nowhere."""

import errno
import pickle
from pathlib import Path
from urllib.error import URLError

from torch import Tensor
from torchvision.models import ResNet18_Weights, ResNet50_Weights, WeightsEnum

from fashion.errors import BundleError, SettingError, one_line
from fashion.network import FashionNet
from training import onnx_weights, torch_files

IMAGENET, NONE = "imagenet", "none"
HEAD = ("fc.weight", "fc.bias")
ONNX = ".onnx"

_IMAGENET: dict[str, WeightsEnum] = {
    "resnet50": ResNet50_Weights.IMAGENET1K_V2,
    "resnet18": ResNet18_Weights.IMAGENET1K_V1,
}


def fetch(arch: str, weights: str) -> None:
    """Make sure, before anything slow begins, that the weights can be had: download them or look for the file.

    Raises:
        SettingError: no connection and no cached file, or no such file.
    """
    if weights == IMAGENET:
        _imagenet(arch)
    elif weights != NONE:
        _check_file(weights)


def load(network: FashionNet, arch: str, weights: str) -> bool:
    """Start `network` from `weights`.

    Args:
        network: its head keeps its random weights, unless the file's head is for as many labels.
        arch: architecture of the network; chooses the ImageNet weights.
        weights: `imagenet` (torchvision's best for the architecture, downloaded once into torch's cache), `none`, or
            a file: a state dict of torchvision's, a bundle's `model.pth`, `model.onnx` or `model.int8.onnx`, or a
            checkpoint of this project.

    Returns:
        Whether the file's batch norms were folded into the convolutions, and want `training.batch_norms.unfold`.

    Raises:
        SettingError: weights that cannot be had; the message names the choices.
        BundleError: a file that is no set of weights, or not of this architecture.
    """
    if weights == NONE:
        return False
    folded = False
    if weights == IMAGENET:
        state = _imagenet(arch)
    elif weights.endswith(ONNX):
        found = onnx_weights.read(_check_file(weights), network)
        state, folded = found.state, found.folded
    else:
        state = _from_file(weights)
    if weights == IMAGENET:
        state = {name: value for name, value in state.items() if name not in HEAD}
    own = network.state_dict()
    for name in HEAD:
        if name in state and state[name].shape != own[name].shape:
            del state[name]
    check_fit(state, own, arch, weights)
    network.load_state_dict(state, strict=False)
    return folded


def _imagenet(arch: str) -> dict[str, Tensor]:
    weights = _IMAGENET[arch]
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (URLError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        # A wrong hash is a RuntimeError, no connection an URLError; no room in the cache is not for us.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise SettingError(
            f"the ImageNet weights could not be had from {weights.url} ({one_line(error)}); connect to the internet "
            "once, give a file with --model.weights FILE, or start from random weights with --model.weights none"
        ) from None


def _check_file(weights: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise SettingError(
            f"no such weights file: {weights}; --model.weights takes {IMAGENET!r}, {NONE!r} or a file of weights"
        )
    return path


def _from_file(weights: str) -> dict[str, Tensor]:
    path = _check_file(weights)
    content = torch_files.read(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise BundleError(f"{weights} holds no state dict; expected a .pth or .ckpt file of a ResNet")
    # Checkpoints of this project prefix the names of the network's weights.
    return {name.removeprefix("network."): value for name, value in content.items()}


def check_fit(state: dict[str, Tensor], own: dict[str, Tensor], arch: str, weights: str) -> None:
    """Compare names and shapes of weights with those of a network; the head may be missing.

    Raises:
        BundleError: they differ; `weights` says whose they are.
    """
    missing = [name for name in own if name not in state and name not in HEAD]
    unexpected = [name for name in state if name not in own]
    other = [name for name in state if name in own and state[name].shape != own[name].shape]
    # Older files do not count batches in their batch norms.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    for names, what in (
        (unexpected, "weights it does not have"),
        (missing, "no weights for"),
        (other, "another shape"),
    ):
        if names:
            some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise BundleError(f"{weights} does not fit {arch}: {what}: {some}")
