"""Scores of the last epoch of a training, on validation photographs."""

from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor

from fashion.profiles.thresholds import MICRO_F1, best_global_threshold
from training.data.images import Photographs, open_split
from training.fitting.runs import LAST, load_module, predictor_of
from training.profiles.out_of_fold import answer_out_of_fold
from training.profiles.predictions import Predictions, predict
from training.profiles.scores import average_precisions, mean_average_precision, score, score_answers


class Mirrored:
    """Photographs, mirrored left to right."""

    def __init__(self, images: Photographs) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    @property
    def products(self) -> list[str]:
        return self.images.products

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = self.images[i]
        return sample | {"pixels": sample["pixels"].flip(1)}


class LastEpoch:
    """The last checkpoint of a run, loaded for inference in fp32.

    Args:
        run: its folder.
    """

    def __init__(self, run: Path) -> None:
        module = load_module(run / LAST)
        self.name = run.name
        self.taxonomy, self.spec = module.taxonomy, module.spec
        self.predictor = predictor_of(module, run.name)

    def photographs(self, data: Path) -> Photographs:
        """The validation photographs of a data folder, with those of their labels that the model has."""
        return open_split(data, "val", self.taxonomy, self.spec, self.taxonomy.groups, partly=True)

    def answer(self, images: Photographs, mirrored: bool = False) -> Predictions:
        """Predictions for the photographs, or for their mirror images."""
        seen = cast(Photographs, Mirrored(images)) if mirrored else images
        return predict(self.predictor, seen, f"{self.name}{', mirrored' if mirrored else ''}")

    def scores(self, logits: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Micro-F1 at 0.5, at the best threshold for all labels, with cross-validated fitted thresholds; and mAP.

        The best threshold is chosen on the photographs that it is scored on, as in the original project; `fitted` is
        the profile micro-f1 on photographs that neither its thresholds nor its calibration were fitted on.

        Args:
            logits: (N, A).
            targets: (N, A).
        """
        probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
        threshold = best_global_threshold(probabilities, targets)
        half, best = (
            score(probabilities, targets, np.full(len(self.taxonomy), at), self.taxonomy)["micro_f1"]
            for at in (0.5, threshold)
        )
        seen = Predictions(probabilities, targets, logits, np.arange(len(logits)))
        answered = answer_out_of_fold(seen, self.taxonomy).answered[MICRO_F1]
        fitted = score_answers(answered, targets, np.zeros(len(self.taxonomy)), self.taxonomy)["micro_f1"]
        mean = mean_average_precision(average_precisions(probabilities, targets))
        return {"micro_f1": half, "best_micro_f1": best, "fitted_micro_f1": fitted, "map": mean, "threshold": threshold}
