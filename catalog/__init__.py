"""Many products: score them, index them, and find those that are alike."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.matching import Index


def open_index(place: str | Path) -> "Index":
    """Open an index: its folder, or the URL of a Qdrant server with the collection's name at the end.

    Raises:
        DataError: it is no index, is half-written, or another process has it open.
    """
    from catalog.location import store_at  # an engine is loaded where it is used only
    from catalog.matching import Index

    return Index(store_at(place))
