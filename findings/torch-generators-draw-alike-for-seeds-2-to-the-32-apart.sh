#!/usr/bin/env bash
# torch: a CPU generator accepts seeds of 64 bits, but its numbers depend only on the lower 32.
#
# Versions: torch 2.15.0, Python 3.11.
# Behavior: Generator.manual_seed accepts any 64-bit integer without a warning, and initial_seed returns all of it.
#   The random numbers depend only on the lower 32 bits: with seeds such as epoch * 2**32 + rank, all epochs of a rank draw
#   the same numbers. NumPy's SeedSequence uses all bits.
# Output: seeds 5 and 4294967301   initial_seed 5 and 4294967301   torch draws alike   numpy draws differently
# Expected: different numbers for different 64-bit seeds, or a ValueError.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
cat >draw.py <<'PYTHON'
import numpy as np
import torch

small, large = 5, 5 + 2**32
one, other = (torch.Generator().manual_seed(seed) for seed in (small, large))
seeds = one.initial_seed(), other.initial_seed()
alike = torch.equal(torch.rand(1000, generator=one), torch.rand(1000, generator=other))
rows = [np.random.default_rng(seed).random(1000) for seed in (small, large)]
numpy_alike = bool((rows[0] == rows[1]).all())
print(
    f"seeds {small} and {large}   initial_seed {seeds[0]} and {seeds[1]}   "
    f"torch draws {'alike' if alike else 'differently'}   numpy draws {'alike' if numpy_alike else 'differently'}"
)
raise SystemExit(not (seeds == (small, large) and alike and not numpy_alike))
PYTHON
"$folder/venv/bin/python" draw.py
