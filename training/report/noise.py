"""Label noise: annotations that a confident answer of the model contradicts.

Where a model trained on many photographs confidently disagrees with an annotation, the annotation is often wrong: the
core idea of confident learning (Northcutt et al. 2021).
"""

from typing import Any

import numpy as np

from training.report.evidence import Evidence

MOST = 100  # annotations
INSTEAD, MISSING = "instead", "missing"


def suspicious_annotations(evidence: Evidence) -> list[dict[str, Any]]:
    """Annotated groups of photographs that the model contradicts, the most confident contradiction first.

    Let y be the group's most probable label that is not annotated as true, and x the most probable one that is.

    - `instead`: y is answered and x is not. The score is p(y) * (1 - p(x)), or p(y) if no label is annotated as true.
    - `missing`: both are answered, and x and y occur together on some photograph of the split, so they do not exclude
      each other. The score is p(y).

    Returns:
        Objects with `row`, `id`, `group`, `kind`, `score`, `annotated` (labels with `name` and `probability`) and
        `suggested` (one such label).
    """
    found: list[tuple[float, int, str, int, str]] = []
    for group in evidence.taxonomy.groups:
        found += [(score, row, group, label, kind) for score, row, label, kind in _of_group(evidence, group)]
    found.sort(key=lambda entry: -entry[0])
    return [_entry(evidence, *entry) for entry in found[:MOST]]


def _of_group(evidence: Evidence, group: str) -> list[tuple[float, int, int, str]]:
    """Score, row, suggested label and kind of each contradiction in a group."""
    indices = evidence.taxonomy.indices(group)
    yes, answered = evidence.positives[:, indices], evidence.answered[:, indices]
    probabilities = evidence.probabilities[:, indices].astype(np.float64)
    other = np.where(yes, -1.0, probabilities).argmax(axis=1)  # y
    own = np.where(yes, probabilities, -1.0).argmax(axis=1)  # x, if there is one
    together = yes.T.astype(np.float32) @ yes.astype(np.float32) > 0
    found = []
    for row in np.flatnonzero(evidence.annotated[:, indices].any(axis=1) & ~yes.all(axis=1)):
        x, y = own[row], other[row]
        if not answered[row, y]:
            continue
        empty = not yes[row].any()
        if empty or not answered[row, x]:
            doubt = 1.0 if empty else 1 - probabilities[row, x]
            found.append((float(probabilities[row, y] * doubt), int(row), int(indices[y]), INSTEAD))
        elif together[x, y]:
            found.append((float(probabilities[row, y]), int(row), int(indices[y]), MISSING))
    return found


def _entry(evidence: Evidence, score: float, row: int, group: str, label: int, kind: str) -> dict[str, Any]:
    indices = evidence.taxonomy.indices(group)
    return {
        "row": row,
        "id": evidence.ids[row],
        "group": group,
        "kind": kind,
        "score": round(score, 4),
        "annotated": evidence.label_probabilities(row, indices[evidence.positives[row, indices]]),
        "suggested": evidence.label_probabilities(row, [label])[0],
    }
