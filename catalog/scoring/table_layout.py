"""Which columns of a table hold the photographs and the ids, and which the scored catalog keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.scored.columns import ID, IMAGE
from fashion.errors import DataError
from fashion.tables.columns import ID_COLUMNS, IMAGE_COLUMNS, further_images, usual_name
from fashion.tables.reading import Table, require_columns


@dataclass(frozen=True)
class TableLayout:
    """The columns of a table by role.

    Attributes:
        images: the columns of photographs, the main one first.
        key: the column of ids; None if there is none.
        own: the columns that the scored catalog keeps under their names.
        notes: lines for the user on columns that it does not keep.
    """

    images: tuple[str, ...]
    key: str | None
    own: tuple[str, ...]
    notes: tuple[str, ...]


def table_layout(table: Table, id_column: str | None, image_columns: Sequence[str]) -> TableLayout:
    """Find the columns; those that are not given by their usual names.

    Raises:
        DataError: the table lacks a given column, or none has a usual name for photographs.
    """
    images = tuple(image_columns)
    if not images:
        image = usual_name(table.columns, IMAGE_COLUMNS)
        if image is None:
            raise DataError(
                f"{table.path} has no column with a usual name for images, such as image, photo, file or path; "
                f"its columns are: {', '.join(table.columns)}; name it with --image"
            )
        images = (image, *further_images(table.columns, image))
    key = id_column or usual_name([column for column in table.columns if column not in images], ID_COLUMNS)
    require_columns(table, [*images] if key is None else [*images, key])
    own = tuple(column for column in table.columns if column not in (images[0], ID, IMAGE))
    # A database's table often has both `id` and `sku`; refusing it would force its owner to rename a column every day.
    notes = tuple(
        f"note   the column {ours!r} of {table.path} is not kept: in the catalog {ours!r} is that of {given!r}"
        for ours, given in ((ID, key), (IMAGE, images[0]))
        if ours in table.columns and ours not in (key, *images)
    )
    return TableLayout(images, key, own, notes)
