"""training.fitting.losses."""

import math
from typing import Any

import pytest
import torch

from fashion.errors import SettingError
from training.fitting.losses import BINARY_CROSS_ENTROPY, Loss

EACH = torch.arange(3)  # one group per label; ignored by the loss over labels
TARGETS = torch.tensor([[1, -1, 0], [-1, -1, 1]], dtype=torch.int8)


def test_the_mean_is_over_annotated_pairs() -> None:
    logits = torch.tensor([[0.0, 3.0, -1.0], [2.0, 0.5, 0.0]], requires_grad=True)
    loss, pairs = BINARY_CROSS_ENTROPY(logits, TARGETS, EACH)
    expected = (math.log(2) + math.log(1 + math.exp(-1)) + math.log(2)) / 3
    assert pairs == 3
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    loss.backward()
    assert (logits.grad == 0).tolist() == [[False, True, False], [True, True, False]]


@pytest.mark.parametrize("loss", [BINARY_CROSS_ENTROPY, Loss(over="groups"), Loss(smoothing=0.1)])
def test_a_batch_without_annotations_has_zero_loss(loss: Loss) -> None:
    value, pairs = loss(torch.ones(2, 3, requires_grad=True), torch.full((2, 3), -1, dtype=torch.int8), EACH)
    assert (value.item(), pairs.item()) == (0, 0)


def test_smoothing_is_least_at_the_smoothed_target() -> None:
    loss, yes = Loss(smoothing=0.2), torch.tensor([[1]], dtype=torch.int8)
    at = {p: loss(torch.logit(torch.tensor([[p]])), yes, EACH[:1])[0].item() for p in (0.8, 0.9, 0.98)}
    assert min(at, key=lambda p: at[p]) == 0.9
    assert at[0.9] == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1), rel=1e-5)


# Groups of 3 and 2 labels, and a gate.
GROUPS = torch.tensor([0, 0, 0, 1, 1, 2])
OVER_GROUPS = Loss(over="groups")


def group_loss(targets: list[int], logits: torch.Tensor) -> float:
    return OVER_GROUPS(logits[None], torch.tensor([targets], dtype=torch.int8), GROUPS)[0].item()


def test_the_loss_over_groups_is_a_softmax_with_a_class_none() -> None:
    z = torch.tensor([1.0, -0.5, 0.3, 2.0, -1.0, 0.7])
    e = z.exp()
    first, second, gate = 1 + e[:3].sum(), 1 + e[3:5].sum(), 1 + e[5]
    cells = [(first / e[0]).log(), second.log(), (gate / e[5]).log()]
    assert group_loss([1, 0, 0, 0, 0, 1], z) == pytest.approx(float(sum(cells) / 3), rel=1e-5)
    two = ((first / e[0]).log() + (first / e[2]).log()) / 2
    assert group_loss([1, 0, 1, -1, -1, -1], z) == pytest.approx(float(two), rel=1e-5)


def test_labels_not_annotated_are_masked_in_the_softmax() -> None:
    z = torch.tensor([1.0, -0.5, 0.3, 2.0, -1.0, 0.7])
    e = z.exp()
    known = (1 + e[0] + e[1]) / e[0]  # the third label, not annotated, may be right as well
    assert group_loss([1, 0, -1, -1, -1, -1], z) == pytest.approx(float(known.log()), rel=1e-5)
    wrong = (1 + e[:3].sum()) / (1 + e[1] + e[2])  # the first is wrong, the others are not annotated
    assert group_loss([0, -1, -1, -1, -1, -1], z) == pytest.approx(float(wrong.log()), rel=1e-5)


def test_label_logits_are_those_of_the_softmax() -> None:
    z = torch.tensor([[1.0, -0.5, 0.3, 2.0, -1.0, 0.7]])
    probabilities = torch.sigmoid(OVER_GROUPS.label_logits(z, GROUPS))[0]
    e = z[0].exp()
    torch.testing.assert_close(probabilities[:3], e[:3] / (1 + e[:3].sum()))
    torch.testing.assert_close(probabilities[5], torch.sigmoid(z[0, 5]))


def test_gradients_are_finite_where_probabilities_are_not() -> None:
    logits = torch.tensor([[-200.0, 200.0, 200.0, -200.0, 0.0, 500.0]], requires_grad=True)
    loss, _ = OVER_GROUPS(logits, torch.tensor([[1, 1, 0, 0, 0, 0]], dtype=torch.int8), GROUPS)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smoothing": 0.6}, "loss.smoothing is 0.6; it must lie between 0 and 0.5"),
        ({"over": "groups", "smoothing": 0.1}, "loss.smoothing works only with --model.loss.over labels"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Loss(**settings)
