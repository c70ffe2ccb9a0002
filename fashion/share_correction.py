"""Shares of labels among many products, corrected for the errors that the model makes; one correction for each group.

A mean of calibrated probabilities is the share of a label only while labels are as frequent as they were on the
photographs that calibrated them: where they are not ("prior probability shift"), it lies between the truth and what was
usual. The correction is that of probabilistic adjusted counts (Bella et al. 2010, "Quantification via Probability
Estimators", ICDM; for several classes Firat 2016, "Unified Framework for Quantification", arXiv:1606.00868; PACC in
QuaPy): with M[i, j] the mean probability of label i on validation photographs whose label is j, the mean probabilities
of a catalog with the shares q are M q, and so q is M^-1 times them. Every product gets the values M^-1 p, of which the
shares are plain means. They may lie outside 0 to 1: what the model takes for black half of the time counts twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion.errors import BundleError
from fashion.taxonomy import Taxonomy

TRUSTED = 0.92  # share of 95 % intervals that must hold the truth in catalogs drawn with shares that were chosen
DIGITS = 5  # significant ones of numbers in files


@dataclass(frozen=True)
class GroupCorrection:
    """How shares of a group's labels are corrected.

    Its C classes are the labels that had enough validation photographs, the group's other labels together (`rest`), and
    none of the labels (`none`): the last two only where there were enough photographs of them.

    Attributes:
        labels: names of the labels that are corrected, in the model's order; the others keep their probabilities.
        rest, none: whether there are these classes.
        photographs: of each class, (C,), that the correction was learned from.
        weights: M^-1, (C, C): estimate k of a product is the sum over i of weights[k, i] times its probability of i.
        variances: (C, C): by how much estimate k varies with the validation photographs of class j that happened to be
            there: their part of the variance of a share is variances[j, k] times the square of the share of class j.
        coverage: share of 95 % intervals that held the truth in catalogs drawn with chosen shares of this group, with a
            correction learned from other products; None where it was not measured.
    """

    labels: tuple[str, ...]
    rest: bool
    none: bool
    photographs: tuple[int, ...]
    weights: np.ndarray
    variances: np.ndarray
    coverage: float | None = None

    @property
    def trusted(self) -> bool:
        """Whether its intervals were seen to hold the truth often enough."""
        return self.coverage is not None and self.coverage >= TRUSTED

    def estimates(self, probabilities: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """The values of products whose means are shares of the classes, float64 (N, C).

        Args:
            probabilities: (N, L), of the group's labels.
            names: of the L labels.
        """
        return class_probabilities(probabilities, names, self.labels, self.rest, self.none) @ self.weights.T

    def to_json(self) -> dict[str, Any]:
        """As a model card holds it: each row of a matrix is a text of numbers, so that the card stays readable."""
        return {
            "labels": list(self.labels),
            "rest": self.rest,
            "none": self.none,
            "photographs": list(self.photographs),
            "coverage": self.coverage,
            "weights": _text_rows(self.weights),
            "variances": _text_rows(self.variances),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "GroupCorrection":
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
        labels, photographs = tuple(content["labels"]), tuple(content["photographs"])
        rest, none, coverage = content["rest"], content["none"], content["coverage"]
        size = len(labels) + bool(rest) + bool(none)
        weights, variances = (
            np.array([row.split() for row in content[name]], np.float64) for name in ("weights", "variances")
        )
        if len(photographs) != size or any(
            matrix.shape != (size, size) or not np.isfinite(matrix).all() for matrix in (weights, variances)
        ):
            raise ValueError(f"expected numbers of {size} classes")
        return cls(labels, bool(rest), bool(none), photographs, weights, variances, coverage)


def class_probabilities(
    probabilities: np.ndarray, names: Sequence[str], labels: Sequence[str], rest: bool, none: bool
) -> np.ndarray:
    """Probabilities of a group's labels (N, L) -> of the classes of a correction, float64 (N, C)."""
    own = [list(names).index(name) for name in labels]
    others = [i for i, name in enumerate(names) if name not in labels]
    values = probabilities.astype(np.float64)
    remaining = 1 - values.sum(1)  # below 0 where the model believes in several labels; the sums stay right
    columns = [values[:, own]]
    if rest:
        more = 0 if none else remaining
        columns.append((values[:, others].sum(1) + more)[:, None])
    if none:
        more = 0 if rest else values[:, others].sum(1)
        columns.append((remaining + more)[:, None])
    return np.concatenate(columns, axis=1)


def read_corrections(content: Any, taxonomy: Taxonomy, place: str) -> dict[str, GroupCorrection]:
    """Corrections by group, as JSON holds them.

    Args:
        content: an object of `GroupCorrection.to_json` by group.
        taxonomy: of the model.
        place: the file, for messages.

    Raises:
        BundleError: it is anything else, or of another model's labels.
    """
    found = {}
    try:
        for group, values in content.items():
            found[group] = GroupCorrection.from_json(values)
            known = taxonomy.names(group) if group in taxonomy.groups else ()
            if unknown := [name for name in found[group].labels if name not in known]:
                raise BundleError(f"{place}: the correction of group {group!r} names {unknown[0]!r}, which is no label")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{place}: the correction of shares cannot be read: {error!r}; export again") from None
    return found


def _text_rows(matrix: np.ndarray) -> list[str]:
    return [" ".join(f"{value:.{DIGITS}g}" for value in row) for row in matrix]
