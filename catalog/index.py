"""Index a scored catalog in a vector engine for similarity search.

From the command line:  python -m catalog.index FOLDER [--out INDEX]

The first run indexes everything. Later runs add new products, replace changed ones and delete those that are gone. A
run that was interrupted, even by kill -9, is completed by the next.
"""

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from catalog.engines.location import add_servers, server_place, store_at
from catalog.engines.store import BATCH, InUse, Point, Store, Tuning
from catalog.filters.columns import HASH, PHOTOGRAPH, PHOTOGRAPH_COLUMN
from catalog.filters.filtering import columns_of, kinds
from catalog.scored.columns import EMBEDDING, PROBABILITIES, VIEWS, vector_rows
from catalog.scored.correction_store import CORRECTIONS_FILE, CorrectionStore
from catalog.scored.table import Scored, describe_model
from catalog.similar.manifest import IndexManifest
from catalog.similar.points import needed_columns, points
from catalog.similar.projection import AMONG, NEAREST, Projection, fit
from catalog.similar.spaces import ScaleMeter, scores
from catalog.words.titles import learn_titles, store_words, title_columns
from fashion.errors import DataError, SettingError, one_line_errors
from fashion.files import utc_now

LARGE = 20_000  # default number of products from which an index is searched approximately
IN_MEMORY = 8e9  # bytes of full vectors, above which they stay on disk
SAMPLE = 20_000  # products on which the projection is fitted
INDEX_FOLDER = "index"  # in the scored catalog's folder, unless --out names another


@dataclass(frozen=True)
class Changes:
    """Result of a run.

    Attributes:
        written, deleted, unchanged: numbers of products.
        projection: projection to coarse vectors; None if every search compares all products.
        learned: number of words that were learned from titles.
    """

    written: int
    deleted: int
    unchanged: int
    projection: Projection | None = field(default=None, compare=False, repr=False)
    learned: int = 0


def build(
    scored: Scored, store: Store, tuning: Tuning | None = None, anew: bool = False, titles: Sequence[str] = ()
) -> Changes:
    """Create an index of a scored catalog, or update it to the catalog's current products.

    Args:
        scored: the catalog.
        store: of the index, which need not exist.
        tuning: how to build it; None keeps what was requested before, otherwise the number of products decides.
        anew: delete an existing index instead of updating it.
        titles: columns from which words are learned, see `catalog.words.titles.title_columns`.

    Raises:
        DataError: the index holds products of another model, cannot be opened, or is open in another process.
    """
    before = None if anew else _before(scored, store)
    if tuning is None:
        tuning = before.tuning if before and before.tuning.asked else Tuning(approximate=scored.rows >= LARGE)
    try:
        update = before is not None and before.tuning == tuning and _opens(store, before)
        # Learning takes longest, so it comes first: if it is cut off, the existing index is as it was.
        words = learn_titles(scored, titles)
        if before and update:
            plan = _plan(scored, before.tuning, before.projection)
            store.write_manifest(plan.to_json())
        else:
            size = scored.manifest.embedding + len(scored.manifest.labels)
            tuning = replace(tuning, on_disk=scored.rows * size * np.float16().nbytes > IN_MEMORY)
            plan = _plan(scored, tuning, _projection(scored) if tuning.approximate else None)
            coarse = plan.projection.size(plan.embedding) if plan.projection else 0
            store.create(size, coarse, tuning, plan.to_json())
        store.index_columns([*plan.columns.columns, *([PHOTOGRAPH_COLUMN] if VIEWS in scored.schema.names else [])])
        with _no_garbage_collection():
            changes, done = _update(scored, store, plan)
            store.finish()
        store_words(scored, store, done, words, titles)
        store.write_manifest(replace(done, complete=True).to_json())
    finally:
        store.close()
    return replace(changes, learned=int(words.learned.sum()) if words else 0)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Pause Python's cycle collector, which would search millions of payloads for cycles again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _before(scored: Scored, store: Store) -> IndexManifest | None:
    """The manifest of the existing index, or None. Raises DataError if another model scored its products."""
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
    """Whether the engine opens the existing index; after an interrupted run it may be too broken and is rebuilt."""
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
    """The projection to coarse vectors, fitted on a sample of the whole catalog."""
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
        # A catalog generated on the fly has no folder, see benchmarks.enlarged.
        corrections=CorrectionStore(scored.folder).last() if (scored.folder / CORRECTIONS_FILE).exists() else 0,
        created=utc_now(),
    )


def _update(scored: Scored, store: Store, plan: IndexManifest) -> tuple[Changes, IndexManifest]:
    """Write new and changed points and delete others; `Changes` counts products, not photographs."""
    known = {
        record.id: (record.payload.get(HASH), PHOTOGRAPH in record.payload)
        for record in store.scroll(payload=[HASH, PHOTOGRAPH])
    }
    meter = ScaleMeter(plan.taxonomy, plan.embedding)
    written = unchanged = photographs = 0
    pending: list[Point] = []
    bar = tqdm(total=scored.rows, unit="product", desc="indexing", disable=None)
    rows = points(scored.batches(needed_columns(plan, scored.schema)), plan, meter) if scored.rows else ()
    for row in rows:
        product = PHOTOGRAPH not in row.payload
        photographs += not product
        bar.update(product)
        if known.pop(row.id, (None, False))[0] == row.payload[HASH]:
            unchanged += product
            continue
        pending.append(row)
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


def _approximation(projection: Projection, embedding: int) -> str:
    """Describe how an approximate index is searched."""
    if projection.components is None:
        return f"searched approximately, by whole embeddings of {embedding:,}"
    return (
        f"searched approximately, by embeddings of {embedding:,} reduced to {projection.components.shape[1]:,}: "
        f"{projection.recall:.1%} of the nearest {NEAREST} are among the first {AMONG} of a sample; candidates are "
        "compared by whole embeddings"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Index a scored catalog and print what changed; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.index", description="Put a scored catalog into an index, or bring the index up to date."
    )
    parser.add_argument("folder", type=Path, help="scored catalog, written by python -m catalog.score")
    parser.add_argument("--out", type=Path, metavar="INDEX", help="folder of the index (default: FOLDER/index)")
    add_servers(parser)
    parser.add_argument("--replace", action="store_true", help="delete the existing index and build it again")
    parser.add_argument(
        "--titles",
        metavar="COLUMNS",
        help="title columns, from which words are learned, separated by commas (default: a usual "
        "name, such as title or name); none to learn no words",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--ann", action="store_true", help=f"search approximately, the default from {LARGE:,} products on"
    )
    kind.add_argument("--exact", action="store_true", help="every search compares all products")
    options = parser.parse_args(arguments)
    with one_line_errors():
        server = server_place(options)
        if options.out and server:
            flag = "--qdrant" if options.qdrant else "--postgres"
            raise SettingError(f"--out names a folder and {flag} a server; an index is in one of them")
        if options.titles and options.qdrant:
            raise SettingError("--titles is for an index in a folder or in PostgreSQL; a Qdrant server keeps no words")
        scored = Scored.open(options.folder)
        titles = [] if options.qdrant else title_columns(scored, options.titles)
        store = store_at(server or options.out or options.folder / INDEX_FOLDER)
        tuning = Tuning(approximate=options.ann, asked=True) if options.ann or options.exact else None
        changes = build(scored, store, tuning, options.replace, titles)
    if left_out := [name for name, kind in kinds(scored).items() if not kind]:
        print(
            f"columns whose types filters cannot compare are left out of the index: {', '.join(left_out)}",
            file=sys.stderr,
        )
    place = store.place if server else options.out or options.folder / INDEX_FOLDER
    print(
        f"{place}: {scored.rows:,} products; {changes.written:,} written, "
        f"{changes.deleted:,} deleted, {changes.unchanged:,} unchanged"
    )
    if changes.projection:
        print(_approximation(changes.projection, scored.manifest.embedding))
    if changes.learned:
        print(f"learned {changes.learned:,} words from {' and '.join(titles)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
