"""A short soak test of the endpoint, and telling a leak from memory that settles."""

from pathlib import Path

import pytest

from benchmarks import soak
from benchmarks.photographs import SMALL_SIZES, photographs
from benchmarks.right_answers import RightAnswers
from benchmarks.soak import TOLERANCES, Soak
from serving.torchserve import TorchServe


def measured(workers: list[float], java: list[float]) -> Soak:
    """Memory samples, one per 500 requests."""
    requests = [500 * (i + 1) for i in range(len(workers))]
    return Soak(
        requests, {"workers": workers, "java": java}, {"200": 18_000, "400": 2_000}, [], 100.0, 2_000, "a machine"
    )


def test_every_request_is_answered_and_memory_sampled(endpoint: TorchServe, bundle: Path, tmp_path: Path) -> None:
    images = photographs(tmp_path, SMALL_SIZES, 9)
    process = endpoint.find()
    assert process
    result = soak.soak(process, endpoint.url(), images, RightAnswers(bundle, images), 600, every=100, settled=200)
    assert result.answered == {"200": 540, "400": 60}
    assert result.wrong == []
    assert result.requests == [100, 200, 300, 400, 500, 600]
    assert all(50 < value < 4000 for values in result.memory.values() for value in values)
    assert result.growth("workers") < 50  # keeping a photograph per request would exceed this


def test_memory_that_settles_is_not_a_leak() -> None:
    result = measured([500, 540, 560] + [565, 566, 563, 567] * 9, [300, 340, 360] + [380, 390, 370, 385] * 9)
    assert result.leaks() == []
    assert f"| workers | 500 | 565 | 567 | +0.0 | {TOLERANCES['workers']:g} |" in soak.section(result)
    assert "18,000 times 200 and 2,000 times 400" in soak.section(result)


def test_a_kilobyte_kept_of_each_request_is_a_leak() -> None:
    growing = [500 + 0.5 * i for i in range(40)]  # MB, every 500 requests
    assert measured(growing, [300.0] * 40).leaks() == ["workers"]
    assert measured([500.0] * 40, [300 + 2.0 * i for i in range(40)]).leaks() == ["java"]


def test_a_leak_is_reported_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "RESULTS", tmp_path / "results.json")
    measured([500 + i for i in range(40)], [300.0] * 40).save(soak.RESULTS)
    assert soak.main(["--page-only"]) == 1
    assert "error: the memory of workers grew by " in capsys.readouterr().err


def test_measurements_are_stored_for_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "RESULTS", tmp_path / "results.json")
    with pytest.raises(SystemExit):
        soak.main(["--page-only"])
    assert "run make soak once without --page-only" in capsys.readouterr().err
    result = measured([500.0] * 39, [300.0] * 39)
    result.save(soak.RESULTS)
    assert Soak.load(soak.RESULTS) == result
    assert soak.main(["--page-only"]) == 0, "no leak, and the page is unchanged because the run was short"
    assert capsys.readouterr().out.splitlines() == [
        f"workers: 500 to 500 MB, growth +0.0, allowed {TOLERANCES['workers']:g}",
        f"java: 300 to 300 MB, growth +0.0, allowed {TOLERANCES['java']:g}",
    ]


def test_too_few_requests_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        soak.main(["--requests", "100"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: --requests 100 is too few to compare; give 3000 or more\n"
