"""Draw the photographs of a search, queries and matches, as one picture."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from catalog.similar.matches import Match, Product, cell_text
from fashion.errors import InvalidImage
from fashion.pictures.tiles import (
    INK,
    MARK,
    RIGHT,
    SOFT,
    WRONG,
    Picture,
    SheetLayout,
    Tile,
    heading,
    legend,
    sheet,
    side_by_side,
    stacked,
    wrap_names,
)
from fashion.preprocess import decode
from fashion.tables.stored import photograph_source

LAYOUT = SheetLayout(side=200, columns=5, lines=6)
# Legends below the picture, for a search by product and for a text search.
LIKE = (
    ("The number is the similarity: 1 for identical products, 0 for two random ones.", INK),
    ("Green: both have it.", RIGHT),
    ("Orange: they differ; - only what was asked for has it, + only the product found.", WRONG),
)
IN_WORDS = (
    ("The number says how well a product fits the text: 1 completely, 0 not at all.", INK),
    ("Green: it has that.", RIGHT),
    ("Orange: it has something else, or nothing.", WRONG),
)


def draw_sheet(
    queries: Sequence[Product], matches: Sequence[Match], title: str = "", columns: Sequence[str] = ()
) -> Picture:
    """Draw the queries in frames on the left and the matches beside them, in rows of equal length.

    Under each match are its similarity and id, in green the shared attributes or the reasons of a text search, and in
    orange the differing attributes with their groups: - marks those of the query alone, + those of the match alone. A
    legend below explains this.

    Args:
        queries: the queries.
        matches: the matches.
        title: heading above the picture.
        columns: source columns to show under each product.
    """
    asked = [Tile(photograph(product), _query_lines(product, columns), MARK) for product in queries]
    found = [Tile(photograph(match.product), _match_lines(match, columns)) for match in matches]
    parts = [sheet(tiles, layout) for tiles, layout in ((asked, replace(LAYOUT, columns=1)), (found, LAYOUT)) if tiles]
    picture = side_by_side(parts) if parts else sheet([], LAYOUT)
    rows = [picture]
    if title:
        rows.insert(0, heading(title, picture.image.width))
    if any(match.similarity is not None for match in matches):
        rows.append(legend(LIKE if queries else IN_WORDS, picture.image.width))
    return stacked(rows)


def draw_groups(groups: Sequence[Sequence[Product]], alike: Sequence[float]) -> Picture:
    """Draw the photographs of each group of duplicates, headed by the lowest cosine of any two in it."""
    rows = []
    for group, cosine in zip(groups, alike, strict=True):
        tiles = [Tile(photograph(product), [(product.id, INK), *_lines(product.names, SOFT, 2)]) for product in group]
        rows.append(sheet(tiles, LAYOUT, f"{len(group)} listings, cosine {cosine:.4f}"))
    return stacked(rows)


def write_sheet(queries: Sequence[Product], matches: Sequence[Match], path: Path, columns: Sequence[str] = ()) -> Path:
    """Write the picture of `draw_sheet`, in the format of the file's extension.

    Raises:
        SettingError: the extension is no image format.
    """
    return draw_sheet(queries, matches, columns=columns).write(path, "--sheet")


def photograph(product: Product) -> Image.Image | None:
    """The photograph, from its file or the table that holds it; None if it cannot be read."""
    if not product.image:
        return None
    try:
        return decode(photograph_source(product.image), LAYOUT.side)
    except InvalidImage:
        return None


def _query_lines(product: Product, columns: Sequence[str]) -> list[tuple[str, str]]:
    title = [(Path(product.id).name, MARK), *_own(product, columns)]
    return [*title, *_lines(product.names, INK, LAYOUT.lines - len(title))]


def _match_lines(match: Match, columns: Sequence[str]) -> list[tuple[str, str]]:
    alike = "" if match.similarity is None else f"{match.similarity:.2f}  "
    title = [(f"{alike}{match.product.id}", INK), *_own(match.product, columns)]
    room = LAYOUT.lines - len(title)
    if match.similarity is None:
        return [*title, *_lines(match.product.names, SOFT, room)]
    shared = _lines(match.reasons, RIGHT, room - 1)
    return [*title, *shared, *_lines(_differences(match), WRONG, room - len(shared))]


def _differences(match: Match) -> list[str]:
    """The differences by group: `colour Red not Black`, `+sleeve Sleeveless`, `-pattern Striped`."""
    found = []
    for group, (wanted, other) in match.differing.items():
        if wanted and other:
            found.append(f"{group} {' and '.join(other)} not {' and '.join(wanted)}")
        else:
            found += [f"{sign}{group} {name}" for sign, names in (("-", wanted), ("+", other)) for name in names]
    return found


def _own(product: Product, columns: Sequence[str]) -> list[tuple[str, str]]:
    """One line with the source columns, if any are wanted."""
    cells = [f"{name} {cell}" for name in columns if (cell := cell_text(product.source.get(name)))]
    return _lines(cells, SOFT, 1) if columns else []


def _lines(names: Sequence[str], color: str, most: int) -> list[tuple[str, str]]:
    # Remove repeated names: two groups may share one, such as Casual in usage and occasion.
    return [(line, color) for line in wrap_names(list(dict.fromkeys(names)), LAYOUT.side, most)]
