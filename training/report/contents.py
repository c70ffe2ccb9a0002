"""The contents of a report as one object: it is saved as `report.json`, and the page is rendered from it.

Schema 1. Undefined values are null; an interval is `[low, high]`; `row` is a photograph's position in the split, from
0; labels of a photograph are objects with `name` and `probability`.

    schema            1
    header            given by the caller: model, data, split, images, engine, created, command, versions
    bootstrap         resamples, map_resamples, seed, level
    map               value, interval
    profiles          by name: micro_f1, macro_f1, precision, recall, support; intervals (micro_f1, macro_f1)
    profile           the profile that everything below refers to
    groups            list: group, photographs (annotated), micro_f1, macro_f1, precision, recall, support, map;
                      intervals (micro_f1, macro_f1, map)
    labels            list: group, name, threshold, f1, precision, recall, support, average_precision, answered;
                      interval (of f1)
    curves            all; groups, by name; labels, list: group, name, curve; see report.curves.precision_recall
    reliability       all; groups, by name: see report.reliability.binned
    confusions        list, see report.confusion.confused_pairs
    least_certain     list, see report.ranking.least_certain
    most_wrong        list, see report.ranking.most_wrong
    noise             list, see report.noise.suspicious_annotations
    contradictions    see report.contradictions.contradictory_pairs
    excluding         list, see report.contradictions.excluding_labels
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fashion.profiles import bootstrap
from training.profiles.scores import mean_average_precision
from training.report.confusion import confused_pairs
from training.report.contradictions import contradictory_pairs, excluding_labels
from training.report.curves import precision_recall
from training.report.evidence import Evidence
from training.report.noise import suspicious_annotations
from training.report.ranking import least_certain, most_wrong
from training.report.reliability import reliability

SCHEMA = 1
CURVES = 24  # a curve is drawn for this many of the most frequent labels

_WHOLE = ("micro_f1", "macro_f1", "precision", "recall", "support")


def contents(
    evidence: Evidence, scores: dict[str, Any], header: dict[str, Any], step: Callable[[str], object]
) -> dict[str, Any]:
    """Compute the contents of a report, in the schema of this module.

    Args:
        evidence: photographs and answers.
        scores: by profile, the result of `training.profiles.scores.score` with `average_precision`.
        header: see the schema.
        step: called before each step with a short description.
    """
    step("bootstrap")
    spans = {
        profile: bootstrap.f1_intervals(answered, evidence.targets, evidence.taxonomy, ids=evidence.products)
        for profile, answered in evidence.answers.items()
    }
    profiles = {
        profile: {name: scores[profile][name] for name in _WHOLE}
        | {"intervals": {name: spans[profile][name] for name in ("micro_f1", "macro_f1")}}
        for profile in evidence.answers
    }
    step("average precision")
    precisions = np.array([label["average_precision"] for label in scores[evidence.profile]["labels"]], dtype=float)
    map_spans = bootstrap.precision_intervals(
        evidence.probabilities, evidence.targets, evidence.taxonomy, ids=evidence.products
    )
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "header": header,
        "bootstrap": {
            "resamples": bootstrap.RESAMPLES,
            "map_resamples": bootstrap.MAP_RESAMPLES,
            "seed": bootstrap.SEED,
            "level": bootstrap.LEVEL,
        },
        "map": {"value": mean_average_precision(precisions), "interval": map_spans["map"]},
        "profiles": profiles,
        "profile": evidence.profile,
        "groups": _groups(evidence, scores[evidence.profile], precisions, spans[evidence.profile], map_spans),
        "labels": _labels(evidence, scores[evidence.profile], spans[evidence.profile]),
    }
    step("curves")
    found["curves"] = _curves(evidence)
    found["reliability"] = reliability(evidence)
    step("confusions")
    found["confusions"] = confused_pairs(evidence)
    found["least_certain"], found["most_wrong"] = least_certain(evidence), most_wrong(evidence)
    step("label noise")
    found["noise"] = suspicious_annotations(evidence)
    found["contradictions"], found["excluding"] = contradictory_pairs(evidence), excluding_labels(evidence)
    return found


def _groups(
    evidence: Evidence,
    scores: dict[str, Any],
    precisions: np.ndarray,
    spans: dict[str, Any],
    map_spans: dict[str, Any],
) -> list[dict[str, Any]]:
    return [
        {"group": group, "photographs": int(evidence.annotated[:, evidence.taxonomy.indices(group)].any(axis=1).sum())}
        | {name: scores["groups"][group][name] for name in _WHOLE}
        | {
            "map": mean_average_precision(precisions[evidence.taxonomy.indices(group)]),
            "intervals": spans["groups"][group] | {"map": map_spans["groups"][group]},
        }
        for group in evidence.taxonomy.groups
    ]


def _labels(evidence: Evidence, scores: dict[str, Any], spans: dict[str, Any]) -> list[dict[str, Any]]:
    answered = (evidence.answered & evidence.annotated).sum(axis=0)
    return [
        label | {"answered": int(answered[i]), "interval": spans["labels"][i]}
        for i, label in enumerate(scores["labels"])
    ]


def _curves(evidence: Evidence) -> dict[str, Any]:
    def curve(labels: np.ndarray) -> dict[str, Any] | None:
        return precision_recall(evidence.probabilities[:, labels], evidence.targets[:, labels])

    taxonomy, support = evidence.taxonomy, evidence.positives.sum(axis=0)
    frequent = [int(i) for i in np.argsort(-support, kind="stable")[:CURVES] if support[i]]
    return {
        "all": curve(np.arange(len(taxonomy))),
        "groups": {group: curve(taxonomy.indices(group)) for group in taxonomy.groups},
        "labels": [taxonomy.labels[i]._asdict() | {"curve": curve(np.array([i]))} for i in frequent],
    }
