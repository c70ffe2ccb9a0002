"""Ids of a table's rows."""

import re
from collections.abc import Sequence
from typing import Any

_FLOAT_ID = re.compile(r"(\d+)[.,]0")
_ROUNDED_ID = re.compile(r"\d[.,]\d+E\+\d\d", re.IGNORECASE)  # as Excel shows and saves numbers of 12 digits or more


def row_ids(cells: Sequence[Any], photographs: Sequence[Any], rows: Sequence[str]) -> list[str]:
    """The ids as text; a missing one is replaced by the photograph's name, and without one by the row's place.

    A place is the last resort: it changes when a row is inserted above, and then another product has the id.
    """
    named = zip(id_texts(cells), id_texts(photographs), rows, strict=True)
    return [text or photograph or row for text, photograph, row in named]


def missing_ids(column: str, cells: Sequence[Any], photographs: Sequence[Any], rows: Sequence[str]) -> str | None:
    """A note if rows have no id; otherwise None."""
    missing = [i for i, text in enumerate(id_texts(cells)) if not text]
    if not missing:
        return None
    instead = "their photographs' names are used" if photographs[missing[0]] else "their places in the table are used"
    return (
        f"note   {len(missing):,} of {len(cells):,} rows have no id in the column {column!r}; the first is "
        f"{rows[missing[0]]}; {instead}, so corrections are lost when these change; fill in the ids, or name another "
        "column with --id"
    )


def id_texts(cells: Sequence[Any]) -> list[str]:
    """Ids as text, "" for missing ones.

    If all are like 123.0, as pandas writes integers in a column with gaps, they become 123. Bytes are decoded, since
    old Parquet writers store text as bytes.
    """
    texts = [_id_text(cell) for cell in cells]
    found = [_FLOAT_ID.fullmatch(text) for text in texts]
    if not all(match or not text for match, text in zip(found, texts, strict=True)):
        return texts
    return [match[1] if match else "" for match in found]


def rounded_ids(column: str, cells: Sequence[str], rows: Sequence[str]) -> str | None:
    """A note if a spreadsheet has rounded ids, as in 4.01235E+12, so that different ones coincide; otherwise None."""
    rounded = [i for i, cell in enumerate(cells) if _ROUNDED_ID.fullmatch(cell)]
    if not rounded:
        return None
    return (
        f"note   {len(rounded):,} of {len(cells):,} ids in the column {column!r} have lost digits in a spreadsheet, "
        f"and different products may have become one; the first is {cells[rounded[0]]!r} in {rows[rounded[0]]}; save "
        "them as text, or name another column with --id"
    )


def _id_text(cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode(errors="backslashreplace")
    return "" if cell is None or cell != cell else str(cell)
