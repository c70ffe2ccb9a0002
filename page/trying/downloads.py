"""What was answered of photographs, as a table to keep."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xlsxwriter

from fashion.errors import SettingError
from page.trying.limits import MAX_FILES, MAX_ROWS
from serving.protocol import JSON_TYPE

COLUMNS = ("file", "group", "name", "probability", "threshold", "note")
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Row = Mapping[str, Any]


def download(kind: str, photographs: Any) -> tuple[bytes, str]:
    """A file of the answers, and its media type.

    Args:
        kind: one of `WRITERS`.
        photographs: `[{"file": name, "attributes": [{"group", "name", "probability", "threshold"}], "note": text}]`; a
            photograph without attributes has a row with its note alone, such as why it could not be used.

    Raises:
        SettingError: an unknown kind, or something else than such a list.
    """
    if kind not in WRITERS:
        raise SettingError(f"format {kind[:60]!r} is unknown; choose among: {', '.join(WRITERS)}")
    return WRITERS[kind](_checked(photographs))


def _checked(photographs: Any) -> list[dict[str, Any]]:
    try:
        if len(photographs) > MAX_FILES or sum(len(each["attributes"]) for each in photographs) > MAX_ROWS:
            raise SettingError(f"a table has at most {MAX_FILES} photographs and {MAX_ROWS:,} attributes; send fewer")
        return [
            {
                "file": str(each["file"]),
                "attributes": [
                    {"group": str(a["group"]), "name": str(a["name"])}
                    | {key: round(float(a[key]), 4) for key in ("probability", "threshold")}
                    for a in each["attributes"]
                ],
                "note": str(each.get("note", "")),
            }
            for each in photographs
        ]
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        raise SettingError("the table is no list of photographs with 'file' and 'attributes'") from None


def _rows(photographs: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [
        {"file": each["file"], "note": each["note"]} | attribute
        for each in photographs
        for attribute in each["attributes"] or [{}]
    ]


def _csv(photographs: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(_rows(photographs))
    # Spreadsheets read UTF-8 where a byte order mark says so; half of a surrogate pair is in no UTF-8.
    return file.getvalue().encode("utf-8-sig", errors="replace"), "text/csv; charset=utf-8"


def _excel(photographs: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("attributes")
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, COLUMNS, book.add_format({"bold": True}))
        for number, row in enumerate(_rows(photographs), 1):
            for place, name in enumerate(COLUMNS):
                value = row.get(name, "")
                if isinstance(value, str):  # never a formula, whatever a file is called
                    sheet.write_string(number, place, value.encode(errors="replace").decode())
                else:
                    sheet.write_number(number, place, value)
    return file.getvalue(), XLSX_TYPE


def _json(photographs: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    text = json.dumps(photographs, ensure_ascii=False, indent=1)
    return text.encode(errors="backslashreplace"), JSON_TYPE


WRITERS: dict[str, Callable[[Sequence[Mapping[str, Any]]], tuple[bytes, str]]] = {
    "csv": _csv,
    "xlsx": _excel,
    "json": _json,
}
