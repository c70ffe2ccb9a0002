"""Samplers and a resumable data loader: which images a rank loads, in which order, and where a resumed epoch starts."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset

from training.data.draws import TrainingDraw

FILLER = -1  # index of a padding image


class EpochSampler(DistributedSampler):
    """This rank's part of a new permutation for each epoch; every rank gets equally many images.

    The same seed and epoch give the same order on any number of ranks. The images left over, fewer than there are
    ranks, are dropped for the epoch.
    """

    def __init__(self, rows: int, rank: int, ranks: int, seed: int) -> None:
        images: Any = range(rows)
        super().__init__(images, num_replicas=ranks, rank=rank, shuffle=True, seed=seed, drop_last=True)
        self.rows, self.skip = rows, 0

    def __len__(self) -> int:
        return self.rows // self.num_replicas

    def __iter__(self) -> Iterator[TrainingDraw]:
        generator = torch.Generator()
        generator.manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.rows, generator=generator)
        mine = order[self.rank :: self.num_replicas][: len(self)][self.skip :]
        return (TrainingDraw(index, self.seed, self.epoch) for index in mine.tolist())


class WholeSampler(DistributedSampler):
    """This rank's part of all images, in order, each image on one rank only.

    All ranks must run equally many batches, so some get the index `FILLER` at the end, for which the dataset returns an
    image without annotations, which affects no score.
    """

    def __init__(self, rows: int, rank: int, ranks: int) -> None:
        images: Any = range(rows)
        super().__init__(images, num_replicas=ranks, rank=rank, shuffle=False)
        self.rows = rows

    def __len__(self) -> int:
        return -(-self.rows // self.num_replicas)

    def __iter__(self) -> Iterator[int]:
        mine = range(self.rank, len(self) * self.num_replicas, self.num_replicas)
        return iter(index if index < self.rows else FILLER for index in mine)


class ResumableStream(IterableDataset):
    """Iterable dataset that can skip the first samples of a resumed epoch."""

    skip = 0  # the first samples of each worker, which are discarded and so need not be decoded


class ResumableLoader(DataLoader):
    """A data loader that can resume within an epoch. Its state is saved and restored with the checkpoint."""

    batches = 0  # batches of the current epoch that were returned
    start = 0  # batch at which the next epoch starts

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator runs only when the first batch is requested, after the sampler's epoch was set.
        self.batches, self.start = self.start, 0
        passed, images = 0, self.batch_size or 1
        if isinstance(self.sampler, EpochSampler):
            self.sampler.skip = self.batches * images
        elif isinstance(self.dataset, ResumableStream):
            passed = self.batches
            # Workers alternate; those without a shard drop out, so each of the others made at least this many batches.
            self.dataset.skip = passed // max(1, self.num_workers) * images
        for batch in islice(super().__iter__(), passed, None):
            self.batches += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The number of batches of the current epoch that were returned."""
        return {"batches": self.batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start the next epoch after the batches in `state`."""
        self.start = state["batches"] % len(self)


def set_up_worker(worker: int) -> None:
    """Set up a worker process: ignore ctrl-C, which the trainer handles, and exit with the trainer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    threading.Thread(target=end_with_the_trainer, daemon=True).start()


def end_with_the_trainer() -> None:
    """Wait until the trainer process has ended, then end this process.

    torch checks the parent process id for that. With the start method `forkserver`, the default since Python 3.14, the
    parent is not the trainer, so workers would outlive a killed trainer.
    """
    trainer = multiprocessing.parent_process()
    if trainer is not None:
        trainer.join()
        os._exit(1)
