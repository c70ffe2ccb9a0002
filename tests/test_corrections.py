"""python -m catalog.corrections: queues, batches, the training folder, refits, and its messages."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scored_catalog import EMBEDDING, MODEL, OTHER_MODEL, TAXONOMY, products, write_catalog

from catalog.corrections import queues
from catalog.corrections.__main__ import main
from catalog.corrections.corrected_products import REPRESENTATIVE
from catalog.corrections.label_batches import label_batches
from catalog.corrections.queues import CONTRADICTIONS, NEW, RANDOM, UNCERTAIN, queue
from catalog.corrections.refitting import apply, propose, undo_refit
from catalog.corrections.source_labels import SourceLabels
from catalog.corrections.training_folder import write_training_folder
from catalog.scored.correction_store import (
    IS,
    IS_NOT,
    NOT_A_PRODUCT,
    ONLY,
    ChangedMeanwhile,
    Correction,
    CorrectionStore,
)
from catalog.scored.table import Scored
from fashion.errors import DataError, SettingError
from fashion.model_card import ModelCard
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label, Taxonomy
from training.sources import open_folder, read_description

LABELS = Taxonomy((Label("color", "Black"), Label("color", "Red"), Label("kind", "Tee"), Label("kind", "Dress")))


def catalog(folder: Path, rows: dict[str, tuple[list[float], str | None]], images: Path | None = None) -> Scored:
    """Write products by id: logits of the four labels, and the source's column Color."""
    made = [
        {
            "id": id,
            "image": str(images / f"{id}.jpg") if images else f"/photographs/{id}.jpg",
            "Color": color,
            "logits": np.array(logits, np.float32),
            "embedding": np.ones(EMBEDDING),
        }
        for id, (logits, color) in rows.items()
    ]
    return write_catalog(folder, made, MODEL, 3, LABELS, [pa.field("Color", pa.string())])


@pytest.fixture
def scored(tmp_path: Path) -> Scored:
    rows: dict[str, tuple[list[float], str | None]] = {
        "sure": ([5, -5, 5, -5], "Black"),
        "unsure color": ([0.1, -0.1, 5, -5], "black"),
        "unsure kind": ([5, -5, 0.5, -5], None),
        "wrong table": ([-5, 5, 5, -5], "Black"),
        "two of the table": ([-5, 5, 5, -5], "Black|Red"),
        "other of the table": ([-4, 4, 4, -4], "Mauve"),
        "right table": ([-3, 3, -3, 3], "Red"),
    }
    return catalog(tmp_path / "scored", rows)


def write(scored: Scored, *corrections: Correction, found_by: str = "") -> None:
    store = CorrectionStore(scored.folder)
    store.write(corrections, store.states(c.product for c in corrections), "ana", found_by)


def test_the_least_certain_come_first(scored: Scored) -> None:
    found = queue(scored, UNCERTAIN, top=2)
    assert [(item.product, item.group) for item in found] == [("unsure color", "color"), ("unsure kind", "kind")]
    assert found[0].reward == pytest.approx(2 / (1 + np.exp(0.1)), abs=1e-3)
    assert found[0].reason == "color: Black 0.52, else Red 0.48"
    assert [item.product for item in queue(scored, UNCERTAIN, ["kind"], top=1)] == ["unsure kind"]
    assert queue(scored, UNCERTAIN, label=Label("color", "Red"), top=1)[0].reward == pytest.approx(0.475, abs=1e-3)
    assert [i.product for i in queue(scored, UNCERTAIN, where="id = 'right table'", top=9)] == ["right table"] * 2


def test_decided_groups_are_not_queued_again(scored: Scored) -> None:
    write(scored, Correction("unsure color", IS_NOT, "color", "Red"), Correction("unsure kind", NOT_A_PRODUCT))
    for kind in (UNCERTAIN, RANDOM):
        asked = {(item.product, item.group) for item in queue(scored, kind, top=100)}
        assert len(asked) == 2 * 7 - 3
        assert ("unsure color", "color") not in asked
        assert "unsure kind" not in {product for product, _ in asked}


def test_the_queue_of_photographs_that_contradict_the_table(scored: Scored) -> None:
    (found,) = queue(scored, CONTRADICTIONS)
    assert (found.product, found.group, found.label) == ("wrong table", "color", "Black")
    assert found.reason == "color: the table says Black 0.01, the photograph Red 0.99"
    with pytest.raises(
        DataError, match="no source column for kind, so there are no contradictions; its columns: Color"
    ):
        queue(scored, CONTRADICTIONS, ["kind"])
    write(scored, Correction("wrong table", ONLY, "color", "Black"))
    assert queue(scored, CONTRADICTIONS) == []


def test_the_source_column_may_have_another_usual_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taxonomy = Taxonomy((Label("colour", "Black"), Label("colour", "Red")))
    rows = [{"id": f"p{i}", "image": "", "Color": "Black", "logits": np.array([i, 5.0 - i]) - 2.5} for i in range(6)]
    rows = [row | {"embedding": np.ones(EMBEDDING)} for row in rows]
    scored = write_catalog(tmp_path / "scored", rows, MODEL, 50, taxonomy, [pa.field("Color", pa.string())])
    assert SourceLabels.from_groups(scored, ["colour"]).columns == {"colour": "Color"}
    assert main([str(scored.folder), "--queue", "contradictions"]) == 0
    assert "compared: colour with the column 'Color'" in capsys.readouterr().err


def test_usual_confidence_is_the_mean_over_products_with_the_label(scored: Scored) -> None:
    usual = SourceLabels.from_groups(scored, ["color"]).usual_confidence(scored)
    sigmoid = 1 / (1 + np.exp(-np.array([5, 0.1, -5])))
    np.testing.assert_allclose(usual[:2], [sigmoid.mean(), 1 / (1 + np.exp(-3))], atol=1e-3)
    assert np.isinf(usual[2:]).all()


def test_new_arrivals_and_random_order(scored: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [item.product for item in queue(scored, NEW, top=2)] == ["right table", "other of the table"]
    orders = set()
    for seed in (1, 2, 1):
        monkeypatch.setattr(queues, "SEED", seed)
        orders.add(tuple(item[:2] for item in queue(scored, RANDOM, top=14)))
    assert len(orders) == 2
    assert all(len(set(order)) == 14 for order in orders)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "best"}, "unknown queue 'best'; choose among: uncertain"),
        ({"groups": ["size"]}, "unknown attribute group 'size'; the model has: color, kind"),
        ({"label": Label("color", "Blue")}, "group 'color' has no label 'Blue'; it has: Black, Red"),
        ({"top": 0}, "--top is 0"),
        ({"where": "size=3"}, "unknown column 'size'"),
    ],
)
def test_invalid_queue_settings(scored: Scored, settings: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        queue(scored, **settings)


def test_batches_have_products_near_one_threshold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {f"p{i}": ([float(z), -5.0, 5.0, -5.0], None) for i, z in enumerate(rng.uniform(-4, 4, 100))}
    scored = catalog(tmp_path / "scored", rows)
    batch = label_batches(scored)[0]
    assert batch.label == Label("color", "Black")
    logits = {id: row[0][0] for id, row in rows.items()}
    least = min(z for z in logits.values() if z > 0)
    nearest = sorted(logits, key=lambda id: abs(logits[id] - least))[:24]
    assert set(batch.products) == set(nearest)
    assert list(batch.probabilities) == sorted(batch.probabilities, reverse=True)
    assert list(batch.answered) == [p >= batch.threshold for p in batch.probabilities]
    write(scored, *(Correction(id, IS, "color", "Black") for id in batch.products))
    assert not set(label_batches(scored, label=batch.label)[0].products) & set(nearest)


def test_a_label_that_is_answered_nowhere_has_a_batch_if_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {f"p{i}": ([5.0, -5.0 + i, 5.0, -5.0], None) for i in range(5)}
    scored = catalog(tmp_path / "scored", rows)
    asked = Label("color", "Red")
    assert asked not in [batch.label for batch in label_batches(scored)]
    (batch,) = label_batches(scored, label=asked)
    assert batch.products == ("p4", "p3", "p2", "p1", "p0")
    assert "answered for no product" in batch.reason
    command = [str(scored.folder), "--queue", "batches", "--label", "color=Red"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["threshold"] is None
    write(scored, *(Correction(id, IS_NOT, "color", "Red") for id in rows))
    assert main(command) == 0
    assert capsys.readouterr().out == "nothing to review\n"


def photographs(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (64, 64), "red").save(folder / f"{name}.jpg")
    return folder


def test_a_training_folder_that_training_reads(tmp_path: Path) -> None:
    images = photographs(tmp_path / "photos", "a", "b", "c", "d")
    rows: dict = {name: ([5, -5, 5, -5], None) for name in "abcde"}
    scored = catalog(tmp_path / "scored", rows, images)
    write(
        scored,
        Correction("a", IS, "color", "Red"),
        Correction("a", IS, "color", "Black"),
        Correction("b", ONLY, "kind", "Dress"),
        Correction("b", IS_NOT, "color", "Black"),
        Correction("c", IS_NOT, "color", "Black"),
        Correction("d", NOT_A_PRODUCT),
        Correction("e", IS, "kind", "Tee"),
        Correction("gone", IS, "kind", "Tee"),
    )
    out = tmp_path / "train"
    made = write_training_folder(scored, out)
    assert (made.products, made.no_product, dict(made.annotated)) == (2, 1, {"color": 1, "kind": 1})
    with (out / "train.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"image": "a.jpg", "id": "a", "color": "Black|Red", "kind": ""},
            {"image": "b.jpg", "id": "b", "color": "", "kind": "Dress"},
        ]
    assert sorted(path.name for path in (out / "images").iterdir()) == ["a.jpg", "b.jpg"]
    assert [path.name for path in (out / "no_product").iterdir()] == ["d.jpg"]
    with (out / "left_out.csv").open(newline="") as file:
        left = list(csv.reader(file))[1:]
    assert left == [["c", "no confirmed label"], ["e", "no photograph"], ["gone", "not in the catalog"]]
    read = read_description(open_folder(out, cache=tmp_path / "cache"))
    assert sum(read["splits"].values()) == 2
    names = {group: {*read["groups"][group], *read["names_outside_train"].get(group, ())} for group in read["groups"]}
    assert names == {"color": {"Black", "Red"}, "kind": {"Dress"}}
    assert write_training_folder(scored, out).products == 2  # its own folder is replaced


def test_photographs_stored_in_a_table_become_files(tmp_path: Path) -> None:
    photograph = (photographs(tmp_path / "photos", "a") / "a.jpg").read_bytes()
    pq.write_table(pa.table({"image": pa.array([photograph] * 3, pa.binary())}), tmp_path / "t.parquet")
    answers = np.array([5, -5, 5, -5], np.float32)
    both = {"logits": answers, "embedding": np.ones(EMBEDDING), "Color": None}
    rows = [{"id": f"p{i}", "image": f"{tmp_path / 't.parquet'}#image:{i}:0", **both} for i in range(4)]
    scored = write_catalog(tmp_path / "scored", rows, MODEL, 3, LABELS, [pa.field("Color", pa.string())])
    write(scored, *(Correction(f"p{i}", IS, "color", "Red") for i in (0, 2, 3)), Correction("p1", NOT_A_PRODUCT))
    made = write_training_folder(scored, tmp_path / "train")
    assert (made.products, made.no_product, made.left_out) == (2, 1, [("p3", "no photograph")])
    files = [*(tmp_path / "train" / "images").iterdir(), *(tmp_path / "train" / "no_product").iterdir()]
    assert [file.read_bytes() for file in files] == [photograph] * 3
    read = read_description(open_folder(tmp_path / "train", cache=tmp_path / "cache"))
    assert sum(read["splits"].values()) == 2


def test_photographs_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    colors = {"x/front": "red", "y/2-front": "lime", "z/front": "blue"}
    for id, color in colors.items():
        (tmp_path / id).parent.mkdir()
        Image.new("RGB", (64, 64), color).save(tmp_path / f"{id}.jpg")
    scored = catalog(tmp_path / "scored", dict.fromkeys(colors, ([5, -5, 5, -5], None)), tmp_path)
    write(scored, *(Correction(id, IS, "color", "Red") for id in colors))
    write_training_folder(scored, tmp_path / "train")
    with (tmp_path / "train/train.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            copied = tmp_path / "train/images" / row["image"]
            assert copied.read_bytes() == (tmp_path / f"{row['id']}.jpg").read_bytes()


def test_moved_photographs_and_foreign_folders(tmp_path: Path) -> None:
    images = photographs(tmp_path / "photos", "a")
    scored = catalog(tmp_path / "scored", {"a": ([5, -5, 5, -5], None)}, images)
    with pytest.raises(DataError, match="so there is nothing to learn"):
        write_training_folder(scored, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    write(scored, Correction("a", IS, "color", "Red"))
    shutil.move(images, tmp_path / "moved")
    with pytest.raises(DataError, match="nothing to learn"):
        write_training_folder(scored, tmp_path / "none")
    assert write_training_folder(scored, tmp_path / "train", tmp_path / "moved").products == 1
    with pytest.raises(DataError, match="is a folder with files and no training folder"):
        write_training_folder(scored, tmp_path / "moved")


def card(weights: str = "ab" * 32) -> ModelCard:
    return ModelCard(
        name="fashion",
        version="1.0",
        created="2026-01-01T00:00:00+00:00",
        arch="resnet18",
        input=InputSpec(size=64),
        labels=TAXONOMY.labels,
        thresholds={"0.5": [0.5] * len(TAXONOMY), "micro-f1": [0.5] * len(TAXONOMY)},
        default_profile="micro-f1",
        files={"model.onnx": weights},
    )


@pytest.fixture
def shifted(tmp_path: Path) -> Scored:
    """A catalog whose model answers yes too seldom: true labels are drawn from logits that are 2 higher."""
    own = card()
    model = {"name": own.name, "version": own.version, "weights": own.weights_id}
    return write_catalog(tmp_path / "scored", products(600), model, profile="micro-f1")


def review(scored: Scored, count: int, shift: float = 2.0, found_by: str = RANDOM) -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((count, len(TAXONOMY))) < 1 / (1 + np.exp(-(scored.vectors("logits")[:count] + shift)))
    write(
        scored,
        *(
            Correction(f"p{row}", IS if truth[row, i] else IS_NOT, label.group, label.name)
            for row in range(count)
            for i, label in enumerate(TAXONOMY.labels)
        ),
        found_by=found_by,
    )


def test_a_refit_improves_a_model_that_answers_too_seldom(shifted: Scored) -> None:
    review(shifted, 300)
    before = shifted.vectors("probabilities")
    proposal = propose(shifted, card())
    assert proposal.gain > 0.05
    assert proposal.interval is not None
    assert 0 < proposal.interval[0] < proposal.gain < proposal.interval[1]
    assert proposal.error_after < proposal.error_before / 2
    assert proposal.added > 10 * proposal.removed
    np.testing.assert_array_equal(shifted.vectors("probabilities"), before)  # a proposal changes nothing
    answers = count_answers(shifted, 300)
    entry = apply(shifted, proposal, "bea")
    assert count_answers(shifted, 300) - answers == proposal.added - proposal.removed
    later = shifted.vectors("probabilities")[300:]
    expected = 1 / (1 + np.exp(-(shifted.vectors("logits")[300:] + 2)))
    assert np.abs(later - expected).mean() < 0.5 * np.abs(before[300:] - expected).mean()
    with pytest.raises(ChangedMeanwhile):
        apply(shifted, proposal)
    assert propose(shifted, card()).gain < 0.01  # relative to the values now in force
    assert undo_refit(shifted).undoes == entry.number
    np.testing.assert_array_equal(shifted.vectors("probabilities"), before)
    with pytest.raises(DataError, match="so there is nothing to undo"):
        undo_refit(shifted)


def count_answers(scored: Scored, first: int) -> int:
    columns = [f"attribute.{group}" for group in TAXONOMY.groups]
    rows = [row for batch in scored.batches(columns) for row in batch.to_pylist()]
    return sum(len(names) for row in rows[first:] for names in row.values())


def test_a_refit_of_a_good_model_changes_little(shifted: Scored) -> None:
    review(shifted, 300, shift=0)
    proposal = propose(shifted, card())
    assert abs(proposal.gain) < 0.01
    assert proposal.added + proposal.removed < 0.1 * proposal.answers  # 0.5 is not quite the best for micro-F1


def test_the_interval_of_macro_f1_is_of_macro_f1(tmp_path: Path) -> None:
    """Only labels that are rare here gain: much for the mean over labels, little for all answers together."""
    rows = products(600)
    rare = [3, 5, 6, 7, 8]
    for row in rows:
        row["logits"][rare] = row["logits"][rare] - 2
        row["logits"][[0, 1, 2, 4]] += 4
    own = replace(card(), thresholds={"macro-f1": [0.5] * len(TAXONOMY)}, default_profile="macro-f1")
    model = {"name": own.name, "version": own.version, "weights": own.weights_id}
    scored = write_catalog(tmp_path / "scored", rows, model, profile="macro-f1")
    review(scored, 300)
    proposal = propose(scored, own)
    assert proposal.interval is not None
    assert proposal.interval[0] < proposal.gain < proposal.interval[1]


def test_changes_do_not_count_what_shows_no_product(shifted: Scored) -> None:
    review(shifted, 300)
    assert propose(shifted, card()).added > 0
    write(shifted, *(Correction(f"p{row}", NOT_A_PRODUCT) for row in range(300, 600)))
    proposal = propose(shifted, card())
    assert (proposal.added, proposal.removed) == (0, 0)


def test_a_refit_ignores_products_selected_for_errors(shifted: Scored) -> None:
    review(shifted, 100, found_by=CONTRADICTIONS)
    with pytest.raises(DataError, match=r"^0 of the 100 corrected products"):
        propose(shifted, card())


@pytest.mark.parametrize("kind", [UNCERTAIN, NEW])
def test_thresholds_stay_if_corrected_products_are_not_representative(shifted: Scored, kind: str) -> None:
    review(shifted, 100, found_by=kind)
    proposal = propose(shifted, card())
    assert (proposal.products, proposal.representative, proposal.chosen) == (100, 0, "as before")
    assert proposal.refit.thresholds == [0.5] * len(TAXONOMY)
    assert proposal.recalibrated
    assert "which are harder than the rest" in str(proposal)


def test_representative_queues_show_cells_with_the_errors_of_the_whole_catalog(shifted: Scored) -> None:
    everything = queue(shifted, UNCERTAIN, top=10_000)
    errors = {(item.product, item.group): item.reward for item in everything}
    usual = np.mean(list(errors.values()))

    def mean(kind: str) -> float:
        return float(np.mean([errors[item.product, item.group] for item in queue(shifted, kind, top=500)]))

    assert len(errors) == len(shifted.vectors("logits")) * len(TAXONOMY.groups)
    for kind in REPRESENTATIVE:
        assert mean(kind) == pytest.approx(usual, rel=0.1)
    for kind in (UNCERTAIN, NEW):
        assert mean(kind) > 1.5 * usual


def test_too_few_corrections_another_model_and_no_thresholds(shifted: Scored, tmp_path: Path) -> None:
    review(shifted, 10)
    with pytest.raises(DataError, match=r"^\d+ of the 10 corrected products of .* a refit needs 30"):
        propose(shifted, card())
    with pytest.raises(DataError, match="give the bundle that scored it"):
        propose(shifted, card("cd" * 32))
    own = card()
    model = {"name": own.name, "version": own.version, "weights": own.weights_id}
    other = write_catalog(tmp_path / "other", products(40), model, profile="top-k")
    with pytest.raises(SettingError, match="the profile 'top-k', which has no thresholds to fit"):
        propose(other, card())


def test_the_command(shifted: Scored, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def says(*flags: str) -> str:
        assert main([str(shifted.folder), *flags]) == 0
        return capsys.readouterr().out

    assert "no corrections yet" in says()
    card().save(tmp_path / "bundle")
    review(shifted, 60)
    assert "60 products corrected; entries: ana 540" in says()
    first = json.loads(says("--json").splitlines()[0])
    assert (first["number"], first["who"], first["holds"]) == (1, "ana", True)
    assert len(says("--queue", "uncertain", "--group", "color", "--top", "5").splitlines()) == 5
    assert json.loads(says("--queue", "new", "--top", "1", "--json"))["product"] == "p599"
    assert says("--queue", "batches", "--label", "color=Black").startswith("color: Black ")
    proposal = says("--refit", "--bundle", str(tmp_path / "bundle"))
    assert "after (out of fold)" in proposal
    assert "95 % interval" in proposal
    assert proposal.endswith("nothing was changed; --apply applies it to this catalog\n")
    assert "applied, as entry 541" in says("--refit", "--bundle", str(tmp_path / "bundle"), "--apply", "--who", "bea")
    assert says("--undo") == "undone, by entry 542\n"
    assert says("--undo", "1") == "undone, by entry 543\n"
    assert "(undone)" in says().splitlines()[1]
    assert "gain" in json.loads(says("--refit", "--bundle", str(tmp_path / "bundle"), "--apply", "--json"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--refit"], "--refit needs --bundle"),
        (["--apply"], "--apply needs --refit"),
        (["--queue", "new", "--who", "ana"], "--who needs --apply or --undo"),
        (["--undo", "x"], "--undo takes the number of an entry, not 'x'"),
        (["--undo", "7"], "has no entry 7"),
        (["--undo", "7", "--queue", "new"], "--undo cannot be combined with"),
        (["--photographs", "x"], "--photographs needs --out"),
        (["--out", "x", "--where", "color=Red"], "--where needs --queue"),
        (["--group", "color"], "--group needs --queue"),
        (["--label", "color=Red"], "--label needs --queue"),
        (["--top", "5"], "--top needs --queue"),
        (["--bundle", "x"], "--bundle needs --refit"),
        (["--out", "x", "--json"], "--json cannot be combined with --out or --undo"),
        (["--queue", "batches", "--top", "0"], "--top is 0; it must be 1 or more"),
        (["--queue", "new", "--label", "Black"], "--label 'Black' is not GROUP=LABEL"),
    ],
)
def test_flags_that_cannot_be_used(
    scored: Scored, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(scored.folder), *flags])
    assert message in capsys.readouterr().err


def test_a_catalog_scored_by_another_model_is_listed_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scored = catalog(tmp_path / "scored", {"a": ([5, -5, 5, -5], None)})
    write(scored, Correction("a", IS, "color", "Red"), Correction("gone", IS, "kind", "Tee"))
    fewer = Taxonomy(LABELS.labels[:1])
    row = {"id": "a", "image": "", "Color": None, "logits": np.ones(1), "embedding": np.ones(EMBEDDING)}
    other = write_catalog(tmp_path / "other", [row], OTHER_MODEL, 3, fewer, [pa.field("Color", pa.string())])
    shutil.copy(scored.folder / "corrections.sqlite", other.folder)
    main([str(other.folder)])
    said = capsys.readouterr().out
    assert "ignored, because the model does not have these labels: color Red (1), kind Tee (1)" in said
    assert "1 of the products are not in the catalog any more, such as 'gone'" in said
