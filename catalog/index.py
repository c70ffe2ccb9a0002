"""Put a scored catalog into a vector engine, in which similar products are found.

From the command line:  python -m catalog.index FOLDER [--out INDEX]

The first run indexes everything; the next ones add what is new, replace what changed and delete what is gone. A run
that was cut off, by kill -9 too, is completed by the next.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from catalog.engines.location import is_server, store_at
from catalog.engines.store import BATCH, InUse, Point, Store, Tuning
from catalog.filters.columns import (
    ATTRIBUTE,
    HASH,
    ID,
    IMAGE,
    PHOTOGRAPH,
    PHOTOGRAPH_COLUMN,
    SOURCE,
    payload_value,
    photograph_id,
    point_id,
)
from catalog.filters.filtering import columns_of, kinds
from catalog.scored.table import ATTRIBUTE as ATTRIBUTE_COLUMN
from catalog.scored.table import (
    EMBEDDING,
    PHOTOGRAPHS,
    PROBABILITIES,
    VIEWS,
    Scored,
    describe_model,
    vector_rows,
    views_of,
)
from catalog.similar.manifest import IndexManifest
from catalog.similar.projection import AMONG, NEAREST, Projection, fit
from catalog.similar.spaces import ScaleMeter, point, scores
from fashion.errors import DataError, SettingError, one_line_errors

LARGE = 20_000  # products from which on graphs are built, unless somebody asks for something else
IN_MEMORY = 8e9  # bytes of whole products, above which searches leave them on disk
SAMPLE = 20_000  # products on which a projection is fitted
LAYOUT = 3  # of payloads and vectors: another number writes every product again
INDEX_FOLDER = "index"  # within the scored catalog, where --out names no other
COLLECTION = "fashion"


@dataclass(frozen=True)
class Changes:
    """What a run did.

    Attributes:
        written, deleted, unchanged: numbers of products.
        projection: what the graph leads through; None where every search compares with all products.
    """

    written: int
    deleted: int
    unchanged: int
    projection: Projection | None = field(default=None, compare=False, repr=False)


def build(scored: Scored, store: Store, tuning: Tuning | None = None, anew: bool = False) -> Changes:
    """Make an index hold exactly what a scored catalog holds.

    Args:
        scored: the catalog.
        store: where the index is, or will be.
        tuning: how it is built; None leaves it as somebody asked for it before, or to the number of products.
        anew: delete what is there instead of changing it.

    Raises:
        DataError: the index holds products of another model, cannot be opened, or another process has it open.
    """
    before = None if anew else _before(scored, store)
    if tuning is None:
        tuning = before.tuning if before and before.tuning.asked else Tuning(graphs=scored.rows >= LARGE)
    try:
        if before and before.tuning == tuning and _opens(store, before):
            plan = _plan(scored, before.tuning, before.projection)
            store.write_manifest(plan.to_json())
        else:
            size = scored.manifest.embedding + len(scored.manifest.labels)
            tuning = replace(tuning, on_disk=scored.rows * size * np.float16().nbytes > IN_MEMORY)
            plan = _plan(scored, tuning, _projection(scored) if tuning.graphs else None)
            coarse = plan.projection.size(plan.embedding) if plan.projection else 0
            store.create(size, coarse, tuning, plan.to_json())
        store.index_columns([*plan.columns.columns, *([PHOTOGRAPH_COLUMN] if VIEWS in scored.schema.names else [])])
        changes, done = _update(scored, store, plan)
        store.finish()
        store.write_manifest(replace(done, complete=True).to_json())
    finally:
        store.close()
    return changes


def _before(scored: Scored, store: Store) -> IndexManifest | None:
    """What the index was, if there is one and it may be changed."""
    content = store.read_manifest()
    if content is None:
        return None
    before = IndexManifest.from_json(content, store.place)
    if before.model["weights"] != scored.manifest.model["weights"]:
        raise DataError(
            f"the index {store.place} holds products scored by {describe_model(before.model)}, {scored.folder} was "
            f"scored by {describe_model(scored.manifest.model)}; vectors of two models cannot be compared: index into "
            "another place, or give --replace to delete what is there"
        )
    return before


def _opens(store: Store, before: IndexManifest) -> bool:
    """Whether the engine opens what is there; what was cut off may be too broken for that, and is written anew."""
    try:
        store.open()
    except InUse:
        raise
    except DataError:
        if before.complete:
            raise
        return False
    return True


def _projection(scored: Scored) -> Projection:
    """What the graph leads through, fitted on products drawn from all parts of the catalog."""
    drawn = scored.sample([EMBEDDING, PROBABILITIES], SAMPLE)
    embeddings = vector_rows(drawn.column(EMBEDDING).combine_chunks()).astype(np.float32)
    taxonomy = scored.manifest.taxonomy
    return fit(embeddings, scores(vector_rows(drawn.column(PROBABILITIES).combine_chunks()), taxonomy), taxonomy)


def _plan(scored: Scored, tuning: Tuning, projection: Projection | None) -> IndexManifest:
    own = scored.manifest
    return IndexManifest(
        model=own.model,
        labels=own.labels,
        profile=own.profile,
        embedding=own.embedding,
        columns=columns_of(scored),
        scales=ScaleMeter(own.taxonomy, own.embedding).scales(),
        tuning=tuning,
        projection=projection,
        catalog=str(scored.folder.absolute()),
        rows=0,
        complete=False,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _update(scored: Scored, store: Store, plan: IndexManifest) -> tuple[Changes, IndexManifest]:
    """Write what is new or changed, delete what is gone; of changes products are counted, not their photographs."""
    known = {
        record.id: (record.payload.get(HASH), PHOTOGRAPH in record.payload)
        for record in store.scroll(payload=[HASH, PHOTOGRAPH])
    }
    meter = ScaleMeter(plan.taxonomy, plan.embedding)
    written = unchanged = photographs = 0
    pending: list[Point] = []
    bar = tqdm(total=scored.rows, unit="product", desc="indexing", disable=None)
    for row in _rows(scored, plan, meter):
        number = row.payload.get(PHOTOGRAPH)
        product = number is None
        id = point_id(row.payload[ID]) if number is None else photograph_id(row.payload[ID], number)
        photographs += not product
        bar.update(product)
        if known.pop(id, (None, False))[0] == row.payload[HASH]:
            unchanged += product
            continue
        pending.append(Point(id, row.vector, row.coarse, row.payload))
        written += product
        if len(pending) == BATCH:
            store.upsert(pending)
            pending = []
    if pending:
        store.upsert(pending)
    bar.close()
    gone = list(known)
    for start in range(0, len(gone), BATCH):
        store.delete(gone[start : start + BATCH])
    deleted = sum(not photograph for _, photograph in known.values())
    done = replace(plan, scales=meter.scales(), rows=scored.rows, photographs=photographs)
    return Changes(written, deleted, unchanged, plan.projection), done


class _Row(NamedTuple):
    payload: dict[str, Any]
    vector: np.ndarray
    coarse: np.ndarray | None


def _rows(scored: Scored, plan: IndexManifest, meter: ScaleMeter) -> Iterator[_Row]:
    groups = {column.place[1]: f"{ATTRIBUTE_COLUMN}{column.name}" for column in plan.columns.groups}
    own = {column.place[1]: column.name for column in plan.columns.source}
    if not scored.rows:
        return
    several = [PHOTOGRAPHS, VIEWS] if VIEWS in scored.schema.names else []
    for batch in scored.batches([ID, IMAGE, *groups.values(), *own.values(), EMBEDDING, PROBABILITIES, *several]):
        embeddings = vector_rows(batch.column(EMBEDDING)).astype(np.float32)
        attributes = scores(vector_rows(batch.column(PROBABILITIES)), plan.taxonomy)
        meter.add(embeddings, attributes)
        vectors = point(embeddings, attributes)
        coarse = plan.projection.points(vectors) if plan.projection else [None] * len(batch)
        cells = {name: batch.column(name).to_pylist() for name in (ID, IMAGE, *groups.values(), *own.values())}
        for i in range(len(batch)):
            values = {key: payload_value(cells[name][i]) for key, name in own.items()}
            payload = {
                ID: cells[ID][i],
                IMAGE: cells[IMAGE][i] or "",
                ATTRIBUTE: {key: cells[name][i] or [] for key, name in groups.items()},
                SOURCE: {key: value for key, value in values.items() if value is not None},
            }
            yield _Row(payload | {HASH: _hash(payload, embeddings[i], attributes[i])}, vectors[i], coarse[i])
            if several and (views := views_of(batch.column(VIEWS)[i])) is not None:
                yield from _photographs(payload, batch.column(PHOTOGRAPHS)[i].as_py(), views, attributes[i], plan)


def _photographs(
    payload: Mapping[str, Any], images: Sequence[str], views: np.ndarray, attributes: np.ndarray, plan: IndexManifest
) -> Iterator[_Row]:
    """A product's photographs: each has its own embedding, and the attributes of the product."""
    embeddings = views.astype(np.float32)
    vectors = point(embeddings, np.repeat(attributes[None], len(views), axis=0))
    coarse = plan.projection.points(vectors) if plan.projection else [None] * len(views)
    for number, image in enumerate(images):
        own = {**payload, IMAGE: image, PHOTOGRAPH: number}
        yield _Row(own | {HASH: _hash(own, embeddings[number], attributes)}, vectors[number], coarse[number])


def _hash(payload: Mapping[str, Any], *rows: np.ndarray) -> str:
    """Changes with everything that the engine keeps of a product."""
    digest = hashlib.blake2b(json.dumps([LAYOUT, payload], sort_keys=True).encode(), digest_size=16)
    for row in rows:
        digest.update(row.tobytes())
    return digest.hexdigest()


def _graph(projection: Projection, embedding: int) -> str:
    """How products are searched for where there is a graph."""
    if projection.components is None:
        return f"searched by a graph, over whole embeddings of {embedding:,}"
    return (
        f"searched by a graph, over embeddings of {embedding:,} reduced to {projection.components.shape[1]:,}: "
        f"{projection.recall:.1%} of the nearest {NEAREST} are among the first {AMONG} of a sample; what is found is "
        "compared by whole embeddings"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Index a scored catalog and say what changed; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.index", description="Put a scored catalog into an index, or bring the index up to date."
    )
    parser.add_argument("folder", type=Path, help="scored catalog, written by python -m catalog.score")
    parser.add_argument("--out", type=Path, metavar="INDEX", help="folder of the index (default: FOLDER/index)")
    parser.add_argument("--qdrant", metavar="URL", help="a Qdrant server that shall hold the index instead")
    parser.add_argument("--collection", default=COLLECTION, help="its collection there (default: %(default)s)")
    parser.add_argument("--replace", action="store_true", help="delete the index that is there and write it anew")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--ann", action="store_true", help=f"build graphs; the default from {LARGE:,} products on")
    kind.add_argument("--exact", action="store_true", help="build none: every search compares with all products")
    options = parser.parse_args(arguments)
    with one_line_errors():
        if options.out and options.qdrant:
            raise SettingError("--out names a folder and --qdrant a server; an index is in one of them")
        if options.qdrant and not is_server(options.qdrant):
            raise SettingError(
                f"--qdrant takes the URL of a server, such as http://localhost:6333, not {options.qdrant!r}"
            )
        scored = Scored.open(options.folder)
        place = f"{options.qdrant.rstrip('/')}/{options.collection}" if options.qdrant else options.out
        store = store_at(place or options.folder / INDEX_FOLDER)
        tuning = Tuning(graphs=options.ann, asked=True) if options.ann or options.exact else None
        changes = build(scored, store, tuning, options.replace)
    if left_out := [name for name, kind in kinds(scored).items() if not kind]:
        print(f"columns that no filter can compare stay out of the index: {', '.join(left_out)}", file=sys.stderr)
    print(
        f"{place or options.folder / INDEX_FOLDER}: {scored.rows:,} products; {changes.written:,} written, "
        f"{changes.deleted:,} deleted, {changes.unchanged:,} unchanged"
    )
    if changes.projection:
        print(_graph(changes.projection, scored.manifest.embedding))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
