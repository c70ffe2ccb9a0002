"""training.losses."""

import math

import pytest
import torch

from fashion.errors import SettingError
from training.losses import BINARY_CROSS_ENTROPY, Loss

TARGETS = torch.tensor([[1, -1, 0], [-1, -1, 1]], dtype=torch.int8)


def test_the_mean_is_over_annotated_pairs() -> None:
    logits = torch.tensor([[0.0, 3.0, -1.0], [2.0, 0.5, 0.0]], requires_grad=True)
    loss, pairs = BINARY_CROSS_ENTROPY(logits, TARGETS)
    expected = (math.log(2) + math.log(1 + math.exp(-1)) + math.log(2)) / 3
    assert pairs == 3
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    loss.backward()
    assert (logits.grad == 0).tolist() == [[False, True, False], [True, True, False]]


@pytest.mark.parametrize("loss", [BINARY_CROSS_ENTROPY, Loss(focus=4, margin=0.05), Loss(smoothing=0.1)])
def test_a_batch_without_annotations_loses_nothing(loss: Loss) -> None:
    value, pairs = loss(torch.ones(2, 3, requires_grad=True), torch.full((2, 3), -1, dtype=torch.int8))
    assert (value.item(), pairs.item()) == (0, 0)


def test_smoothing_is_least_at_the_smoothed_target() -> None:
    loss, yes = Loss(smoothing=0.2), torch.tensor([[1]], dtype=torch.int8)
    at = {p: loss(torch.logit(torch.tensor([[p]])), yes)[0].item() for p in (0.8, 0.9, 0.98)}
    assert min(at, key=lambda p: at[p]) == 0.9
    assert at[0.9] == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1), rel=1e-5)


def test_the_asymmetric_loss_is_its_formula() -> None:
    p, focus, margin = 0.3, 4.0, 0.05
    logit = torch.logit(torch.tensor([[p]]))
    no, _ = Loss(focus=focus, margin=margin)(logit, torch.tensor([[0]], dtype=torch.int8))
    assert no.item() == pytest.approx(-((p - margin) ** focus) * math.log(1 - (p - margin)), rel=1e-4)
    yes, _ = Loss(focus=focus, margin=margin)(logit, torch.tensor([[1]], dtype=torch.int8))
    assert yes.item() == pytest.approx(-math.log(p), rel=1e-5)
    sure, _ = Loss(focus=focus, margin=margin)(torch.logit(torch.tensor([[0.04]])), torch.tensor([[0]]))
    assert sure.item() == 0, "below the margin it counts nothing"


def test_its_gradient_is_finite_where_probabilities_are_not() -> None:
    logits = torch.tensor([[-200.0, 200.0, 200.0, -200.0]], requires_grad=True)
    loss, _ = Loss(focus=2, margin=0.05)(logits, torch.tensor([[1, 1, 0, 0]], dtype=torch.int8))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smoothing": 0.6}, "loss.smoothing is 0.6; it must lie between 0 and 0.5"),
        ({"focus": -1.0}, "loss.focus is -1.0"),
        ({"margin": 0.1}, "set --model.loss.focus above 0"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Loss(**settings)
