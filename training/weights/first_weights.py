"""Initial weights of the network: ImageNet, a file, or random."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from fashion.backbones import families
from fashion.backbones.contract import Backbone
from fashion.errors import SettingError
from fashion.gates import Gates
from fashion.model_card import CARD_FILE, ModelCard
from fashion.taxonomy import Taxonomy
from training.weights import foreign_weights, onnx_weights, torch_files

IMAGENET, NONE = "imagenet", "none"
ONNX = ".onnx"

# Identifies one output of a network: group and name of a label, or a gate's question and group.
OutputName = tuple[str, str]


def output_names(taxonomy: Taxonomy, gates: Gates) -> list[OutputName]:
    """The names of a network's outputs in order: labels, then gates."""
    labels: list[OutputName] = [(label.group, label.name) for label in taxonomy.labels]
    applies = [("does the group apply", group) for group in gates.applies]
    return labels + applies + [("is there a product", "")] * gates.product


def fetch(arch: str, weights: str) -> None:
    """Download the weights or check that the file exists, before anything slow begins.

    Raises:
        SettingError: no connection and no cached file, or no such file.
    """
    if weights == IMAGENET:
        families.family(arch).imagenet(arch)
    elif weights != NONE:
        _check_file(weights)


def load(network: Backbone, arch: str, weights: str, outputs: Sequence[OutputName] = ()) -> bool:
    """Load `weights` into `network`.

    Args:
        network: its head keeps its random weights except for outputs that the file has too: outputs of the same name
            if the file names its outputs (a checkpoint of this project, or a file beside its model card), otherwise all
            outputs if their number is equal.
        arch: architecture of the network; chooses the ImageNet weights.
        weights: `imagenet` (the family's best for the architecture), `none`, or a file: a state dict with the names of
            the family's library, with or without the prefix of a wrapper; a bundle's `model.pth`, `model.onnx` or
            `model.int8.onnx`; or a checkpoint.
        outputs: the names of the network's own outputs, see `output_names`.

    Returns:
        Whether the file's batch norms were folded into the convolutions, so that
            `training.weights.batch_norms.unfold` must be called.

    Raises:
        SettingError: the weights are not available; the message names the choices.
        BundleError: the file holds no weights, holds NaN, or is of another architecture.
    """
    if weights == NONE:
        return False
    folded = False
    if weights == IMAGENET:
        state = families.family(arch).imagenet(arch)
        state = {name: value for name, value in state.items() if name not in network.head_weights}
    elif weights.endswith(ONNX):
        found = onnx_weights.read(_check_file(weights), network)
        state, folded = found.state, found.folded
    else:
        state, _ = foreign_weights.read_torch(_check_file(weights), network, arch)
    foreign_weights.check_finite(state, weights)
    own = network.state_dict()
    names = named_outputs(Path(weights)) if weights != IMAGENET else None
    _fit_head(state, own, network.head_weights, names, outputs)
    foreign_weights.check_fit(state, network, arch, weights)
    network.load_state_dict(state, strict=False)
    return folded


def named_outputs(weights: Path) -> list[OutputName] | None:
    """The names of the outputs of a weights file, if it or the model card beside it has them; else None."""
    if weights.suffix == ".ckpt":
        saved = torch_files.read(weights, ignored=foreign_weights.LIGHTNING)
        settings = saved.get("hyper_parameters", {}) if isinstance(saved, dict) else {}
        if not isinstance(settings, dict) or "labels" not in settings:
            return None
        taxonomy = Taxonomy.from_json(settings["labels"])
        return output_names(taxonomy, Gates.from_json(settings.get("gates"), taxonomy.groups))
    if (weights.parent / CARD_FILE).is_file():
        card = ModelCard.load(weights.parent)
        if weights.name in card.files:
            return output_names(card.taxonomy, card.gates)
    return None


def _fit_head(
    state: dict[str, Tensor],
    own: Mapping[str, Tensor],
    head: tuple[str, str],
    theirs: Sequence[OutputName] | None,
    ours: Sequence[OutputName],
) -> None:
    """Replace the file's head in `state` by our own head, with the file's rows for the outputs that both have."""
    weight, bias = (state.pop(name, None) for name in head)
    if weight is None or bias is None:
        return
    if theirs is None or not ours:
        if weight.shape == own[head[0]].shape and bias.shape == own[head[1]].shape:
            state |= {head[0]: weight, head[1]: bias}
        return
    row_of = {name: row for row, name in enumerate(theirs)}
    pairs = [(row, row_of[name]) for row, name in enumerate(ours) if name in row_of]
    if not pairs or len(theirs) != len(bias) or weight.shape[1:] != own[head[0]].shape[1:]:
        return
    to, source = (torch.tensor(rows) for rows in zip(*pairs, strict=True))
    for name, values in zip(head, (weight, bias), strict=True):
        state[name] = own[name].clone()
        state[name][to] = values[source].to(state[name].dtype)


def _check_file(weights: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise SettingError(
            f"no such weights file: {weights}; --model.weights takes {IMAGENET!r}, {NONE!r} or a file of weights"
        )
    return path
