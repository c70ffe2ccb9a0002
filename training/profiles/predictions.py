"""Predictions of a model for a whole split of labeled photographs."""

import argparse
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader
from tqdm import tqdm

from fashion.engines import available_cores
from fashion.flags import add_engine_flag
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from training.data.images import Photographs
from training.data.loading import set_up_worker
from training.profiles.gate_scores import GatePredictions, split_targets
from training.sources.opening import DEFAULT_CACHE

FILE_ENDING = re.compile(r"\.(jpe?g|png|webp|gif|bmp|tiff?)$", re.IGNORECASE)
BATCH_SIZE = 8  # larger batches are no faster on a CPU and cost memory


@dataclass(frozen=True)
class Predictions:
    """A model's outputs for N labeled images, and their targets.

    Attributes:
        probabilities: float32 (N, A), joint probabilities by the model card's calibration, including gates.
        targets: int8 (N, A), 1 yes, 0 no, -1 not annotated.
        logits: float32 (N, A), of the labels.
        ids: (N,), product ids without file extensions: photographs of one product share it, even across catalogs.
        embeddings: float32 (N, E), if requested.
        gates: gate probabilities and targets; None for a model without gates.
    """

    probabilities: np.ndarray
    targets: np.ndarray
    logits: np.ndarray
    ids: np.ndarray
    embeddings: np.ndarray | None = None
    gates: GatePredictions | None = None

    @property
    def gate_predictions(self) -> GatePredictions:
        """`gates`, or empty ones if None."""
        return self.gates or GatePredictions.none(len(self.targets))

    def recalibrated(self, card: ModelCard) -> "Predictions":
        """The same predictions with the probabilities of another card's calibration."""
        return replace(self, probabilities=card.joint_probabilities(self.logits, self.gate_predictions.probabilities))

    def __getitem__(self, rows: np.ndarray | slice) -> "Predictions":
        """The predictions of some images, without embeddings."""
        gates = self.gate_predictions[rows]
        return Predictions(self.probabilities[rows], self.targets[rows], self.logits[rows], self.ids[rows], gates=gates)

    def __add__(self, other: "Predictions") -> "Predictions":
        """Concatenate these predictions and others, without embeddings."""
        return Predictions(
            np.concatenate([self.probabilities, other.probabilities]),
            np.concatenate([self.targets, other.targets]),
            np.concatenate([self.logits, other.logits]),
            np.concatenate([self.ids, other.ids]),
            gates=self.gate_predictions + other.gate_predictions,
        )


def predict(predictor: Predictor, images: Photographs, description: str, embeddings: bool = False) -> Predictions:
    """Run a model over labeled images, with a progress bar.

    Args:
        predictor: the model.
        images: of a split, see `training.data.images.open_split`.
        description: text of the progress bar.
        embeddings: keep the embeddings too: 40 MB for 5,000 images.
    """
    # One worker decodes ahead of the inference; more would take cores from it.
    loader = DataLoader(images, BATCH_SIZE, num_workers=1 if available_cores() > 1 else 0, worker_init_fn=set_up_worker)
    probabilities, targets, logits, gates, vectors = [], [], [], [], []
    with tqdm(total=len(images), desc=description, unit="image") as bar:
        for batch in loader:
            found = predictor.predict_pixels(batch["pixels"].numpy())
            probabilities.append(np.stack([prediction.probabilities for prediction in found]))
            logits.append(np.stack([prediction.logits for prediction in found]))
            gates.append(np.stack([prediction.gates for prediction in found]))
            targets.append(batch["targets"].numpy())
            if embeddings:
                vectors.append(np.stack([prediction.embedding for prediction in found]))
            bar.update(len(targets[-1]))
    card = predictor.card
    label_targets, gate_targets = split_targets(np.concatenate(targets), card.gates, len(card.labels))
    return Predictions(
        np.concatenate(probabilities),
        label_targets,
        np.concatenate(logits),
        np.array([FILE_ENDING.sub("", name) for name in images.products]),
        np.concatenate(vectors) if vectors else None,
        GatePredictions(card.gates, np.concatenate(gates), gate_targets),
    )


def add_prediction_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of commands that run a bundle over labeled photographs: `--cache` and `--engine`."""
    parser.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="folder for imported data (default: %(default)s)"
    )
    add_engine_flag(parser)


def add_label_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of how the photographs' labels are read: `--names`, `--rules` and `--negatives`."""
    parser.add_argument(
        "--names", type=Path, help="YAML file of names to change (default: the one that the model was trained with)"
    )
    parser.add_argument(
        "--rules", type=Path, help="YAML file of rules (default: the one that the model was trained with)"
    )
    parser.add_argument(
        "--negatives", type=Path, nargs="+", default=(), help="folders of photographs that show no product"
    )
