"""Cells of tables whose values have types, as text or as what a photograph is to be read from."""

import json
from datetime import date, datetime, time
from typing import Any

SEPARATOR = "|"  # between the values of a list, as between the labels of one cell of a catalog
PLACES = (
    "bytes",
    "path",
    "src",
    "url",
    "image",
    "image_url",
)  # where a record of a photograph has it: as `datasets`, as Shopify


def text_cell(value: Any) -> str:
    """A value of JSON or of a spreadsheet as a CSV file would hold it; nothing is empty."""
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


def photographs(cell: Any) -> list[Any]:
    """What a cell says of its photographs: for each a text or bytes; nothing where it is empty."""
    if isinstance(cell, list):
        return [photograph for value in cell for photograph in photographs(value)]
    if isinstance(cell, dict):
        return photographs(next((cell[name] for name in PLACES if cell.get(name)), None))
    return [cell] if cell else []


def first_photograph(cell: Any) -> Any:
    """What a cell says of its first photograph: text, bytes, or nothing where it is empty."""
    if isinstance(cell, (list, dict)):
        return next(iter(photographs(cell)), None)
    return cell
