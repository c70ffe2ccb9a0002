"""Which images a rank loads, in which order, and from where it goes on after an interrupt."""

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

FILLER = -1  # index of an image that is not there


class EpochSampler(DistributedSampler):
    """This rank's part of a new permutation for each epoch; every rank gets as many images.

    The same seed and epoch give the same order on any number of ranks. The remainder of the images by the ranks, fewer
    than there are ranks, waits for another epoch.
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

    Ranks must see as many batches as each other, so some get the index `FILLER` at the end: the data set answers it
    with an image without annotations, which counts nowhere.
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
    """Samples that come in an order of their own, of which a resumed epoch passes over the first."""

    skip = 0  # samples of each worker, at most, that nobody looks at: they need not be made


class ResumableLoader(DataLoader):
    """A data loader that goes on within an epoch. Lightning saves and restores its state with the checkpoint."""

    batches = 0  # of the running epoch, handed out
    start = 0  # batch at which the next epoch begins

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator begins with its first batch, and so after the sampler has been told the epoch.
        self.batches, self.start = self.start, 0
        passed, images = 0, self.batch_size or 1
        if isinstance(self.sampler, EpochSampler):
            self.sampler.skip = self.batches * images
        elif isinstance(self.dataset, ResumableStream):
            passed = self.batches
            # Workers take turns, and those without a shard drop out: of the batches each of the others made no fewer.
            self.dataset.skip = passed // max(1, self.num_workers) * images
        for batch in islice(super().__iter__(), passed, None):
            self.batches += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The batches of the running epoch that were handed out."""
        return {"batches": self.batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next epoch after the batches in `state`."""
        self.start = state["batches"] % len(self)


def set_up_worker(worker: int) -> None:
    """Let a loader's process survive the ctrl-C that its trainer answers, and end when its trainer ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    threading.Thread(target=end_with_the_trainer, daemon=True).start()


def end_with_the_trainer() -> None:
    """Wait until the trainer has died, and end this process then.

    torch looks at the id of the parent process for that, which with the start method `forkserver`, the default from
    Python 3.14 on, is not the trainer's: loaders would outlive one that was killed.
    """
    trainer = multiprocessing.parent_process()
    if trainer is not None:
        trainer.join()
        os._exit(1)
