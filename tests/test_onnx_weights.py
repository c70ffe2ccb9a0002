"""training.weights.onnx_weights: a network with the weights of an ONNX file answers as the file does."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tiny_bundle import garments
from torch import nn

from fashion.backbones.contract import Backbone
from fashion.backbones.families import build
from fashion.backbones.normalize import Normalize
from fashion.errors import BundleError
from fashion.preprocess import InputSpec, normalize
from training.bundle.int8_speed import measure
from training.bundle.onnx_files import write_int8, write_onnx
from training.weights.onnx_weights import read

SPEC = InputSpec(size=64)
PICTURES = garments(4, 64, 7)


def trained(arch: str) -> Backbone:
    """A network with non-trivial batch norms, as after training."""
    torch.manual_seed(0)
    network = build(arch, 5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.normal_(module.bias, 0, 0.2)
    with torch.no_grad():
        for _ in range(3):
            network.train()(Normalize(SPEC)(torch.from_numpy(garments(16, 64, 3))))
    return network.eval()


def logits(network: Backbone) -> np.ndarray:
    with torch.inference_mode():
        return network.eval()(Normalize(SPEC)(torch.from_numpy(PICTURES))).logits.numpy()


def run(file: Path, **entries: str) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    for name, value in entries.items():
        options.add_session_config_entry(f"session.{name}", value)
    return onnxruntime.InferenceSession(file, options).run(["logits"], {"image": normalize(PICTURES, SPEC)})[0]


@pytest.mark.parametrize("arch", ["resnet18", "timm/resnet18d", "timm/mobilenetv2_035", "timm/regnety_002"])
def test_a_network_answers_as_the_file_that_it_is_read_from(arch: str, tmp_path: Path) -> None:
    write_onnx(trained(arch), SPEC, tmp_path / "model.onnx")
    network = build(arch, 5)
    found = read(tmp_path / "model.onnx", network)
    missing, unexpected = network.load_state_dict(found.state, strict=False)
    assert found.folded
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    expected = run(tmp_path / "model.onnx")
    np.testing.assert_allclose(logits(network), expected, rtol=1e-3, atol=1e-3 * expected.std())


def test_the_int8_file_is_read_and_answers_alike_on_every_processor(tmp_path: Path) -> None:
    fp32, int8 = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    write_onnx(trained("timm/mobilenetv2_035"), SPEC, fp32)
    write_int8(fp32, SPEC, [garments(16, 64, 5)], int8, operations=("Conv", "Clip"))
    network = build("timm/mobilenetv2_035", 5)
    network.load_state_dict(read(int8, network).state, strict=False)
    expected = run(int8)
    assert np.corrcoef(logits(network).ravel(), expected.ravel())[0, 1] > 0.95
    # Without VNNI this selects kernels that cannot overflow; with VNNI it changes nothing.
    assert np.array_equal(run(int8, x64quantprecision="1"), expected)
    speed = measure(fp32, int8, SPEC, PICTURES[0])
    assert (speed.convolutions, speed.float_convolutions) == (52, 0)


@pytest.mark.parametrize("spec", [SPEC, InputSpec(size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))])
def test_the_last_bit_of_the_input_does_not_change_what_the_int8_file_answers(spec: InputSpec, tmp_path: Path) -> None:
    fp32, int8 = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    write_onnx(trained("resnet18"), spec, fp32)
    write_int8(fp32, spec, [garments(16, 64, 5)], int8)
    session = onnxruntime.InferenceSession(int8)
    images = normalize(np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8), spec)
    answers = [session.run(["logits"], {"image": np.nextafter(images, bound)})[0] for bound in np.float32([-9, 9])]
    np.testing.assert_array_equal(*answers)


def test_a_network_that_cannot_be_read_by_place_is_a_one_line_error(tmp_path: Path) -> None:
    write_onnx(build("timm/test_convnext", 5).eval(), SPEC, tmp_path / "model.onnx")
    with pytest.raises(BundleError, match=r"give the model\.pth or model\.ckpt") as error:
        read(tmp_path / "model.onnx", build("timm/test_convnext", 5))
    assert "\n" not in str(error.value)


def test_another_network_is_refused(tmp_path: Path) -> None:
    write_onnx(build("timm/mobilenetv2_035", 5).eval(), SPEC, tmp_path / "model.onnx")
    with pytest.raises(BundleError, match="it is another network"):
        read(tmp_path / "model.onnx", build("timm/mobilenetv2_050", 5))
