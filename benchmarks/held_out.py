"""Cross-validated answers of a model to the validation photographs of several data folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fashion.predictor import Predictor
from fashion.taxonomy import Taxonomy
from training.data.images import CATALOG, Photographs, open_split
from training.profiles.out_of_fold import OutOfFold, answer_out_of_fold
from training.profiles.predictions import Predictions, predict
from training.sources.opening import DEFAULT_CACHE
from training.sources.writer import IMAGE


@dataclass(frozen=True)
class HeldOut:
    """Validation photographs of several data folders, with their ground truth and a model's outputs.

    Attributes:
        taxonomy: of the model.
        names: of the data folders; photographs without a product belong to none of them.
        photographs: all N of them, those without a product last.
        catalog: (N,), index into `names`; `len(names)` for photographs without a product.
        seen: the model's outputs, and targets, derived ones too.
        unseen: the cross-validated answers.
        truths: for each photograph, by group, its annotated labels, known to the model or not.
    """

    taxonomy: Taxonomy
    names: Sequence[str]
    photographs: Photographs
    catalog: np.ndarray
    seen: Predictions
    unseen: OutOfFold
    truths: Sequence[Mapping[str, Sequence[str]]] = field(repr=False)

    def rows_of(self, catalog: int) -> np.ndarray:
        """The positions of one data folder's photographs."""
        return np.flatnonzero(self.catalog == catalog)

    @property
    def products(self) -> np.ndarray:
        """The positions of photographs that show a product."""
        return np.flatnonzero(self.catalog < len(self.names))

    @property
    def without_product(self) -> np.ndarray:
        """The positions of photographs that show no product."""
        return self.rows_of(len(self.names))


def answer_held_out(
    predictor: Predictor,
    folders: Mapping[str, str | Path],
    rules: Path | None = None,
    names: Path | None = None,
    negatives: Sequence[str | Path] = (),
    cache: Path = DEFAULT_CACHE,
) -> HeldOut:
    """Run a model over the validation split of data folders.

    Calibration and thresholds are fitted on four fifths of all photographs and applied to the last, five times, as
    for the scores in a model card, see `training.profiles.out_of_fold.answer_out_of_fold`.

    Args:
        predictor: the model.
        folders: data folders, by their public names.
        rules: a YAML file of derived labels, see `training.data.rules`.
        names: a YAML file of renamed labels, see `training.data.names`.
        negatives: folders of photographs that show no product.
        cache: for imported data.

    Raises:
        DataError: a folder that cannot be used.
    """
    card = predictor.card
    images = open_split(
        list(folders.values()),
        "val",
        card.taxonomy,
        card.input,
        card.taxonomy.groups,
        cache,
        names,
        partly=True,
        gates=card.gates,
        rules=rules,
        negatives=negatives,
    )
    seen = predict(predictor, images, "validation photographs")
    unseen = answer_out_of_fold(seen, card.taxonomy)
    catalogs = np.array(images.rows[CATALOG]) if len(images.reader.catalogs) > 1 else np.zeros(len(images), int)
    truths = _truths(images, catalogs, seen.targets, card.taxonomy)
    of = np.minimum(catalogs, len(folders))
    return HeldOut(card.taxonomy, list(folders), images, of, seen, unseen, truths)


def _truths(
    images: Photographs, catalogs: np.ndarray, targets: np.ndarray, taxonomy: Taxonomy
) -> list[dict[str, list[str]]]:
    """By group the labels of the photographs' own columns; for groups without a column, those derived by rules."""
    truths = []
    for row, which, target in zip(images.rows.remove_columns(IMAGE), catalogs, targets, strict=True):
        given = {group: names for group, names in images.reader.catalogs[which].cells(row).items() if names}
        known = {group: names for group, names in taxonomy.decode(target).items() if names}
        truths.append(known | given)
    return truths
