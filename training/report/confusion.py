"""Confused labels: pairs within a group."""

from typing import Any

import numpy as np

from training.report.evidence import Evidence

MOST = 30  # pairs; those with the most photographs come first
EXAMPLES = 3  # example photographs per pair


def confused_pairs(evidence: Evidence) -> list[dict[str, Any]]:
    """Pairs of labels of one group for which X was annotated and missed, and Y was answered instead.

    Returns:
        Objects with `group`, `annotated` (X), `answered` (Y), `count` (photographs), `support` (photographs of X),
        `share` (count / support) and `examples`, the positions of those with the highest probability of Y.
    """
    missed = evidence.positives & ~evidence.answered
    wrong = evidence.answered & evidence.annotated & ~evidence.positives
    support = evidence.positives.sum(axis=0)
    found = []
    for group in evidence.taxonomy.groups:
        indices = evidence.taxonomy.indices(group)
        together = missed[:, indices].T.astype(np.float32) @ wrong[:, indices].astype(np.float32)  # (labels, labels)
        for x, y in np.argwhere(together > 0):
            true, answer, count = int(indices[x]), int(indices[y]), int(together[x, y])
            found.append((-count, -count / int(support[true]), true, answer))
    return [
        _pair(evidence, true, answer, -count, int(support[true])) for count, _, true, answer in sorted(found)[:MOST]
    ]


def _pair(evidence: Evidence, true: int, answer: int, count: int, support: int) -> dict[str, Any]:
    labels = evidence.taxonomy.labels
    wrong = evidence.annotated[:, answer] & ~evidence.positives[:, answer] & evidence.answered[:, answer]
    rows = np.flatnonzero(evidence.positives[:, true] & ~evidence.answered[:, true] & wrong)
    clearest = rows[np.argsort(-evidence.probabilities[rows, answer], kind="stable")][:EXAMPLES]
    return {
        "group": labels[true].group,
        "annotated": labels[true].name,
        "answered": labels[answer].name,
        "count": count,
        "support": support,
        "share": count / support,
        "examples": [int(row) for row in clearest],
    }
