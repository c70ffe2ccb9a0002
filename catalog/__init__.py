"""Many products: score them, index them, and find those that are alike."""

from pathlib import Path

from catalog.engines.location import store_at
from catalog.similar.following import follow_corrections
from catalog.similar.matching import Index


def open_index(place: str | Path) -> Index:
    """Open an index: its folder, or `postgresql://USER@HOST:PORT/DATABASE/COLLECTION` of a database.

    The URL of a Qdrant server with the collection's name at the end is experimental: no server was tried.

    What was corrected in the catalog since the index was made is written into it first.

    Raises:
        DataError: it is no index, is half-written, or another process has it open.
    """
    index = Index(store_at(place))
    try:
        follow_corrections(index)
    except BaseException:
        index.close()
        raise
    return index
