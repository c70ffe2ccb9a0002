#!/usr/bin/env bash
# XlsxWriter: a row beyond Excel's last one is dropped, and a long cell is cut, without an exception or a warning.
#
# Versions: XlsxWriter 3.3.1, Python 3.11.
# Behavior: worksheet.write returns -1 for row 1,048,577 and writes nothing; for a text of more than 32,767 characters it returns -2
#   and writes its beginning. Nothing is raised or warned, also with warnings as errors, and close() succeeds. So an export of a
#   large catalog, or of long descriptions, loses products or text unless the program compares each returned number with 0.
# Output: row 1,048,577: returned -1, in the file False; text of 40,000 characters: returned -2, in the file 32767; raised: nothing
# Expected: an exception, as openpyxl 3.1 raises for such a row, or at least a warning.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check xlsxwriter==3.3.1
cd "$folder"
cat >write.py <<'PYTHON'
import re
import zipfile

import xlsxwriter

raised = "nothing"
try:
    workbook = xlsxwriter.Workbook("catalog.xlsx")
    sheet = workbook.add_worksheet()
    sheet.write(0, 0, "title")
    cut = sheet.write(1, 0, "y" * 40_000)
    dropped = sheet.write(1_048_576, 0, "the last product")  # rows count from 0
    workbook.close()
except Exception as error:
    raised = type(error).__name__
with zipfile.ZipFile("catalog.xlsx") as file:
    texts = file.read("xl/sharedStrings.xml").decode()
length = max(map(len, re.findall("y+", texts)))
print(f"row 1,048,577: returned {dropped}, in the file {'the last product' in texts}; "
      f"text of 40,000 characters: returned {cut}, in the file {length}; raised: {raised}")
PYTHON
seen=$("$folder/venv/bin/python" -W error write.py)
echo "$seen"
[ "$seen" = "row 1,048,577: returned -1, in the file False; text of 40,000 characters: returned -2, in the file 32767; raised: nothing" ]
