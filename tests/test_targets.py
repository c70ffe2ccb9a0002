"""The summary of the benchmarks' targets."""

import json
from pathlib import Path

import pytest

from benchmarks import all as all_benchmarks
from benchmarks.matching import targets as matching_targets
from benchmarks.targets import TargetResult, save_targets, summary
from fashion.errors import SettingError


def test_the_summary_has_a_row_for_each_target(tmp_path: Path) -> None:
    save_targets("serving", [TargetResult("images/s: a / b", "≥ 1.6 at 8", "1.71 at 8", True)], tmp_path)
    save_targets("footprint", [TargetResult("memory", "≤ 200 MB", "260 MB", False)], tmp_path)
    save_targets("footprint", [TargetResult("memory", "≤ 200 MB", "210 MB", False)], tmp_path)  # replaces the former
    text = summary(tmp_path)
    assert "1 of 2 targets are met." in text
    assert "| footprint | memory | ≤ 200 MB | 210 MB | missed |\n| serving | images/s: a / b |" in text
    assert "| 1.71 at 8 | **met** |" in text
    assert json.loads((tmp_path / "serving.json").read_text())["machine"] in text


def test_without_results_there_is_no_summary(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"has no results; run make bench"):
        summary(tmp_path)


def test_matching_has_targets_only_beside_faiss() -> None:
    ours = {
        "default": {"p50": 5.0, "p99": 9.0, "recall": 0.99},
        "default, filter of 1 %": {"p50": 4.0, "p99": 21.0, "recall": 0.98},
    }
    result = {
        "size": 500_000,
        "ours": {"times": ours},
        "index": {"seconds": 60.0, "peak": 3.0, "disk": 1.5},
        "faiss": {"seconds": 40.0, "memory": 2.5, "times": {"all": {"p99": 12.0}}},
    }
    found = {target.what: (target.wanted, target.measured, target.met) for target in matching_targets(result)}
    assert found == {
        "500,000 products: time to build / FAISS's": ("≤ 1.2", "1.50", False),
        "500,000 products: memory to build / FAISS's": ("≤ 1.2", "1.20", True),
        "500,000 products: on disk": ("≤ 1.6 GB", "1.5 GB", True),
        "500,000 products, default: recall@10": ("≥ 0.985", "0.990", True),
        "500,000 products, default: p99, ms": ("≤ 2 times FAISS's and 20 ms: 20.0", "9.0", True),
        "500,000 products, default, filter of 1 %: recall@10": ("≥ 0.985", "0.980", False),
        "500,000 products, default, filter of 1 %: p99, ms": ("≤ 2 times FAISS's and 20 ms: 20.0", "21.0", False),
    }
    del result["faiss"]
    assert matching_targets(result) == []


def test_an_unknown_benchmark_is_refused_before_any_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        all_benchmarks.main(["--only", "footprint,speed"])
    assert ended.value.code == 2
    assert "benchmark 'speed' is unknown; choose among: footprint, " in capsys.readouterr().err
