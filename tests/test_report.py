"""The report on a bundle: planted faults are found; intervals, page and folder."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fashion.errors import InvalidImage, SettingError
from fashion.profiles.bootstrap import weighted_precision
from fashion.taxonomy import Label, Taxonomy
from training.profiles.scores import score
from training.report.confusion import confused_pairs
from training.report.contents import contents
from training.report.contradictions import contradictory_pairs, excluding_labels
from training.report.curves import LEVELS, precision_recall
from training.report.evidence import Evidence
from training.report.noise import suspicious_annotations
from training.report.ranking import least_certain, most_wrong
from training.report.reliability import binned, reliability
from training.report.writing import write_report

# Names that the page, the plots and the sorting script must handle as plain text.
LABELS = (
    Label("color", "Black"),
    Label("color", '<b>White</b> & "cream"'),
    Label("color", "$x_1$ Écru 生成り"),
    Label("_shape", "<script>alert('Tall')</script>"),
    Label("_shape", "Wide"),
    Label("color", "Never seen"),
    Label("nothing annotated", "Long"),
)
TAXONOMY = Taxonomy(LABELS)
HEADER = {
    "model": {"name": "fashion", "version": "1.0", "weights": "sha256:0"},
    "data": "data/<shop>",
    "split": "val",
    "engine": "int8",
    "created": "2026-01-01T00:00:00+00:00",
    "command": "python -m training.evaluate BUNDLE --data 'data/<shop>' --report DIR",
    "versions": {"python": "3.11"},
}


@dataclass
class Files:
    """Photographs in memory."""

    files: list[bytes]

    @property
    def ids(self) -> list[str]:
        return [f"id <{i}>" for i in range(len(self.files))]

    def encoded(self, index: int) -> bytes:
        return self.files[index]


def photograph(gray: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 60), (gray % 256, 100, 100)).save(file, form)
    return file.getvalue()


def evidence_of(
    probabilities: Any, targets: Any, taxonomy: Taxonomy = TAXONOMY, embeddings: Any = None, files: Any = None
) -> Evidence:
    """Evidence with the profiles `0.3` and `0.5`; embeddings are orthogonal unless given."""
    probabilities, targets = np.asarray(probabilities, np.float32), np.asarray(targets, np.int8)
    count = len(targets)
    vectors = np.eye(count, dtype=np.float32) if embeddings is None else np.asarray(embeddings, np.float32)
    answers = {"0.3": probabilities >= 0.3, "0.5": probabilities >= 0.5}
    album = Files(files or [photograph(i) for i in range(count)])
    return Evidence(album, taxonomy, probabilities, targets, vectors, answers)


def shop(count: int = 40, seed: int = 0) -> Evidence:
    """Photographs with one of three colors and one of two shapes each, mostly recognized by the model."""
    rng = np.random.default_rng(seed)
    targets = np.zeros((count, len(LABELS)), np.int8)
    targets[:, 6] = -1
    for row in range(count):
        targets[row, rng.integers(3)] = 1
        targets[row, 3 + rng.integers(2)] = 1
    targets[::5, 3:5] = -1
    noise = rng.normal(0, 1.5, targets.shape)
    return evidence_of(1 / (1 + np.exp(-(4.0 * (targets == 1) - 2 + noise))), targets)


def scores_of(evidence: Evidence) -> dict[str, Any]:
    """The scores of `training.evaluate`, without importing torch, which takes seconds."""
    found = {}
    for profile in evidence.answers:
        thresholds = np.full(len(evidence.taxonomy), float(profile))
        found[profile] = score(evidence.probabilities, evidence.targets, thresholds, evidence.taxonomy)
        for i, label in enumerate(found[profile]["labels"]):
            rows = np.flatnonzero(evidence.annotated[:, i])
            yes, once = evidence.positives[rows, i], np.ones((len(rows), 1), np.float32)
            precision = weighted_precision(evidence.probabilities[rows, i], yes, once)[0] if yes.any() else None
            label["average_precision"] = precision
    return found


def written(evidence: Evidence, out: Path) -> tuple[str, dict[str, Any]]:
    page = write_report(evidence, scores_of(evidence), HEADER | {"images": len(evidence)}, out)
    return page.read_text(encoding="utf-8"), json.loads((out / "report.json").read_text(encoding="utf-8"))


def test_a_curve() -> None:
    curve = precision_recall(np.array([0.9, 0.8, 0.7, 0.2]), np.array([1, 0, 1, -1]))
    assert curve is not None
    assert curve["recall"] == [0.5, 0.5, 1.0]
    assert curve["precision"] == pytest.approx([1.0, 0.5, 2 / 3], abs=1e-5)
    assert curve["threshold"] == [0.9, 0.8, 0.7]
    assert curve["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert precision_recall(np.array([0.9]), np.array([0])) is None
    rng = np.random.default_rng(0)
    long = precision_recall(rng.random(50_000), rng.integers(0, 2, 50_000))
    assert long is not None
    assert len(long["recall"]) <= 2 * LEVELS
    assert long["recall"][-1] == 1.0


def test_reliability() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    honest = binned(confidence, rng.random(20_000) < confidence)
    assert honest is not None
    assert honest["ece"] < 0.02
    assert set(np.diff(honest["counts"])) <= {0, -1}
    boastful = binned(0.9 + 0.1 * confidence, np.arange(20_000) % 2 == 0)
    assert boastful is not None
    assert boastful["ece"] == pytest.approx(0.95 - 0.5, abs=0.005)
    assert binned(np.empty(0), np.empty(0, bool)) is None
    assert reliability(shop())["groups"]["nothing annotated"] is None


def test_confusions_counted_by_hand() -> None:
    taxonomy = Taxonomy((Label("color", "Black"), Label("color", "Navy"), Label("size", "S")))
    targets = [[1, 0, 1], [1, 0, -1], [1, 0, 0], [0, 1, 1], [1, 0, 0]]
    probabilities = [[0.1, 0.8, 0.1], [0.2, 0.9, 0.9], [0.9, 0.1, 0.2], [0.7, 0.3, 0.9], [0.9, 0.9, 0.1]]
    pairs = confused_pairs(evidence_of(probabilities, targets, taxonomy))
    assert [(pair["annotated"], pair["answered"], pair["count"], pair["support"]) for pair in pairs] == [
        ("Black", "Navy", 2, 4),  # the last photograph has both as answers, so Black was not missed
        ("Navy", "Black", 1, 1),
    ]
    assert pairs[0]["share"] == 0.5
    assert pairs[0]["examples"] == [1, 0]
    assert confused_pairs(evidence_of(targets, targets, taxonomy)) == []


def test_a_mislabeled_photograph_is_the_most_suspicious() -> None:
    taxonomy = Taxonomy((Label("color", "Black"), Label("color", "White"), Label("color", "Red")))
    targets = np.eye(3, dtype=np.int8)[np.arange(30) % 3]
    probabilities = 0.9 * targets + 0.03
    targets[7] = [1, 0, 0]  # it is white
    targets[14, 0] = 1  # Red and Black together
    probabilities[17] = [0.6, 0.03, 0.93]  # annotated Red; Black may be missing
    found = suspicious_annotations(evidence_of(probabilities, targets, taxonomy))
    first = found[0]
    assert (first["row"], first["id"], first["kind"]) == (7, "id <7>", "instead")
    assert (first["annotated"][0]["name"], first["suggested"]["name"]) == ("Black", "White")
    assert first["score"] == pytest.approx(0.93 * 0.97, abs=1e-3)
    assert [(entry["row"], entry["kind"], entry["suggested"]["name"]) for entry in found[1:]] == [
        (17, "missing", "Black")
    ]
    assert most_wrong(evidence_of(probabilities, targets, taxonomy))[0]["row"] == 7


def test_contradictory_photographs_are_found() -> None:
    taxonomy = Taxonomy((Label("color", "Black"), Label("color", "White"), Label("size", "S")))
    files = [photograph(1), photograph(1), photograph(2), photograph(2, "BMP"), photograph(3), photograph(4)]
    files += [photograph(5), photograph(5), photograph(6), photograph(6)]
    colors = [[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [1, 0], [1, 0], [-1, -1]]
    targets = np.column_stack([colors, [1] * 10])
    embeddings = np.repeat(np.eye(5), 2, axis=0)
    embeddings[5, 0] = 0.1  # cosine 0.995
    found = contradictory_pairs(evidence_of(np.full((10, 3), 0.5), targets, taxonomy, embeddings, files))
    assert [(pair["rows"], pair["kind"]) for pair in found["pairs"]] == [
        ([0, 1], "same file"),
        ([2, 3], "same pixels"),
        ([4, 5], "near-identical"),
    ]
    assert (found["alike"], found["contradictory"]) == (5, 3)
    assert found["pairs"][0]["groups"] == [{"group": "color", "first": ["Black"], "second": ["White"]}]
    assert found["pairs"][2]["similarity"] == pytest.approx(0.995, abs=1e-3)


def test_labels_that_exclude_each_other() -> None:
    taxonomy = Taxonomy(tuple(Label("gender", name) for name in ("Men", "Women", "Unisex")))
    targets = np.zeros((200, 3), np.int8)
    targets[:100, 0] = targets[100:, 1] = 1
    targets[40, 1] = 1
    targets[::3, 2] = 1  # occurs with Men half of the time
    (found,) = excluding_labels(evidence_of(np.full((200, 3), 0.1), targets, taxonomy))
    assert (found["row"], found["names"], found["together"]) == (40, ["Men", "Women"], 1)


def test_the_least_certain_photograph() -> None:
    evidence = evidence_of([[0.9, 0.1, 0, 0, 1, 0, 0], [0.5, 0.5, 0, 0, 1, 0, 0]], np.zeros((2, 7)))
    first, second = least_certain(evidence)
    assert (first["row"], first["value"], first["groups"][0]["group"]) == (1, 1.0, "color")
    assert second["value"] == pytest.approx(0.2)


class Page(HTMLParser):
    """Parse a page: ids, links, images, and the text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag not in ("meta", "img", "source", "br"):
            self.open.append(tag)
        self.ids += [str(values["id"])] if "id" in values else []
        self.links += [str(values[name]) for name in ("href", "src", "srcset") if name in values]
        self.images += [values] if tag == "img" else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_page(tmp_path: Path) -> None:
    evidence = shop()
    out = tmp_path / "new" / "report"
    text, report = written(evidence, out)
    page = Page(text)
    assert page.open == []
    assert text.count("<script>") == 1  # no label name became a script
    assert "<b>White" not in text
    for label in LABELS[:6]:
        assert label.name in page.text
    assert len(page.ids) == len(set(page.ids)) == 10
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (out / link).is_file(), link
    assert all(image["alt"] and image["width"] and image["loading"] == "lazy" for image in page.images)
    linked = {link for link in page.links if not link.startswith("#")}
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files - linked == {"index.html"}  # every written file is linked
    for profile, scores in scores_of(evidence).items():
        assert report["profiles"][profile]["micro_f1"] == scores["micro_f1"]
        assert f"{scores['macro_f1']:.3f}" in page.text
    for label, scored in zip(report["labels"], scores_of(evidence)["0.5"]["labels"], strict=True):
        assert scored.items() <= label.items()
    assert [path.name for path in out.parent.iterdir()] == ["report"]


def test_the_json_has_the_data_of_the_page(tmp_path: Path) -> None:
    evidence = shop()
    _, report = written(evidence, tmp_path / "report")
    steps: list[str] = []
    expected = contents(evidence, scores_of(evidence), HEADER | {"images": 40}, steps.append)
    assert report == json.loads(json.dumps(expected))
    assert steps
    assert report["profile"] == "0.5"
    assert report["curves"]["groups"]["nothing annotated"] is None
    assert [group["photographs"] for group in report["groups"]] == [40, 32, 0]


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(evidence_of([[0.9, 0, 0, 0, 1, 0, 0]], [[1, 0, 0, 0, 1, 0, 0]]), id="one photograph"),
        pytest.param(evidence_of(np.eye(7), np.eye(7)), id="all right"),
        pytest.param(evidence_of(np.zeros((3, 7)), np.zeros((3, 7))), id="nothing annotated as yes"),
        pytest.param(evidence_of(np.ones((3, 7)), np.ones((3, 7)), embeddings=np.zeros((3, 4))), id="all yes"),
    ],
)
def test_small_and_plain_data(evidence: Evidence, tmp_path: Path) -> None:
    text, report = written(evidence, tmp_path / "report")
    assert Page(text).open == []
    assert "nan" not in text
    assert report["confusions"] == report["noise"] == report["most_wrong"] == []


def test_only_report_folders_are_replaced(tmp_path: Path) -> None:
    evidence = evidence_of([[0.9, 0, 0, 0, 1, 0, 0]], [[1, 0, 0, 0, 1, 0, 0]])
    out = tmp_path / "report"
    written(evidence, out)
    (out / "old").write_text("old")
    written(evidence, out)
    assert not (out / "old").exists()
    for name, message in (("work", "is a folder with files and no report"), ("file", "is a file")):
        path = tmp_path / name
        (path / "report.json" if name == "work" else path).parent.mkdir(exist_ok=True)
        (path / "report.json" if name == "work" else path).write_text("{}")
        with pytest.raises(SettingError, match=message):
            written(evidence, path)
    assert (tmp_path / "work/report.json").read_text() == "{}"


def test_a_report_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    evidence = shop()
    out = tmp_path / "report"
    before, _ = written(evidence, out)
    broken = evidence_of(evidence.probabilities, evidence.targets, files=[b"no image"] * len(evidence))
    with pytest.raises(InvalidImage):
        written(broken, out)
    assert (out / "index.html").read_text(encoding="utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_command_line(exported: Path, labeled_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.evaluate import main

    out, scores = tmp_path / "report", tmp_path / "scores.json"
    arguments = [str(exported), "--data", str(labeled_data), "--cache", str(tmp_path), "--report", str(out)]
    assert main([*arguments, "--json", str(scores)]) == 0
    assert f"report  {out}/index.html" in capsys.readouterr().out
    result, report = (json.loads(path.read_text()) for path in (scores, out / "report.json"))
    for profile, found in result["profiles"].items():
        assert report["profiles"][profile]["micro_f1"] == found["micro_f1"]
    assert report["map"]["value"] == pytest.approx(result["map"])
    assert report["header"]["command"].startswith("python -m training.evaluate ")
    assert report["least_certain"][0]["id"].startswith("val")
    assert Page((out / "index.html").read_text(encoding="utf-8")).open == []
