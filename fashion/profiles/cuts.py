"""Where to cut a falling row of probabilities: above the cut is answered, below is not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion.taxonomy import NOT_ANNOTATED, YES

HALF_PROBABILITY = 0.5  # the threshold where nothing suggests another


@dataclass(frozen=True)
class Curve:
    """What every possible cut through the probabilities of some labels answers, C cuts, the first answers nothing.

    Equal probabilities cannot be told apart by a threshold, so there is no cut between them.

    Attributes:
        lowest: float64 (C,), the lowest probability that is answered; infinite for the first cut.
        answered: (C,), how many are answered.
        right: (C,), how many of them are right.
        positives: how many there are to be found.
    """

    lowest: np.ndarray
    answered: np.ndarray
    right: np.ndarray
    positives: int

    @classmethod
    def of(cls, probabilities: np.ndarray, targets: np.ndarray) -> "Curve":
        """The curve of labels that share a threshold.

        Args:
            probabilities: any shape.
            targets: the same shape, 1 yes, 0 no, -1 not annotated; the last do not count.
        """
        annotated = targets != NOT_ANNOTATED
        falling = probabilities[annotated]
        order = np.argsort(-falling, kind="stable")
        falling, yes = falling[order].astype(np.float64), (targets[annotated] == YES)[order]
        ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], True)[: len(falling)])
        return cls(
            np.append(np.inf, falling[ends]),
            np.append(0, ends + 1),
            np.append(0, np.cumsum(yes)[ends]),
            int(yes.sum()),
        )

    def threshold(self, cut: int) -> float:
        """The middle between the lowest answered and the highest unanswered probability.

        Nothing can be kept from answering a probability of 1.
        """
        above = min(1.0, self.lowest[cut])
        below = self.lowest[cut + 1] if cut + 1 < len(self.lowest) else 0.0
        return float((above + below) / 2)

    def f1_at(self, thresholds: np.ndarray) -> np.ndarray:
        """The F1 of answering at or above each of some thresholds, the shape of `thresholds`; 0 where it is 0 / 0."""
        cuts = np.searchsorted(-self.lowest, -thresholds, side="right") - 1
        return 2 * self.right[cuts] / np.maximum(1, self.answered[cuts] + self.positives)


def best_f1_thresholds(curves: Sequence[Curve]) -> list[float]:
    """The threshold of each curve with which all curves together have the highest F1.

    F1 = 2 right / (answered + positives) is a ratio of sums, so the highest one, F*, is found by Dinkelbach's iteration
    (1967, "On Nonlinear Fractional Programming"): cut each curve for itself where 2 right - F answered is highest, take
    the F1 of these cuts as the next F, until it rises no more. For exact probabilities that is to answer what is more
    probable than F* / 2 (Lipton et al. 2014, arXiv:1402.1892).

    Returns:
        0.5 for each where there is nothing to be found.
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
