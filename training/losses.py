"""What training minimizes: losses over the annotated (image, label) pairs."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fashion.errors import SettingError
from fashion.taxonomy import NOT_ANNOTATED, YES


@dataclass(frozen=True)
class Loss:
    """Binary cross-entropy of each annotated pair, and what may be changed about it.

    Attributes:
        smoothing: targets are drawn toward 0.5 by this part: yes is 1 - smoothing / 2, no is smoothing / 2.
        focus: pairs that are no count by probability ** focus: what the network is sure to leave out counts little.
            Above 0 it is the asymmetric loss of Ridnik et al. (arXiv:2009.14119), with their gamma- and a gamma+ of 0.
        margin: with a focus, this much is subtracted from the probability of pairs that are no; below it they count
            nothing (their m).

    Raises:
        SettingError: a value out of its range.
    """

    smoothing: float = 0.0
    focus: float = 0.0
    margin: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (("smoothing", 0, 0.5), ("focus", 0, 10), ("margin", 0, 0.5)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingError(f"--model.loss.{name} is {value}; it must lie between {low} and {high}")
        if self.margin and not self.focus:
            raise SettingError("--model.loss.margin is of the asymmetric loss; set --model.loss.focus above 0 as well")

    def __call__(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over the annotated pairs, and their number.

        logits (B, A); targets (B, A), 1 yes, 0 no, -1 not annotated. Without an annotated pair the loss is 0.
        """
        annotated = targets != NOT_ANNOTATED
        yes = (targets == YES).float()
        each = self._each(logits.float(), yes)
        pairs = annotated.sum()
        return (each * annotated).sum() / pairs.clamp(min=1), pairs

    def _each(self, logits: Tensor, yes: Tensor) -> Tensor:
        wanted = yes * (1 - self.smoothing) + self.smoothing / 2
        if not self.focus:
            return binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        probability = torch.sigmoid(logits)
        shifted = (probability - self.margin).clamp(min=0)
        positive = -wanted * torch.nn.functional.logsigmoid(logits)
        negative = -(1 - wanted) * (1 - shifted).clamp(min=1e-6).log()
        weight = torch.where(yes == 1, 1.0, shifted**self.focus)
        return weight * (positive + negative)


BINARY_CROSS_ENTROPY = Loss()
