"""Labeled photographs of folders in the training format, one by one: pixels and targets."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from fashion.errors import DataError, InvalidImage
from fashion.gates import Gates
from fashion.preprocess import InputSpec
from fashion.taxonomy import NO, NOT_ANNOTATED, YES, Taxonomy
from training.data.applicability import Applicability, no_product
from training.data.augment import NO_AUGMENT, Augment
from training.data.catalogs import Catalog, Paths, check_splits, open_catalogs, open_negative_catalogs
from training.data.draws import TrainingDraw, seeded_generator
from training.data.label_rows import LabelRows
from training.data.loading import FILLER, ResumableStream
from training.sources.opening import DEFAULT_CACHE
from training.sources.writer import ID, IMAGE, PRODUCT_ID

Sample = dict[str, Tensor]

NO_GATES = Gates()
NO_APPLICABILITY = Applicability()
CATALOG = "catalog of the row"  # the column that says which of several it is; no label column is called that
LONG_COPY = 500 * 10**6  # bytes; what takes longer than a few seconds shows its progress
SHUFFLE_ROWS = 2_000  # kept at hand to draw from when streaming; 100 kB photographs make it 200 MB a worker


def open_split(
    paths: Paths,
    split: str,
    taxonomy: Taxonomy,
    spec: InputSpec,
    groups: Sequence[str] | None = None,
    cache: Path | str = DEFAULT_CACHE,
    names: Path | str | None = None,
    partly: bool = False,
    gates: Gates = NO_GATES,
    rules: Path | str | None = None,
    negatives: Sequence[str | Path] = (),
) -> "Photographs":
    """A split of any folders that `training.sources` can open, for a model's outputs and input.

    Labels of the data that the taxonomy does not have are left out; groups that the data do not have are not annotated.

    Args:
        paths: the folder or folders.
        split: `train`, `val` or `test`.
        taxonomy: of the model.
        spec: input of the model.
        groups: attribute groups to import; None for all.
        cache: folder for imported data and the random-access copy.
        names: a YAML file of names to change, see `training.data.names`.
        partly: take those of the groups that are there.
        gates: outputs of the model beside its labels; targets have a column for each.
        rules: a YAML file of derived labels and of groups that apply to some products only, see `training.data.rules`.
        negatives: folders of photographs that show no product.

    Raises:
        DataError: a folder that cannot be used, or without this split.
    """
    catalogs = open_catalogs(paths, groups, cache, names, partly, rules)
    applicability = learn_applicability(catalogs, gates)
    catalogs += open_negative_catalogs(negatives, cache)
    check_splits(catalogs, (split,))
    reader = Reader(taxonomy, spec, catalogs, NO_AUGMENT, gates, applicability, learn_absence=split == "train")
    return Photographs(open_rows(catalogs, split, Path(cache)), reader)


def learn_applicability(catalogs: Sequence[Catalog], gates: Gates) -> Applicability:
    """Which groups apply to which products, from the training rows of these catalogs of products."""
    rule = catalogs[0].rules.applies
    if not gates.applies or not rule.groups:
        return Applicability()
    return Applicability.learn(rule, gates, [LabelRows(catalog) for catalog in catalogs])


def open_rows(
    catalogs: Sequence[Catalog],
    split: str,
    cache: Path,
    streaming: bool = False,
    repeat: Sequence[int] | None = None,
) -> Any:
    """A split of all catalogs as `datasets` opens it, images left encoded; column `catalog` says whose a row is.

    Not streaming, the shards are copied once into an Arrow file under `cache` that is mapped into memory. Streaming,
    the catalogs' rows come mixed, in proportion to their sizes. `repeat` says how often each catalog's rows come.

    Raises:
        DataError: broken shards.
    """
    import datasets  # takes seconds; a wrong flag need not wait for it

    each = [_folder_rows(catalog, split, cache, streaming) for catalog in catalogs]
    if len(each) == 1:
        return each[0]
    each = [rows.add_column(CATALOG, [i] * catalogs[i].splits[split]) for i, rows in enumerate(each)]
    times = repeat or [1] * len(each)
    if not streaming:
        return datasets.concatenate_datasets([rows for rows, n in zip(each, times, strict=True) for _ in range(n)])
    sizes = [catalog.splits[split] * n for catalog, n in zip(catalogs, times, strict=True)]
    shares = [size / sum(sizes) for size in sizes]
    return datasets.interleave_datasets(each, shares, seed=0, stopping_strategy="all_exhausted")


def _folder_rows(catalog: Catalog, split: str, cache: Path, streaming: bool) -> Any:
    import datasets

    files = sorted(str(path) for path in catalog.folder.glob(f"{split}-*.parquet"))
    try:
        with _bars(sum(Path(file).stat().st_size for file in files) > LONG_COPY):
            rows = datasets.load_dataset(
                "parquet",
                data_files={split: files},
                split=split,
                streaming=streaming,
                cache_dir=None if streaming else str(cache / "arrow"),
            )
    except datasets.exceptions.DatasetGenerationError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno is not None:  # such as a full disk
            raise cause from None
        raise DataError(f"{catalog.folder} cannot be read: {cause or error}; import the data again") from None
    columns = [IMAGE, ID, *catalog.columns]
    if not streaming and PRODUCT_ID in rows.column_names:  # folders of earlier versions lack it; streams need none
        columns.append(PRODUCT_ID)
    return rows.select_columns(columns).cast_column(IMAGE, datasets.Image(decode=False))


@contextmanager
def _bars(show: bool) -> Iterator[None]:
    """Let `datasets` show its progress bars, or not: for small data they are noise."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if show or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


class Photographs(Dataset):
    """Encoded images and label names, by index -> pixels and targets. The index `FILLER` is an empty image.

    What an `EpochSampler` draws is augmented by random numbers of its own, an image that is asked for by its index by
    torch's global ones.
    """

    def __init__(self, rows: Any, reader: "Reader") -> None:
        self.rows, self.reader = rows, reader

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, rows: int, skip: int = 0) -> "Photographs":
        """At most that many of the images, drawn at random but always the same, as an object of its own.

        Args:
            rows: how many.
            skip: leave out the images that `sample(skip)` draws.
        """
        drawn = copy.copy(self)
        if skip or rows < len(self.rows):
            order = np.random.default_rng(0).permutation(len(self.rows))
            drawn.rows = self.rows.select(np.sort(order[skip : skip + rows]))
        return drawn

    @property
    def ids(self) -> list[str]:
        """The id of each image."""
        return list(self.rows[ID])

    @property
    def products(self) -> list[str]:
        """The id of each image's product: what must not be seen on one side and judged on the other."""
        if PRODUCT_ID not in self.rows.column_names:
            return self.ids
        return [product or name for product, name in zip(self.rows[PRODUCT_ID], self.ids, strict=True)]

    def encoded(self, index: int) -> bytes:
        """The image file as it was imported."""
        return self.rows[index][IMAGE]["bytes"]

    def __getitem__(self, which: int | TrainingDraw) -> Sample:
        if isinstance(which, TrainingDraw):
            return self._read(which.image, seeded_generator(which.seed, which.epoch, which.image))
        return self._read(which)

    def _read(self, index: int, generator: torch.Generator | None = None) -> Sample:
        if index == FILLER:
            return self.reader.empty()
        if not 0 <= index < len(self.rows):
            raise IndexError(f"image {index} of {len(self.rows)}")
        return self.reader(self.rows[index], generator)


class PhotographStream(ResumableStream):
    """The training split read from front to back, endlessly; an epoch is as many images as the split has rows."""

    def __init__(self, rows: Any, length: int, reader: "Reader") -> None:
        self.rows, self.length, self.reader = rows, length, reader
        self.epoch: Callable[[], int] = int  # 0 until told otherwise
        self.seed = self.rank = 0

    def part(self, rank: int, ranks: int, seed: int, epoch: Callable[[], int]) -> "PhotographStream":
        """This rank's part, shuffled anew for each value of `epoch()`."""
        from datasets.distributed import split_dataset_by_node

        part = PhotographStream.__new__(PhotographStream)
        part.reader, part.length, part.epoch = self.reader, self.length // ranks, epoch
        part.seed, part.rank = seed, rank
        part.rows = split_dataset_by_node(self.rows, rank, ranks).shuffle(seed=seed, buffer_size=SHUFFLE_ROWS)
        return part

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        place = (self.seed, self.epoch(), self.rank, worker.id if worker else 0)
        for number, row in enumerate(self._endless_rows()):
            if number < self.skip:
                yield self.reader.empty()
            else:
                yield self.reader(row, seeded_generator(*place, number))

    def _endless_rows(self) -> Iterator[dict[str, Any]]:
        epoch = self.epoch()
        while True:  # ranks and workers hold unequal parts; the trainer stops when the epoch has its batches
            self.rows.set_epoch(epoch)
            empty = True
            for row in self.rows:
                empty = False
                yield row
            if empty:
                return
            epoch += 1_000_000


class Reader:
    """One row of the training format -> pixels and targets.

    Args:
        taxonomy: of the model.
        spec: input of the model.
        catalogs: where the rows come from; of several, each row's column `CATALOG` says which.
        augment: random changes to the pixels.
        gates: outputs beside the labels.
        applicability: what the gates of groups are to say of which products.
        learn_absence: whether photographs without a product have none of the labels, to be learned; else their labels
            are not annotated, so that scores of labels are of products.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        spec: InputSpec,
        catalogs: Sequence[Catalog],
        augment: Augment = NO_AUGMENT,
        gates: Gates = NO_GATES,
        applicability: Applicability = NO_APPLICABILITY,
        learn_absence: bool = True,
    ) -> None:
        self.taxonomy, self.spec, self.catalogs, self.augment = taxonomy, spec, catalogs, augment
        self.gates, self.applicability = gates, applicability
        self.masks = [catalog.not_annotated(taxonomy) for catalog in catalogs]
        colors = [taxonomy.indices(group) for group in taxonomy.groups if group in augment.color_groups]
        self.colors = np.concatenate(colors) if colors else np.empty(0, int)
        self.no_product = no_product(gates, len(taxonomy), NO if learn_absence else NOT_ANNOTATED)

    def __call__(self, row: dict[str, Any], generator: torch.Generator | None = None) -> Sample:
        """Pixels, augmented by `generator`, or by torch's global one, and targets of a row.

        Raises DataError for an image that cannot be decoded: the importers leave those out.
        """
        change = self.augment.draw(generator)
        try:
            pixels = torch.from_numpy(change.pixels(row[IMAGE]["bytes"], self.spec, generator))  # (S, S, 3)
        except InvalidImage as error:
            raise DataError(f"a photograph of the data set is broken: {error}; import the data again") from None
        targets = self.targets(row)
        if change.recolored:
            targets[self.colors] = NOT_ANNOTATED
        if change.blank:  # of other labels than the product's nothing is said, as of the product
            labels = len(self.taxonomy)
            targets[:labels][targets[:labels] == YES] = NO
            targets[labels:] = self.no_product[labels:]
        return {"pixels": pixels, "targets": torch.from_numpy(targets)}

    def targets(self, row: dict[str, Any]) -> np.ndarray:
        """The row's labels and gates as int8 (A + K,): 1 yes, 0 no, -1 not annotated."""
        which = row[CATALOG] if len(self.catalogs) > 1 else 0
        catalog = self.catalogs[which]
        if catalog.negative:
            return self.no_product.copy()
        cells = catalog.cells(row)
        known = {
            group: names if names is None else [name for name in names if (group, name) in self.taxonomy.index]
            for group, names in cells.items()
        }
        targets = self.taxonomy.encode(known)
        targets[self.masks[which]] = NOT_ANNOTATED
        derived = catalog.rules.derived(cells)
        for group, each in derived.items():
            if group in self.taxonomy.groups:
                targets[self.taxonomy.indices(group)] = [each.target(name) for name in self.taxonomy.names(group)]
        return np.concatenate([targets, self.applicability.targets(self.gates, cells, derived)])

    def empty(self) -> Sample:
        """A black image of which nothing is annotated."""
        size = self.spec.size
        targets = torch.full((len(self.taxonomy) + len(self.gates),), NOT_ANNOTATED, dtype=torch.int8)
        return {"pixels": torch.zeros(size, size, 3, dtype=torch.uint8), "targets": targets}
