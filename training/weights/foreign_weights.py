"""Reading of weights from files of other projects: Lightning checkpoint, state dict or ONNX."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fashion.backbones import resnet
from fashion.backbones.contract import Backbone
from fashion.backbones.families import build
from fashion.engines import Engine
from fashion.errors import BundleError
from fashion.preprocess import InputSpec
from training.weights import onnx_weights, torch_files

NESTED = ("state_dict", "model_state_dict", "model")  # keys under which a file may keep the weights
LIGHTNING = "pytorch_lightning"  # package whose classes old checkpoints refer to
COUNTER = "num_batches_tracked"  # a buffer of batch norms that older files do not have


@dataclass(frozen=True)
class WeightsSource:
    """The weights of a file.

    Attributes:
        state: with the parameter names of the family's library.
        kind: description of the file.
        engine: runs the file itself; None if it cannot be run.
    """

    state: dict[str, Tensor]
    kind: str
    engine: Engine | None = None


def read_source(file: Path, arch: str, spec: InputSpec) -> WeightsSource:
    """Read the weights of a file, including the head. No code in it is executed.

    Raises:
        BundleError: the file is missing, broken, holds more than weights or NaN, or is of another network.
    """
    if not file.is_file():
        raise BundleError(f"no such file: {file}; give a .ckpt, .pth or .onnx file")
    network = build(arch, 1)
    if file.suffix.lower() == ".onnx":
        found = onnx_weights.read(file, network)
        if found.quantized:
            raise BundleError(f"{file} is quantized, which cannot be reversed; give the fp32 file")
        state = found.state
        kind = "ONNX, " + ("batch norms folded into the convolutions" if found.folded else "with batch norms")
        engine = onnx_weights.SourceEngine(file, spec, found.output, found.is_probability)
    else:
        state, kind = read_torch(file, network, arch)
        engine = None
    check_finite(state, str(file))
    _check_with_head(file, state, network, arch)
    return WeightsSource(state, kind, engine)


def read_torch(file: Path, network: Backbone, arch: str) -> tuple[dict[str, Tensor], str]:
    """Read the weights of a .pth or .ckpt file, with the prefix of wrappers removed from their names; and its kind.

    DataParallel, DDP, torch.compile, Lightning and custom modules put `module.`, `_orig_mod.`, `network.` or
    `model.backbone.` before each name. The key of a dict that holds them, such as `model_ema` or `net`, is treated as
    a prefix too. Everything else in the file is left out.

    Raises:
        BundleError: the file is broken, holds more than weights or none of this network.
    """
    content = torch_files.read(file, ignored=LIGHTNING)
    kind = "state dict"
    if isinstance(content, dict):
        if "pytorch-lightning_version" in content:
            kind = f"Lightning checkpoint, version {content['pytorch-lightning_version']}, epoch {content.get('epoch')}"
        content = next((content[key] for key in NESTED if isinstance(content.get(key), dict)), content)
    state = dict(_tensors(content)) if isinstance(content, dict) else {}
    own = set(network.state_dict())
    prefix = _prefix(state, own)
    if prefix is None:
        has = ", ".join(map(str, list(content)[:3])) if isinstance(content, dict) else f"a {type(content).__name__}"
        raise BundleError(
            f"{file} holds no weights of {arch}, such as {next(iter(network.state_dict()))} with or without a prefix; "
            f"it has: {has}"
        )
    return {name.removeprefix(prefix): _as_float(v) for name, v in state.items() if name.startswith(prefix)}, kind


def check_finite(state: Mapping[str, Tensor], weights: str) -> None:
    """Check the values of weights. Raises BundleError, with the name `weights` of the file, for NaN and infinity."""
    broken = [name for name, values in state.items() if not values.isfinite().all()]
    if broken:
        raise BundleError(
            f"{weights} has {len(broken)} weights with NaN or infinite values, such as {broken[0]}: its training failed"
        )


def check_fit(state: Mapping[str, Tensor], network: Backbone, arch: str, weights: str) -> None:
    """Compare names and shapes of weights with those of a network; the head may be missing.

    Raises:
        BundleError: they differ; `weights` names the file in the message.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state and name not in network.head_weights]
    unexpected = [name for name in state if name not in own]
    other = [name for name in state if name in own and state[name].shape != own[name].shape]
    missing = [name for name in missing if not name.endswith(COUNTER)]
    for names, what in (
        (unexpected, "weights it does not have"),
        (missing, "no weights for"),
        (other, "another shape"),
    ):
        if names:
            some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise BundleError(f"{weights} does not fit {arch}: {what}: {some}")


def _check_with_head(file: Path, state: dict[str, Tensor], network: Backbone, arch: str) -> None:
    head = network.head_weights
    try:
        check_fit({k: v for k, v in state.items() if k not in head}, network, arch, str(file))
    except BundleError as error:
        others = [other for other in resnet.NAMES if other != arch and _fits(state, other)]
        raise BundleError(f"{error}; give --arch {others[0]}" if others else str(error)) from None
    weight, bias = (state.get(name) for name in head)
    features = network.num_features
    if weight is None or bias is None or weight.ndim != 2 or weight.shape != (len(bias), features):
        raise BundleError(f"{file} has no linear head ({', '.join(head)}) on the {features} features")


def _tensors(content: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of a nested dict, by their keys joined with dots."""
    for key, value in content.items():
        if isinstance(value, Tensor):
            yield f"{before}{key}", value
        elif isinstance(value, Mapping):
            yield from _tensors(value, f"{before}{key}.")


def _prefix(names: Iterable[str], own: Collection[str]) -> str | None:
    """The prefix of most of a network's parameter names, such as `module.`; None if hardly any are found."""
    found: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        # The longest suffix that is a name of the network: `layer1.0.conv1.weight` is not `conv1.weight`.
        start = next((i for i in range(len(parts)) if ".".join(parts[i:]) in own), None)
        if start is not None:
            found[".".join(parts[:start]) + "." * (start > 0)] += 1
    prefix, count = found.most_common(1)[0] if found else ("", 0)
    # A fifth suffices: networks of one family share names, and check_fit reports the differences.
    return prefix if count > len(own) / 5 else None


def _as_float(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values


def _fits(state: dict[str, Tensor], arch: str) -> bool:
    network = build(arch, 1)
    own = network.state_dict()
    names = {name for name in own if name not in network.head_weights and not name.endswith(COUNTER)}
    return all(name in state and state[name].shape == own[name].shape for name in names)
