"""The server without TorchServe: what is its own beside the contract that both keep."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from photos import photo

from fashion.predictor import Predictor
from serving.app import create_app
from serving.batcher import BATCH_SIZE, QUEUE_SIZE, Batcher, QueueFull
from serving.protocol import Call
from serving.responder import Responder


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.from_bundle(bundle, engine="int8")


def test_every_answer_is_as_the_openapi_page_says(app_url: str, tmp_path: Path) -> None:
    # By its command: its plugin for pytest does not go with this pytest.
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{app_url}/openapi.json"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command += ["--checks", checks, "--max-examples", "15", "--phases", "examples,coverage,fuzzing", "--seed", "1"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]


def test_the_page_for_people_is_there(app_url: str) -> None:
    assert "swagger" in requests.get(f"{app_url}/docs", timeout=10).text
    paths = requests.get(f"{app_url}/openapi.json", timeout=10).json()["paths"]
    assert {"/predictions/fashion", "/explanations/fashion", "/v1/models/fashion:predict"} <= set(paths)


def test_health(app_url: str) -> None:
    for path in ("livez", "readyz", "ping"):
        assert requests.get(f"{app_url}/{path}", timeout=10).status_code == 200


def test_errors_of_the_framework_have_the_projects_form(app_url: str) -> None:
    missing = requests.get(f"{app_url}/nowhere", timeout=10)
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "NotFound")
    wrong = requests.get(f"{app_url}/predictions/fashion", timeout=10)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, 405)


def test_two_parts_of_one_name_are_told(app_url: str) -> None:
    files = [("image", photo(1)), ("image", photo(2))]
    response = requests.post(f"{app_url}/predictions/fashion", files=files, timeout=10)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidRequest")
    assert "'image' twice" in response.json()["error"]["message"]


def test_a_request_has_an_id(app_url: str) -> None:
    url = f"{app_url}/predictions/fashion"
    assert len(requests.post(url, data=photo(), timeout=10).headers["x-request-id"]) == 32
    given = requests.post(url, data=photo(), headers={"X-Request-Id": "mine"}, timeout=10)
    assert given.headers["x-request-id"] == "mine"


def test_metrics_count(app_url: str) -> None:
    def count(outcome: str) -> float:
        text = requests.get(f"{app_url}/metrics", timeout=10).text
        name = f'fashion_requests_total{{outcome="{outcome}"}} '
        return next((float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0.0)

    before = count("ok"), count("invalid_image")
    for body in (photo(1), photo(2), b"no image"):
        requests.post(f"{app_url}/predictions/fashion", data=body, timeout=10)
    assert (count("ok"), count("invalid_image")) == (before[0] + 2, before[1] + 1)


def test_many_at_once_get_their_own_answers(app_url: str, predictor: Predictor) -> None:
    expected = [predictor.answer(predictor.predict(photo(i))) for i in range(10)]
    with ThreadPoolExecutor(16) as pool:
        responses = list(
            pool.map(
                lambda i: requests.post(f"{app_url}/predictions/fashion", data=photo(i % 10), timeout=60), range(160)
            )
        )
    assert [response.json() for response in responses] == [expected[i % 10] for i in range(160)]


def test_a_full_queue_refuses(predictor: Predictor) -> None:
    batcher = Batcher(Responder(predictor), lambda tally: None)  # not started: nothing is taken
    waiting = [batcher.submit(Call({"body": photo(1)})) for _ in range(QUEUE_SIZE)]
    with pytest.raises(QueueFull):
        batcher.submit(Call({"body": photo(1)}))
    waiting[0].cancel()
    with batcher:
        pass  # what waits is answered before it ends
    assert waiting[0].cancelled()
    assert {future.result().status for future in waiting[1:]} == {200}
    assert BATCH_SIZE < QUEUE_SIZE


def test_a_taken_port_is_one_line(bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "serving.app", str(bundle), "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: port {port} is taken by process")
    assert len(ended.stderr.splitlines()) == 1


def test_the_application_can_be_used_by_others(predictor: Predictor) -> None:
    begin = time.monotonic()
    app = create_app(predictor, "shop")
    assert "/predictions/shop" in app.openapi()["paths"]
    assert time.monotonic() - begin < 10
