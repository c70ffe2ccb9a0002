"""Brings a scored catalog up to date with its source where no photograph need be scored for it.

Prices and stocks change every day, photographs seldom. So the source's own columns are written anew where they differ,
products that the source has no more go, and so do those whose photograph is another file now: they are scored again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.scored.score_manifest import MANIFEST_FILE, PARTS, Origin
from catalog.scored.table import APPLIES_COLUMN, ATTRIBUTE, ID, IMAGE, PRODUCT_COLUMN, VECTORS, open_part, part_origin
from catalog.scoring.parts import write_part
from catalog.scoring.source import PLACE, ProductSource
from fashion.errors import DataError
from fashion.tables.places import ImagePlaces


@dataclass(frozen=True)
class Refreshed:
    """What became of the products that were scored before.

    Attributes:
        changed: whose own columns are others now.
        gone: which the source has no more.
        moved: whose photograph lies elsewhere now; they are to be scored again.
    """

    changed: int = 0
    gone: int = 0
    moved: int = 0


def refresh(folder: Path, origin: Origin, source: ProductSource) -> Refreshed:
    """Make the parts of a folder say of their products what the source says now.

    Each part is written whole or not at all; a run that is cut off leaves the rest to the next. Parts of another origin
    are left alone: `catalog.scoring.parts.PartWriter` refuses them.

    Raises:
        DataError: a part is broken, or the source has not one of the products.
    """
    paths = sorted(Path(folder).glob(PARTS))
    parts = {path: open_part(path) for path in paths}
    if not parts or any(part_origin(path, part) != origin for path, part in parts.items()):
        return Refreshed()
    place = {
        name: position for position, name in reversed(list(enumerate(source.ids)))
    }  # the first row of an id counts
    there = {path: part.read([ID])[ID].to_pylist() for path, part in parts.items()}
    if not any(name in place for names in there.values() for name in names):
        raise DataError(
            f"{source.name} has none of the products of {folder}, such as {next(iter(there.values()))[0]!r}; is it "
            "another column of ids? Choose another folder with --out, or remove that one"
        )
    own = source.own()
    found = [_refresh(path, origin, source, own, place, names) for path, names in there.items()]
    return Refreshed(*(sum(getattr(each, name) for each in found) for name in ("changed", "gone", "moved")))


def _refresh(
    path: Path, origin: Origin, source: ProductSource, own: pa.Table, place: dict[str, int], names: list[str]
) -> Refreshed:
    """The same for one part."""
    part = open_part(path)
    schema = part.schema_arrow
    fixed, by_group = (ID, IMAGE, PRODUCT_COLUMN, *VECTORS), (ATTRIBUTE, APPLIES_COLUMN)
    before = [name for name in schema.names if name not in fixed and not name.startswith(by_group)]
    positions = np.array([place.get(name, -1) for name in names])
    gone = int((positions < 0).sum())
    columns = [field.name for field in source.columns]
    fresh = own.take(pa.array(np.maximum(positions, 0)))
    old = part.read([IMAGE, *before])
    moved = np.array(
        [
            position >= 0 and not _is_at(image, source.folder, where)
            for position, image, where in zip(positions, old[IMAGE].to_pylist(), fresh[PLACE].to_pylist(), strict=True)
        ],
        dtype=bool,
    )
    kept = (positions >= 0) & ~moved
    same_types = before == columns and all(schema.field(name).type == own.schema.field(name).type for name in before)
    differs = np.array([a != b for a, b in zip(_rows(old, before), _rows(fresh, columns), strict=True)], dtype=bool)
    changed = int((differs & kept).sum())
    if kept.all() and same_types and not changed:
        return Refreshed()
    (path.parent / MANIFEST_FILE).unlink(missing_ok=True)  # it counts the rows of the parts; the run ends with another
    if not kept.any():
        path.unlink()
        return Refreshed(0, gone, int(moved.sum()))
    whole, mask = part.read(), pa.array(kept)
    ours = [name for name in schema.names if name not in before]
    table = {name: whole[name] for name in ours[:2]}
    table |= {name: fresh[name] for name in columns} | {name: whole[name] for name in ours[2:]}
    write_part(path, pa.table(table).filter(mask), origin)
    return Refreshed(changed, gone, int(moved.sum()))


def _is_at(image: str, folder: Path, where: str | None) -> bool:
    """Whether a photograph that was found at `image` is the one that a row names now; "" is none on a disk."""
    return not image or not where or Path(image) in ImagePlaces(folder, where)


def _rows(table: pa.Table, names: list[str]) -> list[str]:
    """Each row's cells as text: NaN is like itself there, and a number like no text."""
    cells: list[list[Any]] = [table[name].to_pylist() for name in names]
    return [repr(row) for row in zip(*cells, strict=True)] if cells else [""] * len(table)
