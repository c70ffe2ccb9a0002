"""TorchServe serves a new version beside the old one, as docs/deployment.md says; the shipped model API is off."""

import json
import shutil
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from photos import photo
from starter import starter_version

from serving.archive import archive
from serving.torchserve import TorchServe

WAIT = 300  # s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    """TorchServe with its model API on, serving version 1.0; the archive of version 2.0 is in the model store."""
    folder = tmp_path_factory.mktemp("versions")
    for version in ("1.0", "2.0"):
        archive(starter_version(folder / version, version), folder / "store" / f"v{version}.mar", name="fashion")
    shutil.move(folder / "store" / "v1.0.mar", folder / "store" / "fashion.mar")
    with TorchServe.temporary(folder / "store", folder, load_models="fashion.mar", enable_model_api="true") as running:
        yield running


def test_no_request_is_refused_while_another_version_becomes_the_default(server: TorchServe) -> None:
    answers: list[tuple[float, int, str]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            asked = time.monotonic()
            response = requests.post(server.url(), data=photo(1), timeout=WAIT)
            answers.append((asked, response.status_code, response.json().get("model", {}).get("version", "")))

    def versions_since(moment: float) -> set[str]:
        end = time.monotonic() + WAIT
        while sum(asked > moment for asked, _, _ in answers) < 4:
            assert time.monotonic() < end
            time.sleep(0.1)
        return {version for asked, _, version in answers if asked > moment}

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        assert versions_since(0.0) == {"1.0"}
        manage = server.management_url
        added = {"url": "v2.0.mar", "model_name": "fashion", "initial_workers": "1", "synchronous": "true"}
        assert requests.post(f"{manage}/models", params=added, timeout=WAIT).status_code == 200
        assert versions_since(time.monotonic()) == {"1.0"}  # 2.0 answers only at its own path
        own = requests.post(f"{server.url()}/2.0", data=photo(1), timeout=WAIT)
        assert own.json()["model"]["version"] == "2.0"
        assert requests.put(f"{manage}/models/fashion/2.0/set-default", timeout=WAIT).status_code == 200
        assert versions_since(time.monotonic()) == {"2.0"}
        assert requests.delete(f"{manage}/models/fashion/1.0", timeout=WAIT).status_code == 200
        assert versions_since(time.monotonic()) == {"2.0"}
    finally:
        ended.set()
        caller.join(WAIT)
    assert {status for _, status, _ in answers} == {200}, json.dumps([a for a in answers if a[1] != 200][:3])
