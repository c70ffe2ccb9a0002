"""Scores a bundle on labeled photographs.

From the command line:  python -m training.evaluate BUNDLE --data FOLDER --split val --report DIR
"""

import argparse
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fashion.answers import answered_mask
from fashion.errors import SettingError, one_line_errors
from fashion.files import utc_now, write_json
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from fashion.profiles.thresholds import HALF
from fashion.taxonomy import Taxonomy
from fashion.text_tables import number_cell, text_table
from training.data.catalogs import notes
from training.data.images import Photographs, open_split
from training.data.yaml_files import file_of_training
from training.profiles.gate_scores import describe_gates, score_gates
from training.profiles.predictions import Predictions, add_label_flags, add_prediction_flags, predict
from training.profiles.scores import average_precisions, mean_average_precision, score_answers
from training.report.evidence import Evidence
from training.report.writing import PAGE_FILE, check_report_folder, write_report
from training.sources.opening import DEFAULT_CACHE

PACKAGES = ("onnxruntime", "torch", "numpy", "pillow")  # their versions may change the last digits of a score


def evaluate(
    predictor: Predictor,
    data: Path,
    split: str = "val",
    profiles: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    cache: Path = DEFAULT_CACHE,
    names: Path | None = None,
    out: Path | None = None,
    command: str = "training.evaluate.evaluate",
    rules: Path | None = None,
    negatives: Sequence[Path] = (),
) -> dict[str, Any]:
    """Score a bundle on a split of any folder that training can read, and optionally write a report.

    Labels of the data that the model does not know are left out, with a note on stderr. Labels that are not annotated
    or never occur in the data do not count. Groups without any annotation are left out.

    Args:
        predictor: of the bundle.
        data: the folder.
        split: `train`, `val` or `test`.
        profiles: threshold profiles to score; default is 0.5 and the card's default profile. The report details the
            last one.
        groups: the model's groups to score; default is all groups in the data.
        cache: folder for imported data.
        names: a YAML file of names to change, see `training.data.names`.
        out: folder for a page with plots, photographs and tables, see `training.report`; None for no report.
        command: the command shown in the report.
        rules: a YAML file of derived labels, see `training.data.rules`; without it, gate targets of groups are unknown.
        negatives: folders of photographs that show no product; ignored for a model without a product gate.

    Returns:
        `data`, `split`, `images`, `engine`, `model`, `map` and, by profile, the result of
        `training.profiles.scores.score`, each label with its `average_precision`; for a model with gates also `gates`,
        the result of `training.profiles.gate_scores.score_gates`. JSON-serializable; undefined values are None.

    Raises:
        DataError: the folder or the split cannot be used, or lacks a group.
        SettingError: a profile or a group is unknown, nothing is annotated, or `out` exists and is not a report.
    """
    card, taxonomy = predictor.card, predictor.taxonomy
    profiles = profiles or list(dict.fromkeys([HALF, card.default_profile]))
    for profile in profiles:
        card.threshold_row(profile)  # fails on an unknown profile before minutes of inference
    if out is not None:
        check_report_folder(out)
    wanted = groups or taxonomy.groups
    taxonomy.check_groups(wanted)
    images = open_split(
        data,
        split,
        taxonomy,
        card.input,
        wanted,
        cache,
        names,
        groups is None,
        card.gates,
        rules,
        negatives if card.gates.product else (),
    )
    for line in notes(images.reader.catalogs, taxonomy):
        print(f"note   {line}", file=sys.stderr)
    predictions = predict(predictor, images, f"evaluate {split}", embeddings=out is not None)
    # With rules, groups that others are derived from are annotated too.
    given = [each for each in wanted if (predictions.targets[:, taxonomy.indices(each)] >= 0).any()]
    if not given:
        raise SettingError(f"{data} has no annotations of the groups {', '.join(wanted)}")
    evidence, scores = _score(predictions, card, profiles, images, given)
    result = {
        "data": str(data),
        "split": split,
        "images": len(predictions.targets),
        "engine": predictor.engine.name,
        "model": predictor.identity(),
        "map": mean_average_precision(average_precisions(evidence.probabilities, evidence.targets)),
        "profiles": scores,
    }
    if len(card.gates):
        result["gates"] = score_gates(predictions.gate_predictions, card.gate_row)
    if out is not None:
        write_report(evidence, scores, _header(result, command), out)
    return result


def _score(
    predictions: Predictions, card: ModelCard, profiles: Sequence[str], images: Photographs, groups: Sequence[str]
) -> tuple[Evidence, dict[str, Any]]:
    """Answers for these groups, and their scores by profile."""
    labels = np.concatenate([card.taxonomy.indices(group) for group in card.taxonomy.groups if group in groups])
    taxonomy = Taxonomy(tuple(card.taxonomy.labels[i] for i in labels))
    probabilities, targets = predictions.probabilities[:, labels], predictions.targets[:, labels]
    gates = predictions.gate_predictions.probabilities
    answers = {
        profile: answered_mask(card, predictions.probabilities, profile, gates)[:, labels] for profile in profiles
    }
    precisions = average_precisions(probabilities, targets)
    scores = {
        profile: _with_precisions(
            score_answers(answers[profile], targets, card.threshold_row(profile)[labels], taxonomy), precisions
        )
        for profile in profiles
    }
    embeddings = np.empty((len(targets), 0), np.float32) if predictions.embeddings is None else predictions.embeddings
    return Evidence(images, taxonomy, probabilities, targets, embeddings, answers, predictions.ids), scores


def _header(result: dict[str, Any], command: str) -> dict[str, Any]:
    """Facts on model, data and environment for the report."""
    versions = {"python": platform.python_version()} | {package: version(package) for package in PACKAGES}
    facts = {name: result[name] for name in ("model", "data", "split", "images", "engine")}
    return facts | {"created": utc_now(), "command": command, "versions": versions}


def report(result: dict[str, Any]) -> str:
    """Format the result as text tables: overall, by group, and for the ten most frequent labels."""
    parts = [f"{result['images']:,} images of {result['data']} ({result['split']}), {result['engine']}"]
    measures = ("micro_f1", "macro_f1", "precision", "recall")
    rows = [
        [profile, *(number_cell(scores[measure]) for measure in measures), number_cell(result["map"])]
        for profile, scores in result["profiles"].items()
    ]
    parts.append(text_table(["profile", "micro-F1", "macro-F1", "precision", "recall", "mAP"], rows, range(1, 6)))
    profile, scores = list(result["profiles"].items())[-1]
    rows = [
        [name, number_cell(group["micro_f1"]), number_cell(group["macro_f1"]), f"{group['support']:,}"]
        for name, group in scores["groups"].items()
    ]
    parts.append(text_table([f"group, at profile {profile}", "micro-F1", "macro-F1", "support"], rows, range(1, 4)))
    rows = [
        [
            f"{label['group']}: {label['name']}",
            number_cell(label["f1"]),
            number_cell(label["average_precision"]),
            f"{label['support']:,}",
        ]
        for label in sorted(scores["labels"], key=lambda label: -label["support"])[:10]
    ]
    parts.append(text_table(["most frequent labels", "F1", "AP", "support"], rows, range(1, 4)))
    if "gates" in result:
        parts.append("\n".join(describe_gates(result["gates"])))
    return "\n\n".join(parts)


def _with_precisions(scores: dict[str, Any], precisions: np.ndarray) -> dict[str, Any]:
    for label, value in zip(scores["labels"], precisions, strict=True):
        label["average_precision"] = _number(value)
    return scores


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the scores and, if requested, write them as JSON."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    with one_line_errors():
        if options.json and not options.json.parent.is_dir():
            raise SettingError(f"the folder of --json {str(options.json)!r} does not exist; make it first")
        predictor = Predictor.from_bundle(options.bundle, options.engine)
        result = evaluate(
            predictor,
            options.data,
            options.split,
            options.profile,
            options.groups,
            options.cache,
            options.names or file_of_training(predictor.card, "names"),
            options.report,
            shlex.join(["python", "-m", "training.evaluate", *arguments]),
            options.rules or file_of_training(predictor.card, "rules"),
            options.negatives,
        )
        print(report(result))
        if options.report:
            print(f"\nreport  {options.report / PAGE_FILE}")
        if options.json:
            write_json(options.json, result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description="Score a bundle on labeled photographs."
    )
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--data", type=Path, required=True, help="any folder that training can read")
    parser.add_argument(
        "--split", default="val", choices=("train", "val", "test"), help="split to score (default: %(default)s)"
    )
    parser.add_argument(
        "--profile", action="append", help="thresholds to score at; may be repeated (default: 0.5 and the card's)"
    )
    parser.add_argument(
        "--groups", type=lambda text: text.split(","), help="such as gender,article (default: the model's)"
    )
    add_prediction_flags(parser)
    add_label_flags(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every score, label by label")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write a page with intervals, curves, confusions, photographs and suspicious annotations",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
