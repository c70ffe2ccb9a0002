"""Download of the answers as a CSV, Excel or JSON file."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xlsxwriter

from fashion.colors.cielab import hex_to_lab
from fashion.errors import SettingError
from page.trying.limits import MAX_ENTRIES, MAX_ROWS
from serving.protocol import JSON_TYPE

COLUMNS = ("file", "group", "name", "probability", "threshold", "hex", "share", "note")
MEASURED = "measured color"  # value of the column `group` in rows of colors
SEPARATOR = "; "  # between the photographs of one product
MIDDLE = 49.5  # L* above which black text has more contrast than white: luminance 0.18 (contrast ratio of WCAG 2.2)
HEX = re.compile("#[0-9a-f]{6}")
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Row = Mapping[str, Any]


def download(kind: str, products: Any) -> tuple[bytes, str]:
    """A file of the answers, and its media type.

    Args:
        kind: one of `WRITERS`.
        products: `[{"photographs": [name, ...], "attributes": [{"group", "name", "probability", "threshold"}],
            "colors": [{"hex", "name", "share"}], "note": text}]`; a product without attributes and colors gets one row
            with only its note, such as why it could not be used.

    Raises:
        SettingError: the kind is unknown, or `products` is not such a list.
    """
    if kind not in WRITERS:
        raise SettingError(f"format {kind[:60]!r} is unknown; choose among: {', '.join(WRITERS)}")
    return WRITERS[kind](_checked(products))


def _checked(products: Any) -> list[dict[str, Any]]:
    try:
        rows = sum(len(each["attributes"]) + len(each["colors"]) for each in products)
        if sum(len(each["photographs"]) for each in products) > MAX_ENTRIES or rows > MAX_ROWS:
            raise SettingError(f"a table has at most {MAX_ENTRIES:,} photographs and {MAX_ROWS:,} rows; send fewer")
        return [
            {
                "photographs": [str(name) for name in each["photographs"]],
                "attributes": [
                    {"group": str(a["group"]), "name": str(a["name"])}
                    | {key: round(float(a[key]), 4) for key in ("probability", "threshold")}
                    for a in each["attributes"]
                ],
                "colors": [
                    {"hex": _hex(color["hex"]), "name": str(color["name"]), "share": round(float(color["share"]), 4)}
                    for color in each["colors"]
                ],
                "note": str(each.get("note", "")),
            }
            for each in products
        ]
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        expected = "'photographs', 'attributes' and 'colors'"
        raise SettingError(f"the table is not a list of products with {expected}") from None


def _hex(text: Any) -> str:
    if not HEX.fullmatch(text):
        raise ValueError(text)
    return str(text)


def _rows(products: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [
        {"file": SEPARATOR.join(each["photographs"]), "note": each["note"]} | row
        for each in products
        for row in [*each["attributes"], *({"group": MEASURED} | color for color in each["colors"])] or [{}]
    ]


def _csv(products: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(_rows(products))
    # Spreadsheets recognize UTF-8 by its byte order mark; a lone surrogate cannot be encoded and is replaced.
    return file.getvalue().encode("utf-8-sig", errors="replace"), "text/csv; charset=utf-8"


def _excel(products: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("attributes")
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, COLUMNS, book.add_format({"bold": True}))
        fills: dict[str, Any] = {}  # cell format by color
        for number, row in enumerate(_rows(products), 1):
            for place, name in enumerate(COLUMNS):
                value = row.get(name, "")
                if name == "hex" and value:
                    ink = "#000000" if _is_light(value) else "#ffffff"
                    fill = fills.setdefault(value, book.add_format({"bg_color": value, "font_color": ink}))
                    sheet.write_string(number, place, value, fill)
                elif isinstance(value, str):  # write_string: a file name must not become a formula
                    sheet.write_string(number, place, value.encode(errors="replace").decode())
                else:
                    sheet.write_number(number, place, value)
    return file.getvalue(), XLSX_TYPE


def _is_light(color: str) -> bool:
    """Whether black text is more readable than white on a color."""
    return bool(hex_to_lab(color)[0] > MIDDLE)


def _json(products: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    text = json.dumps(products, ensure_ascii=False, indent=1)
    return text.encode(errors="backslashreplace"), JSON_TYPE


WRITERS: dict[str, Callable[[Sequence[Mapping[str, Any]]], tuple[bytes, str]]] = {
    "csv": _csv,
    "xlsx": _excel,
    "json": _json,
}
