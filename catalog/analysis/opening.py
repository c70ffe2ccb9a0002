"""Open the scored catalog that a command names by its folder or by an index of it."""

from pathlib import Path

from catalog.engines.location import is_server, store_at
from catalog.scored.table import MANIFEST_FILE, PARTS, Scored, describe_model
from catalog.similar.manifest import IndexManifest, catalog_folders
from fashion.errors import DataError

INDEX_FILE = "index.json"


def open_scored(place: str | Path) -> Scored:
    """Open a scored catalog, or the one from which an index was built.

    Args:
        place: the folder of either, or the URL of an index on a server, see `catalog.engines.location.store_at`.

    Raises:
        DataError: it is neither; or the scored catalog is missing, empty, or scored again by another model.
    """
    scored = Scored.open(place) if not _is_index(place) else _catalog_of(place)
    if not scored.rows:
        raise DataError(f"{scored.folder} is empty: no product of {scored.manifest.source} was scored")
    return scored


def _is_index(place: str | Path) -> bool:
    if is_server(place):
        return True
    folder = Path(place)
    return (folder / INDEX_FILE).is_file() and not (folder / MANIFEST_FILE).is_file()


def _catalog_of(index: str | Path) -> Scored:
    store = store_at(index)
    shown = store.place if is_server(index) else index  # a URL may have a password
    try:
        content = store.read_manifest()
    finally:
        store.close()
    if content is None:
        raise DataError(f"{shown} is not an index; name the folder of the scored catalog")
    manifest = IndexManifest.from_json(content, repr(str(shown)))
    folder = next(
        (f for f in catalog_folders(manifest, store) if (f / MANIFEST_FILE).is_file() or any(f.glob(PARTS))), None
    )
    if folder is None:
        raise DataError(
            f"the scored catalog of the index {shown} is not at {manifest.catalog} any more; name its folder instead"
        )
    scored = Scored.open(folder)
    if scored.manifest.model["weights"] != manifest.model["weights"]:
        raise DataError(
            f"the index {shown} was made of products scored by {describe_model(manifest.model)}, {folder} is now "
            f"scored by {describe_model(scored.manifest.model)}; index it again, or name {folder} itself"
        )
    return scored
