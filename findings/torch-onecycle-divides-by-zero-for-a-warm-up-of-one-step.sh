#!/usr/bin/env bash
# torch: OneCycleLR divides by zero if pct_start of total_steps is exactly one step, and skips the warm-up if it is less.
#
# Versions: torch 2.15.0, numpy 2.4.6, Python 3.11.
# Behavior: OneCycleLR(total_steps=10, pct_start=0.1), ten steps with a warm-up of one, raises ZeroDivisionError in its constructor,
#   without naming either argument; so do 100 and 0.01, 4 and 0.25, 2 and 0.5. The first phase ends at pct_start *
#   total_steps - 1, which is step 0, where it begins. With pct_start=0.05 the same ten steps start at 0.99 of the maximum rate
#   instead of 1/25 of it (div_factor): the first phase ends before it begins, so it is skipped.
# Output: 10 steps: pct_start 0.2 begins at 0.04 of max_lr   0.1 ZeroDivisionError   0.05 begins at 0.99
#   100 steps, 0.01: ZeroDivisionError
# Expected: a warm-up of one step begins at max_lr / div_factor; or a ValueError names pct_start, as for values outside 0 to 1.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
cat >begin.py <<'PYTHON'
import sys

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR


def first_rate(steps, part):
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    try:
        return f"{OneCycleLR(optimizer, max_lr=1.0, total_steps=steps, pct_start=part).get_last_lr()[0]:.2f}"
    except ZeroDivisionError as error:
        return type(error).__name__


seen = [first_rate(*case) for case in ((10, 0.2), (10, 0.1), (10, 0.05), (100, 0.01))]
print("10 steps: pct_start 0.2 %s   0.1 %s   0.05 %s" % tuple(seen[:3]) + f"   100 steps, 0.01: {seen[3]}")
sys.exit(seen != ["0.04", "ZeroDivisionError", "0.99", "ZeroDivisionError"])
PYTHON
"$folder/venv/bin/python" begin.py
