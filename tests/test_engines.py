"""All engines give the same answer, and a bundle with mismatched parts is refused."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import LABELS, garments

from fashion.engines import OnnxEngine, TorchEngine, available_cores, open_engine
from fashion.errors import BundleError, SettingError
from fashion.model_card import CARD_FILE, INT8_FILE, ONNX_FILE, STATE_DICT_FILE, ModelCard, sha256
from fashion.prediction import sigmoid
from fashion.preprocess import InputSpec

SIZE = 64
FILES = {"torch": STATE_DICT_FILE, "onnx": ONNX_FILE, "int8": INT8_FILE}


@pytest.fixture(scope="module")
def card(bundle):
    return ModelCard.load(bundle)


@pytest.fixture(scope="module")
def engines(bundle, card):
    return {name: open_engine(bundle, card, name) for name in FILES}


@pytest.fixture(scope="module")
def images():
    return garments(5, SIZE, seed=9)


@pytest.fixture
def copy(bundle, tmp_path) -> Path:
    """A copy of the bundle that a test may damage; its files are links until they are replaced."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder, copy_function=os.link)
    return folder


def replace_file(path: Path, content: bytes) -> None:
    """Replace a linked file; the original stays unchanged."""
    path.unlink()
    path.write_bytes(content)


def rewrite_card(folder: Path, **values: object) -> ModelCard:
    content = json.loads((folder / CARD_FILE).read_text(encoding="utf-8")) | values
    replace_file(folder / CARD_FILE, json.dumps(content).encode())
    return ModelCard.load(folder)


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_outputs(engines, images, name):
    outputs = engines[name].run(images, features=True)
    assert outputs.logits.shape == (5, len(LABELS))
    assert outputs.embedding.shape == (5, 512)
    assert outputs.features.shape == (5, 512, 2, 2)
    assert {array.dtype for array in outputs} == {np.dtype(np.float32)}
    np.testing.assert_allclose(outputs.features.mean((2, 3)), outputs.embedding, rtol=0, atol=1e-4)

    without = engines[name].run(images)
    assert without.features is None
    np.testing.assert_allclose(without.logits, outputs.logits, rtol=0, atol=1e-4)


def test_onnx_answers_as_torch_does(engines, images):
    onnx, torch = engines["onnx"].run(images, features=True), engines["torch"].run(images, features=True)
    np.testing.assert_allclose(sigmoid(onnx.logits), sigmoid(torch.logits), rtol=0, atol=1e-4)
    np.testing.assert_allclose(onnx.embedding, torch.embedding, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(onnx.features, torch.features, rtol=1e-3, atol=1e-3)


def test_int8_answers_nearly_as_fp32_does(engines):
    # Random weights amplify the rounding of int8 far more than trained ones do, so this only tells a quantized network
    # from a broken one: answers of unrelated networks have a correlation of 0 and differ by 0.3 on average.
    images = garments(32, SIZE, seed=9)
    int8, fp32 = engines["int8"].run(images), engines["onnx"].run(images)
    assert np.corrcoef(int8.logits.ravel(), fp32.logits.ravel())[0, 1] > 0.9
    assert np.abs(sigmoid(int8.logits) - sigmoid(fp32.logits)).mean() < 0.12
    assert not np.array_equal(int8.logits, fp32.logits), "nothing was quantized"


def test_the_answers_differ_from_image_to_image(engines, images):
    """Otherwise the tests above could pass with a network that ignores its input."""
    assert engines["torch"].run(images).logits.std(0).min() > 0.3


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5])
def test_an_image_is_answered_alike_in_any_batch(engines, images, name, batch):
    alone = np.concatenate([engines[name].run(image[None]).logits for image in images[:batch]])
    np.testing.assert_allclose(engines[name].run(images[:batch]).logits, alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", FILES)
def test_the_head_makes_logits_of_embeddings(engines, images, name):
    outputs = engines[name].run(images)
    without_bias = outputs.embedding @ engines[name].head.T
    assert engines[name].head.shape == (10, 512)
    # The same for every image: the bias.
    assert np.ptp(outputs.logits - without_bias, axis=0).max() < 1e-4


@pytest.mark.parametrize("concurrency", [1, 2, 5, 100])
def test_concurrent_runs_answer_as_a_single_one(bundle, card, images, concurrency):
    engine = open_engine(bundle, card, "int8", threads=5)
    alone = open_engine(bundle, card, "int8", threads=1).run(images)
    np.testing.assert_allclose(engine.run(images, concurrency=concurrency).logits, alone.logits, atol=1e-4)
    assert set(engine._sessions) == {5, {1: 5, 2: 2, 5: 1, 100: 1}[concurrency]}


@pytest.mark.parametrize("name", FILES)
def test_no_images_no_answers(engines, name):
    assert engines[name].run(np.zeros((0, SIZE, SIZE, 3), np.uint8)).logits.shape == (0, len(LABELS))


@pytest.mark.parametrize("name", FILES)
def test_read_only_pixels_are_answered_without_a_warning(engines, images, name):
    frozen = images.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(engines[name].run(frozen).logits, engines[name].run(images).logits)


@pytest.mark.parametrize("name", ["onnx", "int8", "torch"])
def test_one_thread_gives_the_same_answer(bundle, card, engines, images, name):
    import torch

    threads = torch.get_num_threads()
    try:
        single = open_engine(bundle, card, name, threads=1).run(images)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(single.logits, engines[name].run(images).logits, rtol=0, atol=1e-4)


def test_bfloat16_is_close(bundle, card, images):
    """The precision used on GPUs, tried on the CPU."""
    import torch

    from fashion.backbones.families import build

    network = build(card.arch, len(card.labels))
    network.load_state_dict(torch.load(bundle / STATE_DICT_FILE, weights_only=True))
    half, full = (TorchEngine(network, card.input, dtype=dtype) for dtype in (torch.bfloat16, None))
    assert half.name == "torch cpu bfloat16"
    answers = half.run(images, features=True)
    assert all(array is not None and array.dtype == np.float32 for array in answers)
    assert np.abs(sigmoid(answers.logits) - sigmoid(full.run(images).logits)).mean() < 0.05


def test_an_engine_has_a_descriptive_name(engines):
    assert engines["onnx"].name == "onnxruntime model.onnx"
    assert engines["int8"].name == "onnxruntime model.int8.onnx"
    assert engines["torch"].name.startswith("torch c")  # cpu, or cuda where there is a GPU
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


# --- choosing an engine -----------------------------------------------------------------------------------------------


def without_gpu() -> bool:
    import torch

    return not torch.cuda.is_available()


def test_auto_takes_int8_then_fp32_then_torch_on_a_cpu(copy, card):
    if not without_gpu():
        pytest.skip("a GPU is there, which torch runs on")
    for expected in (INT8_FILE, ONNX_FILE):
        assert open_engine(copy, card).name == f"onnxruntime {expected}"
        (copy / expected).unlink()
    assert open_engine(copy, card).name == "torch cpu float32"


def test_auto_ignores_a_file_missing_in_the_card(copy):
    if not without_gpu():
        pytest.skip("a GPU is there, which torch runs on")
    card = rewrite_card(copy, files={ONNX_FILE: sha256(copy / ONNX_FILE)})
    assert open_engine(copy, card).name == f"onnxruntime {ONNX_FILE}"


def test_without_torch_a_gpu_is_left_and_the_engine_torch_is_a_one_line_error(bundle, card, monkeypatch):
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == "/dev/nvidiactl" or exists(path))
    monkeypatch.setitem(sys.modules, "torch", None)  # an import fails as if it were not installed
    assert open_engine(bundle, card).name == "onnxruntime model.int8.onnx"
    with pytest.raises(SettingError, match=r"needs the extra torchserve or train, .* or take the engine int8 or onnx"):
        open_engine(bundle, card, "torch")


def test_the_cpu_is_kept_when_it_is_asked_for(bundle, card):
    assert open_engine(bundle, card, device="cpu").name == "onnxruntime model.int8.onnx"
    assert open_engine(bundle, card, "torch", device="cpu").name == "torch cpu float32"


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_missing_device(bundle, card, device):
    with pytest.raises(SettingError, match=f"device '{device}' cannot be used: .*; choose 'cpu'") as raised:
        open_engine(bundle, card, "torch", device=device)
    assert "\n" not in str(raised.value)


def test_unknown_settings_name_the_choice(bundle, card):
    with pytest.raises(SettingError, match="engine 'tensorrt' is unknown; choose one of: auto, int8, onnx, torch"):
        open_engine(bundle, card, "tensorrt")
    for threads in (0, -1):
        with pytest.raises(SettingError, match=f"the number of threads is {threads}; "):
            open_engine(bundle, card, "onnx", threads=threads)


# --- mismatched parts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_a_changed_byte_is_found(copy, card, name, file):
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    replace_file(copy / file, bytes(content))
    with pytest.raises(BundleError, match=f"{file} was changed"):
        open_engine(copy, card, name)


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_a_missing_file_is_named(copy, card, name, file):
    (copy / file).unlink()
    with pytest.raises(BundleError, match=f"has no {file}; it has: "):
        open_engine(copy, card, name)


def test_a_bundle_without_any_weights(copy, card):
    for file in FILES.values():
        (copy / file).unlink()
    with pytest.raises(BundleError, match="no weights"):
        open_engine(copy, card)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_label_map_that_does_not_fit_the_weights_is_refused(copy, name, change):
    labels = [label._asdict() for label in LABELS] + [{"group": "color", "name": "Mauve"}]
    labels = labels[: len(LABELS) + change]
    card = rewrite_card(copy, labels=labels, thresholds={"micro-f1": [0.5] * len(labels)})
    with pytest.raises(BundleError, match=f"has {len(LABELS)} outputs, but its model card has {len(labels)} labels"):
        open_engine(copy, card, name)


@pytest.mark.parametrize("name", ["onnx", "int8"])
def test_an_input_size_that_does_not_fit_the_weights_is_refused(copy, card, name):
    spec = json.loads((copy / CARD_FILE).read_text(encoding="utf-8"))["input"]
    other = rewrite_card(copy, input=spec | {"size": 96})
    with pytest.raises(BundleError, match="the model card says 96 px"):
        open_engine(copy, other, name)


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_invalid_weights_are_refused_even_with_the_right_sha256(copy, name, file):
    replace_file(copy / file, b"these are no weights")
    card = rewrite_card(copy, files={file: sha256(copy / file)})
    with pytest.raises(BundleError, match=file) as raised:
        open_engine(copy, card, name)
    assert "\n" not in str(raised.value)


def test_the_weights_of_another_architecture_are_refused(copy):
    card = rewrite_card(copy, arch="resnet50")
    with pytest.raises(BundleError, match="does not fit the model card"):
        open_engine(copy, card, "torch")


def test_an_onnx_file_of_something_else_is_refused(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", ports[:1], ports[1:])
    path = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    with pytest.raises(BundleError, match=r"other\.onnx has x, y; expected image, logits, embedding, features"):
        OnnxEngine(path, InputSpec(size=SIZE))
