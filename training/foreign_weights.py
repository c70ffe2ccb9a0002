"""The weights of a ResNet out of the files of another project: Lightning checkpoint, state dict or ONNX."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from fashion.engines import Engine
from fashion.errors import BundleError
from fashion.network import ARCHITECTURES, FashionNet, build
from fashion.preprocess import InputSpec
from training import backbone, onnx_weights, torch_files

NESTED = ("state_dict", "model_state_dict", "model")  # where a file keeps the weights beside other things
LIGHTNING = "pytorch_lightning"  # whose classes old checkpoints refer to


@dataclass(frozen=True)
class Source:
    """The weights of a file.

    Attributes:
        state: by torchvision's names.
        kind: what the file is.
        engine: what runs the file itself, where it can be run.
    """

    state: dict[str, Tensor]
    kind: str
    engine: Engine | None = None


def read_source(file: Path, arch: str, spec: InputSpec) -> Source:
    """The weights of a file by torchvision's names. Nothing in it is executed.

    Raises:
        BundleError: no such file, a broken one, one that holds more than weights, or one of another network.
    """
    if not file.is_file():
        raise BundleError(f"no such file: {file}; give a .ckpt, .pth or .onnx file")
    network = build(arch, 1)
    if file.suffix.lower() == ".onnx":
        found = onnx_weights.read(file, network)
        if found.quantized:
            raise BundleError(f"{file} computes in integers, which cannot be turned back; give the file in fp32")
        state = found.state
        kind = "ONNX, " + ("batch norms folded into the convolutions" if found.folded else "with batch norms")
        engine = onnx_weights.SourceEngine(file, spec, found.output, found.is_probability)
    else:
        state, kind = _from_torch(file)
        engine = None
    _check(file, state, network, arch)
    return Source(state, kind, engine)


def _from_torch(file: Path) -> tuple[dict[str, Tensor], str]:
    """The weights without the prefix that a wrapper gives their names, and what kind of file it is."""
    content = torch_files.read(file, ignored=LIGHTNING)
    kind = "state dict"
    if isinstance(content, dict):
        if "pytorch-lightning_version" in content:
            kind = f"Lightning checkpoint, version {content['pytorch-lightning_version']}, epoch {content.get('epoch')}"
        content = next((content[key] for key in NESTED if isinstance(content.get(key), dict)), content)
    state = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, dict) else {}
    first = "layer1.0.conv1.weight"
    prefix = next((name.removesuffix(first) for name in state if name.endswith(first)), None)
    if prefix is None:
        has = ", ".join(map(str, list(content)[:3])) if isinstance(content, dict) else f"a {type(content).__name__}"
        raise BundleError(f"{file} holds no weights of a ResNet (no {first}, with or without a prefix); it has: {has}")
    return {name.removeprefix(prefix): _as_float(v) for name, v in state.items() if name.startswith(prefix)}, kind


def _check(file: Path, state: dict[str, Tensor], network: FashionNet, arch: str) -> None:
    own = network.state_dict()
    try:
        backbone.check_fit({k: v for k, v in state.items() if k not in backbone.HEAD}, own, arch, str(file))
    except BundleError as error:
        others = [other for other in ARCHITECTURES if other != arch and _fits(state, other)]
        raise BundleError(f"{error}; give --arch {others[0]}" if others else str(error)) from None
    weight, bias = (state.get(name) for name in backbone.HEAD)
    if weight is None or bias is None or weight.ndim != 2 or weight.shape != (len(bias), own["fc.weight"].shape[1]):
        raise BundleError(f"{file} has no linear head (fc.weight, fc.bias) on the {own['fc.weight'].shape[1]} features")
    broken = [name for name, values in state.items() if not values.isfinite().all()]
    if broken:
        raise BundleError(
            f"{file} has {len(broken)} weights with NaN or infinite values, such as {broken[0]}: its training failed"
        )


def _as_float(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values


def _fits(state: dict[str, Tensor], arch: str) -> bool:
    own = build(arch, 1).state_dict()
    names = {name for name in own if name not in backbone.HEAD and not name.endswith("num_batches_tracked")}
    return all(name in state and state[name].shape == own[name].shape for name in names)
