"""The handler alone: loaded by TorchServe's loader and given batches, without the Java server."""

import json
import os
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from photos import bad_photos, photo

from fashion.answers import describe
from fashion.engines import available_cores
from fashion.errors import BundleError, DataError, FashionError, InvalidImage, SettingError
from fashion.options import AnswerOptions
from fashion.predictor import Predictor
from serving.handler import FashionHandler, threads_per_worker
from serving.protocol import error_answer, json_bytes

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # the package leaves its version.txt open
    from ts.context import Context, RequestProcessor

# The steps of a worker from its start to the first answer, with TorchServe's own loader.
LOAD_AND_ASK = """
import sys
from ts.model_loader import ModelLoaderFactory
from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
import os, ts
folder, photo = sys.argv[1:]
metrics = MetricsCacheYamlImpl(os.path.join(os.path.dirname(ts.__file__), "configs", "metrics.yaml"))
metrics.initialize_cache()
service = ModelLoaderFactory.get_model_loader().load("fashion", folder, "handler.py", None, 1, None, True, metrics)
service.set_cl_socket(None)
body = {"name": "body", "contentType": "image/png", "value": bytearray(open(photo, "rb").read())}
response = service.predict([{"requestId": b"1", "parameters": [body]}])
import fashion
print(fashion.__file__, b'"attributes":[{"group":' in response)
"""

OPEN_WITHOUT_TORCH = """
import sys
sys.path.insert(0, sys.argv[1])
from ts.context import Context
import handler
handler.FashionHandler().initialize(Context("fashion", sys.argv[1], {}, 1, None, "0", model_yaml_config={}))
print("torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def unpacked(model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(model_store / "fashion.mar") as file:
        file.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def handler(bundle: Path) -> FashionHandler:
    ready = FashionHandler()
    ready.initialize(Context("fashion", str(bundle), {}, 2, None, "0.12.0", model_yaml_config={"maxWorkers": 1}))
    return ready


def ask(
    handler: FashionHandler, requests: list[dict[str, object]], headers: dict[int, dict[str, str]] | None = None
) -> list[tuple[int, dict[str, object]]]:
    """Status and answer of each request of a batch; `headers` by index, for requests that have any."""
    context = Context("fashion", "", {}, len(requests), None, "0.12.0")
    context.request_processor = [RequestProcessor((headers or {}).get(i, {})) for i in range(len(requests))]
    answers = handler.handle(requests, context)
    assert len(answers) == len(requests)
    assert {context.get_response_content_type(i) for i in range(len(requests))} == {"application/json"}
    return [(context.get_response_status(i)[0], json.loads(answer)) for i, answer in enumerate(answers)]


def run(code: str, *arguments: str | Path, folder: Path, path: Path) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(path)}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


def test_torchserve_loads_the_archive_with_its_own_code(unpacked: Path, tmp_path: Path) -> None:
    other = tmp_path / "fashion"
    other.mkdir()
    (other / "__init__.py").write_text("raise ImportError('the wrong fashion')\n")
    (tmp_path / "photo.png").write_bytes(photo())
    path = Path(f"{tmp_path}{os.pathsep}{unpacked}")  # as in TorchServe: the user's own path comes first
    answered = run(LOAD_AND_ASK, unpacked, tmp_path / "photo.png", folder=tmp_path, path=path)
    assert answered == f"{unpacked / 'fashion' / '__init__.py'} True"


def test_the_onnx_path_needs_no_torch(unpacked: Path, tmp_path: Path) -> None:
    assert run(OPEN_WITHOUT_TORCH, unpacked, folder=tmp_path, path=unpacked) == "False"


def test_good_and_bad_images_of_a_batch_get_their_own_answers(handler: FashionHandler, bundle: Path) -> None:
    predictor = Predictor.from_bundle(bundle)
    good = [photo(seed) for seed in range(len(bad_photos()))]
    mixed = [{"body": bytearray(body)} for pair in zip(good, bad_photos().values(), strict=True) for body in pair]
    answers = ask(handler, mixed)
    assert answers[0::2] == [(200, predictor.answer(predictor.predict(image))) for image in good]
    for (code, answer), name in zip(answers[1::2], bad_photos(), strict=True):
        assert (code, answer["error"]["code"], answer["error"]["type"]) == (400, 400, "InvalidImage"), name
    assert len({json.dumps(answer) for _, answer in answers[0::2]}) == len(good)


def test_a_describe_request_within_a_batch(
    handler: FashionHandler, bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    predictor = Predictor.from_bundle(bundle)
    bodies = [{"body": photo(1)}, {}, {"body": b"text"}, {"body": photo(2)}, {"body": photo(3)}]
    headers = {1: {"describe": "True"}, 3: {"describe": "True"}, 4: {"Fashion-Top-K": "1"}}
    plain, card, bad, also_card, top = ask(handler, bodies, headers)
    assert plain == (200, predictor.answer(predictor.predict(photo(1))))
    assert card == also_card == (200, json.loads(json_bytes(describe(predictor.card))))
    assert (bad[0], bad[1]["error"]["type"]) == (400, "InvalidImage")
    assert top == (200, predictor.answer(predictor.predict(photo(3)), AnswerOptions(top_k=1)))
    assert caplog.text.count('"outcome"') == 3, "describe requests are not counted"
    assert ask(handler, [{}], {0: {"describe": "True"}}) == [card], (
        "TorchServe's own describe request, alone in a batch"
    )


@pytest.mark.parametrize("field", ["body", "data", "image"])
def test_fields_that_hold_the_image(handler: FashionHandler, field: str) -> None:
    ((code, answer),) = ask(handler, [{field: photo(), "top_k": b"1"}])
    assert code == 200
    assert answer["attributes"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "an empty body"),
        ({"file": b"x"}, "only 'file'"),
        ({"image": b"x", "note": b"y"}, "option 'note' is unknown"),
        ({"body": "some text"}, "not an image: 9 bytes"),
        ({"body": {"image": 1}}, "text in base64, not a number"),
    ],
)
def test_requests_without_an_image(handler: FashionHandler, request_: dict[str, object], message: str) -> None:
    ((code, answer),) = ask(handler, [request_])
    assert code == 400
    assert message in answer["error"]["message"]


def test_a_fault_of_the_engine_is_500_for_the_good_images_only(
    handler: FashionHandler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(pixels: np.ndarray, *_: object) -> None:
        raise RuntimeError("out of memory, at /secret/path")

    monkeypatch.setattr(handler.responder.predictor.engine, "run", fail)
    answers = ask(handler, [{"body": photo()}, {"body": b"text"}, {"body": photo(1)}])
    assert [code for code, _ in answers] == [500, 400, 500]
    assert answers[0][1]["error"]["type"] == "InternalError"
    assert "secret" not in json.dumps(answers[0][1])
    assert "out of memory" in caplog.text


@pytest.mark.parametrize("error", [BundleError("no model.onnx in /secret/path"), DataError("/secret/path is empty")])
def test_a_faulty_bundle_is_a_server_error(
    handler: FashionHandler, monkeypatch: pytest.MonkeyPatch, error: FashionError
) -> None:
    def fail(pixels: np.ndarray, *_: object) -> None:
        raise error

    monkeypatch.setattr(handler.responder.predictor.engine, "run", fail)
    ((code, answer),) = ask(handler, [{"body": photo()}])
    assert (code, answer["error"]["type"]) == (500, "InternalError")
    assert "secret" not in json.dumps(answer)


def test_errors_of_the_client_are_400_with_their_message() -> None:
    for error in (InvalidImage("too\nsmall"), SettingError("too small")):
        kind = type(error).__name__
        assert error_answer(error) == (400, {"error": {"code": 400, "type": kind, "message": "too small"}})


def test_workers_share_the_cores() -> None:
    cores = available_cores()
    assert threads_per_worker({}) == cores
    assert threads_per_worker({"maxWorkers": cores}) == 1
    assert threads_per_worker({"maxWorkers": 10 * cores}) == 1
