#!/usr/bin/env bash
# pyarrow: a string_view column that it reads back from Parquet cannot be filtered, taken, sorted or compared.
#
# Versions: pyarrow 26.0.1, Python 3.11. (Versions of Polars wrote this type into Parquet files, so that it reaches
#   programs that never requested it.)
# Behavior: pq.read_table returns the written type, string_view. Table.filter, Table.take, Table.sort_by,
#   pc.equal and pc.is_in raise ArrowNotImplementedError or ArrowTypeError; group_by and dictionary_encode work, and everything
#   works after a cast to string. The error of filter names take ("array_take has no kernel"), which was not called.
# Output: string_view   filter no   take no   sort_by no   equal no   is_in no   group_by yes   cast, then filter yes
# Expected: pyarrow can filter the types that it reads; or the reader returns string unless views are requested.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
cd "$folder"
cat >ask.py <<'PYTHON'
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

pq.write_table(pa.table({"color": pa.array(["Red", "Blue", None], pa.string_view())}), "colors.parquet")
table = pq.read_table("colors.parquet")
column, kept = table["color"], pa.array([True, False, True])
ways = {
    "filter": lambda: table.filter(kept),
    "take": lambda: table.take([0, 1]),
    "sort_by": lambda: table.sort_by("color"),
    "equal": lambda: pc.equal(column, "Red"),
    "is_in": lambda: pc.is_in(column, pa.array(["Red"])),
    "group_by": lambda: table.group_by("color").aggregate([]),
    "cast, then filter": lambda: table.cast(pa.schema([("color", pa.string())])).filter(kept),
}
found = {}
for name, way in ways.items():
    try:
        way()
        found[name] = "yes"
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        found[name] = "no"
print(pa.__version__, table.schema.field("color").type, *(f"{name} {answer}" for name, answer in found.items()), sep="   ")
assert table.schema.field("color").type == pa.string_view()
assert [name for name, answer in found.items() if answer == "yes"] == ["group_by", "cast, then filter"]
PYTHON
"$folder/venv/bin/python" ask.py
