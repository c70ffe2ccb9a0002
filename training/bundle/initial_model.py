"""Compares a trained model with the model that its initial weights came from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fashion.engines import open_engine
from fashion.errors import FashionError
from fashion.model_card import CARD_FILE, ModelCard
from fashion.prediction import sigmoid
from fashion.predictor import Predictor
from fashion.profiles.thresholds import MICRO_F1
from fashion.taxonomy import Taxonomy
from training.data.images import Photographs, Reader
from training.fitting.runs import TrainingRun, load_module, predictor_of
from training.profiles.out_of_fold import answer_out_of_fold
from training.profiles.predictions import Predictions, predict
from training.profiles.scores import score_answers
from training.weights.first_weights import IMAGENET, NONE


def compare_with_initial_model(
    run: TrainingRun, card: ModelCard, predictions: Predictions, images: Photographs
) -> dict[str, Any] | None:
    """Micro-F1 of a new model and of the model it was initialized from, on the same validation images and labels.

    Both are fitted and scored out of fold in the same way, see `training.profiles.out_of_fold.answer_out_of_fold`.

    Args:
        run: of the new model.
        card: of the new model.
        predictions: predictions of the new model for its validation images.
        images: these images.

    Returns:
        `weights`, `labels` (number in common), `micro_f1` and `micro_f1_before`; None if the initial weights were
        random, from ImageNet, or from a file that is gone or does not name its outputs.
    """
    weights = run.settings["model"].get("weights", NONE)
    initial = None if weights in (IMAGENET, NONE) else _open(Path(weights), card.mirrored)
    if initial is None:
        return None
    old = initial.card.taxonomy.index
    both = [(i, old[label]) for i, label in enumerate(card.labels) if label in old]
    if not both:
        return None
    # The same photographs, also of negatives if only the new model has a gate for them, in the initial model's input.
    reader = Reader(initial.card.taxonomy, initial.card.input, images.reader.catalogs)
    before = predict(initial, Photographs(images.rows, reader), "validate the initial model")
    ours, theirs = (np.array(indices) for indices in zip(*both, strict=True))
    taxonomy, targets = Taxonomy(tuple(card.labels[i] for i in ours)), predictions.targets[:, ours]

    def micro_f1(logits: np.ndarray) -> float:
        seen = Predictions(sigmoid(logits), targets, logits, predictions.ids)
        answered = answer_out_of_fold(seen, taxonomy).answered[MICRO_F1]
        return score_answers(answered, targets, np.zeros(len(taxonomy)), taxonomy)["micro_f1"] or 0.0

    return {
        "weights": str(weights),
        "labels": len(both),
        "micro_f1": micro_f1(predictions.logits[:, ours]),
        "micro_f1_before": micro_f1(before.logits[:, theirs]),
    }


def describe_initial_comparison(found: dict[str, Any]) -> str:
    """Format the comparison as a line of text; it begins with `warn` if the training made the model worse."""
    now, before = found["micro_f1"], found["micro_f1_before"]
    text = f"{found['weights']}, the initial weights, scored {before:.3f} on the {found['labels']} shared labels"
    if now < before:
        return f"warn   micro-F1 {now:.3f}, but {text}: train longer, lower the learning rate, or keep the old model"
    return f"       micro-F1 {now:.3f}; {text}"


def _open(weights: Path, mirrored: bool) -> Predictor | None:
    """Open the model of a weights file: a checkpoint of this project, or a file of a bundle; else None."""
    try:
        if weights.suffix == ".ckpt":
            found = predictor_of(load_module(weights), "before")
            card, engine = found.card, found.engine
        elif (weights.parent / CARD_FILE).is_file():
            card = ModelCard.load(weights.parent)
            engine = open_engine(weights.parent, card)
        else:
            return None
    except FashionError:  # replaced by another file, or not a model of this project
        return None
    return Predictor(replace(card, mirrored=mirrored), engine)
