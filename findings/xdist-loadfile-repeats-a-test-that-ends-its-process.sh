#!/usr/bin/env bash
# pytest-xdist: with tests distributed by file, a test that ended its process runs again on every process that replaces it.
#
# Versions: pytest 9.2.0, pytest-xdist 3.8.0, Python 3.11.
# Behavior: A file has six tests; the third ends its process, as pytest's own faulthandler_exit_on_timeout does to a test that takes too
#   long. With --numprocesses 2 --dist load it fails once, and the other five run. With --dist loadfile it runs on the first process
#   and on each of the 8 replacements that two processes are allowed, and counts as nine failures; the three tests after it never run,
#   and nothing says so. A test that hangs until a time limit costs that limit nine times.
# Output: load       1 failed, 5 passed
#   loadfile   9 failed, 2 passed
# Expected: the same from both: the test is reported once, as the one that ended the process, and the others run.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pytest==9.2.0 pytest-xdist==3.8.0
cd "$folder"
cat >test_six.py <<'PYTHON'
import os

import pytest


@pytest.mark.parametrize("number", range(6))
def test_number(number):
    if number == 2:
        os._exit(1)
PYTHON
for way in load loadfile; do
    "$folder/venv/bin/python" -m pytest -q -p no:cacheprovider --numprocesses 2 --dist "$way" >"$way.txt" || true
    printf '%-10s %s\n' "$way" "$(tail -1 "$way.txt")"
done
grep -q '^1 failed, 5 passed' load.txt && grep -q '^9 failed, 2 passed' loadfile.txt
