"""training.fitting.whitening: filters computed from the photographs."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fashion.backbones.families import build
from fashion.backbones.normalize import Normalize
from fashion.model_card import ModelCard
from training.data.images import Photographs, open_split
from training.fitting.initialization import Initialization
from training.fitting.whitening import whiten


@pytest.fixture
def images(exported: Path, labeled_data: Path, tmp_path: Path) -> Photographs:
    card = ModelCard.load(exported)
    return open_split(labeled_data, "train", card.taxonomy, card.input, cache=tmp_path / "cache")


def test_filter_responses_have_similar_variance(images: Photographs) -> None:
    torch.manual_seed(0)
    network, normalize = build("resnet18", 3), Normalize(images.reader.spec)

    def variances() -> torch.Tensor:
        """The variance of each filter's responses to complete patches."""
        pixels = torch.stack([images[i]["pixels"] for i in range(len(images))])
        with torch.no_grad():
            answers = F.conv2d(normalize(pixels), network.conv1.weight, stride=2)
        return answers.var((0, 2, 3))

    before = variances()
    whiten(network, normalize, images)
    after = variances()
    assert before.max() / before.min() > 10
    strongest = after[:32]
    assert strongest[0] == pytest.approx(1, rel=0.1)  # far above the regularization added to each
    assert (strongest < 1.1).all()
    assert (strongest[:-1] > strongest[1:] - 0.05).all()
    assert torch.equal(network.conv1.weight[32:], -network.conv1.weight[:32])
    # The strongest pattern is brightness: all values have one sign.
    assert network.conv1.weight[0].sign().float().mean().abs() > 0.9


def test_whitening_is_deterministic_and_optional(images: Photographs) -> None:
    normalize = Normalize(images.reader.spec)
    found = []
    for whitened in (False, True, True):
        torch.manual_seed(0)
        network = build("resnet18", 3)
        random = network.conv1.weight.detach().clone()
        Initialization(whiten=whitened).apply(network, normalize, lambda: images)
        assert torch.equal(network.conv1.weight, random) != whitened
        found.append(network.conv1.weight)
    assert torch.equal(found[1], found[2])
