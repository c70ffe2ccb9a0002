"""The network is torchvision's ResNet, and also returns the features and the embedding."""

import numpy as np
import pytest
import torch
import torchvision

from fashion.backbones import resnet
from fashion.backbones.families import build
from fashion.backbones.normalize import Normalize
from fashion.errors import SettingError
from fashion.preprocess import InputSpec, normalize

LABELS = 7
EMBEDDING = {"resnet50": 2048, "resnet18": 512}


@pytest.fixture(scope="module", params=resnet.NAMES)
def arch(request):
    return request.param


@pytest.fixture(scope="module")
def network(arch):
    torch.manual_seed(0)
    return build(arch, LABELS).eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_shapes(network, arch, images):
    with torch.inference_mode():
        output = network(images)
    assert output.logits.shape == (2, LABELS)
    assert output.embedding.shape == (2, EMBEDDING[arch])
    assert output.features.shape == (2, EMBEDDING[arch], 2, 2)


def test_weights_are_interchangeable_with_torchvision(network, arch, images):
    theirs = getattr(torchvision.models, arch)(num_classes=LABELS).eval()
    theirs.load_state_dict(network.state_dict(), strict=True)
    with torch.inference_mode():
        torch.testing.assert_close(network(images).logits, theirs(images), rtol=0, atol=0)
    assert list(network.state_dict()) == list(theirs.state_dict())
    build(arch, LABELS).load_state_dict(theirs.state_dict(), strict=True)


def test_the_embedding_is_the_mean_of_the_features_and_the_logits_are_linear_in_it(network, images):
    with torch.inference_mode():
        logits, embedding, features = network(images)
        torch.testing.assert_close(features.mean((2, 3)), embedding)
        torch.testing.assert_close(embedding @ network.fc.weight.T + network.fc.bias, logits)


def test_other_sizes_than_the_trained_one_work(network, arch):
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 32)).features.shape == (1, EMBEDDING[arch], 1, 1)
        assert network(torch.zeros(1, 3, 96, 96)).features.shape == (1, EMBEDDING[arch], 3, 3)


def test_an_unknown_architecture_error_lists_the_known_ones():
    with pytest.raises(SettingError, match="'resnet51' is unknown; choose one of: resnet50, resnet18"):
        build("resnet51", LABELS)


@pytest.mark.parametrize(
    "spec", [InputSpec(size=32), InputSpec(32, (0.6765, 0.6347, 0.6207), (0.3284, 0.3371, 0.3379))]
)
def test_normalize_on_the_device_equals_normalize_in_numpy(spec):
    batch = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    normalized = Normalize(spec)(torch.from_numpy(batch))
    np.testing.assert_allclose(normalized.numpy(), normalize(batch, spec), rtol=0, atol=1e-6)
    assert normalized.dtype == torch.float32
    assert normalized.is_contiguous(memory_format=torch.channels_last)
    assert Normalize(spec).state_dict() == {}  # the values are in the model card, not in the weights
