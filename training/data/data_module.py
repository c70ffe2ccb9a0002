"""The Lightning data module: batches of pixels and targets for each rank and epoch."""

from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch.utils.data import DataLoader

from fashion.engines import available_cores
from fashion.errors import DataError, SettingError
from fashion.gates import Gates
from fashion.taxonomy import Label, Taxonomy, imaterialist
from training.data.applicability import Applicability
from training.data.augment import NO_AUGMENT, Augment
from training.data.catalogs import (
    NO_RULES,
    Catalog,
    check_splits,
    notes,
    open_catalogs,
    open_negative_catalogs,
    union_taxonomy,
)
from training.data.draws import run_seed
from training.data.images import Photographs, PhotographStream, Reader, open_rows
from training.data.input_settings import InputSettings
from training.data.label_rows import LabelRows, count_labels
from training.data.loading import EpochSampler, ResumableLoader, WholeSampler, set_up_worker
from training.sources.opening import DEFAULT_CACHE
from training.sources.spelling import case_note

FROM_BACKBONE = InputSettings()
SPLITS = ("train", "val")
MAX_WORKERS = 16  # per rank; with more, memory bandwidth is the bottleneck


class FashionData(LightningDataModule):
    """Training and validation batches of a labeled folder of photographs.

    A batch is a dict: `pixels`, uint8 (B, S, S, 3), as from `fashion.preprocess.load_pixels`, augmented in training;
    and `targets`, int8 (B, A + K), of the labels and then of `gates`, 1 yes, 0 no, -1 not annotated. Each rank loads
    its own part; the trainer needs no distributed sampler. In validation every image comes once; ranks are padded to
    equal length with images without annotations.

    Args:
        path: a folder in the training format, or anything that `training.sources` can import; or a list of them, which
            are learned as one: labels that one of them does not have are not annotated in its photographs.
        groups: attribute groups (label columns) to learn; null takes all.
        repeat: how often each of several folders comes in an epoch, such as [1, 3], to give a small one more weight;
            numbers for the negatives may follow. Null takes each once.
        names: a YAML file that gives labels and columns of different catalogs one name, see `training.data.names`.
        rules: a YAML file of labels that follow from others, and of groups that apply to some products only, see
            `training.data.rules`.
        negatives: folders of photographs that show no product, for training and validation, see
            `training.sources.negatives`. With them the model learns whether there is a product. In training they
            have none of the labels; in validation their labels do not count.
        min_photographs: labels with fewer training photographs are left out.
        input: size and normalization of the network's input; unset values are taken from the network's family.
        batch_size: images per batch and rank.
        workers: processes that load images, per rank; null takes one on CPU; with GPUs it shares this machine's cores
            among its ranks.
        augment: random changes to training images.
        taxonomy: `data` takes the labels of the training split, `imaterialist` the challenge's 228.
        limit_train: train on that many images drawn at random, without streaming; null takes all.
        limit_val: validate on that many; null takes all.
        streaming: read the training shards sequentially and shuffle within a buffer, instead of copying them to
            a file with random access; for data that fills the disk.
        cache: folder for imported data and the random-access copy.
        arch: the network, whose family declares unset values of `input`; --model.arch on the command line.

    Raises:
        DataError: a folder cannot be used, or a split or group is missing.
        SettingError: a value is out of range.
    """

    taxonomy: Taxonomy
    gates: Gates  # the outputs besides the labels
    rare: dict[Label, int]  # labels left out by min_photographs, with their number of training rows

    def __init__(
        self,
        path: str | list[str],
        groups: list[str] | None = None,
        repeat: list[int] | None = None,
        names: str | None = None,
        rules: str | None = None,
        negatives: list[str] | None = None,
        min_photographs: int = 1,
        input: InputSettings = FROM_BACKBONE,
        batch_size: int = 64,
        workers: int | None = None,
        augment: Augment = NO_AUGMENT,
        taxonomy: Literal["data", "imaterialist"] = "data",
        limit_train: int | None = None,
        limit_val: int | None = None,
        streaming: bool = False,
        cache: str = str(DEFAULT_CACHE),
        arch: str = "resnet50",
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("workers", workers, 0),
            ("limit_train", limit_train, 1),
            ("limit_val", limit_val, 1),
            ("min_photographs", min_photographs, 1),
        ):
            if value is not None and value < least:
                raise SettingError(f"--data.{name} is {value}; it must be at least {least}")
        if min_photographs > 1 and taxonomy != "data":
            raise SettingError(f"--data.min_photographs leaves labels out, but --data.taxonomy {taxonomy} fixes them")
        if streaming and limit_train is not None:
            raise SettingError(
                "--data.limit_train draws images at random, but --data.streaming true reads all in order; leave one "
                "out (--trainer.limit_train_batches shortens epochs)"
            )
        folders = 1 if isinstance(path, str) else len(path)
        self.repeat = _repeat(repeat, folders, len(negatives or ()))
        self.rules, self.negatives, self.min_photographs = rules, negatives or [], min_photographs
        self.path, self.groups, self.names, self.batch_size = path, groups, names, batch_size
        self.spec = input.spec(arch)
        self.workers, self.augment, self.labels_from = workers, augment, taxonomy
        self.limits = {"train": limit_train, "val": limit_val}
        self.streaming, self.cache = streaming, Path(cache)
        self._ready = False
        self._loader_state: dict[str, int] = {"batches": 0}
        self._train_loader: ResumableLoader | None = None

    def prepare_data(self) -> None:
        """Import the data and make its random-access copy, once per machine."""
        catalogs = [*self._catalogs(), *self._negatives()]
        for split in SPLITS:
            self._rows(catalogs, split)

    def setup(self, stage: str | None = None) -> None:
        """Open the data on every rank and fix the outputs of the network."""
        if self._ready:
            return
        products, negatives = self._catalogs(), self._negatives()
        applies = self._fix_outputs(products)
        catalogs = [*products, *negatives]
        self.val = self._images(catalogs, "val", self._reader(catalogs, applies, NO_AUGMENT, learn_absence=False))
        reader = self._reader(catalogs, applies, self.augment, learn_absence=True)
        self.train: Photographs | PhotographStream
        if self.streaming:
            rows = sum(times * c.splits["train"] for c, times in zip(catalogs, self.repeat, strict=True))
            self.train = PhotographStream(self._rows(catalogs, "train"), rows, reader)
        else:
            self.train = self._images(catalogs, "train", reader)
        self._ready = True
        self._report(products, negatives)

    def train_dataloader(self) -> DataLoader:
        """Shuffled by the seed and the epoch, augmented."""
        rank, ranks = self._place()
        if isinstance(self.train, PhotographStream):
            stream = self.train.part(rank, ranks, run_seed(), self._epoch)
            loader = self._loader(stream, None, drop_last=len(stream) >= self.batch_size)
        else:
            sampler = EpochSampler(len(self.train), rank, ranks, run_seed())
            # Drop the last partial batch: one image would break batch norm. A small data set still makes one batch.
            loader = self._loader(self.train, sampler, drop_last=len(sampler) >= self.batch_size)
        if len(loader) == 0:
            raise DataError(f"{self.path} has {len(self.train)} training images, fewer than the {ranks} ranks")
        loader.load_state_dict(self._loader_state)
        self._train_loader = loader
        return loader

    def val_dataloader(self) -> DataLoader:
        """All validation images in order, not augmented."""
        return self._loader(self.val, WholeSampler(len(self.val), *self._place()), drop_last=False)

    def state_dict(self) -> dict[str, int]:
        """Position in the current epoch, saved in the checkpoint."""
        return self._train_loader.state_dict() if self._train_loader is not None else self._loader_state

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next training loader start where the checkpoint was saved."""
        # Restoring the loader's own state would be too late: schedules ask for its length and so create it before.
        self._loader_state = dict(state)

    def _loader(self, images: Any, sampler: Any, drop_last: bool) -> ResumableLoader:
        workers = self._worker_count()
        return ResumableLoader(
            images,
            sampler=sampler,
            batch_size=self.batch_size,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0 and not isinstance(images, PhotographStream),
            worker_init_fn=set_up_worker,
            pin_memory=torch.cuda.is_available(),
        )

    def _catalogs(self) -> list[Catalog]:
        """The data in the training format, with both splits and the requested groups."""
        catalogs = open_catalogs(self.path, self.groups, self.cache, self.names, rules=self.rules)
        check_splits(catalogs, SPLITS)
        if self.labels_from == "imaterialist":
            known = imaterialist().groups
            for catalog in catalogs:
                if not set(known) & set(catalog.columns.values()):
                    raise DataError(
                        f"{catalog.folder} has none of the groups of --data.taxonomy imaterialist: {', '.join(known)}"
                    )
        return catalogs

    def _negatives(self) -> list[Catalog]:
        catalogs = open_negative_catalogs(self.negatives, self.cache)
        check_splits(catalogs, SPLITS)
        return catalogs

    def _fix_outputs(self, products: list[Catalog]) -> Applicability:
        """Choose the labels and the gates, and learn which groups apply to which products."""
        rules = products[0].rules
        data = [LabelRows(catalog) for catalog in products] if rules != NO_RULES or self.min_photographs > 1 else []
        counts = count_labels(data) if data else None
        self.taxonomy = (
            imaterialist()
            if self.labels_from == "imaterialist"
            else union_taxonomy(products, self.groups, counts, self.min_photographs)
        )
        self.rare = {
            Label(group, name): rows
            for group, names in (counts or {}).items()
            if self.groups is None or group in self.groups
            for name, rows in sorted(names.items())
            if rows < self.min_photographs
        }
        applies = tuple(group for group in rules.applies.groups if group in self.taxonomy.groups)
        self.gates = Gates(applies, bool(self.negatives))
        return Applicability.learn(rules.applies, self.gates, data) if applies else Applicability()

    def _reader(self, catalogs: list[Catalog], applies: Applicability, augment: Augment, learn_absence: bool) -> Reader:
        return Reader(self.taxonomy, self.spec, catalogs, augment, self.gates, applies, learn_absence)

    def _rows(self, catalogs: list[Catalog], split: str) -> Any:
        if split != "train":
            return open_rows(catalogs, split, self.cache)
        return open_rows(catalogs, split, self.cache, self.streaming, self.repeat)

    def _images(self, catalogs: list[Catalog], split: str, reader: Reader) -> Photographs:
        images = Photographs(self._rows(catalogs, split), reader)
        limit = self.limits[split]
        return images if limit is None else images.sample(limit)

    def _place(self) -> tuple[int, int]:
        """This rank and the number of ranks."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _epoch(self) -> int:
        return self.trainer.current_epoch if self.trainer else 0

    def _worker_count(self) -> int:
        if self.workers is not None:
            return self.workers
        if not torch.accelerator.is_available():
            return 1  # the network is the bottleneck; a second worker would take its cores
        ranks_here = max(1, self.trainer.num_devices) if self.trainer else 1
        return max(1, min(MAX_WORKERS, available_cores() // ranks_here))

    @rank_zero_only
    def _report(self, products: list[Catalog], negatives: list[Catalog]) -> None:
        taxonomy = self.taxonomy
        groups = ", ".join(f"{group} {len(taxonomy.indices(group))}" for group in taxonomy.groups)
        train, val = len(self.train), len(self.val)
        print(f"data   {train:,} training and {val:,} validation images; {len(taxonomy)} labels: {groups}")
        if self.gates.applies:
            print(f"       also learns whether these groups apply: {', '.join(self.gates.applies)}")
        if len(products) > 1:
            for catalog in products:
                print(f"       {_rows_of(catalog)}; {', '.join(dict.fromkeys(catalog.columns.values()))}")
        for catalog in negatives:
            print(f"       {_rows_of(catalog)}; without a product")
        lines = notes(products, taxonomy, self.rare, self.min_photographs)
        lines.append(case_note({group: taxonomy.names(group) for group in taxonomy.groups}))
        for line in filter(None, lines):
            print(f"note   {line}")


def _rows_of(catalog: Catalog) -> str:
    return f"{catalog.folder}: " + ", ".join(f"{catalog.splits[split]:,} {split}" for split in SPLITS)


def _repeat(repeat: list[int] | None, folders: int, negatives: int) -> list[int]:
    """How often each folder comes in an epoch, folders of negatives last."""
    every = folders + negatives
    if repeat is None:
        return [1] * every
    if every == 1:
        raise SettingError(f"--data.repeat is {repeat}, but there is one data folder; leave it out, train more epochs")
    if len(repeat) not in (folders, every) or min(repeat) < 1:
        more = f", optionally followed by one for each of the {negatives} folders of negatives" if negatives else ""
        raise SettingError(f"--data.repeat is {repeat}; give a number from 1 up for each of the data folders{more}")
    return [*repeat, *([1] * (every - len(repeat)))]
