"""The client's output and error messages."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from photos import photo
from PIL import Image

from fashion.options import AnswerOptions
from fashion.pictures.tiles import HEAT_MAP_LAYOUT
from fashion.predictor import Predictor
from serving.client import Client, main, table
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


def test_missing_products_and_groups_that_do_not_apply_are_named() -> None:
    unknown = {"attributes": [], "product": {"recognized": False, "probability": 0.0213}}
    assert table(unknown) == "  no product recognized (0.02)"
    answer = ANSWER | {"product": {"recognized": True, "probability": 0.99}, "applies": {"neck": 0.1, "color": 0.9}}
    assert table(answer).splitlines() == [*table(ANSWER).splitlines(), "  neck: does not apply"]
    assert table(ANSWER | {"product": unknown["product"]}).splitlines()[-1] == "  no product recognized (0.02)"


def test_truth_marks_each_line_and_lists_missed_labels() -> None:
    truth = {"category": ["Dresses", "Jeans"], "color": None, "sleeve": ["Sleeveless"], "style": []}
    assert table(ANSWER, truth).splitlines() == [
        "  category  Dresses  ███████████████████    93%   right",
        "            Skirts   ██████████             50%   wrong",
        "  color     Black    ████████████████████  100%   not annotated",
        "  missed  category: Jeans, sleeve: Sleeveless",
    ]
    assert "missed" not in table(ANSWER, {"category": ["Dresses"], "color": []})
    assert table({"attributes": []}, {"color": ["Black"]}).splitlines() == [
        "  no attribute reaches its threshold",
        "  missed  color: Black",
    ]


def test_the_truth_of_a_file_is_printed(
    endpoint: TorchServe, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = {"category": ["Hats"], "color": None}
    (tmp_path / "truth.json").write_text(json.dumps({"id": "1", "labels": truth}))
    assert main([photos[0], "--url", endpoint.url(), "--truth", str(tmp_path / "truth.json")]) == 0
    assert capsys.readouterr().out == f"{photos[0]}\n{table(Client(endpoint.url()).ask(photo(0)), truth)}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"not JSON", "must be JSON like"),
        (b"\xff\xfe", "must be JSON like"),
        (b"[1, 2]", "must be JSON like"),
        (b'{"color": ["Black"]}', "must be JSON like"),
        (b'{"labels": ["Black"]}', "must be JSON like"),
        (b'{"labels": {"color": "Black"}}', "must be JSON like"),
    ],
)
def test_a_broken_truth_is_reported_before_anything_is_asked(
    photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    path = tmp_path / "truth.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        main([photos[0], "--url", f"http://127.0.0.1:{free_ports(1)[0]}", "--truth", str(path)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --truth {path} {message}")
    assert len(error.splitlines()) == 1


def test_photographs_are_printed_as_tables(
    endpoint: TorchServe, bundle: Path, photos: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*photos[:2], "--url", endpoint.url()]) == 0
    predictor = Predictor.from_bundle(bundle)
    wanted = [f"{name}\n{table(predictor.answer(predictor.predict(Path(name))))}\n" for name in photos[:2]]
    assert capsys.readouterr().out == "".join(wanted)


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("--profile 0.9", AnswerOptions(profile="0.9")),
        ("--top-k 1", AnswerOptions(top_k=1)),
        ("--groups sleeve,color", AnswerOptions(groups=("color", "sleeve"))),
        ("--top-k 2 --groups color", AnswerOptions(top_k=2, groups=("color",))),
    ],
)
def test_flags_become_request_options(
    endpoint: TorchServe,
    bundle: Path,
    photos: list[str],
    capsys: pytest.CaptureFixture[str],
    flags: str,
    options: AnswerOptions,
) -> None:
    assert main([photos[0], "--url", endpoint.url(), "--json", *flags.split()]) == 0
    predictor = Predictor.from_bundle(bundle)
    found = predictor.predict(photo(0))
    assert predictor.answer(found, options) != predictor.answer(found)
    assert json.loads(capsys.readouterr().out) == {"image": photos[0]} | predictor.answer(found, options)


def test_a_flag_that_the_server_refuses_is_reported(
    endpoint: TorchServe, photos: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([photos[0], "--url", endpoint.url(), "--groups", "size"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {photos[0]}: group 'size'")
    assert error.endswith("(status 400)\n")


def test_explain_writes_a_picture_of_the_evidence(
    endpoint: TorchServe, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "evidence.png"
    command = ["--url", endpoint.url(), "--explain", str(out), "--top-k", "1"]
    assert main([photos[0], *command]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"{out}: where the evidence lies\n"
    assert printed.out == f"{photos[0]}\n{table(Client(endpoint.url()).ask(photo(0), top_k='1'))}\n"
    with Image.open(out) as picture:  # the photograph and the best attribute of each of three groups
        assert picture.size == HEAT_MAP_LAYOUT.size(4)
    out.unlink()
    with pytest.raises(SystemExit) as stop:
        main([*photos[:2], *command])
    assert stop.value.code == 2
    assert "--explain takes one photograph at a time" in capsys.readouterr().err
    assert not out.exists()


def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_asked(
    photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(SystemExit) as stop:
        main([photos[0], "--url", nobody, "--explain", str(tmp_path / "evidence")])
    assert stop.value.code == 2
    assert "must end in .jpg, .png or another picture's ending" in capsys.readouterr().err


def test_an_answer_is_printed_even_if_its_picture_cannot_be_written(
    endpoint: TorchServe, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    command = [photos[0], "--url", endpoint.url(), "--top-k", "1", "--explain", str(tmp_path / "file" / "out.png")]
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    assert capsys.readouterr().out.startswith(f"{photos[0]}\n  category")


def test_the_unreadable_photograph_of_a_product_is_named(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert main([photos[0], photos[3], "--product", "--url", nobody]) == 2
    said = capsys.readouterr().err
    assert said == f"error: {photos[0]}, {photos[3]}: {photos[3]} cannot be read: No such file or directory\n"


def test_json_lines_and_failures(endpoint: TorchServe, photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*photos, "--url", endpoint.url(), "--json"]) == 2
    printed = capsys.readouterr()
    answers = [json.loads(line) for line in printed.out.splitlines()]
    assert [answer["image"] for answer in answers] == photos[:2]
    assert all(answer["attributes"] for answer in answers)
    refused, missing = printed.err.splitlines()
    assert refused.startswith(f"error: {photos[2]}: not an image: 12 bytes")
    assert missing == f"error: {photos[3]}: cannot be read: No such file or directory"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_file_name_that_is_not_utf8_is_printed(
    photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/photo\xff.png")
    Path(path).write_bytes(photo(0))
    with unrelated_server(json.dumps(ANSWER).encode()) as url:
        assert main([path, "--url", url, *flags]) == 0
    assert "photo\\udcff.png" in capsys.readouterr().out


def test_truth_is_refused_with_json(photos: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([photos[0], "--truth", "truth.json", "--json"])
    assert stop.value.code == 2
    assert "--truth marks the lines of the table" in capsys.readouterr().err


def test_other_errors_of_the_server_are_passed_on(
    endpoint: TorchServe, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([photos[0], "--url", endpoint.url("other")]) == 2
    assert capsys.readouterr().err == f"error: {photos[0]}: Model not found: other (status 404)\n"
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(30_000_000))
    assert main([str(large), photos[0], "--url", endpoint.url()]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"error: {large}: 30.0 MB are more than the server accepts; send a smaller file\n"
    assert printed.out.startswith(photos[0])


def test_an_answer_without_attributes_is_refused(
    photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with unrelated_server(b'{"status": "Healthy"}') as url:
        assert main([photos[0], "--url", url]) == 2
    assert capsys.readouterr().err == (
        f"error: {photos[0]}: {url} answered 200 without attributes; is it the right URL?\n"
    )


@contextmanager
def unrelated_server(answer: bytes) -> Iterator[str]:
    """An unrelated server: it gives the same answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            pass  # keep stderr clean: it is checked

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/predictions/fashion"
        server.shutdown()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:{port}/predictions/fashion", "start the server with: make serve"),
        ("127.0.0.1:{port}", "cannot be reached"),
    ],
)
def test_no_server(photos: list[str], capsys: pytest.CaptureFixture[str], url: str, message: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*photos, "--url", url.format(port=free_ports(1)[0])])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
