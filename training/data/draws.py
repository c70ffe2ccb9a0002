"""Random numbers that depend on the run's seed and on what they are drawn for, never on what was drawn before.

So a run that is resumed repeats itself with no random state in its checkpoint, on any number of worker processes.
"""

import os
from typing import NamedTuple

import numpy as np
import torch


class TrainingDraw(NamedTuple):
    """An image of an epoch, by its index, and with it what its augmentation is drawn from."""

    image: int
    seed: int
    epoch: int


def run_seed() -> int:
    """What Lightning's seed_everything was given, on every rank and in every worker process; 0 where it was not."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def mixed_seed(*key: int) -> int:
    """32 bits that depend on all of some numbers from 0 up: of a larger seed torch's CPU generator takes no more."""
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def seeded_generator(*key: int) -> torch.Generator:
    """A generator for these numbers alone."""
    return torch.Generator().manual_seed(mixed_seed(*key))
