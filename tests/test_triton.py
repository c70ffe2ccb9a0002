"""The Triton model repository: its config parsed by Triton's own client, and compared with the model file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from starter import STARTER

from fashion.engines import Outputs
from fashion.errors import SettingError
from fashion.model_card import CARD_FILE, ModelCard
from fashion.predictor import Predictor
from fashion.preprocess import normalize
from serving.archive import main
from serving.batcher import BATCH_SIZE
from serving.triton import CONFIG_FILE, LABELS_FILE, MODEL_FILE, VERSION, write_repository

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


def test_a_client_answers_with_what_triton_returns(model: Path) -> None:
    """As in docs/deployment.md: a predictor with a remote engine, replaced by onnxruntime here."""
    session, card = onnxruntime.InferenceSession(model / VERSION / MODEL_FILE), ModelCard.load(model)

    class Elsewhere:
        name, in_batches, lanes = "triton", True, 1
        head = np.empty((0, 0), np.float32)

        def run(self, pixels: np.ndarray, features: bool = False, concurrency: int = 1) -> Outputs:
            return Outputs(*session.run(["logits", "embedding"], {"image": normalize(pixels, card.input)}))

    image = Image.effect_noise((240, 320), 80).convert("RGB")
    there, here = Predictor(card, Elsewhere()), Predictor.from_bundle(STARTER)
    assert there.answer(there.predict(image))["attributes"] == here.answer(here.predict(image))["attributes"]


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
