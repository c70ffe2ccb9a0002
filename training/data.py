"""The training format as batches: pixels and targets for each rank, epoch by epoch."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from fashion import preprocess
from fashion.errors import DataError, InvalidImage, SettingError
from fashion.preprocess import InputSpec
from fashion.taxonomy import NOT_ANNOTATED, Taxonomy, imaterialist
from training.augment import Augment
from training.loading import EpochSampler, ResumableLoader, WholeSampler, set_up_worker
from training.sources import load_taxonomy, open_folder, read_description
from training.sources.opening import DEFAULT_CACHE

DEFAULT_INPUT = InputSpec()
NO_AUGMENT = Augment()
SPLITS = ("train", "val")
MAX_WORKERS = 16  # a process; more of them wait for memory, not for the processor
SHUFFLE_ROWS = 2_000  # kept at hand to draw from when streaming; 100 kB photographs make it 200 MB a worker

Batch = dict[str, Tensor]


class FashionData(LightningDataModule):
    """Training and validation batches of a labeled folder of photographs.

    A batch is a dict: `pixels`, uint8 (B, S, S, 3), as `fashion.preprocess.pixels` makes them, augmented in training;
    and `targets`, int8 (B, A), 1 yes, 0 no, -1 not annotated. Each rank gets its own part by itself: the trainer need not
    be told. In validation every image comes once; ranks are filled up with images that have no annotated label.

    Args:
        path: a folder in the training format, or anything that `training.sources` can import.
        groups: attribute groups (label columns) to learn; null takes all there are.
        input: size and normalization of the network's input.
        batch_size: images a batch and rank.
        workers: processes that load images, for each rank; null shares this machine's cores among its ranks.
        augment: random changes to training images.
        taxonomy: `data` takes the labels that stand in the training split, `imaterialist` the challenge's 228.
        limit_train: train on that many images drawn at random; null takes all.
        limit_val: validate on that many; null takes all.
        streaming: read the training shards from front to back and shuffle within a window, instead of copying them into
            a file with random access; for data that fills the disk.
        cache: folder for imported data and the random-access copy.

    Raises:
        DataError: a folder that cannot be used, a missing split or group.
        SettingError: a value out of its range.
    """

    taxonomy: Taxonomy

    def __init__(
        self,
        path: str,
        groups: list[str] | None = None,
        input: InputSpec = DEFAULT_INPUT,
        batch_size: int = 64,
        workers: int | None = None,
        augment: Augment = NO_AUGMENT,
        taxonomy: Literal["data", "imaterialist"] = "data",
        limit_train: int | None = None,
        limit_val: int | None = None,
        streaming: bool = False,
        cache: str = str(DEFAULT_CACHE),
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("workers", workers, 0),
            ("limit_train", limit_train, 1),
            ("limit_val", limit_val, 1),
        ):
            if value is not None and value < least:
                raise SettingError(f"--data.{name} is {value}; it must be at least {least}")
        self.path, self.groups, self.spec, self.batch_size = Path(path), groups, input, batch_size
        self.workers, self.augment, self.labels_from = workers, augment, taxonomy
        self.limits = {"train": limit_train, "val": limit_val}
        self.streaming, self.cache = streaming, Path(cache)
        self._ready = False

    def prepare_data(self) -> None:
        """Import the data and make its random-access copy, once on a machine."""
        folder = self._folder()
        for split in SPLITS:
            self._rows(folder, split)

    def setup(self, stage: str | None = None) -> None:
        """Open the data on every rank and fix the taxonomy."""
        if self._ready:
            return
        folder = self._folder()
        self.taxonomy = imaterialist() if self.labels_from == "imaterialist" else load_taxonomy(folder, self.groups)
        transform = self.augment.transform(self.spec.size)
        self.val = Photographs(self._rows(folder, "val"), self.taxonomy, self.spec)
        train = self._rows(folder, "train")
        self.train: Photographs | PhotographStream
        if self.streaming:
            rows = read_description(folder)["splits"]["train"]
            rows = min(rows, self.limits["train"] or rows)
            self.train = PhotographStream(train, rows, self.taxonomy, self.spec, transform)
        else:
            self.train = Photographs(train, self.taxonomy, self.spec, transform)
        self._ready = True
        _report(folder, self.taxonomy, len(self.train), len(self.val))

    def train_dataloader(self) -> DataLoader:
        """Shuffled by the seed and the epoch, augmented."""
        rank, ranks = self._place()
        if isinstance(self.train, PhotographStream):
            stream = self.train.part(rank, ranks, self._seed(), lambda: self._epoch())
            return self._loader(stream, None, drop_last=True)
        sampler = EpochSampler(len(self.train), rank, ranks, self._seed())
        if len(sampler) == 0:
            raise DataError(f"{self.path} has {len(self.train)} training images, fewer than the {ranks} ranks")
        # A last batch of one image would break batch normalization; small data sets still make one batch.
        return self._loader(self.train, sampler, drop_last=len(sampler) >= self.batch_size)

    def val_dataloader(self) -> DataLoader:
        """All validation images in order, as they are."""
        return self._loader(self.val, WholeSampler(len(self.val), *self._place()), drop_last=False)

    def _loader(self, images: Any, sampler: Any, drop_last: bool) -> ResumableLoader:
        workers = self._worker_count()
        return ResumableLoader(
            images,
            sampler=sampler,
            batch_size=self.batch_size,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0 and not isinstance(images, IterableDataset),
            worker_init_fn=set_up_worker,
            pin_memory=torch.cuda.is_available(),
        )

    def _folder(self) -> Path:
        """The data in the training format, with both splits and the groups asked for."""
        folder = open_folder(self.path, self.groups, self.cache)
        description = read_description(folder)
        for split in SPLITS:
            if not description["splits"].get(split):
                there = ", ".join(description["splits"])
                raise DataError(f"{folder} has no {split} split (only {there}); training needs train and val")
        if self.labels_from == "imaterialist":
            known = imaterialist().groups
            if not set(known) & set(self.groups or description["groups"]):
                raise DataError(f"{folder} has none of the groups of --data.taxonomy imaterialist: {', '.join(known)}")
        return folder

    def _rows(self, folder: Path, split: str) -> Any:
        """A split as `datasets` opens it, its images left encoded."""
        import datasets  # takes seconds; a wrong flag need not wait for it

        streaming = self.streaming and split == "train"
        files = sorted(str(path) for path in folder.glob(f"{split}-*.parquet"))
        try:
            rows = datasets.load_dataset(
                "parquet",
                data_files={split: files},
                split=split,
                streaming=streaming,
                cache_dir=None if streaming else str(self.cache / "arrow"),
            )
        except datasets.exceptions.DatasetGenerationError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno is not None:
                raise cause from None
            raise DataError(f"{folder} cannot be read: {cause or error}") from None
        groups = self.groups or list(read_description(folder)["groups"])
        rows = rows.select_columns(["image", *groups]).cast_column("image", datasets.Image(decode=False))
        limit = self.limits[split]
        if limit is not None and not streaming and limit < len(rows):
            rows = rows.select(np.sort(np.random.default_rng(0).permutation(len(rows))[:limit]))
        return rows

    def _place(self) -> tuple[int, int]:
        """This rank and the number of ranks."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _epoch(self) -> int:
        return self.trainer.current_epoch if self.trainer else 0

    def _worker_count(self) -> int:
        if self.workers is not None:
            return self.workers
        ranks_here = max(1, self.trainer.num_devices) if self.trainer else 1
        return max(1, min(MAX_WORKERS, (os.cpu_count() or 1) // ranks_here))

    def _seed(self) -> int:
        return int(os.environ.get("PL_GLOBAL_SEED", 0))  # what Lightning's seed_everything was given


class Photographs(Dataset):
    """Encoded images and label names, by index -> pixels and targets. An index past the end is an empty image."""

    def __init__(
        self,
        rows: Any,
        taxonomy: Taxonomy,
        spec: InputSpec,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.rows, self.reader = rows, Reader(taxonomy, spec, transform)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        return self.reader(self.rows[index]) if index < len(self.rows) else self.reader.empty()


class PhotographStream(IterableDataset):
    """The training split read from front to back, endlessly; an epoch is as many images as the split has rows."""

    def __init__(
        self,
        rows: Any,
        length: int,
        taxonomy: Taxonomy,
        spec: InputSpec,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.rows, self.length, self.reader = rows, length, Reader(taxonomy, spec, transform)
        self.epoch: Callable[[], int] = int

    def part(self, rank: int, ranks: int, seed: int, epoch: Callable[[], int]) -> "PhotographStream":
        """This rank's part, shuffled anew for each value of `epoch()`."""
        from datasets.distributed import split_dataset_by_node

        part = PhotographStream.__new__(PhotographStream)
        part.reader, part.length, part.epoch = self.reader, self.length // ranks, epoch
        part.rows = split_dataset_by_node(self.rows, rank, ranks).shuffle(seed=seed, buffer_size=SHUFFLE_ROWS)
        return part

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        while True:  # ranks and workers hold unequal parts; the trainer stops when the epoch has its batches
            self.rows.set_epoch(epoch)
            empty = True
            for row in self.rows:
                empty = False
                yield self.reader(row)
            if empty:
                return
            epoch += 1_000_000


class Reader:
    """One row of the training format -> pixels and targets."""

    def __init__(
        self, taxonomy: Taxonomy, spec: InputSpec, transform: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.taxonomy, self.spec, self.transform = taxonomy, spec, transform

    def __call__(self, row: dict[str, Any]) -> Batch:
        """Raises DataError for an image that cannot be decoded: the importers leave those out."""
        try:
            pixels = torch.from_numpy(preprocess.pixels(row["image"]["bytes"], self.spec).copy())  # (S, S, 3)
        except InvalidImage as error:
            raise DataError(f"a photograph of the data set is broken: {error}; import the data again") from None
        if self.transform is not None:
            pixels = self.transform(pixels.permute(2, 0, 1)).permute(1, 2, 0).contiguous()
        return {"pixels": pixels, "targets": torch.from_numpy(self.taxonomy.encode(self._known(row)))}

    def empty(self) -> Batch:
        """A black image of which nothing is annotated."""
        size = self.spec.size
        targets = torch.full((len(self.taxonomy),), NOT_ANNOTATED, dtype=torch.int8)
        return {"pixels": torch.zeros(size, size, 3, dtype=torch.uint8), "targets": targets}

    def _known(self, row: dict[str, Any]) -> dict[str, Sequence[str] | None]:
        index = self.taxonomy.index
        return {
            group: None if row.get(group) is None else [name for name in row[group] if (group, name) in index]
            for group in self.taxonomy.groups
        }


@rank_zero_only
def _report(folder: Path, taxonomy: Taxonomy, train: int, val: int) -> None:
    groups = ", ".join(f"{group} {len(taxonomy.indices(group))}" for group in taxonomy.groups)
    print(f"data   {train:,} training and {val:,} validation images; {len(taxonomy)} labels: {groups}")
    description = read_description(folder)
    for names, where in (
        (description["groups"], "of the training split"),
        (description["names_outside_train"], "outside the training split"),
    ):
        pairs = [(group, name) for group in taxonomy.groups for name in names.get(group, ())]
        left_out = [f"{name!r} of {group}" for group, name in pairs if (group, name) not in taxonomy.index]
        if left_out:
            some = ", ".join(left_out[:5]) + (", ..." if len(left_out) > 5 else "")
            print(f"note   {len(left_out)} labels {where} cannot be learned and are left out: {some}")
