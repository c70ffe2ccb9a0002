"""A model beside the one that its training began with: has it become better?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fashion.errors import FashionError
from fashion.gates import Gates
from fashion.model_card import CARD_FILE, ModelCard
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec
from fashion.profiles.thresholds import MICRO_F1
from fashion.taxonomy import Taxonomy
from training.fitting.runs import TrainingRun, load_module, predictor_of
from training.profiles.out_of_fold import answer_out_of_fold
from training.profiles.predictions import Predictions, predict
from training.profiles.scores import score_answers
from training.weights.first_weights import IMAGENET, NONE


@dataclass(frozen=True)
class Earlier:
    """What `Run.split` and a predictor need of a model.

    Attributes:
        taxonomy, spec, gates: its labels, its input and its gates.
        predictor: answers with it.
    """

    taxonomy: Taxonomy
    spec: InputSpec
    gates: Gates
    predictor: Predictor


def compare_with_beginning(
    run: TrainingRun, card: ModelCard, seen: Predictions, images: int, data: Any = None
) -> dict[str, Any] | None:
    """Micro-F1 of a new model and of the one it began with, on the same validation images and the labels of both.

    Both are fitted and judged out of fold in the same way, see `training.profiles.out_of_fold.answer_out_of_fold`.

    Args:
        run: of the new model.
        card: of the new model.
        seen: what the new model says of its validation images.
        images: how many were drawn for it.
        data: the data of the run, where they are not in their place any more.

    Returns:
        `weights`, `labels` (in both), `micro_f1` and `micro_f1_before`; None where the training began with nothing,
        with ImageNet, or with a file that does not say what its outputs are or is not there any more.
    """
    weights = run.settings["model"].get("weights", NONE)
    earlier = None if weights in (IMAGENET, NONE) else _open(Path(weights), card)
    if earlier is None:
        return None
    old = earlier.taxonomy.index
    both = [(i, old[label]) for i, label in enumerate(card.labels) if label in old]
    if not both:
        return None
    before = predict(earlier.predictor, run.split("val", earlier, data).sample(images), "validate the beginning")
    ours, theirs = (np.array(indices) for indices in zip(*both, strict=True))
    taxonomy, targets = Taxonomy(tuple(card.labels[i] for i in ours)), seen.targets[:, ours]

    def micro_f1(logits: np.ndarray) -> float:
        answered = answer_out_of_fold(logits, targets, taxonomy, seen.ids).answered[MICRO_F1]
        return score_answers(answered, targets, np.zeros(len(taxonomy)), taxonomy)["micro_f1"] or 0.0

    return {
        "weights": str(weights),
        "labels": len(both),
        "micro_f1": micro_f1(seen.logits[:, ours]),
        "micro_f1_before": micro_f1(before.logits[:, theirs]),
    }


def describe_beginning(found: dict[str, Any]) -> str:
    """A line for people, which begins with `warn` where the training made the model worse."""
    now, before = found["micro_f1"], found["micro_f1_before"]
    text = f"{found['weights']}, with which the training began, {before:.3f} on the {found['labels']} labels of both"
    if now < before:
        return (
            f"warn   micro-F1 {now:.3f} is worse than that of {text}: train longer or at a lower rate, or keep the old"
        )
    return f"       micro-F1 {now:.3f}; {text}"


def _open(weights: Path, new: ModelCard) -> Earlier | None:
    """The model of a weights file: a checkpoint of this project, or a file of a bundle."""
    try:
        if weights.suffix == ".ckpt":
            predictor = predictor_of(load_module(weights), "before")
        elif (weights.parent / CARD_FILE).is_file():
            predictor = Predictor.from_bundle(weights.parent)
        else:
            return None
    except FashionError:  # another file is in its place, or it is no model of this project
        return None
    card = predictor.card
    return Earlier(card.taxonomy, card.input, card.gates, predictor)
