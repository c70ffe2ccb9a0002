"""Outputs beside the labels: whether a group of labels applies to a product, and whether there is a product at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion.errors import BundleError
from fashion.prediction import sigmoid
from fashion.taxonomy import Taxonomy

APPLIES, PRODUCT = "applies", "product"  # keys of what files say of gates
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Gates:
    """The outputs of a network that follow those of the labels. The empty one has none.

    A shoe has no neckline: `neck` does not apply to it. A landscape shows no product, and no group applies to it. Each
    gate is one logit; its sigmoid is the probability that the group applies, given that there is a product, or that
    there is one. In shapes K is their number.

    Attributes:
        applies: the groups that have a gate, in the order of the outputs.
        product: whether the last output says that the photograph shows a product.
    """

    applies: tuple[str, ...] = ()
    product: bool = False

    def __len__(self) -> int:
        return len(self.applies) + self.product

    def split(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outputs (..., A + K) -> logits of the labels (..., A) and of the gates (..., K)."""
        labels = outputs.shape[-1] - len(self)
        return outputs[..., :labels], outputs[..., labels:]

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Logits (..., K) -> probabilities, float32 (..., K): plain sigmoids, nothing is fitted to them."""
        return sigmoid(logits)

    def factors(self, probabilities: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """P(group applies) * P(product) of each label, float32 (..., A): what its own probability is multiplied by.

        A label is learned where its group applies, so its own probability is conditional on that, and that its group
        applies is conditional on a product: the product of the three is the probability that the label is right.

        Args:
            probabilities: (..., K), of the gates.
            taxonomy: of the A labels.
        """
        factors = np.ones((*probabilities.shape[:-1], len(taxonomy)), np.float32)
        for i, group in enumerate(self.applies):
            factors[..., taxonomy.indices(group)] = probabilities[..., i, None]
        return factors * probabilities[..., -1, None] if self.product else factors

    def answerable(self, probabilities: np.ndarray, thresholds: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
        """Which labels may be answered, bool (..., A): there is a product, and their group applies to it.

        Args:
            probabilities: (..., K), of the gates.
            thresholds: (K,), see `threshold_row`.
            taxonomy: of the A labels.
        """
        return self.factors(probabilities >= thresholds, taxonomy) > 0

    def threshold_row(self, thresholds: dict[str, Any]) -> np.ndarray:
        """Thresholds as a model card holds them -> float32 (K,); a gate that is not there has 0.5.

        Args:
            thresholds: `{"applies": {group: threshold}, "product": threshold}`.
        """
        of_groups = thresholds.get(APPLIES, {})
        row = [of_groups.get(group, DEFAULT_THRESHOLD) for group in self.applies]
        row += [thresholds.get(PRODUCT, DEFAULT_THRESHOLD)] * self.product
        return np.asarray(row, dtype=np.float32)

    def check(self, thresholds: Any) -> None:
        """Make sure that thresholds, as a file may hold them, are some of these gates.

        Raises:
            BundleError: they are not.
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
        """As checkpoints and model cards hold it."""
        return {APPLIES: list(self.applies), PRODUCT: self.product}

    @classmethod
    def from_json(cls, content: Any, groups: Sequence[str]) -> "Gates":
        """What `to_json` gave.

        Args:
            content: None stands for no gates.
            groups: of the labels.

        Raises:
            BundleError: it is something else, or names a group that is not there.
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
