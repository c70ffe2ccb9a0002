"""Outputs beside the labels: whether a group of labels applies to a product, and whether there is a product at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fashion.errors import BundleError


@dataclass(frozen=True)
class Gates:
    """The outputs of a network that follow those of the labels. The empty one has none.

    A shoe has no neckline: `neck` does not apply to it. A landscape shows no product, and no group applies to it. Each
    gate is one logit; its sigmoid is the probability that the group applies, given that there is a product, or that
    there is one.

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

    def to_json(self) -> dict[str, Any]:
        """As checkpoints and model cards hold it."""
        return {"applies": list(self.applies), "product": self.product}

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
            applies, product = tuple(content["applies"]), content["product"]
        except (TypeError, KeyError):
            raise BundleError(
                f"gates are {content!r}; expected {{'applies': [groups], 'product': true or false}}"
            ) from None
        unknown = [group for group in applies if group not in groups]
        if unknown or len(set(applies)) < len(applies) or not isinstance(product, bool):
            raise BundleError(f"gates {content!r} do not fit the groups {', '.join(groups)}")
        return cls(applies, product)
