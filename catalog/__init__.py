"""Score a catalog of products, index it, and search it for similar products."""

import sys
from pathlib import Path

from catalog.engines.location import store_at
from catalog.engines.store import InUse
from catalog.similar.following import follow_corrections
from catalog.similar.matching import Index


def open_index(place: str | Path) -> Index:
    """Open an index in a folder, or in the database `postgresql://USER@HOST:PORT/DATABASE/COLLECTION`.

    The URL of a Qdrant server followed by the collection is experimental: it was not tested with a server.

    Corrections made in the catalog since the index was built are written into the index first, unless another process
    has it open.

    Raises:
        DataError: `place` is not an index, is incomplete, or is being changed by another process.
    """
    index = Index(store_at(place))
    try:
        follow_corrections(index)
    except InUse as error:
        print(f"note   the latest corrections are not in the index yet: {error}", file=sys.stderr)
    except BaseException:
        index.close()
        raise
    return index
