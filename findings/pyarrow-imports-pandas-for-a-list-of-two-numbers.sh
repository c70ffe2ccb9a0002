#!/usr/bin/env bash
# pyarrow: converting the first Python list to an array imports pandas if it is installed.
#
# Versions: pyarrow 26.0.1, pandas 3.1.1, Python 3.11.
# Behavior: importing pyarrow does not import pandas. pa.array([1, 2]), which does not need pandas, imports all of it, and so
#   does pa.array of a NumPy array. In a server, this delays the first request.
# Output: after import no   after a NumPy array yes   after a list yes; the first pa.array takes over 100 times as long
#   as in an environment without pandas
# Expected: pandas is imported only by functions that take or return pandas objects.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for kind in with without; do
    python3 -m venv "$folder/$kind"
    "$folder/$kind/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
done
"$folder/with/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1
cd "$folder"
cat >first.py <<'PYTHON'
import sys
import time

import numpy as np
import pyarrow as pa

values = np.arange(2) if sys.argv[1] == "numpy" else [1, 2]
before = "pandas" in sys.modules
start = time.perf_counter()
pa.array(values)
print(before, "pandas" in sys.modules, time.perf_counter() - start)
PYTHON
first() { "$folder/$1/bin/python" first.py "$2"; }
first with list >/dev/null # compiles the imported modules
read -r before after_list slow < <(first with list)
read -r _ after_numpy _ < <(first with numpy)
read -r _ _ quick < <(first without list)
yes_or_no() { [ "$1" = True ] && echo yes || echo no; }
times=$(python3 -c "print(round($slow / $quick))")
echo "after import $(yes_or_no "$before")   after a NumPy array $(yes_or_no "$after_numpy")   after a list $(yes_or_no "$after_list")   first pa.array of a list: $times times as long"
[ "$before $after_list $after_numpy" = "False True True" ] && [ "$times" -gt 100 ]
