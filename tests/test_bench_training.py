"""The training benchmark: a full run at tiny settings, and ratios for known input."""

import json
import time
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.document import write_section
from benchmarks.input_pipeline import NO_HUE, NORMALIZED, OURS, RESIZED_FIRST, SEED, SEED_NO_HUE, TITLES, rate
from benchmarks.photographs import SMALL_SIZES
from benchmarks.plot_training import draw
from benchmarks.training import TrainingPlan, main, measure
from benchmarks.training_page import ratios, section
from benchmarks.training_steps import Batches, Case, StepCell
from fashion.preprocess import InputSpec

TINY = TrainingPlan(
    rounds=1,
    images=8,
    cases=(Case(32, 4, 1, 2, "resnet18"),),
    spec=InputSpec(64),
    batch_size=4,
    sizes=SMALL_SIZES,
    photographs=3,
    rows=8,
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(TINY, tmp_path_factory.mktemp("bench"))


def test_everything_is_measured(measured: dict[str, Any]) -> None:
    assert list(measured["pipelines"]) == list(TITLES)
    assert all(len(rates) == 1 and 1 < rates[0] < 100_000 for rates in measured["pipelines"].values())
    assert all(0 < milliseconds < 1000 for milliseconds in measured["stages"].values())
    (cell,) = measured["steps"]
    assert (cell["size"], cell["batch_size"], cell["round"]) == (32, 4, 0)
    assert cell["ratio"] == cell["real"] / cell["memory"]
    assert json.loads(json.dumps(measured)) == measured


def test_the_section_is_written(measured: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_section("training", section(measured), page)
    text = page.read_text()
    assert text.count("## Training\n") == 1
    assert f"Machine: {measured['machine']}." in text
    assert "| brightness, contrast and saturation |" in text
    assert ("that was not run" in text) == (not torch.cuda.is_available())
    draw(measured).savefig(tmp_path / "plot.png")


def test_ratios_are_taken_within_a_round() -> None:
    fast, slow = [40.0, 20.0, 44.0], [10.0, 5.0, 20.0]  # the machine is busy in the second round
    results = {
        "machine": "a machine",
        "settings": {
            "photographs": 20,
            "kilobytes": 60,
            "size": 512,
            "batch_size": 16,
            "rounds": 3,
            "step": "32-bit floats",
            "device": "cpu",
        },
        "titles": TITLES,
        "pipelines": {OURS: fast, SEED: slow, NORMALIZED: slow, RESIZED_FIRST: slow, SEED_NO_HUE: slow, NO_HUE: fast},
        "stages": {"decode": 2.0, "hue": 3.0},
        "steps": [
            {"size": 224, "batch_size": 16, "round": i, "real": real, "memory": 5.0, "ratio": real / 5}
            for i, real in enumerate((4.9, 4.7, 4.0))
        ],
    }
    assert ratios(results, OURS, SEED) == [4, 4, 2.2]
    text = section(results)
    assert "| images/s: this project / the seed's pipeline | ≥ 3 | **4.00 (2.20 to 4.00)** |" in text
    assert "at 224 px: photographs / in memory | ≥ 0.95 | 0.94 (0.80 to 0.98) |" in text  # not bold: not reached
    assert "copies, targets, batch | 20.0 |" in text  # of 25 ms
    assert StepCell(224, 16, 0, real=4.9, memory=5).ratio == pytest.approx(0.98)


def test_a_rate_counts_processor_time() -> None:
    def batches(seconds: float) -> Any:
        for size in repeat(4):
            end = time.process_time() + seconds
            while time.process_time() < end:
                pass
            time.sleep(0.02)  # not processor time of this process
            yield size

    assert rate(batches(0.02), int, 10) == pytest.approx(4 / 0.02, rel=0.2)


def test_batches_in_memory_repeat_endlessly() -> None:
    ones, twos = ({"pixels": torch.full((2,), i)} for i in (1, 2))
    batches = Batches([ones, twos], 3)
    assert [batch["pixels"][0].item() for batch in batches] == [1, 2, 1]
    assert len(batches) == 3


def test_wrong_flags_are_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--rounds", "0"])
    assert "0 rounds measure nothing" in capsys.readouterr().err
