"""Corrections overlaid on a scored catalog: filters, trends, comparisons and exports see them."""

import hashlib
import shutil
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import MODEL, OTHER_MODEL, TAXONOMY, products, write_catalog

from catalog import open_index
from catalog.analysis.growth import trends
from catalog.analysis.portfolios import compare
from catalog.engines.location import store_at
from catalog.filters.filtering import RowFilter
from catalog.index import build
from catalog.scored.columns import gate_columns, vector_column
from catalog.scored.correction_store import IS, IS_NOT, NOT_A_PRODUCT, ONLY, REFITS, Correction, CorrectionStore
from catalog.scored.refit import Refit
from catalog.scored.score_manifest import Origin
from catalog.scored.table import Scored, table_schema
from catalog.scoring.parts import PartWriter
from catalog.similar.following import follow_corrections
from fashion.calibration import calibrated
from fashion.gates import Gates
from fashion.taxonomy import Label

BLACK = TAXONOMY.index[Label("color", "Black")]


@pytest.fixture
def scored(tmp_path: Path) -> Scored:
    return write_catalog(tmp_path / "scored", products(120), part=50)


def correct(scored: Scored, *corrections: Correction) -> None:
    store = CorrectionStore(scored.folder)
    store.write(corrections, store.states(c.product for c in corrections), "ana")


def cell(scored: Scored, product: str, column: str) -> object:
    (value,) = scored.rows_of([product], [column]).column(column).to_pylist()
    return value


def kept(scored: Scored, where: str) -> set[str]:
    wanted = RowFilter(where, scored)
    batches = scored.batches(list(dict.fromkeys(["id", *wanted.needed])))
    return {
        id for batch in batches for id, keeps in zip(batch["id"].to_pylist(), wanted.keeps(batch), strict=True) if keeps
    }


def hashes(scored: Scored) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(scored.folder.glob("part-*"))]


def test_a_corrected_cell_is_1_or_0_and_answered_accordingly(scored: Scored) -> None:
    before, untouched = hashes(scored), scored.vectors("logits")
    wrong = next(id for id in ("p3", "p4", "p5", "p6", "p7") if "Black" not in cell(scored, id, "attribute.color"))
    others = cell(scored, wrong, "attribute.color")
    correct(scored, Correction(wrong, IS, "color", "Black"), Correction(wrong, IS_NOT, "gender", "Men"))
    assert cell(scored, wrong, "attribute.color") == ["Black", *others]
    assert "Men" not in cell(scored, wrong, "attribute.gender")
    row = scored.vectors("probabilities")[int(wrong[1:])]
    assert (row[BLACK], row[TAXONOMY.index[Label("gender", "Men")]]) == (1, 0)
    assert ((row > 0) & (row < 1)).sum() == len(TAXONOMY) - 2
    assert hashes(scored) == before
    np.testing.assert_array_equal(scored.vectors("logits"), untouched)


def test_only_denies_the_other_labels_of_the_group(scored: Scored) -> None:
    correct(scored, Correction("p1", ONLY, "color", "Écru"), Correction("p2", ONLY, "color"))
    assert cell(scored, "p1", "attribute.color") == ["Écru"]
    assert cell(scored, "p2", "attribute.color") == []
    probabilities = scored.vectors("probabilities")[1][TAXONOMY.indices("color")]
    assert sorted(probabilities) == [0, 0, 1]


def test_later_corrections_win_and_an_undo_restores_the_former(scored: Scored) -> None:
    before = cell(scored, "p1", "attribute.color")
    correct(scored, Correction("p1", ONLY, "color", "Écru"))
    correct(scored, Correction("p1", IS, "color", "Black"), Correction("p1", IS_NOT, "color", "Écru"))
    assert cell(scored, "p1", "attribute.color") == ["Black"]
    store = CorrectionStore(scored.folder)
    store.undo([2, 3], store.states(["p1"]))
    assert cell(scored, "p1", "attribute.color") == ["Écru"]
    store.undo([1], store.states(["p1"]))
    assert cell(scored, "p1", "attribute.color") == before


def test_a_product_marked_as_none_has_no_answers(scored: Scored) -> None:
    correct(scored, Correction("p1", IS, "color", "Black"), Correction("p1", NOT_A_PRODUCT))
    assert not scored.vectors("probabilities")[1].any()
    assert all(cell(scored, "p1", f"attribute.{group}") == [] for group in TAXONOMY.groups)


def test_a_label_confirmed_later_says_that_there_is_a_product(scored: Scored) -> None:
    correct(scored, Correction("p1", NOT_A_PRODUCT), Correction("p1", IS_NOT, "gender", "Men"))
    assert not scored.vectors("probabilities")[1].any()
    correct(scored, Correction("p1", IS, "color", "Black"))
    assert "Black" in cell(scored, "p1", "attribute.color")  # type: ignore[operator]
    assert scored.vectors("probabilities")[1][TAXONOMY.index[Label("color", "Black")]] == 1


def test_filters_see_corrections_at_once(scored: Scored) -> None:
    black = kept(scored, "color=Black")
    added, gone = "p3" if "p3" not in black else "p4", sorted(black)[0]
    correct(scored, Correction(added, IS, "color", "Black"), Correction(gone, IS_NOT, "color", "Black"))
    assert kept(scored, "color=Black") == black - {gone} | {added}
    assert kept(Scored.open(scored.folder), "color=Black") == black - {gone} | {added}


def test_trends_and_comparisons_see_corrections(scored: Scored) -> None:
    every = [f"p{i}" for i in range(120)]
    correct(scored, *(Correction(id, ONLY, "color", "Black") for id in every))
    found = {label.name: label.share for label in trends(scored, groups=["color"]).labels}
    assert found == {"Black": 1, "Navy Blue": 0, "Écru": 0}
    compared = compare(scored, split=("sale = true", "sale = false"), groups=["color"], combine=[])
    assert {row.names[0]: row.shares for row in compared.rows}["Black"] == (1, 1)


def test_corrections_hold_wherever_columns_are_read_from(scored: Scored) -> None:
    correct(scored, Correction("p119", ONLY, "color", "Écru"))
    whole = list(scored.batches())
    assert whole[-1]["attribute.color"].to_pylist()[-1] == ["Écru"]
    assert whole[0].schema.equals(scored.schema)
    (some,) = scored.rows_of(["p119", "nobody"], ["attribute.color", "id"]).to_pylist()
    assert some == {"attribute.color": ["Écru"], "id": "p119"}
    assert scored.rows_of(["p119"], ["attribute.color", "id"], corrected=False).column_names == [
        "attribute.color",
        "id",
    ]
    assert scored.rows_of([], ["id"]).num_rows == 0
    assert scored.sample(["id", "attribute.color"], 500).to_pylist()[-1]["attribute.color"] == ["Écru"]


def refit(model: dict[str, str] = MODEL, threshold: float = 0.5) -> Refit:
    calibration = {"color": {"method": "platt", "scale": 0.5, "offset": -1.0}}
    no_gates = {"applies": [], "product": False}
    return Refit(model["weights"], "0.5", calibration, [threshold] * len(TAXONOMY), no_gates, {})


def test_a_refit_changes_all_answers_until_it_is_undone(scored: Scored) -> None:
    before = scored.vectors("probabilities")
    store = CorrectionStore(scored.folder)
    correct(scored, Correction("p1", ONLY, "color", "Écru"))
    entry = store.write_refit(refit(threshold=0.6).to_json(), 0, "ana")
    expected = calibrated(scored.vectors("logits"), TAXONOMY, refit().calibration)
    found = scored.vectors("probabilities")
    rows = [i for i in range(120) if i != 1]
    np.testing.assert_allclose(found[rows], expected[rows], atol=1e-3)
    for product in ("p2", "p77"):
        names = [label.name for label, p in zip(TAXONOMY.labels, expected[int(product[1:])], strict=True) if p >= 0.6]
        assert {n for g in TAXONOMY.groups for n in cell(scored, product, f"attribute.{g}")} == set(names)
    assert cell(scored, "p1", "attribute.color") == ["Écru"]
    store.undo([entry.number], store.states([REFITS]))
    np.testing.assert_array_equal(scored.vectors("probabilities")[rows], before[rows])


def test_a_refit_of_another_model_changes_nothing(scored: Scored) -> None:
    before = scored.vectors("probabilities")
    CorrectionStore(scored.folder).write_refit(refit(OTHER_MODEL).to_json(), 0)
    np.testing.assert_array_equal(scored.vectors("probabilities"), before)


def test_corrections_of_removed_labels_are_ignored(scored: Scored, tmp_path: Path) -> None:
    correct(scored, Correction("p1", ONLY, "color", "Écru"), Correction("p1", IS, "gender", "Men"))
    fewer = type(TAXONOMY)(tuple(label for label in TAXONOMY.labels if label.name != "Écru"))
    rows = [row | {"logits": row["logits"][:-1]} for row in products(10)]
    other = write_catalog(tmp_path / "other", rows, taxonomy=fewer)
    (other.folder / "corrections.sqlite").write_bytes((scored.folder / "corrections.sqlite").read_bytes())
    overlay = other.overlay()
    assert overlay is not None
    assert overlay.known["p1"].left_out == [Label("color", "Écru")]
    assert "Men" in cell(other, "p1", "attribute.gender")


def test_gates_follow_corrections(tmp_path: Path) -> None:
    gates = Gates(("color", "sleeve"), product=True)
    schema = table_schema(TAXONOMY.groups, len(TAXONOMY), 2, [], gates)
    writer = PartWriter(tmp_path, Origin(MODEL, "/photographs", "0.5"), schema)
    flat = np.full((4, len(TAXONOMY)), 0.1)
    columns = {"id": list("abcd"), "image": [""] * 4, "embedding": vector_column(np.ones((4, 2)))}
    columns |= {name: vector_column(flat) for name in ("probabilities", "logits")}
    columns |= {f"attribute.{group}": [[]] * 4 for group in TAXONOMY.groups}
    columns |= {name: [0.25] * 4 for name in gate_columns(gates)}
    writer.write(pa.table({name: columns[name] for name in schema.names}, schema=schema))
    writer.finish(TAXONOMY.labels, 2, [], {})
    scored = Scored.open(tmp_path)
    correct(
        scored,
        Correction("a", IS, "color", "Black"),
        Correction("b", ONLY, "color"),
        Correction("c", NOT_A_PRODUCT),
    )
    found = scored.rows_of("abcd", gate_columns(gates)).to_pydict()
    assert found["applies.color"] == [1, 0, 0.25, 0.25]
    assert found["applies.sleeve"] == [0.25] * 4
    assert found["product.probability"] == [1, 0.25, 0, 0.25]


@pytest.mark.parametrize("engine", ["folder", "postgres"])
def test_an_index_follows_corrections(scored: Scored, engine: str, request: pytest.FixtureRequest) -> None:
    place = str(scored.folder / "index")
    if engine == "postgres":
        place = urlsplit(request.getfixturevalue("postgres"))._replace(path=f"/postgres/t{uuid4().hex}").geturl()
    build(scored, store_at(place))
    correct(scored, Correction("p7", ONLY, "color", "Écru"), Correction("p8", ONLY, "color", "Black"))
    with open_index(place) as index:
        assert index.product("p7").attributes["color"] == ["Écru"]
        found = {match.product.id for match in index.search(where="color='Écru'", limit=200)}
        assert found == kept(scored, "color='Écru'")
        assert follow_corrections(index) == 0
        store = CorrectionStore(scored.folder)
        store.undo([1], store.states(["p7"]))
        assert follow_corrections(index) == 1
        assert index.product("p7").attributes["color"] == cell(scored, "p7", "attribute.color")
    store.write_refit(refit(threshold=0.6).to_json(), 0)
    with open_index(place) as index:
        for product in ("p2", "p8", "p77"):
            assert index.product(product).attributes["color"] == cell(scored, product, "attribute.color")
    assert build(scored, store_at(place)).written == 0


def test_an_index_that_others_read_follows_corrections_later(
    scored: Scored, capsys: pytest.CaptureFixture[str]
) -> None:
    place = scored.folder / "index"
    build(scored, store_at(place))
    with open_index(place):
        correct(scored, Correction("p7", ONLY, "color", "Écru"))
        with open_index(place) as index:
            assert index.product("p7").attributes["color"] != ["Écru"]
        assert "note   the latest corrections are not in the index yet: " in capsys.readouterr().err
    with open_index(place) as index:
        assert index.product("p7").attributes["color"] == ["Écru"]
    assert not capsys.readouterr().err


def test_a_copied_catalog_has_corrections_of_its_own(scored: Scored, tmp_path: Path) -> None:
    build(scored, store_at(scored.folder / "index"))
    correct(scored, Correction("p7", ONLY, "color", "Écru"))
    copy = tmp_path / "copy"
    shutil.copytree(scored.folder, copy)
    correct(Scored.open(copy), Correction("p8", ONLY, "color", "Écru"))
    correct(scored, Correction("p8", ONLY, "color", "Black"))
    with open_index(copy / "index") as index:
        assert [index.product(id).attributes["color"] for id in ("p7", "p8")] == [["Écru"], ["Écru"]]
    shutil.move(copy / "index", tmp_path / "alone")
    with open_index(tmp_path / "alone") as index:  # its catalog is where it was when it was indexed
        assert follow_corrections(index) == 0
        correct(scored, Correction("p9", ONLY, "color", "Écru"))
        assert follow_corrections(index) == 1
