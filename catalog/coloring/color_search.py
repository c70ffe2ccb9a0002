"""Search an index by color: products with a color close to a given one, by CIEDE2000."""

from collections.abc import Mapping

import numpy as np

from catalog.coloring.color_table import COLORS_FILE, ColoredProduct, named_colors, read_colors
from catalog.filters.conditions import And, Condition
from catalog.similar.listings import only_products
from catalog.similar.manifest import IndexManifest, catalog_folders
from catalog.similar.matches import Match, Product
from catalog.similar.matching import Index
from fashion.colors.cielab import ciede2000, hex_to_lab, rgb_to_lab
from fashion.colors.palette import DominantColor
from fashion.errors import SettingError

DISTANCE = 12.0  # default maximum distance, CIEDE2000
LEAST_SHARE = 0.15  # minimum share of a color in its product
WHITE_TO_BLACK = 100.0  # CIEDE2000 between white and black


class ColorSearch:
    """Search of a catalog's products by color.

    Args:
        colors: of the catalog's products.
        wanted: such as `#7a1f2b`.
        distance: maximum distance.

    Attributes:
        found: nearest color and its distance by product, the nearest first.

    Raises:
        SettingError: an invalid color, or a distance not from 0 to 100.
    """

    def __init__(self, colors: Mapping[str, ColoredProduct], wanted: str, distance: float = DISTANCE) -> None:
        if not 0 <= distance <= WHITE_TO_BLACK:
            raise SettingError(f"the color distance is {distance:g}; it must be from 0 to {WHITE_TO_BLACK:g}")
        target = hex_to_lab(wanted)
        candidates = [
            (product.id, color) for product in colors.values() for color in product.colors if color.share >= LEAST_SHARE
        ]
        levels = np.array([list(bytes.fromhex(color.hex[1:])) for _, color in candidates], np.uint8).reshape(-1, 3)
        apart = ciede2000(rgb_to_lab(levels), target)
        self.found: dict[str, tuple[DominantColor, float]] = {}
        for i in np.argsort(apart, kind="stable"):
            if apart[i] <= distance:
                self.found.setdefault(candidates[i][0], (candidates[i][1], float(apart[i])))

    def condition(self, manifest: IndexManifest, where: Condition | None = None) -> Condition:
        """A filter that keeps the products found and their photographs, combined with another filter if given.

        Args:
            manifest: of the index.
            where: the other filter.
        """
        near = only_products(tuple(self.found), manifest)
        return And((near, where)) if where else near

    def matches(self, index: Index, where: Condition | None, limit: int, duplicates: bool = False) -> list[Match]:
        """The matches, nearest color first. Similarity 1 is the same color, 0 the distance of white from black.

        Of listings with near-identical photographs, the one with the nearest color is kept.

        Raises:
            SettingError: a limit below 1.
        """
        return [self._match(product) for product in index.listed(list(self.found), where, limit, duplicates)]

    def _match(self, product: Product) -> Match:
        color, apart = self.found[product.id]
        return Match(product, 1 - apart / WHITE_TO_BLACK, {"color": [f"{color.hex} {named_colors([color])}"]}, {})


def index_colors(index: Index) -> dict[str, ColoredProduct]:
    """The colors of an index's products. Raises DataError if the scored catalog has none."""
    folders = catalog_folders(index.manifest, index.store)
    folder = next((folder for folder in folders if (folder / COLORS_FILE).is_file()), folders[0])
    return read_colors(folder)
