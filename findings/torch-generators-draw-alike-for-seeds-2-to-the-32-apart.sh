#!/usr/bin/env bash
# torch: a CPU generator takes seeds of 64 bits, and draws alike for all that have the same lower 32.
#
# Versions: torch 2.15.0, Python 3.11.
# Behavior: Generator.manual_seed takes any whole number of 64 bits without a word, and initial_seed gives all of it back.
#   What is drawn depends on the lower 32 bits alone: with seeds such as epoch * 2**32 + rank every epoch of a rank draws
#   the same. NumPy's SeedSequence mixes all bits.
# Output seen: seeds 5 and 4294967301   initial_seed 5 and 4294967301   torch draws alike   numpy draws differently
# Expected: different draws, as of a generator that takes a seed of 64 bits and says that it has it; or a ValueError.
# Exits non-zero where that has changed.
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
