"""training.fitting.muon."""

import copy

import pytest
import torch
from torch import nn

from fashion.backbones.families import build
from fashion.errors import SettingError
from training.fitting import muon
from training.fitting.muon import Muon, newton_schulz, newton_schulz_gram, orthogonalize
from training.fitting.optimization import make_optimizer, make_schedule
from training.fitting.resuming import check_resumed


def gradient_like(rows: int, columns: int) -> torch.Tensor:
    """A random matrix like a gradient: a few directions are far stronger than the rest."""
    generator = torch.Generator().manual_seed(0)
    strong = torch.randn(rows, 4, generator=generator) @ torch.randn(4, columns, generator=generator)
    return strong + 0.5 * torch.randn(rows, columns, generator=generator)


@pytest.mark.parametrize("shape", [(64, 576), (576, 64), (128, 128)])
def test_singular_values_approach_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = gradient_like(*shape)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalize(matrix)
    assert found.dtype == torch.float32
    stretched = torch.diag(u.T @ found @ v.T)  # for each pair of singular vectors
    rest = found - u @ torch.diag(stretched) @ v
    assert rest.norm() < 1e-3 * found.norm()
    strong = values > 0.02 * values[0]
    assert strong.sum() > len(values) / 2  # a square matrix has some near 0
    assert 0.5 < stretched[strong].min() <= stretched.max() < 1.25
    assert values.max() > 5 * values[strong].min()


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)])
def test_both_variants_of_the_iteration_agree(dtype: torch.dtype, within: float) -> None:
    blocks = torch.stack([gradient_like(64, 300), gradient_like(300, 64).T])
    blocks = blocks / torch.linalg.matrix_norm(blocks, keepdim=True)
    expected = newton_schulz_gram(blocks)
    assert (newton_schulz(blocks.to(dtype)).float() - expected).norm() < within * expected.norm()


def test_long_sides_are_cut_into_blocks() -> None:
    matrix = gradient_like(2 * muon.BLOCK_ROWS, 400)
    parts = [orthogonalize(part) for part in matrix.split(muon.BLOCK_ROWS)]
    torch.testing.assert_close(orthogonalize(matrix), torch.cat(parts))
    torch.testing.assert_close(orthogonalize(matrix.T), torch.cat(parts).T)


def test_zero_stays_zero() -> None:
    assert torch.equal(orthogonalize(torch.zeros(8, 9)), torch.zeros(8, 9))


def test_only_the_head_may_be_trained() -> None:
    network = with_gradients(build("resnet18", 3))
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    before = network.fc.weight.clone()
    Muon(network, 1e-3).step()
    assert not torch.equal(network.fc.weight, before)


def with_gradients(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        # Same memory layout as the parameter, as autograd does.
        parameter.grad = torch.empty_like(parameter).copy_(torch.randn(parameter.shape, generator=generator))
    return network


def test_inner_convolutions_use_muon_and_all_else_adamw() -> None:
    torch.manual_seed(0)
    network = with_gradients(build("resnet18", 5))
    other = with_gradients(copy.deepcopy(network))
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    make_optimizer(network, "muon", 1e-3, 0.1).step()
    make_optimizer(other, "adamw", 1e-3, 0.1).step()
    expected = dict(other.named_parameters())
    for name, value in network.named_parameters():
        if value.ndim == 4 and name != "conv1.weight":
            step = value.detach() - before[name] * (1 - 1e-3 * 0.1)
            assert step.square().mean().sqrt().item() == pytest.approx(0.4e-3, rel=0.25), name
            gradient = value.grad
            assert gradient is not None
            assert (step * gradient).sum() < 0
        else:
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-8)


def test_parameters_without_a_gradient_do_not_change() -> None:
    network = with_gradients(build("resnet18", 5))
    network.layer1[0].conv1.weight.grad = network.fc.bias.grad = None
    before = copy.deepcopy(network.state_dict())
    Muon(network, 1e-3).step()
    changed = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert {name for name, _ in network.named_parameters()} - changed == {"layer1.0.conv1.weight", "fc.bias"}


def test_the_layout_in_memory_changes_nothing() -> None:
    torch.manual_seed(0)
    network = with_gradients(build("resnet18", 5))
    other = copy.deepcopy(network).to(memory_format=torch.channels_last)
    with_gradients(other)
    for each in (network, other):
        Muon(each, 1e-3).step()
    for (name, value), found in zip(network.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, value, rtol=0, atol=1e-7, msg=name)


def test_a_restored_state_continues_identically() -> None:
    torch.manual_seed(0)
    network = with_gradients(build("resnet18", 5))
    optimizer = make_optimizer(network, "muon", 1e-3, 0.1)
    schedule = make_schedule(optimizer, "onecycle", 1e-3, 10, 0.25)
    optimizer.step()
    schedule.step()
    resumed = with_gradients(copy.deepcopy(network))
    second = make_optimizer(resumed, "muon", 1e-3, 0.1)
    again = make_schedule(second, "onecycle", 1e-3, 10, 0.25)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    again.load_state_dict(schedule.state_dict())
    for each, its_schedule in ((optimizer, schedule), (second, again)):
        for _ in range(2):
            each.step()
            its_schedule.step()
    for (name, value), found in zip(network.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(found, value), name
    assert optimizer.param_groups[0]["lr"] > 1e-4  # the schedule sets the rate of each group
    assert len({group["lr"] for group in optimizer.param_groups}) == 1


def test_a_network_learns_with_muon() -> None:
    """A ResNet18 learns to tell bright from dark halves in noise within 12 steps of 16 images."""
    torch.manual_seed(0)
    network = build("resnet18", 2)
    optimizer = make_optimizer(network, "muon", 2e-3, 0.0)
    losses = []
    for _ in range(12):
        images = torch.randn(16, 3, 32, 32)
        targets = (torch.rand(16, 2) < 0.5).float()
        images[:, :, :, :16] += targets[:, 0, None, None, None]
        images[:, :, 16:] += targets[:, 1, None, None, None]
        loss = nn.functional.binary_cross_entropy_with_logits(network(images).logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.5
    assert losses[-1] < 0.1


def test_a_run_keeps_its_frozen_stages() -> None:
    before = {"model": {"optimizer": "muon", "frozen": 0}}
    check_resumed(before, before, {})
    with pytest.raises(SettingError, match=r"began with --model.frozen 0, not 2"):
        check_resumed({"model": {"optimizer": "muon", "frozen": 2}}, before, {})
    check_resumed({"model": {"optimizer": "adam", "frozen": 2}}, {"model": {"optimizer": "adam", "frozen": 0}}, {})
