"""Annotations that contradict each other, independent of the model's answers."""

from itertools import combinations
from typing import Any

import numpy as np

from fashion.preprocess import decode
from training.report.evidence import Evidence

MOST = 50  # pairs of photographs, and photographs with labels that exclude each other
SIMILAR = 0.99  # cosine similarity of embeddings above which two photographs count as near-identical
SAME_FILE, SAME_PIXELS, ALIKE = "same file", "same pixels", "near-identical"
_ROWS = 256  # rows compared with all others at a time: 5 MB for 5,000 photographs
_KEPT = 20_000  # maximum pairs in memory; a network with collapsed embeddings would give millions

EXPECTED = 5.0  # minimum expected photographs with both labels, if they were independent, to draw a conclusion
RARE = 0.05  # two labels that occur together in at most this fraction of the expected number exclude each other


def contradictory_pairs(evidence: Evidence) -> dict[str, Any]:
    """(Nearly) identical photographs with different labels in a group that is annotated for both.

    Returns:
        `similarity`, the threshold of the cosine similarity; `alike`, the number of pairs above it; `contradictory`,
        how many of them (of the 20,000 most similar, if there are more) are labeled differently;
        `pairs`, the most similar of these, objects with `rows`, `ids`, `similarity`, `kind` (`same file`,
        `same pixels` in another file, or `near-identical`) and `groups`, objects with `group`, `first` and
        `second`, lists of names.
    """
    pairs, similarity, alike = _similar(evidence)
    differs = _differences(evidence, pairs)
    contradictory = np.flatnonzero(differs.any(axis=1))
    best = contradictory[np.argsort(-similarity[contradictory], kind="stable")][:MOST]
    groups = np.array(evidence.taxonomy.groups, dtype=object)
    return {
        "similarity": SIMILAR,
        "alike": alike,
        "contradictory": len(contradictory),
        "pairs": [
            _pair(evidence, int(pairs[i, 0]), int(pairs[i, 1]), float(similarity[i]), list(groups[differs[i]]))
            for i in best
        ],
    }


def excluding_labels(evidence: Evidence) -> list[dict[str, Any]]:
    """Photographs with two labels of one group that rarely occur together.

    Two labels exclude each other if at least five photographs would have both were they independent (`EXPECTED`), and
    at most a twentieth of that number has (`RARE`).

    Returns:
        Objects with `row`, `id`, `group`, `names` (the two), `together` (photographs with both) and `expected`; the
        most surprising first.
    """
    found = []
    for group in evidence.taxonomy.groups:
        indices = evidence.taxonomy.indices(group)
        annotated = int(evidence.annotated[:, indices].any(axis=1).sum())
        counts = evidence.positives[:, indices].sum(axis=0)
        for first, second in combinations(range(len(indices)), 2):
            expected = counts[first] * counts[second] / max(1, annotated)
            if expected < EXPECTED:
                continue
            rows = np.flatnonzero(evidence.positives[:, indices[first]] & evidence.positives[:, indices[second]])
            if 0 < len(rows) <= RARE * expected:
                names = [evidence.taxonomy.labels[indices[i]].name for i in (first, second)]
                found += [(len(rows) / expected, row, group, names, len(rows), expected) for row in rows]
    found.sort(key=lambda entry: entry[0])
    return [
        {
            "row": int(row),
            "id": evidence.ids[row],
            "group": group,
            "names": names,
            "together": together,
            "expected": round(float(expected), 1),
        }
        for _, row, group, names, together, expected in found[:MOST]
    ]


def _similar(evidence: Evidence) -> tuple[np.ndarray, np.ndarray, int]:
    """Similar pairs of rows (P, 2), first < second, their cosine similarity (P,), and the total number of pairs."""
    lengths = np.linalg.norm(evidence.embeddings, axis=1, keepdims=True)
    directions = evidence.embeddings / np.maximum(lengths, 1e-12)
    pairs, values, total = np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.float32), 0
    for start in range(0, len(directions), _ROWS):
        similarity = directions[start : start + _ROWS] @ directions[start:].T
        first, second = np.nonzero(np.triu(similarity > SIMILAR, k=1))
        total += len(first)
        pairs = np.concatenate([pairs, np.stack([first, second], axis=1) + start])
        values = np.concatenate([values, similarity[first, second]])
        if len(pairs) > _KEPT:
            kept = np.argsort(-values, kind="stable")[:_KEPT]
            pairs, values = pairs[kept], values[kept]
    return pairs, values.clip(max=1.0), total


def _differences(evidence: Evidence, pairs: np.ndarray) -> np.ndarray:
    """Whether the photographs of each pair are both annotated in a group, with different labels, bool (P, groups)."""
    first, second = pairs.T
    found = []
    for group in evidence.taxonomy.groups:
        indices = evidence.taxonomy.indices(group)
        annotated, yes = np.any(evidence.annotated[:, indices], axis=1), evidence.positives[:, indices]
        found.append(annotated[first] & annotated[second] & np.any(yes[first] != yes[second], axis=1))
    return np.stack(found, axis=1)


def _pair(evidence: Evidence, first: int, second: int, similarity: float, groups: list[str]) -> dict[str, Any]:
    true = [evidence.taxonomy.decode(evidence.targets[row]) for row in (first, second)]
    return {
        "rows": [first, second],
        "ids": [evidence.ids[first], evidence.ids[second]],
        "similarity": round(similarity, 4),
        "kind": _kind(evidence, first, second),
        "groups": [{"group": group, "first": true[0][group], "second": true[1][group]} for group in groups],
    }


def _kind(evidence: Evidence, first: int, second: int) -> str:
    files = [evidence.photographs.encoded(row) for row in (first, second)]
    if files[0] == files[1]:
        return SAME_FILE
    one, other = (np.asarray(decode(file)) for file in files)
    return SAME_PIXELS if np.array_equal(one, other) else ALIKE
