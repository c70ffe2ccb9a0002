"""fashion.backbones.timm: supported networks, and equal outputs to timm's own."""

import subprocess
import sys

import pytest
import timm
import torch

from fashion.backbones.families import build
from fashion.errors import SettingError

NETWORKS = (
    *("tf_efficientnet_lite0", "tf_efficientnet_lite2", "convnext_tiny", "resnet50d", "resnet18d", "regnety_002"),
    "mobilenetv2_100",
)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_answers_as_timms(name: str) -> None:
    network = build(f"timm/{name}", 3).eval()
    with torch.no_grad():  # layer norms are initialized as the identity
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.05 * torch.randn_like(parameter))
    own = timm.create_model(name, num_classes=3).eval()
    own.load_state_dict(network.state_dict())  # strict: names equal timm's
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        found, expected = network(images), own(images)
        embedding = own.forward_head(own.forward_features(images), pre_logits=True)
    torch.testing.assert_close(found.logits, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.embedding, embedding, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.features.mean((2, 3)), found.embedding, rtol=1e-3, atol=1e-4)
    assert found.embedding.shape[1] == network.num_features == network.get_head().in_features


@pytest.mark.parametrize("name", NETWORKS)
def test_the_stages_contain_every_weight_except_the_head(name: str) -> None:
    network = build(f"timm/{name}", 3)
    held = {parameter for stage in network.get_stages() for module in stage for parameter in module.parameters()}
    assert {name for name, parameter in network.named_parameters() if parameter not in held} == set(
        network.head_weights
    )


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "mobilenetv3_small_100", "ghostnet_100", "vgg11"])
def test_a_network_without_a_pooled_linear_head_is_a_one_line_error(name: str) -> None:
    with pytest.raises(SettingError, match=f"timm/{name} is not a linear head on an averaged feature map") as error:
        build(f"timm/{name}", 3)
    assert "\n" not in str(error.value)


def test_a_name_that_timm_lacks_is_a_one_line_error() -> None:
    with pytest.raises(SettingError, match="has no network 'efficientnet_lite'; did you mean timm/"):
        build("timm/efficientnet_lite", 3)
    with pytest.raises(SettingError, match="has no network 'nothing_such'"):
        build("timm/nothing_such", 3)


def test_a_missing_timm_is_reported() -> None:
    program = (
        "import sys; sys.modules['timm'] = None\n"
        "from fashion.backbones.families import build\n"
        "from fashion.errors import one_line_errors\n"
        "with one_line_errors(): build('timm/resnet18d', 3)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "timm, which is not installed; pip install timm" in ended.stderr
