"""Gates, outputs beside the labels: whether a group of labels applies to a product, and whether there is a product."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion.errors import BundleError
from fashion.prediction import sigmoid
from fashion.taxonomy import Taxonomy

APPLIES, PRODUCT = "applies", "product"  # keys in files and answers
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Gates:
    """The K outputs of a network that follow the labels' outputs; `Gates()` has none.

    Each gate is one logit. Its sigmoid is the probability that there is a product, or that a group applies given that
    there is a product. `neck` does not apply to a shoe, which has no neckline; a landscape shows no product.

    Attributes:
        applies: groups that have a gate, in the order of the outputs.
        product: whether the last output is a product gate.
    """

    applies: tuple[str, ...] = ()
    product: bool = False

    def __len__(self) -> int:
        return len(self.applies) + self.product

    def split(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split outputs (..., A + K) into logits of the labels (..., A) and of the gates (..., K)."""
        labels = outputs.shape[-1] - len(self)
        return outputs[..., :labels], outputs[..., labels:]

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Logits (..., K) -> probabilities, float32 (..., K): plain sigmoids without calibration."""
        return sigmoid(logits)

    def factors(self, probabilities: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """Factor for each label's probability, P(group applies) * P(product), float32 (..., A).

        A label is trained only where its group applies, so its own probability is conditional on that, and the group's
        is conditional on a product. Multiplying the three gives the unconditional probability of the label.

        Args:
            probabilities: (..., K), gate probabilities.
            taxonomy: the A labels and their groups.
        """
        of_groups = np.ones((*probabilities.shape[:-1], len(taxonomy.groups)), np.float32)
        gated = [taxonomy.groups.index(group) for group in self.applies]
        of_groups[..., gated] = probabilities[..., : len(gated)]
        if self.product:
            of_groups = of_groups * probabilities[..., -1:]
        return of_groups.take(taxonomy.group_of, axis=-1)

    def answerable(self, probabilities: np.ndarray, thresholds: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """Mask of the labels that may be answered, bool (..., A): there is a product, and the label's group applies.

        Args:
            probabilities: (..., K), gate probabilities.
            thresholds: (K,), see `threshold_row`.
            taxonomy: the A labels and their groups.
        """
        return self.factors(probabilities >= thresholds, taxonomy) > 0

    def threshold_row(self, thresholds: dict[str, Any]) -> np.ndarray:
        """A model card's gate thresholds -> float32 (K,); missing gates get 0.5.

        Args:
            thresholds: `{"applies": {group: threshold}, "product": threshold}`.
        """
        of_groups = thresholds.get(APPLIES, {})
        row = [of_groups.get(group, DEFAULT_THRESHOLD) for group in self.applies]
        row += [thresholds.get(PRODUCT, DEFAULT_THRESHOLD)] * self.product
        return np.asarray(row, dtype=np.float32)

    def check(self, thresholds: Any) -> None:
        """Validate gate thresholds read from a file.

        Raises:
            BundleError: they are not probabilities, or name a gate that the model does not have.
        """
        expected = f"{{{APPLIES!r}: {{group: 0 to 1}}, {PRODUCT!r}: 0 to 1}}"
        if not isinstance(thresholds, dict) or not isinstance(thresholds.get(APPLIES, {}), dict):
            raise BundleError(f"'gate_thresholds' is {thresholds!r}; expected {expected}")
        unknown = [name for name in thresholds if name != APPLIES and (name != PRODUCT or not self.product)]
        unknown += [group for group in thresholds.get(APPLIES, {}) if group not in self.applies]
        if unknown:
            raise BundleError(f"'gate_thresholds' names {unknown[0]!r}, for which the model has no gate")
        values = [*thresholds.get(APPLIES, {}).values(), thresholds.get(PRODUCT, DEFAULT_THRESHOLD)]
        if not all(_is_probability(value) for value in values):
            raise BundleError(f"'gate_thresholds' is {thresholds!r}; expected {expected}")

    def to_json(self) -> dict[str, Any]:
        """The gates as stored in checkpoints and model cards."""
        return {APPLIES: list(self.applies), PRODUCT: self.product}

    @classmethod
    def from_json(cls, content: Any, groups: Sequence[str]) -> "Gates":
        """The inverse of `to_json`.

        Args:
            content: None means no gates.
            groups: the labels' groups.

        Raises:
            BundleError: the content is invalid or names an unknown group.
        """
        if content is None:
            return cls()
        try:
            applies, product = tuple(content[APPLIES]), content[PRODUCT]
        except (TypeError, KeyError):
            raise BundleError(
                f"gates are {content!r}; expected {{'applies': [groups], 'product': true or false}}"
            ) from None
        unknown = [group for group in applies if group not in groups]
        if unknown or len(set(applies)) < len(applies) or not isinstance(product, bool):
            raise BundleError(f"gates {content!r} do not fit the groups {', '.join(groups)}")
        return cls(applies, product)


NO_GATES = Gates()


def _is_probability(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1
