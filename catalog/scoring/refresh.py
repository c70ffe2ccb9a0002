"""Brings a scored catalog up to date with its source where no photograph need be scored for it.

Prices and stocks change every day, photographs seldom. So the source's own columns are written anew where they differ,
products that the source has no more go, and so do those whose photograph is another file now: they are scored again.

A source that was cut off looks like one whose products are gone. So what will change is found first, and nothing of it
is done before all rows are scored: a run that fails leaves the catalog as it was.
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
from fashion.tables.places import ImagePlaces
from fashion.tables.stored import row_of_stored

MOST_LOST = 0.2  # of the scored products, that a run drops unasked; a day's changes are far fewer


@dataclass(frozen=True)
class Refreshed:
    """What became of the products that were scored before.

    Attributes:
        changed: whose own columns are others now.
        gone: which the source has no more.
        moved: whose photographs are others now; they are to be scored again.
    """

    changed: int = 0
    gone: int = 0
    moved: int = 0


@dataclass(frozen=True)
class PartChange:
    """What is to be done with a part.

    Attributes:
        path: of the part.
        positions: of the first rows of its products in the source, int64 (rows,); -1 for those that are gone.
        images: of each product where its photographs are now.
        kept: which rows stay, bool (rows,).
        anew: whether it must be written, for rows that go or own columns that differ.
        changed, gone, moved: see `Refreshed`.
    """

    path: Path
    positions: np.ndarray
    images: tuple[tuple[str, ...], ...]
    kept: np.ndarray
    anew: bool
    changed: int
    gone: int
    moved: int


@dataclass(frozen=True)
class Refresh:
    """What a run has to change in the parts of earlier ones, and does with `apply` once it has succeeded.

    Attributes:
        kept: ids of the products that stay as they were scored.
        before: ids of all that were scored before.
        gone: those of them that the source has no more, in the order of the parts.
        changes: for each part.
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
        """How many products each kind of change is of."""
        return Refreshed(
            *(sum(getattr(change, name) for change in self.changes) for name in ("changed", "gone", "moved"))
        )

    def check_gone(self) -> None:
        """Raises DataError where so many products are gone that the source itself may be at fault, as one cut off."""
        self._check(self.gone, f"are not in {self.source.name} any more")

    def check_lost(self, scored: Set[str]) -> None:
        """The same of all that would go once these ids are scored: also those whose photograph cannot be used now."""
        lost = sorted(self.before - self.kept - scored)
        self._check(lost, f"are gone, or their photographs cannot be used any more (see {LEFT_OUT_FILE})")

    def _check(self, lost: Sequence[str], why: str) -> None:
        if len(lost) > MOST_LOST * len(self.before):
            raise DataError(
                f"{len(lost):,} of the {len(self.before):,} products of {self.folder} {why}, such as {lost[0]!r}; "
                f"nothing was removed: see whether {self.source.name} is whole, or give --allow-removal to drop them"
            )

    def apply(self) -> None:
        """Make the parts say of their products what the source says.

        Each part is written whole or not at all; a run that is cut off leaves the rest to the next.
        """
        for change in self.changes:
            if not change.anew:
                continue
            # It counts the rows of the parts; the run ends with another.
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
            table |= _of_several(whole, change.images)
        write_part(change.path, pa.table(table).filter(pa.array(change.kept)), self.origin)


def plan_refresh(folder: Path, origin: Origin, source: ProductSource) -> Refresh:
    """Find what must change in the parts of a folder; nothing is written.

    Parts of another origin are left alone: `catalog.scoring.parts.PartWriter` refuses them.

    Args:
        folder: of the scored catalog.
        origin: of this run.
        source: what the parts are compared with.

    Raises:
        DataError: a part is broken, or the source has not one of the products.
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
            f"{source.name} has none of the products of {folder}, such as {next(iter(there.values()))[0]!r}; is it "
            "another column of ids? Choose another folder with --out, or remove that one"
        )
    own = source.own()
    changes = tuple(_change(path, source, own, place, names) for path, names in there.items())
    kept = frozenset(
        name for change in changes for name, stays in zip(there[change.path], change.kept, strict=True) if stays
    )
    needed = own if any(change.anew for change in changes) else None
    return Refresh(folder, origin, source, needed, kept, before, gone, changes)


def _change(
    path: Path, source: ProductSource, own: pa.Table, place: dict[str, list[int]], names: list[str]
) -> PartChange:
    """The same for one part."""
    part = open_part(path)
    schema = part.schema_arrow
    before, columns = own_columns(schema), [field.name for field in source.columns]
    rows = [place.get(name, []) for name in names]
    positions = np.array([of[0] if of else -1 for of in rows])
    fresh = own.take(pa.array(np.maximum(positions, 0)))
    several = PHOTOGRAPHS in schema.names
    old = part.read([IMAGE, *([PHOTOGRAPHS] if several else []), *before])
    images = _images(old)
    named = own[PLACE].take(pa.array([position for of in rows for position in of], pa.int64())).to_pylist()
    now = iter(named)
    found = [_images_now(source, of, [next(now) for _ in product]) for of, product in zip(images, rows, strict=True)]
    moved = np.array([bool(of) and image is None for of, image in zip(rows, found, strict=True)], dtype=bool)
    kept = (positions >= 0) & ~moved
    images_now = tuple(of if image is None else image for of, image in zip(images, found, strict=True))
    same_types = before == columns and all(schema.field(name).type == own.schema.field(name).type for name in before)
    differs = np.array([a != b for a, b in zip(_rows(old, before), _rows(fresh, columns), strict=True)], dtype=bool)
    changed = int((differs & kept).sum())
    anew = not kept.all() or not same_types or changed or several != source.several or images_now != tuple(images)
    counts = changed, int((positions < 0).sum()), int(moved.sum())
    return PartChange(path, positions, images_now, kept, bool(anew), *counts)


def _images(part: pa.Table) -> list[tuple[str, ...]]:
    """Where the photographs of each product of a part are; "" stands for one of which it is not known."""
    several = part[PHOTOGRAPHS].to_pylist() if PHOTOGRAPHS in part.column_names else [None] * len(part)
    return [tuple(of or [first or ""]) for first, of in zip(part[IMAGE].to_pylist(), several, strict=True)]


def _images_now(
    source: ProductSource, images: Sequence[str], named: Sequence[Sequence[str] | None]
) -> tuple[str, ...] | None:
    """Where the photographs that were scored are now; None where they are not those that the product's rows name.

    Args:
        source: of the rows.
        images: that were scored; photographs that could not be used are not among them.
        named: for each row of the product what it names, see `ProductSource.own`.
    """
    if source.holds_photographs:
        return _followed(images, [place for places in named for place in places or []])
    wanted = list(dict.fromkeys(place for places in named for place in places or []))
    if images == ("",) or not wanted:
        return tuple(images)
    places = [ImagePlaces(source.folder, where) for where in wanted]
    scored = [[Path(image) in of for of in places] for image in images]
    if not all(map(any, scored)):
        return None
    # One that is new, and no file, was left out and will be; one that is a file is to be scored.
    new = [of for of, *found in zip(places, *scored, strict=True) if not any(found)]
    return None if any(path.is_file() for of in new for path in of) else tuple(images)


def _followed(images: Sequence[str], rows: Sequence[str]) -> tuple[str, ...] | None:
    """Photographs that lie in rows of a table, under the names that their rows have now.

    None where the rows are more or fewer. Others stay as they are: files, and "".
    """
    before = list(dict.fromkeys(filter(None, map(row_of_stored, images))))
    if not before:
        return tuple(images)
    if len(before) != len(rows):
        return None
    now = dict(zip(before, rows, strict=True))
    return tuple(now[row] + image[len(row) :] if (row := row_of_stored(image)) else image for image in images)


def _of_several(part: pa.Table, images: Sequence[Sequence[str]]) -> dict[str, pa.Array]:
    """The columns of products with several photographs, as a part is to have them."""
    cells = [list(of) if len(of) > 1 else None for of in images]
    size = part.schema.field(EMBEDDING).type.list_size
    kind = pa.list_(pa.list_(pa.float16(), size))
    views = part[VIEWS] if VIEWS in part.column_names else pa.nulls(len(part), kind)
    return {PHOTOGRAPHS: pa.array(cells, pa.list_(pa.string())), VIEWS: views}


def _rows(table: pa.Table, names: list[str]) -> list[str]:
    """Each row's cells as text: NaN is like itself there, and a number like no text."""
    cells: list[list[Any]] = [table[name].to_pylist() for name in names]
    return [repr(row) for row in zip(*cells, strict=True)] if cells else [""] * len(table)
