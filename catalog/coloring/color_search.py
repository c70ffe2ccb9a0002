"""An index searched by color: products of which a color is near the one that is asked for, by CIEDE2000."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from catalog.coloring.color_table import COLORS_FILE, ColoredProduct, named_colors, read_colors
from catalog.engines.edge_store import EdgeStore
from catalog.filters.columns import point_id
from catalog.filters.conditions import And, Condition, Points
from catalog.similar.matches import Match, Product
from catalog.similar.matching import Index
from fashion.colors.cielab import difference, read_hex
from fashion.colors.palette import DominantColor
from fashion.errors import SettingError

DISTANCE = 12.0  # CIEDE2000, to which a color counts as the one asked for
LEAST_SHARE = 0.15  # of the product, of a color that it is found by
WHITE_TO_BLACK = 100.0
AT_ONCE = 256  # products that are read from the index together


class ColorSearch:
    """What a color finds in a catalog.

    Args:
        colors: of the catalog's products.
        wanted: such as `#7a1f2b`.
        distance: to which colors are found.

    Attributes:
        found: by product its nearest color and how far that is, the nearest first.

    Raises:
        SettingError: a color that is none, or a distance that is not from 0 to 100.
    """

    def __init__(self, colors: Mapping[str, ColoredProduct], wanted: str, distance: float = DISTANCE) -> None:
        if not 0 <= distance <= WHITE_TO_BLACK:
            raise SettingError(f"the color distance is {distance:g}; it must be from 0 to {WHITE_TO_BLACK:g}")
        target = read_hex(wanted)
        candidates = [
            (product.id, color) for product in colors.values() for color in product.colors if color.share >= LEAST_SHARE
        ]
        lab = np.array([read_hex(color.hex) for _, color in candidates]).reshape(-1, 3)
        apart = difference(lab, target)
        self.found: dict[str, tuple[DominantColor, float]] = {}
        for i in np.argsort(apart, kind="stable"):
            if apart[i] <= distance:
                self.found.setdefault(candidates[i][0], (candidates[i][1], float(apart[i])))

    def condition(self, where: Condition | None = None) -> Condition:
        """A filter that keeps what was found, and what another filter keeps of it."""
        near = Points(tuple(map(point_id, self.found)))
        return And((near, where)) if where else near

    def matches(self, index: Index, where: Condition | None, limit: int, duplicates: bool = False) -> list[Match]:
        """The products of an index, the nearest color first; 1 is the color itself, 0 as far as white from black."""
        matches: list[Match] = []
        ordered = list(self.found)
        for start in range(0, len(ordered), AT_ONCE):
            some = ordered[start : start + AT_ONCE]
            condition = And((Points(tuple(map(point_id, some))), *([where] if where else [])))
            kept = {
                match.product.id: match.product
                for match in index.search(None, where=condition, limit=AT_ONCE, duplicates=duplicates)
            }
            matches += [self._match(kept[id]) for id in some if id in kept]
            if len(matches) >= limit:
                break
        return matches[:limit]

    def _match(self, product: Product) -> Match:
        color, apart = self.found[product.id]
        return Match(product, 1 - apart / WHITE_TO_BLACK, {"color": [f"{color.hex} {named_colors([color])}"]}, {})


def index_colors(index: Index) -> dict[str, ColoredProduct]:
    """The colors of an index's products. Raises DataError where the scored catalog has none."""
    folders = [Path(index.manifest.catalog)]
    if isinstance(index.store, EdgeStore):
        folders.append(index.store.folder.absolute().parent)  # moved together with the catalog
    folder = next((folder for folder in folders if (folder / COLORS_FILE).is_file()), folders[0])
    return read_colors(folder)
