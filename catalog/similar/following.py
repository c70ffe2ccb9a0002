"""Update an open index with the corrections made since it was built, so that searches see them at once."""

from dataclasses import replace
from pathlib import Path

from catalog.engines.store import BATCH, Point
from catalog.filters.columns import PHOTOGRAPH
from catalog.scored.correction_store import CORRECTIONS_FILE, REFITS, CorrectionStore
from catalog.scored.score_manifest import MANIFEST_FILE
from catalog.scored.table import Scored
from catalog.similar.manifest import catalog_folders
from catalog.similar.matching import Index
from catalog.similar.points import needed_columns, points
from catalog.similar.spaces import ScaleMeter


def follow_corrections(index: Index) -> int:
    """Rewrite the products corrected since the index was built, or all after a refit. Returns their number.

    The index stays unchanged if the scored catalog is not on this machine, was scored by another model, or has lost
    columns since. Only `python -m catalog.index` measures the scales and fits the projection again.

    Raises:
        DataError: the corrections or the catalog cannot be read.
        InUse: another process has the index open.
    """
    folder = _catalog_of(index)
    if folder is None:
        return 0
    entries = CorrectionStore(folder).entries(index.manifest.corrections)
    if not entries:
        return 0
    scored = Scored.open(folder)
    if scored.manifest.model["weights"] != index.manifest.model["weights"]:
        return 0
    changed, columns = {entry.product for entry in entries}, needed_columns(index.manifest, scored.schema)
    if not set(columns) <= set(scored.schema.names):
        return 0
    batches = scored.batches(columns) if REFITS in changed else scored.rows_of(changed, columns).to_batches()
    written, pending = 0, list[Point]()
    for product in points(batches, index.manifest, ScaleMeter(index.manifest.taxonomy, index.manifest.embedding)):
        pending.append(product)
        written += PHOTOGRAPH not in product.payload
        if len(pending) == BATCH:
            index.store.upsert(pending)
            pending = []
    if pending:
        index.store.upsert(pending)
    index.store.finish()
    index.manifest = replace(index.manifest, corrections=entries[-1].number)
    index.store.write_manifest(index.manifest.to_json())
    return written


def _catalog_of(index: Index) -> Path | None:
    """The folder of the scored catalog, if it exists and has corrections."""
    folders = catalog_folders(index.manifest, index.store)
    return next((f for f in folders if (f / CORRECTIONS_FILE).exists() and (f / MANIFEST_FILE).is_file()), None)
