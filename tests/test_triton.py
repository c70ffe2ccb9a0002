"""The Triton model repository: its config parsed by Triton's own client, and compared with the model file."""

import re
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from starter import STARTER

from fashion.errors import SettingError
from fashion.model_card import CARD_FILE, ModelCard
from fashion.options import AnswerOptions
from fashion.predictor import Predictor
from serving.archive import main
from serving.batcher import BATCH_SIZE
from serving.triton import CONFIG_FILE, LABELS_FILE, MODEL_FILE, VERSION, write_repository

DEPLOYMENT = Path(__file__).parents[1] / "docs" / "deployment.md"
TRITON_CLIENT = "tritonclient[grpc]==2.73.0"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(STARTER, tmp_path_factory.mktemp("repository"), "shop")


def test_it_has_tritons_layout(model: Path) -> None:
    found = {str(path.relative_to(model.parent)) for path in model.parent.rglob("*") if path.is_file()}
    assert found == {f"shop/{name}" for name in (CONFIG_FILE, CARD_FILE, LABELS_FILE, f"{VERSION}/{MODEL_FILE}")}
    card = ModelCard.load(model)
    assert len((model / LABELS_FILE).read_text().splitlines()) == card.num_outputs


def test_tritons_client_reads_the_config(model: Path, tmp_path: Path) -> None:
    """In a separate environment, because the client is not a dependency of the project."""
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    command = [uv, "pip", "install", "--quiet", "--python", python, TRITON_CLIENT]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if installed.returncode:
        pytest.skip(f"{TRITON_CLIENT} cannot be installed: {installed.stderr.strip().splitlines()[-1]}")
    program = (
        "import sys; from google.protobuf import text_format; from tritonclient.grpc import model_config_pb2 as pb\n"
        "config = text_format.Parse(open(sys.argv[1]).read(), pb.ModelConfig())\n"
        "batching = config.dynamic_batching\n"
        "print(config.name, config.backend, config.max_batch_size, batching.max_queue_delay_microseconds)\n"
        "for port in (*config.input, *config.output):\n"
        "    print(port.name, pb.DataType.Name(port.data_type), *port.dims)\n"
    )
    read = subprocess.run([python, "-c", program, model / CONFIG_FILE], capture_output=True, text=True, timeout=120)
    assert read.returncode == 0, read.stderr
    first, *ports = read.stdout.splitlines()
    assert first == f"shop onnxruntime {BATCH_SIZE} 1000"
    session = onnxruntime.InferenceSession(model / VERSION / MODEL_FILE)
    expected = [" ".join([p.name, "TYPE_FP32", *map(str, p.shape[1:])]) for p in session.get_inputs()]
    expected += [" ".join([p.name, "TYPE_FP32", *map(str, p.shape[1:])]) for p in session.get_outputs()]
    assert ports == expected
    assert all(port.type == "tensor(float)" for port in session.get_inputs() + session.get_outputs())
    assert all(isinstance(port.shape[0], str) for port in session.get_inputs())  # batches of any length


class Tensor:
    """`InferInput` of Triton's client."""

    def __init__(self, name: str, shape: list[int], datatype: str) -> None:
        self.name, self.shape = name, tuple(shape)
        assert datatype == "FP32"

    def set_data_from_numpy(self, values: np.ndarray) -> None:
        assert (values.shape, values.dtype) == (self.shape, np.float32)
        self.values = values


class Triton:
    """`InferenceServerClient` of Triton's client, with onnxruntime as the server: it runs the repository's model."""

    def __init__(self, url: str) -> None:
        self.session: onnxruntime.InferenceSession | None = None

    def infer(self, name: str, inputs: list[Tensor]) -> "Triton":
        folder = Path("model_store", "triton", name)
        config = (folder / CONFIG_FILE).read_text()
        (tensor,) = inputs
        assert len(tensor.values) <= int(re.findall(r"max_batch_size: (\d+)", config)[0])
        self.session = self.session or onnxruntime.InferenceSession(folder / VERSION / MODEL_FILE)
        outputs = [output.name for output in self.session.get_outputs()]
        self.found = dict(zip(outputs, self.session.run(outputs, {tensor.name: tensor.values}), strict=True))
        return self

    def as_numpy(self, name: str) -> np.ndarray:
        return self.found[name]


def test_the_documented_client_answers_as_the_predictor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example of docs/deployment.md in a folder like the project's; only the server and its client are replaced."""
    examples = re.findall(r"```python\n(.*?)```", DEPLOYMENT.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [code for code in examples if "Triton" in code]
    images = [Image.effect_noise((240, 320), 60 + i).convert("RGB") for i in range(20)]
    write_repository(STARTER, tmp_path / "model_store" / "triton")
    images[0].save(tmp_path / "photo.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    client = ModuleType("tritonclient.http")
    client.InferenceServerClient, client.InferInput = Triton, Tensor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tritonclient", ModuleType("tritonclient"))
    monkeypatch.setitem(sys.modules, "tritonclient.http", client)
    names: dict[str, Any] = {}
    exec(compile(example, str(DEPLOYMENT), "exec"), names)
    there, here = names["predictor"], Predictor.from_bundle(STARTER)
    assert literal_eval(capsys.readouterr().out) == here.answer(here.predict(Path("photo.jpg")))
    expected = [here.answer(each)["attributes"] for each in here.predict(list(images))]
    assert [there.answer(each)["attributes"] for each in there.predict(list(images))] == expected
    maps = AnswerOptions(top_k=1, explain="maps")
    with_maps = [p.answer(p.predict_each(images[:1], features=True)[0].get(), maps) for p in (there, here)]
    assert with_maps[0] == with_maps[1]


def test_the_command_writes_beside_other_models_and_over_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    for _ in range(2):
        assert main([str(STARTER), "--format", "triton", "--out", str(tmp_path)]) == 0
    assert f"--model-repository {tmp_path}" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"other", "fashion"}


def test_bundles_without_a_triton_model_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingError, match="'torch' has no file for Triton"):
        write_repository(STARTER, tmp_path, engine="torch")
    for flags, message in (
        (["--name", "../up"], "model name '../up'"),
        (["--engine", "onnx"], "has no model.onnx"),
        (["--config", "mine.yaml"], "--config is for TorchServe"),
    ):
        with pytest.raises(SystemExit):
            main([str(STARTER), "--format", "triton", "--out", str(tmp_path), *flags])
        assert message in capsys.readouterr().err
    (tmp_path / "fashion").mkdir()
    (tmp_path / "fashion" / "work.txt").write_text("mine")
    with pytest.raises(SettingError, match="no model of Triton"):
        write_repository(STARTER, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["fashion"]
