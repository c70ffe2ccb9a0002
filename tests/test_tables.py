"""fashion.tables: product tables as written by shops, spreadsheets and databases, and finding their photographs."""

import json
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.scored.columns import WRITTEN
from catalog.scoring.opening import open_source
from catalog.scoring.source import CONTENT, FAULT, LAST, PLACE
from fashion.errors import DataError
from fashion.tables.cells import first_photograph, text_cell
from fashion.tables.image_paths import ImagePaths, first_listed_photograph, listed_photographs
from fashion.tables.reading import open_table
from fashion.tables.stored import read_stored, row_of_stored, stored_row

Row = dict[str, Any]


def read(path: Path, text: str | None = None) -> tuple[list[tuple[int, Row]], dict[int, str]]:
    """The rows of a table, and the errors of its bad lines."""
    if text is not None:
        path.write_text(text, encoding="utf-8", newline="")
    table = open_table(path)
    rows = list(table.rows(table.columns))
    return rows, dict(table.misfits)


def rows_of(path: Path, text: str | None = None) -> list[Row]:
    rows, misfits = read(path, text)
    assert not misfits
    return [row for _, row in rows]


A, B = {"id": "1", "image": "a.jpg"}, {"id": "2", "image": "b.jpg"}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id,image,note\n1,a.jpg\n2\n", [A | {"note": ""}, {"id": "2", "image": "", "note": ""}]),
        ("id,image\n1,a.jpg,\n2,b.jpg,,\n", [A, B]),
        ("id,image,,\n1,a.jpg,,\n2,b.jpg,,7\n", [A, B]),
        (",id,image\n0,1,a.jpg\n", [A]),  # a pandas index
        ("id,image,more,more\n1,a.jpg,,x\n2,b.jpg,y,z\n", [A | {"more": "x"}, B | {"more": "y"}]),
        ("id,image\n1,a.jpg\n,,\n , \n2,b.jpg\n\x1a", [A, B]),
        ("\n\nid,image\r\n\r\n1,a.jpg\r\n", [A]),
        ("id,image\r1,a.jpg\r2,b.jpg\r", [A, B]),
        ("\u200bid,image\u00a0\n1,a.jpg\n", [A]),
        ("'id','image'\n'1','a.jpg'\n", [A]),
        ("1,a.jpg\n", []),  # a single line is a header
    ],
    ids=str,
)
def test_lines_with_missing_or_extra_empty_values(tmp_path: Path, text: str, rows: list[Row]) -> None:
    assert rows_of(tmp_path / "t.csv", text) == rows


@pytest.mark.parametrize(
    "above",
    [
        "Product export 2026-05-01\n",
        "Products, May 2026\nShop of Acme,\n\n",
        "# exported, by the shop\n",
        "# a\n# b\n",
        "sep=,\n",
        "#",
        "Products,,,,\n",
    ],
)
def test_lines_above_the_header(tmp_path: Path, above: str) -> None:
    rows, misfits = read(tmp_path / "t.csv", above + "id,image,price,stock,name\n1,a.jpg,3,2,x\n")
    first = above.count("\n") + 2
    assert rows == [(first, A | {"price": "3", "stock": "2", "name": "x"})]
    assert not misfits


def test_a_header_without_usual_names_may_be_shorter_than_its_lines(tmp_path: Path) -> None:
    rows, misfits = read(tmp_path / "t.csv", "pic,kind\na.jpg,photo\nb.jpg,image\nc.jpg,x,y\n")
    assert [row for _, row in rows] == [{"pic": "a.jpg", "kind": "photo"}, {"pic": "b.jpg", "kind": "image"}]
    assert misfits == {4: "has 3 values, but its header names 2 columns"}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('14" bag', '14" bag'),
        ('"Basic" tee', '"Basic" tee'),
        ('"Basic" tee 14"', '"Basic" tee 14"'),
        ('"a \\"nice\\" tee"', 'a "nice" tee'),
        ('"a \\"nice\\", long\ntee"', 'a "nice", long\ntee'),
        ('"a ""nice"" tee, red"', 'a "nice" tee, red'),
        ('"C:\\tees\\"', "C:\\tees\\"),
        (' "x, y"', "x, y"),
        ('"two\nlines"', "two\nlines"),
    ],
)
def test_quotes(tmp_path: Path, cell: str, value: str) -> None:
    text = f'id,title,image\n1,{cell},a.jpg\n2,"ok, too",b.jpg\n'
    assert rows_of(tmp_path / "t.csv", text) == [A | {"title": value}, B | {"title": "ok, too"}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id;image;price, EUR, incl. VAT, net\n1;a.jpg;3\n", [A | {"price, EUR, incl. VAT, net": "3"}]),
        ("id;image;price\n1;a.jpg;3,50\n2;b.jpg;4,50\n", [A | {"price": "3,50"}, B | {"price": "4,50"}]),
        ("id|image\n1|a.jpg\n", [A]),
        (
            "id\timage\tname\n1\ta.jpg\tred, blue, green\n2\tb.jpg\ta; b\n",
            [A | {"name": "red, blue, green"}, B | {"name": "a; b"}],
        ),
        ('id,image,tags\n1,a.jpg,"x|y|z;q"\n', [A | {"tags": "x|y|z;q"}]),
        ("image\na.jpg\nb.jpg\n", [{"image": "a.jpg"}, {"image": "b.jpg"}]),
    ],
    ids=str,
)
def test_separators(tmp_path: Path, text: str, rows: list[Row]) -> None:
    assert rows_of(tmp_path / "t.csv", text) == rows


def test_lines_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    lines = [
        "id,title,image",
        "1,tee, red,a.jpg",
        '2,"open,b.jpg',
        "3,ok,c.jpg",
        '4,"two',
        'lines",d.jpg',
        '5,"x"y,"z,e.jpg',
    ]
    rows, misfits = read(tmp_path / "t.csv", "\n".join([*lines, "6,ok,f.jpg", "7,ok,g.jpg"]) + "\n")
    assert [(number, row["image"]) for number, row in rows] == [(4, "c.jpg"), (5, "d.jpg"), (8, "f.jpg"), (9, "g.jpg")]
    assert misfits == {
        2: "has 4 values, but its header names 3 columns",
        3: "has a quote that is not closed, or not doubled",
        7: "has a quote that is not closed, or not doubled",
    }


def test_an_unclosed_quote_loses_one_line_and_little_time(tmp_path: Path) -> None:
    lines = [f"{i},{chr(34) if i % 5000 == 0 else ''}x,{i}.jpg" for i in range(30_000)]
    rows, misfits = read(tmp_path / "t.csv", "\n".join(["id,title,image", *lines]))
    assert (len(rows), sorted(misfits)) == (29_994, [2 + 5000 * i for i in range(6)])


def test_more_bad_lines_than_good_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^line 3 of .*t.csv has 3 values, .* names 2 columns, and 2 of 3 lines do not"
    ):
        read(tmp_path / "t.csv", "id,image\n1,a.jpg\n1,a,b\n1,a,b\n")


def test_long_cells(tmp_path: Path) -> None:
    long = "<p>" + "x" * 300_000
    assert rows_of(tmp_path / "t.csv", f'id,body,image\n1,"{long}",a.jpg\n') == [A | {"body": long}]


def test_utf16_as_excel_saves_unicode_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("id\timage\n1\ta.jpg\n", encoding="utf-16")
    assert rows_of(tmp_path / "t.txt") == [A]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_text("id\timage\n1\ta.jpg\n", encoding=encoding)
    assert rows_of(tmp_path / "t.csv") == [A]


def test_windows_1252_as_excel_saves_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Artikelnummer;Bild;Größe;Preis\r\n1;a.jpg;groß;10,50 €\r\n", encoding="cp1252")
    assert rows_of(path) == [{"Artikelnummer": "1", "Bild": "a.jpg", "Größe": "groß", "Preis": "10,50 €"}]
    (note,) = open_table(path).notes
    assert "read as Windows-1252: line 1 has 'Artikelnummer;Bild;Größe;Preis'" in note


def test_lines_in_another_encoding_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("id,image\nä,a.jpg\n".encode() + "ü,b.jpg\n".encode("cp1252") + b"\x81,c.jpg\n")
    assert [row["id"] for row in rows_of(tmp_path / "t.csv")] == ["ä", "ü", "\ufffd"]
    (note,) = open_table(tmp_path / "t.csv").notes
    assert "line 3 has 'ü,b.jpg'" in note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,image\n\xff\x00\x01\x02", "is not text"),
        (b"\x1f\x8b\x08\x00", "is compressed .gzip.; decompress it first"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><p>not found, sorry", "is HTML or XML"),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".json", ".xls"])
def test_files_with_a_table_ending_that_are_not_tables(
    tmp_path: Path, content: bytes, message: str, ending: str
) -> None:
    (tmp_path / f"t{ending}").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_table(tmp_path / f"t{ending}")


@pytest.mark.parametrize("text", ["\n \n", ",,,\n", ";\n;\n", '""\n', "'',''\n", '"\n'])
def test_a_table_without_a_cell_is_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=r"t\.csv is empty; its first line must name the columns"):
        open_table(tmp_path / "t.csv")


def test_compressed_files_are_not_photographs(tmp_path: Path) -> None:
    for name, content in (("t.csv.gz", b"\x1f\x8b\x08\x00"), ("t.zip", b"PK\x03\x04")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"(decompress|unpack) it first"):
            open_source([str(tmp_path / name)])


def test_text_and_spreadsheet_files_with_swapped_endings(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "t.xls", "id\timage\n1\ta.jpg\n") == [A]
    write_xlsx(tmp_path / "t.csv", {"all": [["id", "image"], ["1", "a.jpg"]]})
    assert rows_of(tmp_path / "t.csv") == [A]


def test_a_header_that_is_repeated_is_listed(tmp_path: Path) -> None:
    rows, misfits = read(tmp_path / "t.csv", "id,image\n1,a.jpg\nid,image\n2,b.jpg\n")
    assert [row for _, row in rows] == [A, B]
    assert misfits == {3: "repeats the header"}


def test_cells_that_are_formulas_of_a_text(tmp_path: Path) -> None:
    text = 'id,image\n="0012",a.jpg\n"=""0013""",b.jpg\n'
    assert [row["id"] for row in rows_of(tmp_path / "t.csv", text)] == ["0012", "0013"]


@pytest.mark.parametrize("ending", [".csv", ".CSV", ".tsv", ".txt", ".tab"])
def test_endings_of_feeds(tmp_path: Path, ending: str) -> None:
    text = 'id\timage\tdescription\n1\ta.jpg\t14" wide, "Basic"\n2\tb.jpg\t"Basic" tee, red\n'
    found = rows_of(tmp_path / f"t{ending}", text)
    assert found == [A | {"description": '14" wide, "Basic"'}, B | {"description": '"Basic" tee, red'}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", '[{"id": 1, "image": "a.jpg"}, {"image": "b.jpg", "tags": ["x", "y"]}]'),
        ("t.json", '{"count": 2, "results": [{"id": 1, "image": "a.jpg"}, {"image": "b.jpg", "tags": ["x", "y"]}]}'),
        (
            "t.json",
            '{"tax": [{"a": 1}], "data": [{"id": 1, "image": "a.jpg"}, {"image": "b.jpg", "tags": ["x", "y"]}]}',
        ),
        ("t.json", '{\n"id": 1,\n"image": "a.jpg"\n}\n\n{\n"image": "b.jpg",\n"tags": ["x", "y"]\n}\n'),
        ("t.json", '[\n{"id": 1, "image": "a.jpg"},\n{"image": "b.jpg", "tags": ["x", "y"]},\n]\n'),
        ("t.json", '{"products": [{"id": 1, "image": "a.jpg"}, {"image": "b.jpg", "tags": ["x", "y"]}]}'),
        ("t.jsonl", '{"id": 1, "image": "a.jpg"}\n\n{"image": "b.jpg", "tags": ["x", "y"]}\n'),
        ("t.ndjson", '\ufeff{"id": 1, "image": "a.jpg"}\r\n{"image": "b.jpg", "tags": ["x", "y"]}'),
        ("t.json", '{"id": 1, "image": "a.jpg"}\n{"image": "b.jpg", "tags": ["x", "y"]}\n'),
    ],
)
def test_json(tmp_path: Path, name: str, text: str) -> None:
    assert rows_of(tmp_path / name, text) == [
        {"id": 1, "image": "a.jpg", "tags": None},
        {"id": None, "image": "b.jpg", "tags": ["x", "y"]},
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"id": {"0": "1", "1": "2"}, "image": {"0": "a.jpg", "1": "b.jpg"}}',
        '{"columns": ["id", "image"], "index": [0, 1], "data": [["1", "a.jpg"], ["2", "b.jpg"]]}',
        '{"0": {"id": "1", "image": "a.jpg"}, "1": {"id": "2", "image": "b.jpg"}}',
        '{"1": {"image": "a.jpg"}, "2": {"image": "b.jpg"}}',
        '{"schema": {"fields": []}, "data": [{"id": "1", "image": "a.jpg"}, {"id": "2", "image": "b.jpg"}]}',
    ],
    ids=["columns", "split", "index", "by id", "table"],
)
def test_json_as_pandas_writes_it(tmp_path: Path, text: str) -> None:
    assert rows_of(tmp_path / "t.json", text) == [A, B]


def test_json_with_special_characters_and_types(tmp_path: Path) -> None:
    text = r'{"_id": {"$oid": "5f1"}, "image": "a.jpg", "title": "\ud83d\udc57 \ud83d"}' + "\n"
    assert rows_of(tmp_path / "t.jsonl", text) == [{"_id": "5f1", "image": "a.jpg", "title": "👗 \ufffd"}]
    source = open_source([str(tmp_path / "t.jsonl")])
    assert (list(source.ids), source.source_columns()["title"].to_pylist()) == (["5f1"], ["👗 \ufffd"])


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_json_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.json").write_text('[{"id": "ü", "image": "a.jpg"}]', encoding=encoding)
    assert rows_of(tmp_path / "t.json") == [A | {"id": "ü"}]


def test_a_list_of_further_photographs_in_json_of_an_api(tmp_path: Path) -> None:
    product = {"id": 7, "image": {"src": "https://x/a.jpg"}, "images": [{"src": f"https://x/{i}.jpg"} for i in "ab"]}
    (tmp_path / "t.json").write_text(json.dumps({"products": [product]}))
    assert open_source([str(tmp_path / "t.json")]).source_columns()[PLACE].to_pylist() == [
        ["https://x/a.jpg"],
        ["https://x/b.jpg"],
    ]


def test_invalid_json_lines_are_listed(tmp_path: Path) -> None:
    rows, misfits = read(tmp_path / "t.jsonl", '{"id": 1}\n{"id": \n3\n{"id": 4}\n{"id": 5}\n')
    assert [number for number, _ in rows] == [1, 4, 5]
    assert misfits[2].startswith("is not JSON (")
    assert misfits[3] == "is not a JSON object"
    for text in ("no JSON\n", "[1, 2]", '{"image": {"0": "a.jpg"}}x', "[]"):
        with pytest.raises(DataError, match="expected a list of objects, or an object on each line"):
            read(tmp_path / "t.json", text)


def write_xlsx(path: Path, sheets: dict[str, list[list[str | float | bool | None]]]) -> None:
    """Write a minimal spreadsheet."""
    with zipfile.ZipFile(path, "w") as file:
        names = list(enumerate(sheets, 1))
        relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        package = "http://schemas.openxmlformats.org/package/2006"
        kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxml'
            'formats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
            + "".join(f'<Override PartName="/xl/s{i}.xml" ContentType="{kinds}.worksheet+xml"/>' for i, _ in names)
            + "</Types>",
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r0" Type="{relation}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{relation}"><sheets>'
            + "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in names)
            + "</sheets></workbook>",
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">'
            + "".join(f'<Relationship Id="r{i}" Type="{relation}/worksheet" Target="s{i}.xml"/>' for i, _ in names)
            + "</Relationships>",
        )
        for i, name in names:
            rows = "".join(
                f'<row r="{r}">'
                + "".join(_xlsx_cell(f"{chr(64 + c)}{r}", value) for c, value in enumerate(row, 1))
                + "</row>"
                for r, row in enumerate(sheets[name], 1)
            )
            file.writestr(f"xl/s{i}.xml", f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>')


def _xlsx_cell(place: str, value: str | float | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    return (
        f'<c r="{place}" t="b"><v>{value:d}</v></c>'
        if isinstance(value, bool)
        else f'<c r="{place}"><v>{value}</v></c>'
    )


def test_spreadsheets(tmp_path: Path) -> None:
    rows = [
        ["Export"],
        [],
        ["id", "image", "price", "new", None, None],
        [1, "a.jpg", 19.99, True, None, "a remark"],
        [],
        [2, "b.jpg"],
    ]
    write_xlsx(tmp_path / "t.xlsx", {"cover": [], "products": rows, "other": [["x"]]})
    table = open_table(tmp_path / "t.xlsx")
    assert list(table.rows(table.columns)) == [
        (4, A | {"price": "19.99", "new": "true"}),
        (6, B | {"price": "", "new": ""}),
    ]
    (note,) = table.notes
    assert note.endswith("the sheet 'products' is read, not: cover, other")
    write_xlsx(
        tmp_path / "c.xlsx", {"cover": [["Export of May"], ["by the shop"]], "all": [["id", "image"], [1, "a.jpg"]]}
    )
    assert rows_of(tmp_path / "c.xlsx") == [A]
    (tmp_path / "bad.xlsx").write_bytes(b"PKxxxxxx")
    with pytest.raises(DataError, match=r"bad.xlsx is not a spreadsheet, or a broken or protected one"):
        open_table(tmp_path / "bad.xlsx")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (True, "true"),
        (3.0, "3"),
        (2.5, "2.5"),
        (["a", 1], "a|1"),
        ({"a": [1]}, '{"a": [1]}'),
    ],
)
def test_cells_as_text(value: object, text: str) -> None:
    assert text_cell(value) == text


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        ("a.jpg", "a.jpg"),
        (["", "a.jpg", "b.jpg"], "a.jpg"),
        ([{"src": "a.jpg"}, {"src": "b.jpg"}], "a.jpg"),
        ([{"bytes": None, "path": "a.jpg"}], "a.jpg"),
        ({"bytes": b"x", "path": "a.jpg"}, b"x"),
        ([], None),
        ([{}], None),
    ],
)
def test_first_photographs(cell: object, first: object) -> None:
    assert first_photograph(cell) == first


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        ("a.jpg", "a.jpg"),
        ("a.jpg, b.jpg", "a.jpg"),
        ("a.JPG;b.jpg", "a.JPG"),
        ("a.png|b.png|c.png", "a.png"),
        ("https://x/a.jpg?v=1, https://x/b.jpg?v=1", "https://x/a.jpg?v=1"),
        ("https://x/a,https://x/b", "https://x/a"),
        ("https://x/w_100,h_100/a.jpg", "https://x/w_100,h_100/a.jpg"),
        ("https://x/a.jpg?auto=format,compress&w=8", "https://x/a.jpg?auto=format,compress&w=8"),
        ("https://x/a.jpg?rect=0,0,9,9,https://x/b.jpg", "https://x/a.jpg?rect=0,0,9,9"),
        ("https://x/a.jpg?v=1,b.jpg?v=1", "https://x/a.jpg?v=1"),
        ("a.jpg,", "a.jpg"),
        ("https://x/a?v=1; ", "https://x/a?v=1"),
        ('["a.jpg", "b.jpg"]', "a.jpg"),
        ("['a.jpg']", "a.jpg"),
        ("['a.jpg' 'b.jpg']", "a.jpg"),
        ('{a.jpg,"b.jpg"}', "a.jpg"),
        ('[{"id": 3, "src": "a.jpg"}, {"src": "b.jpg"}]', "a.jpg"),
        ('{"url": "https://x/a.jpg"}', "https://x/a.jpg"),
        ('=IMAGE("https://x/a.jpg")', "https://x/a.jpg"),
        ('<img src="https://x/a.jpg" alt="tee">', "https://x/a.jpg"),
        ("[]", ""),
        ("tee, red.jpg", "tee, red.jpg"),
    ],
)
def test_the_first_of_several(cell: str, first: str) -> None:
    assert first_listed_photograph(cell) == first


def test_commas_within_and_after_the_urls_of_a_cell() -> None:
    urls = [f"https://x/{name}.jpg?auto=format,compress&rect=0,0,{name},9" for name in range(3)]
    for separator in (",", ", ", ";", "|", "\n", ",,"):
        assert listed_photographs(separator.join(urls)) == urls
        assert listed_photographs(separator.join(urls) + separator) == urls


@pytest.mark.parametrize(
    ("cell", "file"),
    [
        ("a.jpg", "images/a.jpg"),
        ("a", "images/a.jpg"),
        ("/m/b/a.jpg", "images/m/b/a.jpg"),
        ("m\\b\\a.jpg", "m/b/a.jpg"),
        ("C:\\shop\\photos\\a.jpg", "images/a.jpg"),
        ("https://cdn.example/s/files/1/a%20b.jpg?v=170", "images/a b.jpg"),
        ("//cdn.example/2026/05/a.jpg", "images/05/a.jpg"),
        ("a.jpg, c.jpg", "a.jpg"),
        ("a.jpg, c.jpg", "a.jpg, c.jpg"),
        ("https://x/u/a.jpg, https://x/u/c.jpg", "images/a.jpg"),
        ("A.JPG", "images/a.jpg"),
        ("a", "images/A.JFIF"),
        ("https://cdn.example/Uploads/05/A.jpg", "images/05/a.JPG"),
        (unicodedata.normalize("NFC", "ROCK-GRÜN.JPG"), unicodedata.normalize("NFD", "images/Rock-grün.jpg")),
        ("images\\A.Jpg", "Images/a.jpg"),
        ("a.jpg", "Images/a.jpg"),
        (unicodedata.normalize("NFC", "Rock-grün.jpg"), unicodedata.normalize("NFD", "images/Rock-grün.jpg")),
        (unicodedata.normalize("NFD", "Rock-grün.jpg"), unicodedata.normalize("NFC", "Rock-grün.jpg")),
    ],
)
def test_photographs_are_found(tmp_path: Path, cell: str, file: str) -> None:
    for name in (file, "images/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert next(path for path in ImagePaths(tmp_path, cell) if path.is_file()) == tmp_path / file


def test_missing_photographs(tmp_path: Path) -> None:
    assert (
        ImagePaths(tmp_path, "x.jpg").missing_message()
        == f"x.jpg is not in {tmp_path} nor in its folder images, image, imgs, photos"
    )
    said = ImagePaths(tmp_path, "https://cdn.example/x.jpg?v=1").missing_message()
    assert said.startswith("https://cdn.example/x.jpg?v=1 is a URL, which --fetch downloads; x.jpg is not in")
    said = ImagePaths(tmp_path, "s3://shop/x.jpg").missing_message()
    assert said.startswith(
        "s3://shop/x.jpg is a URL, which is not downloaded: copy the file into the folder of the table; x.jpg is"
    )
    assert len(ImagePaths(tmp_path, "y" * 9999).missing_message()) < 500 + len(str(tmp_path))
    assert list(ImagePaths(tmp_path, "y" * 9999)) == []


VIEWS = {"image": pa.string_view(), "brand": pa.string_view(), "kind": pa.dictionary(pa.int8(), pa.string())}


def test_text_of_polars_is_text(tmp_path: Path) -> None:
    columns = {name: pa.array(["a.jpg", None, "c.jpg"], kind) for name, kind in VIEWS.items()}
    columns["tags"] = pa.array([["x"], None, []], pa.large_list(pa.string_view()))
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet")
    assert table.label_columns == ("image", "brand", "kind", "tags")
    source = open_source([str(tmp_path / "t.parquet")])
    assert list(source.ids) == ["a.jpg", "t.parquet:2", "c.jpg"]
    assert [str(field.type) for field in source.columns] == ["string", "string", "list<element: string>"]
    (piece,) = source.pieces(np.array([0, 2]), 10)
    (rows,) = piece.read()
    assert rows[PLACE].to_pylist() == ["a.jpg", "c.jpg"]
    assert rows["tags"].to_pylist() == [["x"], []]
    assert source.source_columns()["kind"].to_pylist() == ["a.jpg", None, "c.jpg"]
    assert source.source_columns().schema.field("brand").type == pa.string()


@pytest.mark.parametrize(
    "kind",
    [pa.binary_view(), pa.list_(pa.binary()), pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.null())]))],
    ids=str,
)
def test_photographs_in_cells_of_every_type(tmp_path: Path, kind: pa.DataType) -> None:
    cells: list[Any] = [b"1", b"2", None]
    if pa.types.is_list(kind):
        cells = [[b"1", b"x"], [b"2"], []]
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        cells = [[{"bytes": each, "path": None} for each in cell] for cell in cells]
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), tmp_path / "t.parquet")
    source = open_source([str(tmp_path / "t.parquet")])
    (piece,) = source.pieces(np.arange(3), 10)
    (rows,) = piece.read()
    assert rows[CONTENT].to_pylist() == ([b"1", b"x", b"2", None] if pa.types.is_list(kind) else [b"1", b"2", None])


@pytest.mark.parametrize("name", ["t.parquet", "SHOP.PARQUET"])
def test_a_photograph_in_a_table_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({"image": pa.array([b"1", b"2"])}), tmp_path / name)
    row = stored_row(tmp_path / name, "image", 1)
    assert read_stored(f"{row}:0") == b"2"
    assert row_of_stored(f"{row}:0") == row


def test_lists_of_paths(tmp_path: Path) -> None:
    cells = [["a.jpg", "b.jpg"], [], ["c.jpg"]]
    pq.write_table(pa.table({"images": pa.array(cells), "id": [1, 2, 3]}), tmp_path / "t.parquet")
    source = open_source([str(tmp_path / "t.parquet")])
    assert source.source_columns()[PLACE].to_pylist() == [["a.jpg", "b.jpg"], [], ["c.jpg"]]
    (piece,) = source.pieces(np.array([0, 1]), 10)
    (rows,) = piece.read()
    assert rows[PLACE].to_pylist() == ["a.jpg", "b.jpg", None]
    assert rows["id"].to_pylist() == ["1", "1", "2"]
    assert rows[LAST].to_pylist() == [False, True, True]


@pytest.mark.parametrize("of_lists", [False, True])
def test_addresses_in_structs(tmp_path: Path, of_lists: bool) -> None:
    one, two = {"src": "https://x/a.jpg", "alt": "tee"}, {"src": "https://x/b.jpg", "alt": None}
    cells = pa.array([[one, two], []] if of_lists else [one, two])
    pq.write_table(pa.table({"images": cells}), tmp_path / "t.parquet")
    source = open_source([str(tmp_path / "t.parquet")], fetched=True)
    places = [["https://x/a.jpg", "https://x/b.jpg"], []] if of_lists else [["https://x/a.jpg"], ["https://x/b.jpg"]]
    assert source.source_columns()[PLACE].to_pylist() == places
    assert list(source.ids) == ["https://x/a.jpg", "t.parquet:2" if of_lists else "https://x/b.jpg"]
    (rows,) = next(iter(source.pieces(np.array([0, 1]), 10))).read()
    named = [place for row in places for place in row or [None]]
    assert rows[PLACE].to_pylist() == named
    assert not any(content.as_py() for content in rows[CONTENT])


def test_shards_with_an_empty_column_and_with_gaps(tmp_path: Path) -> None:
    for name, stock, sale in (("0", [3], [None]), ("1", [None], [2.5]), ("2", [4.0], [None])):
        table = pa.table({"id": [name], "image": [f"{name}.jpg"], "stock": stock, "sale": sale})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    source = open_source([str(tmp_path)])
    own = source.source_columns().select(["stock", "sale"])
    rows = pa.concat_tables([rows for piece in source.pieces(np.arange(3), 10) for rows in piece.read()])
    assert rows.select(["stock", "sale"]).equals(own)
    assert own.to_pylist() == [{"stock": 3, "sale": None}, {"stock": None, "sale": 2.5}, {"stock": 4, "sale": None}]
    pq.write_table(
        pa.table({"id": ["3"], "image": ["3.jpg"], "stock": ["many"], "sale": [1.0]}), tmp_path / "3.parquet"
    )
    with pytest.raises(
        DataError, match=r"column 'stock' is string in .*3.parquet and double in .*; make them the same"
    ):
        open_source([str(tmp_path)])


def test_a_column_with_the_name_of_another_that_was_chosen_is_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"id": ["7"], "sku": ["A"], "image": ["a.jpg"], "image_url": ["https://x/a.jpg"]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("id,sku,image,image_url\n7,A,a.jpg,https://x/a.jpg\n")
    for name in ("t.csv", "t.parquet"):
        source = open_source([str(tmp_path / name)], "sku", ["image_url"])
        assert list(source.ids) == ["A"]
        written = [WRITTEN + "image_url"] if name == "t.csv" else []
        assert [column.name for column in source.columns] == [*written, "sku"]
        assert [note.split(": ")[1] for note in capsys.readouterr().err.splitlines()] == [
            "in the catalog 'id' is that of 'sku'",
            "in the catalog 'image' is that of 'image_url'",
        ]


@pytest.mark.parametrize("cell", [[1, 2, 3], [[1, 2], [3, 4]], [[[0.5]]]], ids=str)
def test_pixels_are_refused(tmp_path: Path, cell: list) -> None:
    pq.write_table(pa.table({"image": [cell, cell]}), tmp_path / "t.parquet")
    with pytest.raises(
        DataError, match=r"column 'image' of .*t.parquet holds pixels \(list<.*expected paths or the bytes"
    ):
        open_source([str(tmp_path / "t.parquet")])


def broken_parquet(path: Path) -> None:
    """Write three row groups of four photographs; the second is unreadable."""
    images = [bytes([i]) * 5000 for i in range(12)]
    table = pa.table({"id": [str(i) for i in range(12)], "image": images, "price": list(range(12))})
    pq.write_table(table, path, row_group_size=4, compression="zstd", use_dictionary=False)
    column = pq.read_metadata(path).row_group(1).column(1)
    content = bytearray(path.read_bytes())
    start = column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)


def test_duplicate_column_names_are_reported(tmp_path: Path) -> None:
    pq.write_table(
        pa.table([pa.array(["a.jpg"]), pa.array(["b.jpg"])], names=["image", "image"]), tmp_path / "t.parquet"
    )
    with pytest.raises(DataError, match="has two columns 'image'; give each a different name"):
        open_table(tmp_path / "t.parquet")


def test_a_broken_row_group_loses_only_its_rows(tmp_path: Path) -> None:
    broken_parquet(tmp_path / "t.parquet")
    source = open_source([str(tmp_path / "t.parquet")])
    tables = [rows for piece in source.pieces(np.arange(12), 10) for rows in piece.read()]
    found = pa.concat_tables(tables)
    assert found["id"].to_pylist() == [str(i) for i in range(12)]
    assert [i for i, fault in enumerate(found[FAULT].to_pylist()) if fault] == [4, 5, 6, 7]
    assert found[FAULT][4].as_py().startswith("row group 1 is broken: ")
    rows, misfits = read(tmp_path / "t.parquet")
    assert [number for number, _ in rows] == [1, 2, 3, 4, 9, 10, 11, 12]
    assert list(misfits) == [5, 6, 7, 8]


def test_a_table_of_text_as_a_source(tmp_path: Path) -> None:
    text = json.dumps(
        [{"sku": 7, "images": [{"src": "https://x/a.jpg"}], "price": 2.5, "sale": True, "tags": ["a", "b"]}]
    )
    (tmp_path / "t.json").write_text(text)
    source = open_source([str(tmp_path / "t.json")])
    assert list(source.ids) == ["7"]
    (row,) = source.source_columns().to_pylist()
    cells = {"sku": 7, "price": 2.5, "sale": True, "tags": "a|b"}
    written = {WRITTEN + "images": '[{"src": "https://x/a.jpg"}]', WRITTEN + "sale": "true"}
    assert row == {PLACE: ["https://x/a.jpg"], **cells, **written}


@pytest.mark.parametrize("name", ["t.json", "t.xlsx"])
def test_the_decimal_sign_of_numbers_that_are_no_text_is_not_in_doubt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    rows = [[1, "a.jpg", 1.125, "19,90"], [2, "b.jpg", 2.375, "1.019"]]
    header = ["id", "image", "weight", "price"]
    if name == "t.json":
        (tmp_path / name).write_text(json.dumps([dict(zip(header, row, strict=True)) for row in rows]))
    else:
        write_xlsx(tmp_path / name, {"products": [header, *rows]})
    own = open_source([str(tmp_path / name)]).source_columns()
    assert own["weight"].to_pylist() == [1.125, 2.375]
    assert own["price"].to_pylist() == [19.9, 1019.0]
    assert capsys.readouterr().err == ""


def test_rows_without_an_id_keep_theirs_when_rows_are_inserted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["A1,a.jpg,", ",b.jpg,", ",,without a photograph", "A2,c.jpg,"]
    (tmp_path / "t.csv").write_text("\n".join(["sku,image,title", *rows]))
    assert list(open_source([str(tmp_path / "t.csv")]).ids) == ["A1", "b.jpg", "t.csv:4", "A2"]
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("note   2 of 4 rows have no id in the column 'sku'; the first is t.csv:3; their photographs")
    (tmp_path / "t.csv").write_text("\n".join(["sku,image,title", ",new.jpg,", *rows]))
    assert list(open_source([str(tmp_path / "t.csv")]).ids)[:3] == ["new.jpg", "A1", "b.jpg"]
    pq.write_table(pa.table({"sku": ["A1", None], "image": ["a.jpg", "b.jpg"]}), tmp_path / "paths.parquet")
    assert list(open_source([str(tmp_path / "paths.parquet")]).ids) == ["A1", "b.jpg"]
    pq.write_table(pa.table({"sku": ["A1", None], "image": [b"1", b"2"]}), tmp_path / "bytes.parquet")
    assert list(open_source([str(tmp_path / "bytes.parquet")]).ids) == ["A1", "bytes.parquet:2"]
    assert "their places in the table are used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stocks", "value"),
    [
        (("0", "5", "7", ""), 7),
        (("-2", "0", "", "0"), 0),
        (("false", "true", "", "false"), True),
        (("Out of stock", "In stock", "", "preorder"), "In stock"),
        (("", "sold out", "no", ""), "sold out"),
    ],
)
def test_a_product_is_in_stock_if_one_of_its_sizes_is(tmp_path: Path, stocks: Sequence[str], value: object) -> None:
    sizes = zip("SML", stocks, strict=False)
    lines = [f"a,{size},{stock},{10 + len(size)},a.jpg" for size, stock in sizes]
    (tmp_path / "t.csv").write_text("\n".join(["Handle,size,Stock,price,image", *lines, f"b,S,{stocks[3]},9,b.jpg"]))
    rows = open_source([str(tmp_path / "t.csv")]).source_columns().to_pylist()
    assert {(row["size"], row["Stock"]) for row in rows[:3]} == {("S", value)}  # of other columns the first value


def test_bad_lines_of_a_source_are_listed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,image\n1,a.jpg\n2,b.jpg,x\n3,c.jpg\n")
    source = open_source([str(tmp_path / "t.csv")])
    assert list(source.ids) == ["1", "3"]
    assert [tuple(entry) for entry in source.left_out] == [
        ("t.csv:3", "", "bad line", "has 3 values, but its header names 2 columns")
    ]


def test_text_is_not_a_photograph(tmp_path: Path) -> None:
    for name, message in (
        ("feed.xml", "is text, neither a photograph nor a table"),
        ("a.txt", "no column with a usual"),
    ):
        (tmp_path / name).write_text("<feed/>")
        with pytest.raises(DataError, match=message):
            open_source([str(tmp_path / name)])


SHOPS: dict[str, tuple[str, str, str]] = {
    "Shopify in capitals": ("HANDLE,TITLE,IMAGE SRC", "tee,Tee,https://cdn/x/TEE.JPG?v=1", "tee"),
    "WooCommerce in German": ("ID,Typ,Artikelnummer,Bilder", "7,simple,W,https://s/u/tee.jpg", "7"),
    "an API": ("productId,imageUrl,createdAt", "7,https://s/u/tee.jpg,2026-05-01", "7"),
    "PrestaShop": ("Product ID;Active (0/1);Image URLs (x,y,z...)", "7;1;https://s/u/tee.jpg", "7"),
    "BigCommerce": ("Product ID,Product Name,Product Image File - 1", "7,Tee,tee.jpg", "7"),
    "Amazon": ("item_sku\tmain_image_url\tother_image_url1", "A7\thttps://s/tee.jpg\t", "A7"),
    "eBay": ("Action;CustomLabel;PicURL", "Add;E7;https://s/tee.jpg", "E7"),
    "Shopify": ("Handle,Title,Variant SKU,Image Src,Image Position", "tee,Tee,T0,https://cdn/x/tee.jpg?v=1,1", "tee"),
    "WooCommerce": ("ID,SKU,Name,Images", '7,W,Tee,"https://s/u/tee.jpg, https://s/u/b.jpg"', "7"),
    "Shopify since 2025": (
        "Title,URL handle,SKU,Product image URL,Variant image URL",
        "Tee,tee,T0,https://cdn/x/tee.jpg?v=1,",
        "tee",
    ),
    "an ERP in German": ("EAN;Artikelnummer;Bild1;Bild2;Preis", "4012345678901;0012;tee.jpg;;19,90", "0012"),
    "Google": ("id\ttitle\timage link\tprice", "G1\tTee\thttps://cdn/tee.jpg\t19.99 USD", "G1"),
    "Magento": ("sku,name,base_image,small_image", "M1,Tee,/t/e/tee.jpg,/t/e/s.jpg", "M1"),
}


def test_a_photograph_column_may_be_repeated(tmp_path: Path) -> None:
    header = "id\timage_link\tadditional_image_link\tadditional_image_link\tprice\tprice"
    lines = ["1\thttps://x/a\thttps://x/b\thttps://x/c\t\t3", "2\ta.jpg\t\tb.jpg\t4\t5"]
    (tmp_path / "t.txt").write_text("\n".join([header, *lines]))
    own = open_source([str(tmp_path / "t.txt")]).source_columns()
    assert [place for (place,) in own[PLACE].to_pylist()] == [*(f"https://x/{i}" for i in "abc"), "a.jpg", "b.jpg"]
    assert own["price"].to_pylist() == [3, 3, 3, 4, 4]


@pytest.mark.parametrize("shop", SHOPS)
def test_exports_of_shop_systems(tmp_path: Path, shop: str) -> None:
    header, line, name = SHOPS[shop]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "tee.jpg").write_bytes(b"")
    (tmp_path / "t.csv").write_text(f"{header}\n{line}\n")
    source = open_source([str(tmp_path / "t.csv")])
    assert set(source.ids) == {name}
    (place,) = source.source_columns()[PLACE].to_pylist()[0]
    assert next(path for path in ImagePaths(source.folder, place) if path.is_file()) == tmp_path / "images" / "tee.jpg"


@pytest.mark.parametrize("name", ["photo", "Bild ", "Foto ", "picture_", "img", "Image Src ", "photoUrl"])
def test_photograph_columns_may_be_numbered_from_the_first(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.csv").write_text(f"sku,{name}1,{name}2\n7,a.jpg,b.jpg\n")
    places = open_source([str(tmp_path / "t.csv")]).source_columns()[PLACE].to_pylist()
    assert places == [["a.jpg"], ["b.jpg"]]


WRITERS: dict[str, Callable[[Path], None]] = {
    "t.pdf": lambda path: path.write_bytes(b"%PDF"),
    "t.csv": lambda path: path.write_bytes(b""),
    "u.csv": lambda path: path.write_text(",,\n1,2,3\n"),
    "t.parquet": lambda path: path.write_bytes(b"PAR1 no"),
}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("t.pdf", "is not a table; expected one of: .csv, .tsv"),
        ("t.csv", r"is empty \(0 bytes\)"),
        ("t.parquet", "is not a Parquet file, or a broken one"),
        ("gone.csv", "cannot read .*gone.csv: No such file"),
    ],
)
def test_files_that_are_not_tables(tmp_path: Path, name: str, message: str) -> None:
    if name in WRITERS:
        WRITERS[name](tmp_path / name)
    with pytest.raises(DataError, match=message):
        open_table(tmp_path / name)
