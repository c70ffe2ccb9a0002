"""Find thresholds: cuts in a list of probabilities sorted in descending order; those above the cut are answered."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES

HALF_PROBABILITY = 0.5  # default threshold


@dataclass(frozen=True)
class Curve:
    """Counts of answers at each of the C possible cuts through some labels' probabilities; the first answers none.

    There is no cut between equal probabilities, because no threshold can separate them.

    Attributes:
        lowest: float64 (C,), the lowest answered probability; infinite for the first cut.
        answered: (C,), number of answers.
        right: (C,), number of correct answers.
        positives: number of positives.
    """

    lowest: np.ndarray
    answered: np.ndarray
    right: np.ndarray
    positives: int

    @classmethod
    def from_predictions(cls, probabilities: np.ndarray, targets: np.ndarray) -> "Curve":
        """The curve of labels that share a threshold.

        Args:
            probabilities: any shape.
            targets: the same shape, 1 yes, 0 no, -1 not annotated (ignored).
        """
        annotated = targets != NOT_ANNOTATED
        ordered = probabilities[annotated]
        order = np.argsort(-ordered, kind="stable")
        ordered, yes = ordered[order].astype(np.float64), (targets[annotated] == YES)[order]
        ends = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], True)[: len(ordered)])
        return cls(
            np.append(np.inf, ordered[ends]),
            np.append(0, ends + 1),
            np.append(0, np.cumsum(yes)[ends]),
            int(yes.sum()),
        )

    def threshold(self, cut: int) -> float:
        """The midpoint between the lowest answered and the highest unanswered probability, at most 1.

        So a probability of 1 is always answered.
        """
        above = min(1.0, self.lowest[cut])
        below = self.lowest[cut + 1] if cut + 1 < len(self.lowest) else 0.0
        return float((above + below) / 2)

    def f1_at(self, thresholds: np.ndarray) -> np.ndarray:
        """F1 when answering at or above each threshold, in the shape of `thresholds`; 0 instead of 0 / 0."""
        cuts = np.searchsorted(-self.lowest, -thresholds, side="right") - 1
        return 2 * self.right[cuts] / np.maximum(1, self.answered[cuts] + self.positives)


def best_f1_thresholds(curves: Sequence[Curve]) -> list[float]:
    """One threshold per curve that together maximize the pooled F1 of all curves.

    F1 = 2 right / (answered + positives) is a ratio of sums, so its maximum F* is found by Dinkelbach's iteration
    (1967, "On Nonlinear Fractional Programming"): cut each curve where 2 right - F answered is highest, take the F1 of
    these cuts as the next F, and repeat until F stops rising. With perfectly calibrated probabilities, the resulting
    threshold is F* / 2 (Lipton et al. 2014, arXiv:1402.1892).

    Returns:
        The thresholds; 0.5 for each if there are no positives.
    """
    positives = sum(curve.positives for curve in curves)
    f1, cuts = -1.0, [0] * len(curves)
    following = 0.0
    while positives and following > f1:
        f1 = following
        cuts = [int(np.argmax(2 * curve.right - f1 * curve.answered)) for curve in curves]
        right, answered = (
            sum(int(values[cut]) for values, cut in zip(column, cuts, strict=True))
            for column in ([curve.right for curve in curves], [curve.answered for curve in curves])
        )
        following = 2 * right / (answered + positives)
    if not positives:
        return [HALF_PROBABILITY] * len(curves)
    return [curve.threshold(cut) for curve, cut in zip(curves, cuts, strict=True)]
