"""Update a scored catalog from its source without scoring unchanged photographs again.

Prices and stocks change every day, photographs rarely. Source columns are rewritten where they differ. Products that
the source no longer has are dropped, and so are products with changed photographs, which are scored again.

A truncated source looks like one whose products are gone. The changes are therefore planned first and applied only
after all rows are scored, so a failed run leaves the catalog unchanged.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.scored.columns import EMBEDDING, ID, IMAGE, PHOTOGRAPHS, VIEWS
from catalog.scored.score_manifest import MANIFEST_FILE, PARTS, Origin
from catalog.scored.table import LEFT_OUT_FILE, open_part, part_origin
from catalog.scoring.parts import own_columns, write_part
from catalog.scoring.source import PLACE, ProductSource
from fashion.errors import DataError
from fashion.tables.image_paths import ImagePaths
from fashion.tables.stored import row_of_stored

MOST_LOST = 0.2  # largest share of products dropped without --allow-removal; a normal day's changes are far fewer


@dataclass(frozen=True)
class Refreshed:
    """Numbers of previously scored products that changed.

    Attributes:
        changed: products with new values in source columns.
        gone: products that the source no longer has.
        moved: products with other photographs, to be scored again.
    """

    changed: int = 0
    gone: int = 0
    moved: int = 0


@dataclass(frozen=True)
class PartChange:
    """Planned change of a part.

    Attributes:
        path: of the part.
        positions: of each product's first row in the source, int64 (rows,); -1 if it is gone.
        images: current places of each product's photographs.
        kept: which rows stay, bool (rows,).
        anew: whether the part must be rewritten, because rows are dropped or columns differ.
        missing: see `Refresh`; of this part.
        changed, gone, moved: see `Refreshed`.
    """

    path: Path
    positions: np.ndarray
    images: tuple[tuple[str, ...], ...]
    kept: np.ndarray
    anew: bool
    missing: tuple[tuple[int, str], ...]
    changed: int
    gone: int
    moved: int


@dataclass(frozen=True)
class Refresh:
    """Planned changes of existing parts, to be carried out by `apply` after the run has succeeded.

    Attributes:
        kept: ids of products that need no scoring.
        before: ids of all previously scored products.
        gone: ids of those that the source no longer has, in the order of the parts.
        changes: one per part.
    """

    folder: Path
    origin: Origin
    source: ProductSource
    own: pa.Table | None = None
    kept: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()
    changes: tuple[PartChange, ...] = field(default=(), repr=False)

    @property
    def counts(self) -> Refreshed:
        """Number of products per kind of change."""
        return Refreshed(
            *(sum(getattr(change, name) for change in self.changes) for name in ("changed", "gone", "moved"))
        )

    @property
    def missing(self) -> list[tuple[int, str]]:
        """Photographs that kept products name and that are still not there: a row's position, and the name."""
        return [each for change in self.changes for each in change.missing]

    def check_gone(self) -> None:
        """Raise DataError if so many products are gone that the source may be truncated."""
        self._check(self.gone, f"are not in {self.source.name} any more")

    def check_lost(self, scored: Set[str]) -> None:
        """Raise DataError if too many products would be dropped, including those with unusable photographs.

        `scored` has the ids scored in this run.
        """
        lost = sorted(self.before - self.kept - scored)
        self._check(lost, f"are gone, or their photographs cannot be used any more (see {LEFT_OUT_FILE})")

    def _check(self, lost: Sequence[str], why: str) -> None:
        if len(lost) > MOST_LOST * len(self.before):
            raise DataError(
                f"{len(lost):,} of the {len(self.before):,} products of {self.folder} {why}, such as {lost[0]!r}; "
                f"nothing was removed: check that {self.source.name} is complete, or give --allow-removal to drop them"
            )

    def apply(self) -> None:
        """Rewrite the parts that differ from the source.

        Each part is written atomically; an interrupted run leaves the rest to the next.
        """
        for change in self.changes:
            if not change.anew:
                continue
            # The manifest holds the row counts of the parts; the run writes a new one at its end.
            (self.folder / MANIFEST_FILE).unlink(missing_ok=True)
            if change.kept.any():
                self._write(change)
            else:
                change.path.unlink()

    def _write(self, change: PartChange) -> None:
        assert self.own is not None
        part = open_part(change.path)
        before, columns = own_columns(part.schema_arrow), [field.name for field in self.source.columns]
        fresh = self.own.take(pa.array(np.maximum(change.positions, 0)))
        whole = part.read()
        ours = [name for name in part.schema_arrow.names if name not in (*before, ID, IMAGE, PHOTOGRAPHS, VIEWS)]
        table = {ID: whole[ID], IMAGE: pa.array([images[0] for images in change.images], pa.string())}
        table |= {name: fresh[name] for name in columns} | {name: whole[name] for name in ours}
        if self.source.several:
            table |= _photograph_columns(whole, change.images)
        write_part(change.path, pa.table(table).filter(pa.array(change.kept)), self.origin)


def plan_refresh(folder: Path, origin: Origin, source: ProductSource) -> Refresh:
    """Plan the changes of the parts in a folder, without writing anything.

    Parts of another origin are ignored here; `catalog.scoring.parts.PartWriter` rejects them.

    Args:
        folder: of the scored catalog.
        origin: of this run.
        source: to compare the parts with.

    Raises:
        DataError: a part is broken, or the source has none of the products.
    """
    folder = Path(folder)
    parts = {path: open_part(path) for path in sorted(folder.glob(PARTS))}
    if not parts or any(part_origin(path, part) != origin for path, part in parts.items()):
        return Refresh(folder, origin, source)
    place: dict[str, list[int]] = {}
    for position, name in enumerate(source.ids):
        place.setdefault(name, []).append(position)
    there = {path: part.read([ID])[ID].to_pylist() for path, part in parts.items()}
    before = frozenset(name for names in there.values() for name in names)
    gone = tuple(dict.fromkeys(name for names in there.values() for name in names if name not in place))
    if len(gone) == len(before):
        raise DataError(
            f"{source.name} has none of the products of {folder}, such as {next(iter(there.values()))[0]!r}; is the "
            "id column the right one? Choose another folder with --out, or remove that one"
        )
    own = source.source_columns()
    changes = tuple(_change(path, source, own, place, names) for path, names in there.items())
    kept = frozenset(
        name for change in changes for name, stays in zip(there[change.path], change.kept, strict=True) if stays
    )
    needed = own if any(change.anew for change in changes) else None
    return Refresh(folder, origin, source, needed, kept, before, gone, changes)


def _change(
    path: Path, source: ProductSource, own: pa.Table, place: dict[str, list[int]], names: list[str]
) -> PartChange:
    """Plan the changes of one part; `place` has the positions of each id's rows in the source."""
    part = open_part(path)
    schema = part.schema_arrow
    before, columns = own_columns(schema), [field.name for field in source.columns]
    rows = [place.get(name, []) for name in names]
    positions = np.array([found[0] if found else -1 for found in rows])
    fresh = own.take(pa.array(np.maximum(positions, 0)))
    several = PHOTOGRAPHS in schema.names
    old = part.read([IMAGE, *([PHOTOGRAPHS] if several else []), *before])
    images = _images(old)
    cells = iter(own[PLACE].take(pa.array([position for found in rows for position in found], pa.int64())).to_pylist())
    named = [{position: next(cells) or [] for position in found} for found in rows]
    states = [_images_now(source, was, list(now.values())) for was, now in zip(images, named, strict=True)]
    current = [new for new, _ in states]
    missing = tuple(
        (next(position for position, places in now.items() if place in places), place)
        for now, (new, unscored) in zip(named, states, strict=True)
        for place in (unscored if new is not None else ())
    )
    moved = np.array([bool(found) and new is None for found, new in zip(rows, current, strict=True)], dtype=bool)
    kept = (positions >= 0) & ~moved
    images_now = tuple(was if new is None else new for was, new in zip(images, current, strict=True))
    same_types = before == columns and all(schema.field(name).type == own.schema.field(name).type for name in before)
    differs = np.array([a != b for a, b in zip(_rows(old, before), _rows(fresh, columns), strict=True)], dtype=bool)
    changed = int((differs & kept).sum())
    anew = not kept.all() or not same_types or changed or several != source.several or images_now != tuple(images)
    counts = changed, int((positions < 0).sum()), int(moved.sum())
    return PartChange(path, positions, images_now, kept, bool(anew), missing, *counts)


def _images(part: pa.Table) -> list[tuple[str, ...]]:
    """Places of the photographs of each product of a part; "" for an unknown place."""
    several = part[PHOTOGRAPHS].to_pylist() if PHOTOGRAPHS in part.column_names else [None] * len(part)
    return [tuple(places or [first or ""]) for first, places in zip(part[IMAGE].to_pylist(), several, strict=True)]


def _images_now(
    source: ProductSource, images: Sequence[str], named: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...] | None, Sequence[str]]:
    """Current places of a product's scored photographs, and the names of those that are not scored.

    The places are None if its rows name other photographs now.

    Args:
        source: of the rows.
        images: the scored photographs; unusable ones are not among them.
        named: the photographs that each row of the product names, see `ProductSource.source_columns`.
    """
    if source.holds_photographs:
        return _renamed(images, [place for places in named for place in places]), ()
    wanted = list(dict.fromkeys(place for places in named for place in places))
    if images == ("",) or not wanted:
        return tuple(images), ()
    places = [ImagePaths(source.folder, where) for where in wanted]
    scored = [[Path(image) in candidates for candidates in places] for image in images]
    if not all(map(any, scored)):
        return None, ()
    # A name that matches no scored photograph requires scoring if its file exists; if not, it was left out before too.
    new = {name: paths for name, paths, *found in zip(wanted, places, *scored, strict=True) if not any(found)}
    return None if any(path.is_file() for paths in new.values() for path in paths) else tuple(images), tuple(new)


def _renamed(images: Sequence[str], rows: Sequence[str]) -> tuple[str, ...] | None:
    """Rename photographs stored in table rows to the current names of their rows; files and "" stay.

    Returns None if the number of rows has changed.
    """
    before = list(dict.fromkeys(filter(None, map(row_of_stored, images))))
    if not before:
        return tuple(images)
    if len(before) != len(rows):
        return None
    now = dict(zip(before, rows, strict=True))
    return tuple(now[row] + image[len(row) :] if (row := row_of_stored(image)) else image for image in images)


def _photograph_columns(part: pa.Table, images: Sequence[Sequence[str]]) -> dict[str, pa.Array]:
    """The columns of a part for products with several photographs."""
    cells = [list(places) if len(places) > 1 else None for places in images]
    size = part.schema.field(EMBEDDING).type.list_size
    kind = pa.list_(pa.list_(pa.float16(), size))
    views = part[VIEWS] if VIEWS in part.column_names else pa.nulls(len(part), kind)
    return {PHOTOGRAPHS: pa.array(cells, pa.list_(pa.string())), VIEWS: views}


def _rows(table: pa.Table, names: list[str]) -> list[str]:
    """Each row's cells as one text for comparison: NaN equals itself, and a number never equals a text."""
    cells: list[list[Any]] = [table[name].to_pylist() for name in names]
    return [repr(row) for row in zip(*cells, strict=True)] if cells else [""] * len(table)
