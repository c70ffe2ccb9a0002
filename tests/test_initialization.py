"""training.fitting.initialization."""

import pytest
import torch

from fashion.backbones import resnet
from fashion.backbones.contract import Backbone
from fashion.backbones.families import build
from fashion.backbones.normalize import Normalize
from fashion.errors import SettingError
from fashion.preprocess import InputSpec
from training.fitting.initialization import Initialization


def apply(init: Initialization, network: Backbone) -> None:
    """Apply an initialization that must not read photographs."""
    init.apply(network, Normalize(InputSpec(size=32)), lambda: pytest.fail("photographs are asked for"))


def test_the_default_initialization_changes_nothing() -> None:
    torch.manual_seed(0)
    network = build("resnet18", 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    apply(Initialization(), network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("arch", resnet.NAMES)
def test_zero_residual_blocks_start_as_identity(arch: str) -> None:
    network = build(arch, 3).eval()
    apply(Initialization(zero_residual=True), network)
    images = torch.rand(2, network.layer3[1].conv1.in_channels, 4, 4)
    with torch.inference_mode():
        for block in list(network.layer3)[1:]:  # the first one changes the size
            assert torch.equal(block(images), images)


def test_initial_probabilities_equal_the_prior() -> None:
    network = build("resnet18", 3)
    apply(Initialization(prior=0.01), network)
    assert torch.sigmoid(network.fc.bias).tolist() == pytest.approx([0.01] * 3)


@pytest.mark.parametrize("prior", [-0.1, 1.0])
def test_a_prior_outside_0_to_1_is_refused(prior: float) -> None:
    with pytest.raises(SettingError, match=f"--model.init.prior is {prior}; it must be at least 0 and below 1"):
        Initialization(prior=prior)
