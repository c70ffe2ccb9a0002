"""Build the answer for one image, shared by every server and command, from a prediction and options."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from fashion.explanation import overlay
from fashion.gates import APPLIES, DEFAULT_THRESHOLD, PRODUCT
from fashion.jpeg import jpeg_bytes
from fashion.model_card import TOP_K, ModelCard
from fashion.options import MAX_OVERLAYS, AnswerOptions, InvalidOption, cautious
from fashion.prediction import Prediction
from fashion.taxonomy import Label, Taxonomy

DEFAULT_OPTIONS = AnswerOptions()  # all attributes whose probability reaches their threshold
JPEG_QUALITY = 80

Evidence = Callable[[list[int]], np.ndarray]  # indices of K labels -> their maps, float32 (K, h, w)


def make_answer(
    card: ModelCard,
    prediction: Prediction,
    options: AnswerOptions = DEFAULT_OPTIONS,
    evidence: Evidence | None = None,
    image: Image.Image | None = None,
) -> dict[str, Any]:
    """Build the answer for one image.

    Args:
        card: the model card.
        prediction: the prediction for the image.
        options: what to answer.
        evidence: computes the heat maps of labels from their indices; required if maps are requested.
        image: the RGB photograph; required if overlays are requested.

    Returns:
        `attributes`, ordered by group and then by descending probability, and `model`, ready for JSON; `product` if
        the model has a product gate; on request `applies`, `embedding`, and `map` and `overlay` in each attribute.

    Raises:
        SettingError: an unknown profile, or more overlays than an answer may hold.
    """
    thresholds = cautious(card.threshold_row(options.profile), options.caution)
    chosen = chosen_labels(card, prediction.probabilities, thresholds, options, prediction.gates)
    attributes: list[dict[str, Any]] = [
        {
            "group": card.labels[i].group,
            "name": card.labels[i].name,
            "probability": round(probability, 4),
            "threshold": round(threshold, 4),
        }
        for i, probability, threshold in zip(
            chosen, prediction.probabilities[chosen].tolist(), thresholds[chosen].tolist(), strict=True
        )
    ]
    if options.wants_maps:
        _explain(attributes, chosen, card, options, evidence, image)
    answer: dict[str, Any] = {"attributes": attributes}
    if prediction.product is not None:
        recognized = bool(prediction.gates[-1] >= card.gate_row[-1])
        answer[PRODUCT] = {"recognized": recognized, "probability": round(prediction.product, 4)}
    if options.applies:
        answer[APPLIES] = {
            group: round(float(probability), 4)
            for group, probability in zip(card.gates.applies, prediction.applies, strict=True)
            if options.groups is None or group in options.groups
        }
    if options.embedding:
        # float32 has about six decimal places for values near 1.
        answer["embedding"] = [round(float(value), 6) for value in prediction.embedding]
    return answer | {"model": identity(card)}


def identity(card: ModelCard) -> dict[str, str]:
    """The model's name, version and weights id, as included in answers."""
    return {"name": card.name, "version": card.version, "weights": card.weights_id}


def chosen_labels(
    card: ModelCard,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    options: AnswerOptions = DEFAULT_OPTIONS,
    gates: np.ndarray | None = None,
) -> list[int]:
    """Indices of the labels to answer, ordered by group and then by descending probability.

    Args:
        card: the model card.
        probabilities, thresholds: (A,).
        options: selects `labels`, `all`, the `top_k` of each group, or by profile: labels that reach their threshold
            or, with the profile `top-k`, the card's number per group. If there is no product, or a group does not
            apply, only `labels` and `all` select any.
        gates: (K,), gate probabilities; optional for a model without gates.

    Raises:
        ValueError: the number of gates does not match the model.
    """
    chosen = card.answerable(np.empty(0) if gates is None else gates)
    if options.labels is not None:
        chosen = np.array([label in options.labels for label in card.labels])
    elif options.all:
        chosen = np.ones(len(card.labels), dtype=bool)
    elif options.top_k is not None:
        chosen &= most_probable(probabilities, card.taxonomy, dict.fromkeys(card.taxonomy.groups, options.top_k))
    else:
        chosen &= _reached(card, probabilities, thresholds, options.profile)
    indices = np.flatnonzero(chosen)
    ranked = indices[np.lexsort((-probabilities[indices], card.taxonomy.group_of[indices]))].tolist()
    if not options.groups:
        return ranked
    groups = [set(card.taxonomy.indices(group).tolist()) for group in options.groups]
    return [i for group in groups for i in ranked if i in group]


def answered_mask(
    card: ModelCard, probabilities: np.ndarray, profile: str | None = None, gates: np.ndarray | None = None
) -> np.ndarray:
    """Mask of the labels that a profile answers, bool (..., A): the `chosen_labels` of one image or of a batch.

    Args:
        card: the model card.
        probabilities: (..., A).
        profile: default is the card's default profile.
        gates: (..., K), gate probabilities; optional for a model without gates.

    Raises:
        SettingError: an unknown profile.
        ValueError: the number of gates does not match the model.
    """
    reached = _reached(card, probabilities, card.threshold_row(profile), profile)
    return reached & card.answerable(np.empty((*reached.shape[:-1], 0)) if gates is None else gates)


def _reached(card: ModelCard, probabilities: np.ndarray, thresholds: np.ndarray, profile: str | None) -> np.ndarray:
    """Mask of the labels that a profile answers if their group applies, bool (..., A)."""
    if (profile or card.default_profile) == TOP_K and card.top_k:
        return most_probable(probabilities, card.taxonomy, card.top_k)
    return probabilities >= thresholds


def most_probable(probabilities: np.ndarray, taxonomy: Taxonomy, counts: Mapping[str, int]) -> np.ndarray:
    """Mask of the most probable labels of each group, bool (..., A).

    Args:
        probabilities: (..., A).
        taxonomy: the A labels and their groups.
        counts: number of labels by group.
    """
    chosen = np.zeros(probabilities.shape, dtype=bool)
    for group, count in counts.items():
        indices = taxonomy.indices(group)
        ranked = np.argsort(-probabilities[..., indices], axis=-1, kind="stable")[..., :count]
        np.put_along_axis(chosen, indices[ranked], True, axis=-1)
    return chosen


def _explain(
    attributes: list[dict[str, Any]],
    chosen: list[int],
    card: ModelCard,
    options: AnswerOptions,
    evidence: Evidence | None,
    image: Image.Image | None,
) -> None:
    """Add the heat map and, if requested, the overlay to each attribute, in place."""
    if evidence is None:
        raise ValueError("maps are requested, but evidence is None")
    draws = options.wants_overlays
    if draws and len(chosen) > MAX_OVERLAYS:
        raise InvalidOption(
            f"{len(chosen)} overlays are more than the {MAX_OVERLAYS} an answer may hold; choose with labels or top_k"
        )
    for attribute, found in zip(attributes, evidence(chosen), strict=True):
        attribute["map"] = np.round(found.astype(np.float64), 3).tolist()
        if draws and image is not None:
            picture = jpeg_bytes(overlay(image, found, card.input), JPEG_QUALITY)
            attribute["overlay"] = base64.b64encode(picture).decode()


def product_photographs(used: int, left_out: Sequence[tuple[int, str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The `photographs` of a product's answer: how many were used, and which were left out.

    Args:
        used: their number.
        left_out: of each other photograph its number, from 1, its name, possibly empty, and its error as
            `{"error": {"code": 400, "type": ..., "message": ...}}`.
    """
    entries = [{"number": number} | ({"image": name} if name else {}) | dict(error) for number, name, error in left_out]
    return {"photographs": {"used": used, "left_out": entries}}


def remarks(answer: Mapping[str, Any]) -> list[str]:
    """Readable remarks on an answer: that there is no product, or which groups do not apply."""
    product = answer.get(PRODUCT)
    if product is not None and not product["recognized"]:
        return [f"no product recognized ({product['probability']:.2f})"]
    given = {attribute["group"] for attribute in answer["attributes"]}
    unlikely = [group for group, probability in answer.get(APPLIES, {}).items() if probability < DEFAULT_THRESHOLD]
    return [f"{group}: does not apply" for group in unlikely if group not in given]


def missed_labels(attributes: Sequence[Mapping[str, Any]], truth: Mapping[str, Sequence[str] | None]) -> list[Label]:
    """The true labels, as names by group (None: not annotated), that are not among an answer's attributes."""
    given = {Label(attribute["group"], attribute["name"]) for attribute in attributes}
    true = [Label(group, name) for group, names in truth.items() for name in names or ()]
    return [label for label in true if label not in given]


def describe(card: ModelCard) -> Mapping[str, Any]:
    """Describe the model for a server's clients: the card plus the weights id.

    The share corrections are omitted: they are long and only used for whole catalogs.
    """
    content = card.to_json()
    del content["share_corrections"]
    return {"weights": card.weights_id} | content
