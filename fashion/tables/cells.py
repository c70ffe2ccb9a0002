"""Convert typed cells of tables to text, or to references to photographs."""

import json
from datetime import date, datetime, time
from math import isfinite
from typing import Any

SEPARATOR = "|"  # between the values of a list, as between several labels in a cell
PLACES = (
    "bytes",
    "path",
    "src",
    "url",
    "image",
    "image_url",
)  # keys of a nested photograph, as written by `datasets`, Shopify and others


def text_cell(value: Any) -> str:
    """A value from JSON or a spreadsheet as text, as in a CSV file; None and NaN become empty."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list) and not any(isinstance(each, (list, dict)) for each in value):
        return SEPARATOR.join(filter(None, map(text_cell, value)))
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return str(value).strip()


def is_fraction(value: Any) -> bool:
    """Whether a value from JSON or a spreadsheet is a number that is not whole: as text it has a decimal point."""
    return isinstance(value, float) and isfinite(value) and not value.is_integer()


def photographs(cell: Any) -> list[Any]:
    """The photographs in a cell, each as text or bytes; an empty list for an empty cell."""
    if isinstance(cell, list):
        return [photograph for value in cell for photograph in photographs(value)]
    if isinstance(cell, dict):
        return photographs(next((cell[name] for name in PLACES if cell.get(name)), None))
    return [cell] if cell else []


def first_photograph(cell: Any) -> Any:
    """The first photograph in a cell, as text or bytes; None or empty for an empty cell."""
    if isinstance(cell, (list, dict)):
        return next(iter(photographs(cell)), None)
    return cell
