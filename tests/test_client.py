"""The client's output, and what it says when something is wrong."""

import json
from pathlib import Path

import pytest
from photos import photo

from fashion.predictor import Predictor
from serving.client import main, table
from serving.ports import free_ports
from serving.torchserve import TorchServe

ANSWER = {
    "attributes": [
        {"group": "category", "name": "Dresses", "probability": 0.934, "threshold": 0.4},
        {"group": "category", "name": "Skirts", "probability": 0.5, "threshold": 0.4},
        {"group": "color", "name": "Black", "probability": 1.0, "threshold": 0.4},
    ]
}


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    for i in range(2):
        (tmp_path / f"photo{i}.png").write_bytes(photo(i))
    (tmp_path / "text.jpg").write_text("not an image")
    return [str(tmp_path / name) for name in ("photo0.png", "photo1.png", "text.jpg", "missing.jpg")]


def test_table_is_aligned() -> None:
    assert table(ANSWER).splitlines() == [
        "  category  Dresses  ███████████████████    93%",
        "            Skirts   ██████████             50%",
        "  color     Black    ████████████████████  100%",
    ]
    assert table({"attributes": []}) == "  no attribute reaches its threshold"


def test_photographs_are_printed_as_tables(
    endpoint: TorchServe, bundle: Path, photos: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*photos[:2], "--url", endpoint.url()]) == 0
    predictor = Predictor.from_bundle(bundle)
    wanted = [f"{name}\n{table(predictor.answer(predictor.predict(Path(name))))}\n" for name in photos[:2]]
    assert capsys.readouterr().out == "".join(wanted)


def test_json_lines_and_failures(endpoint: TorchServe, photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*photos, "--url", endpoint.url(), "--json"]) == 2
    printed = capsys.readouterr()
    answers = [json.loads(line) for line in printed.out.splitlines()]
    assert [answer["image"] for answer in answers] == photos[:2]
    assert all(answer["attributes"] for answer in answers)
    refused, missing = printed.err.splitlines()
    assert refused.startswith(f"error: {photos[2]}: not an image: 12 bytes")
    assert missing == f"error: {photos[3]}: cannot be read: No such file or directory"


def test_other_errors_of_the_server_are_passed_on(
    endpoint: TorchServe, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([photos[0], "--url", endpoint.url("other")]) == 2
    assert capsys.readouterr().err == f"error: {photos[0]}: Model not found: other (status 404)\n"
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(30_000_000))
    assert main([str(large), photos[0], "--url", endpoint.url()]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"error: {large}: 30.0 MB are more than the server takes; send a smaller file\n"
    assert printed.out.startswith(photos[0])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:{port}/predictions/fashion", "start the server with: make serve"),
        ("127.0.0.1:{port}", "cannot be asked"),
    ],
)
def test_no_server(photos: list[str], capsys: pytest.CaptureFixture[str], url: str, message: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*photos, "--url", url.format(port=free_ports(1)[0])])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
