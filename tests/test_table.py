"""The scored catalog on disk: reading back what was written, and refusing mismatched parts."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scored_catalog import write_catalog

from catalog.filters.filtering import RowFilter
from catalog.scored.columns import vector_column, vector_rows
from catalog.scored.score_manifest import MANIFEST_FILE, Manifest, Origin
from catalog.scored.table import Scored, table_schema
from catalog.scoring.parts import PartWriter
from fashion.errors import DataError
from fashion.taxonomy import Label

LABELS = (Label("color", "Black"), Label("category", "Dresses"), Label("color", "Écru"))
MODEL = {"name": "fashion", "version": "1.0", "weights": "sha256:" + "ab" * 32}
ORIGIN = Origin(MODEL, "/photographs", "micro-f1")
COLUMNS = [pa.field("price", pa.float64())]
EMBEDDING = 4


def rows(start: int, count: int) -> pa.Table:
    """Products numbered from `start`, whose vectors hold their number."""
    numbers = np.arange(start, start + count, dtype=np.float32)
    columns = {
        "id": [f"p{number:.0f}" for number in numbers],
        "image": [""] * count,
        "price": numbers + 0.5,
        "probabilities": vector_column(np.repeat(numbers[:, None] / 100, 3, axis=1)),
        "logits": vector_column(np.repeat(-numbers[:, None], 3, axis=1)),
        "attribute.color": [["Écru"] if number % 2 else [] for number in numbers],
        "attribute.category": [["Dresses"]] * count,
        "embedding": vector_column(np.repeat(numbers[:, None], EMBEDDING, axis=1)),
    }
    return pa.table(columns, schema=schema())


def schema() -> pa.Schema:
    return table_schema(["color", "category"], len(LABELS), EMBEDDING, COLUMNS)


def write(folder: Path, *counts: int, origin: Origin = ORIGIN) -> Manifest:
    """A scored catalog with a part for each count."""
    writer = PartWriter(folder, origin, schema())
    for count in counts:
        writer.write(rows(sum(writer.parts.values()), count))
    return writer.finish(LABELS, EMBEDDING, ["price"], {"broken image": 2})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "scored", 5, 3)
    return tmp_path / "scored"


def test_written_rows_are_read_back(folder: Path) -> None:
    scored = Scored.open(folder)
    assert (scored.rows, scored.manifest.groups, scored.manifest.labels) == (8, ("color", "category"), LABELS)
    assert scored.manifest.left_out == {"broken image": 2}
    assert scored.schema == schema()
    table = pa.Table.from_batches(scored.batches())
    assert table.equals(rows(0, 8))
    assert [len(batch) for batch in scored.batches(["id"], rows=2)] == [2, 2, 1, 2, 1]
    for name, value in (("embedding", 1.0), ("probabilities", 0.01), ("logits", -1.0)):
        vectors = scored.vectors(name)  # type: ignore[arg-type]
        assert vectors.dtype == np.float32
        expected = np.repeat(np.arange(8)[:, None] * value, EMBEDDING if name == "embedding" else 3, axis=1)
        np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_a_slice_of_vectors_is_that_slice() -> None:
    numbers = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(vector_rows(vector_column(numbers)[1:3]), numbers[1:3])


def test_a_sample_has_the_rows_asked_for_even_from_many_small_parts(tmp_path: Path) -> None:
    write(tmp_path, *[400] * 8, *[3] * 100)
    scored = Scored.open(tmp_path)
    for count in (1, 20, 2000, 3400):
        drawn = scored.sample(["id", "price"], count)
        assert len(set(drawn["id"].to_pylist())) == count
    prices = np.sort(scored.sample(["price"], 2000)["price"].to_numpy())
    assert np.diff(prices).max() < 3500 / 15  # none of 15 equal stretches of the catalog is left out
    assert len(scored.sample(["id"], 5000)) == 3500


def test_the_manifest_lists_rows_and_groups(folder: Path) -> None:
    content = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    assert (content["rows"], content["groups"], content["schema"]) == (8, ["color", "category"], 1)
    assert content["labels"][2] == {"group": "color", "name": "Écru"}


def test_existing_parts_are_kept_and_new_ones_added(folder: Path) -> None:
    writer = PartWriter(folder, ORIGIN, schema())
    assert list(writer.parts.values()) == [5, 3]
    writer.write(rows(8, 1))
    assert Scored.open(folder).rows == 8  # before it is finished
    assert writer.finish(LABELS, EMBEDDING, ["price"], {}).rows == 9
    assert Scored.open(folder).vectors("embedding")[:, 0].tolist() == list(range(9))


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        (Origin(MODEL | {"weights": "sha256:" + "cd" * 32}, "/photographs", "micro-f1"), "scored by fashion 1.0 (abab"),
        (Origin(MODEL, "/others", "micro-f1"), "source '/photographs', not '/others'"),
        (Origin(MODEL, "/photographs", "0.5"), "profile 'micro-f1', not '0.5'"),
    ],
)
def test_another_model_source_or_profile_is_refused(folder: Path, origin: Origin, message: str) -> None:
    with pytest.raises(DataError) as caught:
        PartWriter(folder, origin, schema())
    assert message in str(caught.value)
    assert "--out" in str(caught.value)


def test_other_columns_are_refused(folder: Path) -> None:
    other = table_schema(["color", "category"], 3, EMBEDDING, [pa.field("price", pa.string())])
    with pytest.raises(DataError, match=r"have changed since .* \(price\)"):
        PartWriter(folder, ORIGIN, other)


def test_a_reserved_column_name_is_refused() -> None:
    for name in ("embedding", "attribute.color", "id"):
        with pytest.raises(DataError, match=f"source column '{name}'"):
            table_schema(["color"], 3, EMBEDDING, [pa.field(name, pa.string())])


def test_an_unknown_column_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="no column 'brand'; its columns: id, image, price"):
        next(Scored.open(folder).batches(["brand"]))


def mixed(folder: Path) -> None:
    other = Origin(MODEL | {"weights": "sha256:" + "cd" * 32}, "/photographs", "micro-f1")
    write(folder.with_name("other"), 5, origin=other)
    shutil.copy(folder.with_name("other") / "part-00000.parquet", folder)


def truncated(folder: Path) -> None:
    path = folder / "part-00001.parquet"
    path.write_bytes(path.read_bytes()[:-30])


def foreign(folder: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), folder / "part-00001.parquet")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: (folder / MANIFEST_FILE).unlink(),
            "is not complete; run the same python -m catalog.score again",
        ),
        (shutil.rmtree, "is not a scored catalog: it has no score.json"),
        (lambda folder: (folder / "part-00001.parquet").unlink(), "part-00001.parquet is missing; score again"),
        (truncated, "part-00001.parquet is not a Parquet file, or broken"),
        (foreign, "part-00001.parquet was not written by"),
        (lambda folder: shutil.copy(folder / "part-00000.parquet", folder / "part-00001.parquet"), "5 rows, .* says 3"),
        (mixed, "was scored by fashion 1.0 .cdcd.*the rest of the catalog by fashion 1.0 .abab"),
        (lambda folder: (folder / MANIFEST_FILE).write_text("{"), "cannot be read as JSON"),
        (lambda folder: (folder / MANIFEST_FILE).write_text("[]"), "has schema list; this version"),
        (lambda folder: (folder / MANIFEST_FILE).write_text('{"schema": 1}'), "is not a manifest .*'groups'"),
    ],
)
def test_a_damaged_folder_is_one_clear_error(folder: Path, damage, message: str) -> None:
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        Scored.open(folder)
    assert "\n" not in str(caught.value)


def test_short_floats_are_read_as_they_were_written(tmp_path: Path) -> None:
    prices = [19.99, 49.9, None, float("nan"), 1e-7, 16777216.0]
    rows = [
        {"id": str(i), "image": "", "price": price, "half": price, "logits": np.zeros(9), "embedding": np.ones(4)}
        for i, price in enumerate(prices)
    ]
    fields = [pa.field("price", pa.float32()), pa.field("half", pa.float16())]
    scored = write_catalog(tmp_path, rows, columns=fields)
    (batch,) = scored.batches()
    assert batch.schema == scored.schema
    found = batch.column("price").to_pylist()
    assert found[:3] + found[4:] == prices[:3] + prices[4:]
    assert np.isnan(found[3])
    assert batch.column("half").to_pylist()[:3] == [19.98, 49.9, None]
    assert scored.rows_of(["1"], ["price"]).to_pylist() == [{"price": 49.9}]
    assert RowFilter("price=49.9 or price<=19.99", scored).keeps(batch).tolist() == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
