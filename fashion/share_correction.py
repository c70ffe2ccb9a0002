"""Correct the shares of labels in a catalog for the model's errors (quantification), with one correction per group.

The mean calibrated probability of a label equals its share only if labels are as frequent as in the calibration data.
Otherwise ("prior probability shift") it is biased toward the frequencies there. The correction is probabilistic
adjusted count (Bella et al. 2010, "Quantification via Probability Estimators", ICDM; for several classes Firat 2016,
"Unified Framework for Quantification", arXiv:1606.00868; PACC in QuaPy): with M[i, j] the mean probability of label i
on validation photographs whose label is j, a catalog with shares q has the mean probabilities M q, so multiplying them
by M^-1 recovers q. Each product gets the values M^-1 p, whose means are the shares. They may lie outside 0 to 1: if the
model recognizes only half of the black products, each recognized one counts about twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion.errors import BundleError
from fashion.taxonomy import Taxonomy

LEAST_TRUSTED_COVERAGE = 0.92  # least coverage of 95 % intervals in simulated catalogs with known shares
DIGITS = 5  # significant digits of numbers in files


@dataclass(frozen=True)
class GroupCorrection:
    """The correction of the shares of a group's labels.

    The C classes are the labels with enough validation photographs, the group's other labels together (`rest`), and
    none of the labels (`none`); the last two exist only if they have enough photographs.

    Attributes:
        labels: names of the corrected labels, in the model's order; the others keep their probabilities.
        rest, none: whether these classes exist.
        photographs: number of validation photographs of each class, (C,).
        weights: M^-1, (C, C): a product's estimate k is the sum over i of weights[k, i] * probability of i.
        variances: (C, C): the sampling variance from the finite number of validation photographs: those of class j add
            variances[j, k] * (share of class j)^2 to the variance of share k.
        coverage: fraction of 95 % intervals that contained the true share in simulated catalogs with known shares, with
            a correction fitted on other products; None if not measured.
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
        """Whether the measured coverage of its intervals is high enough."""
        return self.coverage is not None and self.coverage >= LEAST_TRUSTED_COVERAGE

    def estimates(self, probabilities: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Per-product estimates whose means are the shares of the classes, float64 (N, C).

        Args:
            probabilities: (N, L), of the group's labels.
            names: names of the L labels.
        """
        return class_probabilities(probabilities, names, self.labels, self.rest, self.none) @ self.weights.T

    def to_json(self) -> dict[str, Any]:
        """The correction as stored in a model card; matrix rows are strings of numbers to keep the card readable."""
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
    """Probabilities of a group's labels (N, L) -> probabilities of a correction's classes, float64 (N, C)."""
    own = [list(names).index(name) for name in labels]
    others = [i for i, name in enumerate(names) if name not in labels]
    values = probabilities.astype(np.float64)
    remaining = 1 - values.sum(1)  # negative if the model predicts several labels; rows still sum to 1
    columns = [values[:, own]]
    if rest:
        more = 0 if none else remaining
        columns.append((values[:, others].sum(1) + more)[:, None])
    if none:
        more = 0 if rest else values[:, others].sum(1)
        columns.append((remaining + more)[:, None])
    return np.concatenate(columns, axis=1)


def read_corrections(content: Any, taxonomy: Taxonomy, place: str) -> dict[str, GroupCorrection]:
    """Read corrections by group from JSON.

    Args:
        content: group -> `GroupCorrection.to_json`.
        taxonomy: the model's labels.
        place: the file, for messages.

    Raises:
        BundleError: the content is invalid, or names labels that the model does not have.
    """
    found = {}
    try:
        for group, values in content.items():
            found[group] = GroupCorrection.from_json(values)
            known = taxonomy.names(group) if group in taxonomy.groups else ()
            if unknown := [name for name in found[group].labels if name not in known]:
                raise BundleError(
                    f"{place}: the correction of group {group!r} names {unknown[0]!r}, which is not one of its labels"
                )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{place}: the correction of shares cannot be read: {error!r}; export again") from None
    return found


def _text_rows(matrix: np.ndarray) -> list[str]:
    return [" ".join(f"{value:.{DIGITS}g}" for value in row) for row in matrix]
