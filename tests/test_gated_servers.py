"""A model with gates on both servers: answers for images without a product, and the option `applies`."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from conftest import answers
from photos import photo

from fashion.answers import remarks
from fashion.options import AnswerOptions
from fashion.predictor import Predictor
from serving.archive import archive
from serving.client import main, table
from serving.ports import free_ports
from serving.torchserve import TorchServe

SEEDS = range(8)  # of photographs, some of them without a product by the model


@pytest.fixture(scope="module")
def predictor(gated_bundle: Path) -> Predictor:
    return Predictor.from_bundle(gated_bundle, "int8")


@pytest.fixture(scope="module", params=["torchserve", "fastapi"])
def url(request: pytest.FixtureRequest, gated_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL that photographs are sent to."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "torchserve":
        archive(gated_bundle, folder / "store" / "fashion.mar", engine="int8")
        with TorchServe.temporary(folder / "store", folder) as server:
            yield server.url()
        return
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "serving.app", str(gated_bundle), "--port", str(port), "--engine", "int8"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 120
            while not answers(f"http://127.0.0.1:{port}/readyz"):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/predictions/fashion"
        finally:
            process.terminate()
            process.wait(30)


def test_every_answer_has_the_product_probability(url: str, predictor: Predictor) -> None:
    recognized = []
    for seed in SEEDS:
        answer = requests.post(url, data=photo(seed), timeout=60).json()
        assert answer == predictor.answer(predictor.predict(photo(seed)))
        recognized.append(answer["product"]["recognized"])
        assert recognized[-1] or answer["attributes"] == []
    assert {True, False} == set(recognized)


def test_applies_in_each_place(url: str, predictor: Predictor) -> None:
    expected = predictor.answer(predictor.predict(photo(4)), AnswerOptions(applies=True))
    assert set(expected["applies"]) == {"sleeve", "category"}
    assert requests.post(url, data=photo(4), headers={"Fashion-Applies": "true"}, timeout=60).json() == expected
    assert requests.post(url, files={"image": photo(4)}, data={"applies": "1"}, timeout=60).json() == expected


def test_top_k_respects_gates_and_all_does_not(url: str, predictor: Predictor) -> None:
    for seed in SEEDS:
        found = predictor.predict(photo(seed))
        for name, options in {"Top-K": AnswerOptions(top_k=1), "All": AnswerOptions(all=True)}.items():
            answer = requests.post(url, data=photo(seed), headers={f"Fashion-{name}": "1"}, timeout=60).json()
            assert answer == predictor.answer(found, options)
            assert name != "All" or len(answer["attributes"]) == len(predictor.taxonomy)


def test_the_client_explains_gates_in_words(
    url: str, predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: set[str] = set()
    for seed in SEEDS:
        path = tmp_path / f"{seed}.png"
        path.write_bytes(photo(seed))
        answer = predictor.answer(predictor.predict(path), AnswerOptions(applies=True))
        assert main([str(path), "--url", url, "--applies"]) == 0
        printed = capsys.readouterr().out
        assert printed == f"{path}\n{table(answer)}\n"
        assert all(f"  {line}" in printed.splitlines() for line in remarks(answer))
        said |= {line.split(" (")[0] for line in remarks(answer)}
    assert {"no product recognized", "sleeve: does not apply"} <= said
