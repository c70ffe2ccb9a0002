"""Photographs to review: those the model is least certain of, and those it is most wrong about."""

from typing import Any

import numpy as np

from training.report.evidence import Evidence

LEAST_CERTAIN, MOST_WRONG = 12, 24  # maximum number of photographs
SHOWN_GROUPS = 3  # groups shown per photograph: those that it was chosen for


def least_certain(evidence: Evidence) -> list[dict[str, Any]]:
    """The photographs on which the model itself expects the most wrong answers.

    The measure is the sum over annotated labels of min(p, 1 - p): the expected number of wrong labels of a calibrated
    model at threshold 0.5.

    Returns:
        Objects with `row`, `id`, `value` (the measure) and `groups`, the verdicts (see `Evidence.verdict`) of the up to
        three groups that contribute most; the highest value first.
    """
    doubts = np.minimum(evidence.probabilities, 1 - evidence.probabilities).astype(np.float64)
    doubts = np.where(evidence.annotated, doubts, 0.0)
    return _chosen(evidence, doubts, doubts.sum(axis=1), LEAST_CERTAIN, evidence.taxonomy.groups)


def most_wrong(evidence: Evidence) -> list[dict[str, Any]]:
    """The photographs with the highest cross-entropy, summed over annotated labels (nats).

    Only photographs with a wrong answer in some group are returned. The result has the format of `least_certain`; its
    groups are those with a wrong answer.
    """
    differs = (evidence.positives != evidence.answered) & evidence.annotated
    surprise = np.where(differs.any(axis=1), evidence.losses.sum(axis=1), 0.0)
    return _chosen(evidence, evidence.losses, surprise, MOST_WRONG, evidence.taxonomy.groups, only_wrong=True)


def _chosen(
    evidence: Evidence,
    parts: np.ndarray,
    values: np.ndarray,
    most: int,
    groups: tuple[str, ...],
    only_wrong: bool = False,
) -> list[dict[str, Any]]:
    """The rows with the highest values above 0, each with the groups that contribute most to it."""
    rows = np.argsort(-values, kind="stable")[:most]
    chosen = []
    for row in (int(row) for row in rows if values[row] > 0):
        falling = sorted(groups, key=lambda group: -parts[row, evidence.taxonomy.indices(group)].sum())
        verdicts = [evidence.verdict(row, group) for group in falling]
        if only_wrong:
            verdicts = [verdict for verdict in verdicts if verdict["right"] is False]
        chosen.append(
            {
                "row": row,
                "id": evidence.ids[row],
                "value": round(float(values[row]), 4),
                "groups": verdicts[:SHOWN_GROUPS],
            }
        )
    return chosen
