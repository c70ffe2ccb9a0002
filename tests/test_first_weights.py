"""training.weights.first_weights."""

from pathlib import Path

import pytest
import torch

from fashion.backbones.contract import Backbone
from fashion.backbones.families import build
from fashion.errors import BundleError, SettingError
from fashion.gates import Gates
from fashion.preprocess import InputSpec
from fashion.taxonomy import Taxonomy
from training.bundle.onnx_files import write_onnx
from training.fitting.module import FashionModule
from training.weights import first_weights


@pytest.fixture
def network() -> Backbone:
    return build("resnet18", 7)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch cache, without internet access."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_offline_without_a_cached_file_names_the_three_choices(network: Backbone, hub: Path) -> None:
    with pytest.raises(SettingError) as error:
        first_weights.load(network, "resnet18", "imagenet")
    for choice in ("connect to the internet", "--model.weights FILE", "--model.weights none"):
        assert choice in str(error.value)
    with pytest.raises(SettingError, match="connect"):
        first_weights.fetch("resnet18", "imagenet")


def test_offline_a_cached_file_is_used_except_its_head(network: Backbone, hub: Path) -> None:
    cached = build("resnet18", 1000)
    torch.save(cached.state_dict(), hub / "resnet18-f37072fd.pth")  # the name torchvision gives the file
    head = network.fc.weight.clone()
    first_weights.fetch("resnet18", "imagenet")
    first_weights.load(network, "resnet18", "imagenet")
    assert torch.equal(network.layer3[1].conv2.weight, cached.layer3[1].conv2.weight)
    assert torch.equal(network.fc.weight, head)


def test_broken_cached_file_is_one_error(network: Backbone, hub: Path) -> None:
    (hub / "resnet18-f37072fd.pth").write_bytes(b"half a download")
    with pytest.raises(SettingError, match="ImageNet weights could not be downloaded"):
        first_weights.load(network, "resnet18", "imagenet")


def test_none_changes_nothing(network: Backbone) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first_weights.fetch("resnet18", "none")
    first_weights.load(network, "resnet18", "none")
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("layout", ["state dict", "checkpoint"])
@pytest.mark.parametrize("labels", [7, 9])
def test_file_of_weights(layout: str, labels: int, network: Backbone, tmp_path: Path) -> None:
    other = build("resnet18", labels)
    state = other.state_dict()
    if layout == "checkpoint":
        state = {"state_dict": {f"network.{name}": value for name, value in state.items()}, "epoch": 3}
    torch.save(state, tmp_path / "weights.pth")
    head = network.fc.weight.clone()
    first_weights.load(network, "resnet18", str(tmp_path / "weights.pth"))
    assert torch.equal(network.conv1.weight, other.conv1.weight)
    assert torch.equal(network.bn1.running_var, other.bn1.running_var)
    assert torch.equal(network.fc.weight, other.fc.weight if labels == 7 else head)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.backbone.", "net.encoder."])
def test_prefix_of_a_wrapper_is_taken_off(prefix: str, network: Backbone, tmp_path: Path) -> None:
    other = build("resnet18", 7)
    state = {f"{prefix}{name}": value for name, value in other.state_dict().items()}
    torch.save({"state_dict": state | {"criterion.weight": torch.ones(2)}}, tmp_path / "weights.pth")
    first_weights.load(network, "resnet18", str(tmp_path / "weights.pth"))
    assert torch.equal(network.fc.weight, other.fc.weight)
    assert torch.equal(network.layer4[1].bn2.running_mean, other.layer4[1].bn2.running_mean)


@pytest.mark.parametrize("keys", [("net",), ("model_ema",), ("checkpoint", "generator")])
def test_dicts_around_the_weights_are_taken_off(keys: tuple[str, ...], network: Backbone, tmp_path: Path) -> None:
    other = build("resnet18", 7)
    content: dict[str, object] = dict(other.state_dict())
    for key in reversed(keys):
        content = {key: content, "epoch": 3}
    torch.save(content, tmp_path / "weights.pth")
    first_weights.load(network, "resnet18", str(tmp_path / "weights.pth"))
    assert torch.equal(network.fc.weight, other.fc.weight)


def test_nan_is_refused(network: Backbone, tmp_path: Path) -> None:
    state = build("resnet18", 7).state_dict()
    state["layer2.0.conv1.weight"][0, 0] = torch.nan
    torch.save(state, tmp_path / "weights.pth")
    broken = build("resnet18", 7)
    broken.load_state_dict(state)
    write_onnx(broken.eval(), InputSpec(size=64), tmp_path / "weights.onnx")
    for name in ("weights.pth", "weights.onnx"):
        with pytest.raises(
            BundleError, match=rf"{name} has 1 weights with NaN .* values, such as layer2.0.conv1.weight"
        ):
            first_weights.load(network, "resnet18", str(tmp_path / name))


def test_head_keeps_the_rows_of_equal_labels(network: Backbone, tmp_path: Path) -> None:
    theirs = Taxonomy.from_columns({"color": ["Blue", "Green", "Red"], "sleeve": ["Long", "Short"]})
    ours = Taxonomy.from_columns({"color": ["Black", "Red"], "sleeve": ["Long"], "fit": ["Red"]})
    module = FashionModule(arch="resnet18", weights="none")
    module.build(theirs, InputSpec(size=32), Gates(("sleeve",), product=True))
    settings = {"hyper_parameters": dict(module.hparams), "state_dict": module.state_dict()}
    torch.save(settings, tmp_path / "model.ckpt")
    outputs = first_weights.output_names(ours, Gates(("color", "sleeve"), product=True))
    network = build("resnet18", len(outputs))
    before = network.fc.weight.clone()
    first_weights.load(network, "resnet18", str(tmp_path / "model.ckpt"), outputs)
    # Black, Red, sleeve Long, fit Red; applies color, applies sleeve, product.
    taken = [None, 2, 3, None, None, 5, 6]
    for row, source in enumerate(taken):
        expected = before[row] if source is None else module.network.fc.weight[source]
        assert torch.equal(network.fc.weight[row], expected)


@pytest.mark.parametrize("change", ["unexpected", "missing", "shape"])
def test_file_that_does_not_fit_is_named(change: str, network: Backbone, tmp_path: Path) -> None:
    state = build("resnet18", 7).state_dict()
    if change == "unexpected":
        state["extra.weight"] = torch.zeros(1)
    elif change == "missing":
        del state["layer1.0.conv1.weight"]
    else:
        state["layer1.0.conv1.weight"] = torch.zeros(3)
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    name = "extra.weight" if change == "unexpected" else "layer1.0.conv1.weight"
    with pytest.raises(BundleError, match=rf"weights.pth does not fit resnet18: .*{name}"):
        first_weights.load(network, "resnet18", str(path))


def test_file_with_code_is_refused_and_not_run(network: Backbone, tmp_path: Path) -> None:
    torch.save({"conv1.weight": Touch(tmp_path / "ran")}, tmp_path / "weights.pth")
    with pytest.raises(BundleError, match="cannot be read as weights"):
        first_weights.load(network, "resnet18", str(tmp_path / "weights.pth"))
    assert not (tmp_path / "ran").exists()


def test_a_file_without_weights(network: Backbone, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_text("hello")
    with pytest.raises(BundleError, match="cannot be read as weights"):
        first_weights.load(network, "resnet18", str(tmp_path / "x.pth"))
    torch.save([1, 2], tmp_path / "y.pth")
    with pytest.raises(BundleError, match="no weights of resnet18"):
        first_weights.load(network, "resnet18", str(tmp_path / "y.pth"))
    with pytest.raises(SettingError, match=r"no such weights file: nothing.pth"):
        first_weights.fetch("resnet18", "nothing.pth")


class Touch:
    """Write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)
