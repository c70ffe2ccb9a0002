"""serving.compare: changed answers of a new bundle, counted on real answers of two versions of the shipped model."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starter import STARTER, starter_version

from fashion.model_card import CARD_FILE, ModelCard
from fashion.pictures.tiles import Picture
from fashion.predictor import Predictor
from fashion.taxonomy import Label
from serving.changes import ALL, BundleChanges, bootstrap_shares, compare_bundles
from serving.compare import (
    CHANGES_FILE,
    LAYOUT,
    MOST_EXAMPLES,
    PAGE_FILE,
    SHEET_FILE,
    main,
    photographs_of,
    write_changes,
)
from training.sources.drawing import draw

COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some drawn garments, a broken photograph, and another file."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "below").mkdir()
    for i in range(COUNT):
        draw(i, 224)[0].save(folder / ("below" if i % 2 else "") / f"{i}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    (folder / ".hidden.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("none")
    return folder


def altered(folder: Path, threshold: float) -> Path:
    """The starter as version 9.9 with one threshold for all labels and gates that let everything pass."""
    starter_version(folder, "9.9")
    card = json.loads((folder / CARD_FILE).read_text())
    card["thresholds"] = {name: [threshold] * len(values) for name, values in card["thresholds"].items()}
    card["gate_thresholds"] = {"applies": dict.fromkeys(card["gates"]["applies"], 0.0), "product": 0.0}
    (folder / CARD_FILE).write_text(json.dumps(card))
    return folder


@pytest.fixture(scope="module")
def changes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> BundleChanges:
    """Changes from a threshold of 0.2 to 0.6."""
    old, new = (altered(tmp_path_factory.mktemp("bundles") / str(at), at) for at in (0.2, 0.6))
    return compare_bundles(Predictor.from_bundle(old), Predictor.from_bundle(new), photographs_of(folder))


def test_every_answer_is_counted_once(changes: BundleChanges) -> None:
    every, *groups = changes.groups
    assert every.group == ALL
    for kind in ("kept", "gained", "lost"):
        counted = [getattr(each, kind).count for each in groups]
        assert sum(counted) == getattr(every, kind).count
        assert sum(counted) == sum(len(getattr(each, kind)) for each in changes.photographs)
    assert every.lost.count > 0
    assert every.gained.count == 0  # the same probabilities, and a higher threshold
    shares = [share.share for share in (every.kept, every.gained, every.lost)]
    assert sum(shares) == pytest.approx(1)  # type: ignore[arg-type]
    # 0 of the 5 or 6 photographs with an answer: the exact interval reaches up to 52 or 46 %.
    answered = sum(bool(each.kept or each.lost) for each in changes.photographs)
    assert every.gained.interval == (0.0, pytest.approx(1 - 0.025 ** (1 / answered)))
    assert answered >= COUNT - 1
    for share in (every.kept, every.lost, every.photographs):
        assert share.interval is not None
        assert share.interval[0] <= share.share <= share.interval[1]  # type: ignore[operator]


@pytest.mark.parametrize("profile", [None, "top-k", "0.3"])
def test_the_answers_are_those_of_the_profile(folder: Path, bundle: Path, profile: str | None) -> None:
    predictor, photographs = Predictor.from_bundle(bundle), photographs_of(folder)
    for each in compare_bundles(predictor, predictor, photographs, profile).photographs:
        answer = predictor.answer(predictor.predict(photographs[each.image]), profile)
        assert each.kept == tuple(Label(a["group"], a["name"]) for a in answer["attributes"])


def test_lost_answers_lie_between_the_thresholds(changes: BundleChanges) -> None:
    for each in changes.photographs:
        for answer in each.lost:
            assert answer.old == answer.new
            assert 0.2 <= answer.old < 0.6 + 1e-6  # type: ignore[operator]


def test_a_broken_photograph_is_listed(changes: BundleChanges) -> None:
    assert len(changes.photographs) == COUNT
    ((image, reason),) = changes.left_out
    assert image == "broken.jpg"
    assert reason


def test_the_command_writes_a_page_and_replaces_only_its_own(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, out = altered(tmp_path / "new", 0.05), tmp_path / "out"
    for _ in range(2):
        assert main([str(STARTER), str(new), str(folder), "--out", str(out), "--most", "4"]) == 0
    assert re.search(r"index.html: [34] photographs, answers of \d change", capsys.readouterr().out)
    assert {path.name for path in out.iterdir()} == {PAGE_FILE, CHANGES_FILE, SHEET_FILE}
    written = json.loads((out / CHANGES_FILE).read_text())
    assert (written["old"]["version"], written["new"]["version"]) == (ModelCard.load(STARTER).version, "9.9")
    page = (out / PAGE_FILE).read_text()
    assert all(group["group"] in page for group in written["groups"])
    assert written["examples"][0]["gained"]
    for _ in range(2):  # its picture is not a photograph of the next comparison
        assert main([str(STARTER), str(new), str(folder), "--out", str(folder / "report")]) == 0
    assert len(photographs_of(folder)) == COUNT + 1  # with the broken one
    shutil.rmtree(folder / "report")
    other = tmp_path / "other"
    other.mkdir()
    (other / "work.txt").write_text("mine")
    with pytest.raises(SystemExit):
        main([str(STARTER), str(new), str(folder), "--out", str(other)])
    assert "no comparison" in capsys.readouterr().err
    assert (other / "work.txt").read_text() == "mine"


def test_columns_of_the_page_are_sorted_by_number(changes: BundleChanges, folder: Path, tmp_path: Path) -> None:
    many = replace(changes, labels=[(Label("color", "Black"), {"kept": 1234, "gained": 20, "lost": 0})])
    page = write_changes(many, photographs_of(folder), tmp_path / "out").read_text()
    for number, text in (("1234", "1,234"), ("20", "20"), ("0", "0")):
        assert f'<td data-v="{number}">{text}</td>' in page


def test_more_examples_than_a_jpeg_can_show_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    highest = LAYOUT.size(MOST_EXAMPLES)[1]
    assert Picture(Image.new("RGB", (8, highest))).write(tmp_path / "high.jpg")
    with pytest.raises(SystemExit) as ended:
        main([str(STARTER), str(STARTER), str(folder), "--out", str(tmp_path / "out"), "--examples", "501"])
    assert ended.value.code == 2
    assert "--examples 501 must be at most 500" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"photographs": "nowhere"}, "nowhere is not a folder"),
        ({"profile": "best"}, "threshold profile 'best' is unknown"),
    ],
)
def test_bundles_that_cannot_be_compared_are_one_line_errors(
    folder: Path, tmp_path: Path, changed: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(STARTER), str(STARTER), changed.get("photographs", str(folder)), "--out", str(tmp_path / "out")]
    arguments += ["--profile", changed["profile"]] if "profile" in changed else []
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_the_intervals_have_their_nominal_coverage() -> None:
    """The intervals cover the true share in about 95 % of samples; without samples there is no interval."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(60):
        lost = rng.binomial(3, 0.2, size=80)
        rows = np.column_stack([3 - lost, np.zeros_like(lost), lost, lost > 0]).astype(np.int64)
        low, high = bootstrap_shares(rows[:, None])[:, 0]
        hits += low[2] <= 0.2 <= high[2]
    assert hits >= 51  # 57 of 60 expected, minus three standard deviations
    none = np.zeros((5, 1, 4), np.int64)
    assert np.isnan(bootstrap_shares(none)[..., :3]).all()
    assert (bootstrap_shares(none)[..., 3] == 0).all()


def test_the_intervals_of_a_group_do_not_depend_on_the_others() -> None:
    rows = np.random.default_rng(2).integers(0, 3, (30, 4, 4))
    rows[:, 2] = 0  # a group without answers
    together, alone = bootstrap_shares(rows), [bootstrap_shares(rows[:, [group]])[:, 0] for group in range(4)]
    np.testing.assert_array_equal(together, np.stack(alone, axis=1))
