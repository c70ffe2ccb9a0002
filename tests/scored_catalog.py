"""A small scored catalog of synthetic products in known clusters."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catalog.scored.columns import vector_column
from catalog.scored.score_manifest import Origin
from catalog.scored.table import Scored, table_schema
from catalog.scoring.parts import PartWriter
from fashion.prediction import sigmoid
from fashion.taxonomy import Label, Taxonomy

TAXONOMY = Taxonomy(
    (
        Label("category", "Dresses"),
        Label("color", "Black"),
        Label("category", "Hosiery, Stockings, Tights"),
        Label("color", "Navy Blue"),
        Label("gender", "Women"),
        Label("color", "Écru"),
        Label("gender", "Men"),
        Label("category", "Jeans"),
        Label("sleeve", "Sleeveless"),
    )
)
MODEL = {"name": "fashion", "version": "1.0", "weights": "sha256:" + "ab" * 32}
OTHER_MODEL = MODEL | {"weights": "sha256:" + "cd" * 32}
EMBEDDING = 16
COLUMNS = [
    pa.field("price", pa.float64()),
    pa.field("brand", pa.string()),
    pa.field("stock", pa.int64()),
    pa.field("added", pa.date32()),
    pa.field("sale", pa.bool_()),
    pa.field("tags", pa.list_(pa.string())),
    pa.field("color", pa.string()),  # shadowed by the group, available as source.color
    pa.field('odd "name", of it', pa.string()),
    pa.field("photo", pa.binary()),  # not a type that filters support
]
# qdrant-client's local mode warns that both have no effect there
LOCAL_MODE = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]
BRANDS = ("Acme", "Levi's", "Marks & Spencer, London", "", None)


def products(count: int, seed: int = 0, clusters: int = 6) -> list[dict[str, Any]]:
    """Products in clusters: each has a category, a color and a gender; embeddings and logits are near the cluster's."""
    rng = np.random.default_rng(seed)
    centers = np.abs(rng.normal(size=(clusters, EMBEDDING)))
    signs = np.where(rng.random((clusters, len(TAXONOMY))) < 0.4, 2.0, -3.0)
    return [_product(i, centers[i % clusters], signs[i % clusters], rng) for i in range(count)]


def _product(number: int, center: np.ndarray, sign: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    logits = sign + rng.normal(0, 1.5, len(TAXONOMY))
    return {
        "id": f"p{number}",
        "image": f"/photographs/{number}.jpg",
        "price": None if number % 9 == 8 else round(float(rng.uniform(5, 95)), 2),
        "brand": BRANDS[int(rng.integers(len(BRANDS)))],
        "stock": int(rng.integers(0, 3)),
        "added": date(2026, 1, 1) + timedelta(days=int(rng.integers(0, 100))),
        "sale": bool(rng.random() < 0.3),
        "tags": [None, [], ["new"], ["new", "summer sale"]][int(rng.integers(4))],
        "color": ["Black", "pink"][number % 2],
        'odd "name", of it': "x" if number % 3 else None,
        "photo": b"\x00",
        "logits": logits,
        "embedding": np.abs(center + rng.normal(0, 0.4, EMBEDDING)),
    }


def write_catalog(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    model: dict[str, str] = MODEL,
    part: int = 50,
    taxonomy: Taxonomy = TAXONOMY,
    columns: Sequence[pa.Field] = COLUMNS,
    profile: str = "0.5",
) -> Scored:
    """Write products as `python -m catalog.score` would, in parts of `part` rows, and open the catalog."""
    embedding = len(rows[0]["embedding"]) if rows else EMBEDDING
    schema = table_schema(taxonomy.groups, len(taxonomy), embedding, columns)
    writer = PartWriter(folder, Origin(model, "/photographs", profile), schema)
    for start in range(0, len(rows), part):
        writer.write(_table(rows[start : start + part], schema, taxonomy))
    writer.finish(taxonomy.labels, embedding, [field.name for field in columns], {})
    return Scored.open(folder)


def _table(rows: Sequence[dict[str, Any]], schema: pa.Schema, taxonomy: Taxonomy) -> pa.Table:
    logits = np.stack([row["logits"] for row in rows])
    columns: dict[str, Any] = {
        name: [row[name] for row in rows]
        for name in schema.names
        if name in rows[0] and name not in ("logits", "embedding")
    }
    columns["probabilities"] = vector_column(sigmoid(logits))
    columns["logits"] = vector_column(logits)
    columns["embedding"] = vector_column(np.stack([row["embedding"] for row in rows]))
    for group in taxonomy.groups:
        indices = taxonomy.indices(group)
        columns[f"attribute.{group}"] = [
            [taxonomy.labels[i].name for i in indices if row["logits"][i] > 0] for row in rows
        ]
    return pa.table(columns, schema=schema)
