"""Training losses over the annotated labels of each image."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fashion.errors import SettingError
from fashion.gates import Gates
from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy

LARGEST_LOGIT = 30.0  # logits are clamped to this before exp


@dataclass(frozen=True)
class Loss:
    """Cross-entropy loss and its settings.

    Attributes:
        over: `labels` is binary cross-entropy of each (image, label) pair, so an image may have several labels of a
            group. `groups` is a softmax over the labels of each group and "none of them" with logit 0; it learns
            faster where a product has one label per group. `fashion.calibration.rivalry` turns its logits into a
            probability for each label.
        smoothing: label smoothing: the target for yes is 1 - smoothing / 2, for no smoothing / 2.

    Raises:
        SettingError: a value out of its range.
    """

    over: Literal["labels", "groups"] = "labels"
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing <= 0.5:
            raise SettingError(f"--model.loss.smoothing is {self.smoothing}; it must lie between 0 and 0.5")
        if self.over == "groups" and self.smoothing:
            raise SettingError("--model.loss.smoothing works only with --model.loss.over labels, not groups")

    def __call__(self, logits: Tensor, targets: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss over annotated (image, label) pairs or (image, group) cells, and the number of these.

        logits (B, N); targets (B, N), 1 yes, 0 no, -1 not annotated; groups (N,), see `output_groups`. If nothing is
        annotated, the loss is 0.
        """
        if self.over == "groups":
            return _over_groups(logits.float(), targets, groups)
        annotated = targets != NOT_ANNOTATED
        wanted = (targets == YES).float() * (1 - self.smoothing) + self.smoothing / 2
        each = binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none")
        pairs = annotated.sum()
        return (each * annotated).sum() / pairs.clamp(min=1), pairs

    def label_logits(self, logits: Tensor, groups: Tensor) -> Tensor:
        """Convert logits (B, N) to logits (B, N) whose sigmoid is the probability of each label."""
        if self.over == "labels":
            return logits
        each = logits.float().clamp(max=LARGEST_LOGIT).exp()
        rivals = (_sum(each, groups)[:, groups] - each).clamp(min=0)
        return logits - rivals.log1p()


def output_groups(taxonomy: Taxonomy, gates: Gates) -> Tensor:
    """Group number of each network output, (N,); each gate is a group of its own."""
    order = {group: number for number, group in enumerate(taxonomy.groups)}
    label_groups = [order[label.group] for label in taxonomy.labels]
    return torch.tensor(label_groups + [len(order) + number for number in range(len(gates))])


def _over_groups(logits: Tensor, targets: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax cross-entropy of each (image, group) cell in which something is annotated.

    If labels of a cell are yes, they share the target probability equally, and labels that are not annotated are left
    out of the softmax. If none is yes, the target is the summed probability of "none of them" and all labels that are
    not annotated: only labels known to be wrong are pushed down.
    """
    z = logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    each, yes, unknown = z.exp(), (targets == YES).float(), targets == NOT_ANNOTATED
    count = _sum(yes, groups)  # (B, G) labels that are yes
    has_yes = count > 0
    total = 1 + _sum(each * (~unknown | ~has_yes[:, groups]), groups)
    allowed = 1 + _sum(each * unknown, groups)
    wanted = torch.where(has_yes, _sum(yes * z, groups) / count.clamp(min=1), allowed.log())
    known = _sum((~unknown).float(), groups) > 0
    cells = known.sum()
    return ((total.log() - wanted) * known).sum() / cells.clamp(min=1), cells


def _sum(values: Tensor, groups: Tensor) -> Tensor:
    """Sum values (B, N) over the outputs of each group: (B, G)."""
    sums = values.new_zeros(len(values), int(groups[-1]) + 1)
    return sums.index_add(1, groups, values)


BINARY_CROSS_ENTROPY = Loss()
