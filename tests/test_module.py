"""training.fitting.module, training.fitting.metrics and training.fitting.optimization."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multilabel_average_precision, multilabel_f1_score

from fashion.errors import BundleError, SettingError
from fashion.preprocess import InputSpec
from fashion.profiles.thresholds import best_global_threshold
from fashion.taxonomy import Label, Taxonomy
from training.fitting.metrics import MeanOfAnnotated, MultilabelScores
from training.fitting.module import FashionModule
from training.fitting.optimization import make_optimizer, make_schedule
from training.profiles.scores import average_precisions, score

TAXONOMY = Taxonomy((Label("color", "Red"), Label("shape", "Wide"), Label("color", "Blue")))
SPEC = InputSpec(size=32, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), resize="pad")


@pytest.fixture
def module() -> FashionModule:
    module = FashionModule(arch="resnet18", weights="none")
    module.build(TAXONOMY, SPEC)
    return module


@pytest.fixture(scope="module")
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets of 600 images and 12 labels, a fifth not annotated; label 3 has no positive image."""
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(600, 12, generator=generator) < torch.linspace(0.02, 0.4, 12)).to(torch.int8)
    targets[:, 3] = 0
    logits = torch.randn(600, 12, generator=generator) * 2 - 2 + targets * 2.5
    targets[torch.rand(600, 12, generator=generator) < 0.2] = -1
    return logits, targets


def test_scores_are_those_of_torchmetrics(answers: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = answers
    metric = MultilabelScores(12)
    for start in range(0, 600, 64):
        metric.update(logits[start : start + 64], targets[start : start + 64])
    scores = metric.compute()
    probabilities, whole = torch.sigmoid(logits), targets.long()
    micro = multilabel_f1_score(probabilities, whole, 12, average="micro", ignore_index=-1)
    assert scores["micro_f1"] == pytest.approx(micro.item(), abs=1e-6)
    known = torch.tensor([label for label in range(12) if label != 3])
    each = multilabel_f1_score(probabilities, whole, 12, average="none", ignore_index=-1)
    assert scores["macro_f1"] == pytest.approx(each[known].mean().item(), abs=1e-6)
    average = multilabel_average_precision(probabilities[:, known], whole[:, known], 11, ignore_index=-1)
    assert scores["map"] == pytest.approx(average.item(), abs=5e-3)  # scores within a bin of 0.01 are ties


def test_scores_are_those_of_evaluate(answers: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = answers
    metric = MultilabelScores(12)
    metric.update(logits, targets)
    scores = metric.compute()
    labels = Taxonomy(tuple(Label("group", str(i)) for i in range(12)))
    probabilities, truth = torch.sigmoid(logits).numpy(), targets.numpy()
    half = score(probabilities, truth, np.full(12, 0.5), labels)
    assert scores["micro_f1"] == pytest.approx(half["micro_f1"], abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(half["macro_f1"], abs=1e-6)
    assert scores["map"] == pytest.approx(np.nanmean(average_precisions(probabilities, truth)), abs=5e-3)
    best = score(probabilities, truth, np.full(12, best_global_threshold(probabilities, truth)), labels)
    assert scores["best_micro_f1"] == pytest.approx(best["micro_f1"], abs=2e-3)
    there = score(probabilities, truth, np.full(12, scores["best_threshold"].item()), labels)
    assert scores["best_micro_f1"] == pytest.approx(there["micro_f1"], abs=2e-3)


def test_scores_of_ranks_add_up(answers: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = answers
    whole, first, second = (MultilabelScores(12) for _ in range(3))
    whole.update(logits, targets)
    first.update(logits[:100], targets[:100])
    second.update(logits[100:], targets[100:])
    first.counts = first.counts + second.counts  # as a sum over ranks does
    assert {k: v.item() for k, v in first.compute().items()} == {k: v.item() for k, v in whole.compute().items()}


def test_scores_of_nothing_are_zero() -> None:
    metric = MultilabelScores(2)
    metric.update(torch.zeros(3, 2), torch.full((3, 2), -1, dtype=torch.int8))
    assert metric.compute()["micro_f1"] == metric.compute()["map"] == 0


def test_mean_loss_weighs_batches_by_their_annotated_pairs() -> None:
    metric = MeanOfAnnotated()
    metric.update(torch.tensor(1.0), torch.tensor(30))
    metric.update(torch.tensor(4.0), torch.tensor(10))
    assert metric.compute() == pytest.approx(1.75)


def test_forward_normalizes_and_keeps_channels_last(module: FashionModule) -> None:
    pixels = torch.full((2, 32, 32, 3), 255, dtype=torch.uint8)
    assert torch.allclose(module.normalize(pixels), torch.full((2, 3, 32, 32), 2.0), atol=1e-5)
    assert module.network.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert module(pixels).logits.shape == (2, 3)


def test_checkpoint_alone_restores_the_module(module: FashionModule, tmp_path: Path) -> None:
    saved = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    torch.save(saved | {"pytorch-lightning_version": "2.6.6", "loops": {}}, tmp_path / "x.ckpt")
    assert set(torch.load(tmp_path / "x.ckpt", weights_only=True)) >= set(saved)
    loaded = FashionModule.load_from_checkpoint(tmp_path / "x.ckpt", weights_only=True).eval()
    assert (loaded.taxonomy, loaded.spec) == (TAXONOMY, SPEC)
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    assert torch.equal(loaded(pixels).logits, module.eval()(pixels).logits)
    names = {name.removeprefix("network.") for name in saved["state_dict"]}
    assert {"conv1.weight", "fc.bias"} <= names


def test_checkpoint_of_another_label_map_is_refused(module: FashionModule) -> None:
    other = FashionModule(arch="resnet18", weights="none")
    other.build(Taxonomy((*TAXONOMY.labels, Label("color", "Green"))), SPEC)
    with pytest.raises(BundleError, match=r"has 3 labels, the data has 4 .*'Green' of group 'color' is not in"):
        other.on_load_checkpoint({"hyper_parameters": dict(module.hparams)})
    swapped = FashionModule(arch="resnet18", weights="none")
    swapped.build(Taxonomy(TAXONOMY.labels[::-1]), SPEC)
    with pytest.raises(BundleError, match="order"):
        swapped.on_load_checkpoint({"hyper_parameters": dict(module.hparams)})


def test_checkpoint_of_another_input_is_refused(module: FashionModule) -> None:
    other = FashionModule(arch="resnet18", weights="none")
    other.build(TAXONOMY, InputSpec(size=64))
    with pytest.raises(BundleError, match=r"size=32.*size=64"):
        other.on_load_checkpoint({"hyper_parameters": dict(module.hparams)})


def test_foreign_checkpoint_is_refused() -> None:
    with pytest.raises(BundleError, match="not written by this project"):
        FashionModule().on_load_checkpoint({"hyper_parameters": {"lr": 1.0}})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arch": "vgg"}, "architecture 'vgg' is unknown; choose one of: resnet50, resnet18, or timm"),
        ({"lr": 0.0}, "--model.lr is 0.0"),
        ({"weight_decay": -1.0}, "--model.weight_decay is -1.0"),
        ({"warmup_fraction": 1.0}, "--model.warmup_fraction is 1.0"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        FashionModule(**settings)


def test_adamw_decays_weights_but_no_bias_and_no_batch_norm(module: FashionModule) -> None:
    decayed, others = make_optimizer(module.network, "adamw", 1e-3, 0.1).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0)
    names = {id(parameter): name for name, parameter in module.network.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} >= {"conv1.weight", "fc.weight"}
    assert {names[id(p)] for p in others["params"]} >= {"bn1.weight", "bn1.bias", "fc.bias"}
    assert len(decayed["params"]) + len(others["params"]) == len(names)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 10])
@pytest.mark.parametrize("warmup_fraction", [0.05, 0.1, 0.2, 0.25, 0.5, 0.9])
def test_a_warm_up_of_one_step_or_less_is_one_step(steps: int, warmup_fraction: float, module: FashionModule) -> None:
    optimizer = make_optimizer(module.network, "adam", 1e-3, 0.0)
    schedule = make_schedule(optimizer, "onecycle", 1e-3, steps, warmup_fraction)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert max(rates) <= 1e-3
    if steps > 1:
        assert rates[0] == pytest.approx(1e-3 / 25)  # the start of torch's schedule
        assert max(rates) > 5e-4 * (steps > 2)


@pytest.mark.parametrize("name", ["onecycle", "cosine"])
def test_schedules_rise_to_the_rate_and_end_near_zero(name: str, module: FashionModule) -> None:
    optimizer = make_optimizer(module.network, "adam", 1e-3, 0.0)
    schedule = make_schedule(optimizer, name, 1e-3, steps=40, warmup_fraction=0.25)
    rates = []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if len(rates) < 40 else None
    assert max(rates) == pytest.approx(1e-3)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[0] < 2e-4
    assert rates[-1] < 1e-5
