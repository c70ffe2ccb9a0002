"""Datasets of labeled photographs in the training format: pixels and targets of each image."""

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
from fashion.gates import NO_GATES, Gates
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

NO_APPLICABILITY = Applicability()
CATALOG = "catalog of the row"  # column with the catalog's index, if there are several; no label column has this name
LONG_COPY = 500 * 10**6  # bytes; copying more takes more than a few seconds and shows a progress bar
SHUFFLE_ROWS = 2_000  # shuffle buffer when streaming: 200 MB per worker with photographs of 100 kB


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
    """Open a split of any folders that `training.sources` can open, for a model's outputs and input.

    Labels that are not in the taxonomy are left out; groups that are not in the data are not annotated.

    Args:
        paths: the folder or folders.
        split: `train`, `val` or `test`.
        taxonomy: of the model.
        spec: input of the model.
        groups: attribute groups to import; None for all.
        cache: folder for imported data and the random-access copy.
        names: a YAML file of names to change, see `training.data.names`.
        partly: ignore groups that are missing.
        gates: outputs of the model besides its labels; targets have a column for each.
        rules: a YAML file of derived labels and of groups that apply to some products only, see `training.data.rules`.
        negatives: folders of photographs that show no product.

    Raises:
        DataError: a folder cannot be used or lacks this split.
    """
    catalogs = open_catalogs(paths, groups, cache, names, partly, rules)
    applicability = learn_applicability(catalogs, gates)
    catalogs += open_negative_catalogs(negatives, cache)
    check_splits(catalogs, (split,))
    reader = Reader(taxonomy, spec, catalogs, NO_AUGMENT, gates, applicability, learn_absence=split == "train")
    return Photographs(open_rows(catalogs, split, Path(cache)), reader)


def learn_applicability(catalogs: Sequence[Catalog], gates: Gates) -> Applicability:
    """Learn which groups apply to which products from the training rows of these product catalogs."""
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
    """Open a split of all catalogs with `datasets`, images left encoded; column `CATALOG` is the index of the catalog.

    Without streaming, the shards are copied once to a memory-mapped Arrow file under `cache`. With streaming, the rows
    of the catalogs are interleaved in proportion to their number. `repeat` is how often each catalog's rows come.

    Raises:
        DataError: broken shards.
    """
    import datasets  # slow: imported late so that a wrong flag is reported at once

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
    if not streaming and PRODUCT_ID in rows.column_names:  # folders of earlier versions lack it; streams do not need it
        columns.append(PRODUCT_ID)
    return rows.select_columns(columns).cast_column(IMAGE, datasets.Image(decode=False))


@contextmanager
def _bars(show: bool) -> Iterator[None]:
    """Show or hide the progress bars of `datasets`."""
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
    """Map-style dataset: index -> pixels and targets. The index `FILLER` gives an empty image.

    A `TrainingDraw` of an `EpochSampler` is augmented with its own random generator, an image requested by plain index
    with torch's global one.
    """

    def __init__(self, rows: Any, reader: "Reader") -> None:
        self.rows, self.reader = rows, reader

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, rows: int, skip: int = 0) -> "Photographs":
        """A new dataset of at most `rows` images, drawn at random with a fixed seed.

        Args:
            rows: maximum number of images.
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
        """The product id of each image: a split must not separate images of one product."""
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
    """The training split as an endless stream; an epoch is as many images as the split has rows."""

    def __init__(self, rows: Any, length: int, reader: "Reader") -> None:
        self.rows, self.length, self.reader = rows, length, reader
        self.epoch: Callable[[], int] = int  # int() is 0
        self.seed = self.rank = 0

    def part(self, rank: int, ranks: int, seed: int, epoch: Callable[[], int]) -> "PhotographStream":
        """This rank's part, reshuffled for each value of `epoch()`."""
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
        while True:  # parts of ranks and workers differ in size; the trainer ends the epoch by its number of batches
            self.rows.set_epoch(epoch)
            empty = True
            for row in self.rows:
                empty = False
                yield row
            if empty:
                return
            epoch += 1_000_000


class Reader:
    """Converts a row of the training format to pixels and targets.

    Args:
        taxonomy: of the model.
        spec: input of the model.
        catalogs: the catalogs of the rows; if there are several, each row's column `CATALOG` is its index.
        augment: random changes to the pixels.
        gates: outputs besides the labels.
        applicability: targets of the gates by product.
        learn_absence: whether photographs without a product have target 0 for all labels; otherwise their labels are
            not annotated, so that label scores are of products only.
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
        """Pixels and targets of a row, augmented with `generator` or torch's global one.

        Raises DataError for an image that cannot be decoded: importers skip those, so the data set is damaged.
        """
        change = self.augment.draw(generator)
        try:
            pixels = torch.from_numpy(change.pixels(row[IMAGE]["bytes"], self.spec, generator))  # (S, S, 3)
        except InvalidImage as error:
            raise DataError(f"a photograph of the data set is broken: {error}; import the data again") from None
        targets = self.targets(row)
        if change.recolored:
            targets[self.colors] = NOT_ANNOTATED
        if change.blank:  # the product's labels become absent; labels that were not annotated stay so
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
        """A black image with no annotations."""
        size = self.spec.size
        targets = torch.full((len(self.taxonomy) + len(self.gates),), NOT_ANNOTATED, dtype=torch.int8)
        return {"pixels": torch.zeros(size, size, 3, dtype=torch.uint8), "targets": targets}
