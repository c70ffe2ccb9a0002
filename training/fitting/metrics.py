"""Validation metrics, accumulated exactly across batches and ranks."""

import torch
from torch import Tensor
from torchmetrics import Metric

from fashion.taxonomy import NOT_ANNOTATED, YES

# Histogram bins of logits, 0.01 wide: candidate thresholds are at most 0.0025 apart in probability, and closer near 0
# and 1, where the probabilities of rare labels lie. Logit 0 (probability 0.5) is the edge between two bins.
BIN_WIDTH = 0.01
LARGEST = 12.0  # sigmoid(12) = 0.999994; logits beyond are counted in the outermost bins
BINS = round(2 * LARGEST / BIN_WIDTH)
HALF = BINS // 2


class MultilabelScores(Metric):
    """Micro-F1, macro-F1, mAP and the best global threshold.

    Targets that are not annotated (-1) do not count. The state is a histogram of the logits of each label's positive
    and negative images: 1 MB for 30 labels, however many images; summed over ranks it is the histogram of the whole
    set. `training.profiles.scores` computes the same scores from all probabilities at once; for labels with few
    positive images the mAP of the two differs in the third decimal, because logits within a bin are tied.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.num_labels = num_labels
        self.add_state("counts", torch.zeros(num_labels * 2 * BINS, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Count a batch: logits (B, A) and targets (B, A), 1 yes, 0 no, -1 not annotated."""
        # A diverged network gives NaN, which the loss reports; here it only needs some bin.
        bins = ((logits.float().nan_to_num(-LARGEST) + LARGEST) / BIN_WIDTH).clamp(0, BINS - 1).long()
        label = torch.arange(self.num_labels, device=logits.device)
        cells = (label * 2 + (targets == YES).long()) * BINS + bins
        cells = cells[targets != NOT_ANNOTATED]
        # Not bincount: it would allocate an array as large as the whole state for every batch.
        self.counts.index_add_(0, cells, torch.ones_like(cells))

    def compute(self) -> dict[str, Tensor]:
        """The scores as scalars; 0 if no target is yes.

        `micro_f1` and `macro_f1` are at probability 0.5; `macro_f1` and `map` are means over the labels with at least
        one positive image. `best_micro_f1` is the highest micro-F1 of one threshold for all labels, `best_threshold`.
        """
        counts = self.counts.view(self.num_labels, 2, BINS).double()
        # With the lower edge of a bin as the threshold, all logits in it or above are answered yes.
        fp, tp = counts.flip(-1).cumsum(-1).flip(-1).unbind(1)  # (A, BINS) each
        positives = tp[:, :1]  # (A, 1)
        f1 = 2 * tp / (tp + fp + positives).clamp(min=1)  # of each label at each threshold
        micro = 2 * tp.sum(0) / (tp.sum(0) + fp.sum(0) + positives.sum()).clamp(min=1)
        # Average precision = sum of precision * increase of recall, from the highest threshold to the lowest.
        precision = tp / (tp + fp).clamp(min=1)
        average_precision = (precision * counts[:, 1]).sum(-1) / positives[:, 0].clamp(min=1)
        has_positive = positives[:, 0] > 0
        known = has_positive.sum().clamp(min=1)
        # Several thresholds may be equally good: take the middle one.
        best = (micro == micro.max()).nonzero().flatten()
        edge = best[len(best) // 2] * BIN_WIDTH - LARGEST
        scores = {
            "micro_f1": micro[HALF],
            "macro_f1": f1[has_positive, HALF].sum() / known,
            "map": average_precision[has_positive].sum() / known,
            "best_micro_f1": micro.max(),
            "best_threshold": torch.sigmoid(edge),
        }
        return {name: value.float() for name, value in scores.items()}


class MeanOfAnnotated(Metric):
    """Mean loss over all annotated (image, label) pairs or (image, group) cells."""

    full_state_update = False
    total: Tensor
    pairs: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("pairs", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")

    def update(self, mean: Tensor, pairs: Tensor) -> None:
        """Add a batch: its mean loss and its number of annotated pairs."""
        self.total += mean.float() * pairs
        self.pairs += pairs

    def sums(self) -> tuple[Tensor, Tensor]:
        """The summed loss of this rank's pairs, and their number."""
        return self.total.clone(), self.pairs.clone()

    def go_on(self, total: float, pairs: float) -> None:
        """Restore the sums of all ranks at the point where an epoch was interrupted."""
        self.total.fill_(total)
        self.pairs.fill_(pairs)

    def compute(self) -> Tensor:
        return self.total / self.pairs.clamp(min=1)
