"""The serving benchmark: load generator, test data and tables, on small models and real servers."""

import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from image_files import half

from benchmarks import log_cost
from benchmarks.cells import EXPLANATIONS, Cell, Results
from benchmarks.contestants import (
    APP,
    CONTESTANTS,
    EACH,
    FASTAPI,
    INFERENCE,
    LOGGED,
    QUIET,
    SHIPPED,
    SINGLE,
    STOCK,
)
from benchmarks.document import write_section
from benchmarks.load import NO_ANSWER, Answer, send
from benchmarks.machine import instructions
from benchmarks.memory import PeakMemory, family, proportional
from benchmarks.photographs import SMALL_SIZES, photographs
from benchmarks.random_bundle import random_bundle
from benchmarks.right_answers import RightAnswers
from benchmarks.rounds import ServingPlan, measure
from benchmarks.servers.running import NotStarted, freeze, python_server, thaw
from benchmarks.servers.torchserve import quiet
from benchmarks.serving import main
from benchmarks.serving_goals import LARGE, STARTER
from benchmarks.serving_page import section, tables
from fashion.model_card import ModelCard
from fashion.preprocess import decode
from serving.properties import read_properties
from serving.torchserve import TorchServe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photographs")


@pytest.fixture(scope="module")
def images(folder: Path) -> list[bytes]:
    return photographs(folder, SMALL_SIZES, 6)


@pytest.fixture(scope="module")
def small(images: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small version of the bundle that the benchmark makes."""
    return random_bundle(tmp_path_factory.mktemp("random") / "bundle", images, "resnet18", 32)


class Echo(BaseHTTPRequestHandler):
    """Echo a body after 20 ms; cut the connection on request, and count concurrent clients."""

    protocol_version = "HTTP/1.1"
    here = 0
    most = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        with Echo.lock:
            Echo.here += 1
            Echo.most = max(Echo.most, Echo.here)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.02)
        with Echo.lock:
            Echo.here -= 1
        if body == b"cut":
            self.close_connection = True
            return
        self.send_response(400 if body == b"bad" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[str]:
    Echo.most = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_each_body_is_sent_in_turn_by_as_many_clients_as_wanted(echo: str) -> None:
    load = send(echo, [b"a", b"bad", b"c"], concurrency=4, requests=30)
    assert Counter((answer.number, answer.status, answer.body) for answer in load.answers) == {
        (0, 200, b"a"): 10,
        (1, 400, b"bad"): 10,
        (2, 200, b"c"): 10,
    }
    assert Echo.most == 4
    assert all(answer.seconds >= 0.02 for answer in load.answers)
    assert load.seconds >= 30 / 4 * 0.02
    assert 0 < load.client_seconds < load.seconds


def test_sending_stops_at_the_time_limit_and_all_answers_are_awaited(echo: str) -> None:
    load = send(echo, [b"a"], concurrency=2, seconds=0.2)
    assert 2 <= len(load.answers) <= 2 * (0.2 / 0.02 + 1)
    assert load.seconds >= 0.2


def test_a_closed_connection_is_one_lost_answer(echo: str) -> None:
    load = send(echo, [b"a", b"cut"], concurrency=1, requests=6)
    assert [answer.status for answer in load.answers] == [200, NO_ANSWER] * 3
    assert b"RemoteDisconnected" in load.answers[1].body


def test_photographs_are_drawn_once(folder: Path, images: list[bytes]) -> None:
    assert [decode(image).size for image in images[:3]] == list(SMALL_SIZES)
    files = sorted(folder.iterdir())
    before = [path.stat().st_mtime_ns for path in files]
    assert photographs(folder, SMALL_SIZES, 6) == images
    assert [path.stat().st_mtime_ns for path in files] == before
    assert [path.read_bytes() for path in files] == images  # engines read the folder


def test_a_random_bundle_is_made_once_and_again_for_another_size(small: Path, images: list[bytes]) -> None:
    card = ModelCard.load(small)
    assert (card.arch, card.input.size, len(card.labels)) == ("resnet18", 32, 228)
    written = (small / "model.pth").stat().st_mtime_ns
    assert random_bundle(small, images, "resnet18", 32) == small
    assert (small / "model.pth").stat().st_mtime_ns == written
    answered = [len(answer["attributes"]) for answer in RightAnswers(small, images).answers]
    assert 1 <= sum(answered) / len(answered) <= 30
    assert len(set(map(json.dumps, RightAnswers(small, images).answers))) == len(images)


def test_answers_of_the_endpoint_are_right_and_others_are_not(
    endpoint: TorchServe, bundle: Path, images: list[bytes]
) -> None:
    right = RightAnswers(bundle, images)
    load = send(endpoint.url(), images, concurrency=4, requests=24)
    assert [fault for answer in load.answers if (fault := right.answer(answer))] == []
    for answer in load.answers[:6]:
        assert right.answer(replace(answer, number=(answer.number + 1) % 6))  # the answer for another photograph
        assert right.answer(replace(answer, status=503)).startswith("status 503")  # type: ignore[union-attr]
        assert right.answer(replace(answer, body=b"{")) == "no JSON"
        assert right.explanation(answer) == "attributes without a map"
        assert right.stock(answer)
    explained = send(endpoint.url().replace("/predictions/", "/explanations/"), images, concurrency=2, requests=6)
    assert [fault for answer in explained.answers if (fault := right.explanation(answer))] == []


def test_servers_and_engines_are_measured_and_ended(small: Path, folder: Path, tmp_path: Path) -> None:
    names = (FASTAPI, INFERENCE, SINGLE, EACH)
    plan = ServingPlan(names, concurrencies=(1, 2), rounds=2, seconds=0.3, warm_up=0)
    before = set(psutil.Process().children(recursive=True))  # servers started by other tests
    results = measure(plan, small, folder, tmp_path)
    assert not set(psutil.Process().children(recursive=True)) - before
    assert results.skipped == {}
    assert results.faults() == []
    assert Counter(cell.name for cell in results.cells) == dict.fromkeys(names, 4)
    for cell in results.cells:
        assert cell.images == len(cell.latencies) >= 1
        assert 10 < cell.resident < 4000
        assert cell.seconds >= (0.3 if cell.name == FASTAPI else 0.15)
    assert all(cell.images % 16 == 0 for cell in results.cells_of(EACH))
    results.settings["goals"] = STARTER
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results
    assert CONTESTANTS[FASTAPI].title in tables(results)


def test_a_server_that_does_not_start_is_left_out_and_reported(small: Path, folder: Path, tmp_path: Path) -> None:
    (small.parent / "empty").mkdir(exist_ok=True)
    with (
        pytest.raises(NotStarted, match=r"it ended with status 1: .*no model_card.json"),
        python_server("benchmarks.servers.fastapi_plain", small.parent / "empty", tmp_path / "server.log"),
    ):
        pass
    (tmp_path / FASTAPI).write_text("a file where the server's folder would be")


def test_a_suspended_server_uses_no_processor_time(small: Path, images: list[bytes], tmp_path: Path) -> None:
    with python_server("benchmarks.servers.fastapi_plain", small, tmp_path / "server.log") as server:
        freeze(server.process)
        while server.process.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        used = server.process.cpu_times()
        time.sleep(0.1)
        assert server.process.cpu_times() == used
        thaw(server.process)
        with PeakMemory(server.process) as memory:
            assert server.measure(images, 1, 0).answers[0].status == 200
        shared = proportional(family(server.process))
        assert shared is not None
        assert 20 < shared <= memory.peak
    assert not server.process.is_running()


def cell(name: str, rate: float, latency: float, concurrency: int = 1, round: int = 0, resident: float = 100) -> Cell:
    """One second of a server with this rate (images/s) and latency (ms)."""
    return Cell(name, concurrency, round, int(rate), 1.0, [latency] * int(rate), 0.5, resident, resident / 2)


@pytest.fixture
def results() -> Results:
    """Two rounds, the second at half the speed, as on a busy machine."""
    cells = []
    for round, slow in ((0, 1), (1, 2)):
        for concurrency in (1, 8):
            cells += [
                cell(SHIPPED, 120 / slow, 10 * slow, concurrency, round, 900),
                cell(EXPLANATIONS, 100 / slow, 12 * slow, concurrency, round),
                cell(STOCK, 16 / slow, 60 * slow, concurrency, round),
                cell(SINGLE, 110 / slow, 8 * slow, concurrency, round),
            ]
    titles = {name: CONTESTANTS[name].title for name in (SHIPPED, STOCK, SINGLE)}
    settings = {
        "photographs": 24,
        "kilobytes": [19, 60, 190],
        "rounds": 2,
        "seconds": 4.0,
        "goals": LARGE,
        "versions": {"fastapi": "1.2"},
    }
    return Results("a machine", settings, titles, {"litserve": "No module named 'litserve'"}, cells)


def test_ratios_are_taken_within_a_round(results: Results) -> None:
    assert results.ratios(SHIPPED, STOCK, 1) == [7.5, 7.5]
    assert results.delays(SHIPPED, SINGLE, 1) == [2, 4]
    text = tables(results)
    assert "**7.50 (7.50 to 7.50)** | **7.50" in text
    assert "≤ 4 at 1 | **3.0 (2.0 to 4.0)** | -" in text
    assert "≤ 10% | 20.0 (20.0 to 20.0) % |" in text  # not bold: not reached
    assert "| 90.0 (60.0 to 120.0) | 90.0 (60.0 to 120.0) | 900 (450) |" in text
    assert "| 10 / 20 / 20 |" in text  # two thirds of the answers came in the fast round


def test_goals_of_the_starter_hold_for_many_clients(results: Results) -> None:
    for round, slow in ((0, 1), (1, 2)):
        for concurrency in (1, 8):
            results.cells += [
                cell(FASTAPI, 60 / slow, 16 * slow, concurrency, round),
                cell(APP, 100 / slow, 9 * slow, concurrency, round),
                cell(EACH, 120 / slow, 8 * slow, concurrency, round),
            ]
    results.titles |= {name: CONTESTANTS[name].title for name in (APP, FASTAPI, EACH)}
    results.settings["goals"] = STARTER
    text = section(results)
    assert "## Serving the starter" in text
    assert "from 1 and 8 clients" in " ".join(text.split())
    assert "≥ 1.6 at 8 and 16 | 1.67 (1.67 to 1.67) | **1.67 (1.67 to 1.67)** |" in text
    assert "≥ 0.85 at 8 and 16 | 0.83 (0.83 to 0.83) | 0.83 (0.83 to 0.83) |" in text
    assert "≤ 2 at 1 | **1.5 (1.0 to 2.0)** | -" in text


def test_logging_cost_is_relative_to_the_time_per_photograph(results: Results) -> None:
    for round, slow in ((0, 1), (1, 2)):
        results.cells += [
            cell(QUIET, 500 / slow, 16, log_cost.CLIENTS, round),
            cell(LOGGED, 400 / slow, 20, log_cost.CLIENTS, round),
        ]
    assert results.costs(LOGGED, QUIET) == pytest.approx([0.5, 1.0])  # ms
    text = tables(results)
    # Relative to 1000 / 90 ms per photograph, as shipped, at the same concurrency; not bold: above the target.
    assert "≤ 1% | - | 6.75 (4.50 to 9.00) % |" in text
    assert "| as shipped | 300 (200 to 400) | 0.750 (0.500 to 1.000) |" in text
    assert "| without log lines and metrics of requests | 375 (250 to 500) | - |" in text
    assert "8 clients, 1 s at a time in turn, in 8 rounds" in " ".join(section(results).split())


def test_the_quiet_server_answers_without_logging(bundle: Path, images: list[bytes], tmp_path: Path) -> None:
    right = RightAnswers(bundle, images)
    with quiet(bundle, tmp_path) as server:
        answers = send(server.url, images, concurrency=2, requests=12).answers
        time.sleep(2)  # counts would be written once a second
        address = read_properties(tmp_path / "server" / "config.properties")["metrics_address"]
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as response:
            metrics = response.read().decode()
    assert [fault for answer in answers if (fault := right.answer(answer))] == []
    assert "fashion_requests_total" not in metrics
    assert "ts_inference_requests_total" not in metrics
    logs = {path.name: path.read_text() for path in (tmp_path / "server" / "logs").glob("*.log")}
    assert "ts_log.log" in logs
    assert not any("/predictions/" in text or '"outcome"' in text for text in logs.values())


def test_the_section_names_unmeasured_servers_and_can_be_replaced(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_section("serving", section(results), page)
    write_section("serving", section(results), page)
    text = page.read_text()
    assert text.count("## Serving\n") == 1
    assert "litserve: No module named 'litserve'" in text
    assert "24 JPEG" in text
    assert "Machine: a machine; fastapi 1.2." in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--servers", "shipped,nobody"], "server 'nobody' is unknown; choose among: shipped, "),
        (["--rounds", "0"], "0 rounds"),
        (["--seconds", "-1"], "-1 s measure nothing"),
        (["--starter", "--servers", "stock"], "server 'stock' is unknown; choose among: shipped, app, "),
    ],
)
def test_wrong_flags_are_reported_in_one_line(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_an_answer_to_a_truncated_file_counts_as_wrong(endpoint: TorchServe, bundle: Path, images: list[bytes]) -> None:
    (answer,) = send(endpoint.url(), [half(images[0])], concurrency=1, requests=1).answers
    assert isinstance(answer, Answer)
    assert answer.status == 400
    assert "InvalidImage" in (RightAnswers(bundle, images).answer(answer) or "")


def test_the_machine_description_names_int8_instructions() -> None:
    assert instructions()
