"""Random generators seeded by the run's seed and the purpose of the draw, independent of earlier draws.

A resumed run therefore repeats itself without random state in its checkpoint, with any number of worker processes.
"""

import os
from typing import NamedTuple

import numpy as np
import torch


class TrainingDraw(NamedTuple):
    """Index of an image, with the seed and epoch that its augmentation is drawn from."""

    image: int
    seed: int
    epoch: int


def run_seed() -> int:
    """The seed given to Lightning's seed_everything, in every rank and worker process; 0 if it was not called."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def mixed_seed(*key: int) -> int:
    """Hash non-negative integers to a 32-bit seed; torch's CPU generator uses only 32 bits of a larger one."""
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def seeded_generator(*key: int) -> torch.Generator:
    """A generator seeded by these non-negative integers."""
    return torch.Generator().manual_seed(mixed_seed(*key))
