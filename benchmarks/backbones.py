"""Cost and scores of networks after the same training, from photographs to answers of the int8 file.

    python -m benchmarks.backbones --data FOLDER --groups A,B --source NAME --size 96 --steps 100

Each network is trained by `training.fit` under runs/backbones on the same photographs, exported with all four files,
evaluated, and asked for an answer with heat maps. Then the files of all networks are timed in one process, in turns.
Existing runs are reused, interrupted ones resumed. It writes a section of docs/backbones.md.
If no hub can be reached, `HF_HUB_OFFLINE=1` saves half a minute of retries for each of timm's networks.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.document import table, with_interval, write_section
from benchmarks.machine import describe
from benchmarks.trainings import FIXED_STEPS, column, fit, imagenet_or_none
from fashion.backbones import families
from fashion.engines import OnnxEngine
from fashion.errors import BundleError, SettingError, one_line, one_line_errors
from fashion.files import write_atomically
from fashion.model_card import INT8_FILE, ONNX_FILE, ModelCard
from fashion.options import AnswerOptions
from fashion.predictor import Predictor
from fashion.profiles.thresholds import MICRO_F1
from training.data.images import open_split
from training.evaluate import evaluate
from training.export import export
from training.fitting.runs import LAST, TrainingRun
from training.weights.first_weights import IMAGENET, NONE

PAGE = Path("docs/backbones.md")
CONFIG = "training/configs/adamw-recipe.yaml"
# A learning rate low enough to keep pretrained weights; fp32, because depthwise convolutions are slower in bfloat16.
SETTINGS = "--model.lr 0.001 --model.loss.over groups --trainer.precision 32-true"
NETWORKS = "resnet18,resnet50,timm/tf_efficientnet_lite0,timm/tf_efficientnet_lite2,timm/convnext_tiny"
RESULT_FILE = "backbone.json"
BEGINS = {IMAGENET: "ImageNet", NONE: "random weights"}
ROUNDS = 50  # one inference of each file per round
NOTHING = "–"


def sizes(arch: str) -> dict[str, int]:
    """Parameters of a network without its head, its stages, and the length of its embedding.

    Raises:
        SettingError: an unknown network, or one that cannot be used.
    """
    network = families.build(arch, 1)
    head = sum(parameter.numel() for parameter in network.get_head().parameters())
    parameters = sum(parameter.numel() for parameter in network.parameters()) - head
    return {"parameters": parameters, "stages": len(network.get_stages()), "embedding": network.num_features}


def run(arch: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train, export and evaluate one network, or reuse an existing run.

    Returns:
        The figures of the table; if its export failed, `failed` and why; it is retried the next time.
    """
    folder: Path = options.out / arch.replace("/", "-")
    result = folder / RESULT_FILE
    settings = ["--config", CONFIG, "--data.path", str(options.data), "--data.groups", f"[{options.groups}]"]
    settings += ["--data.input.size", str(options.size), "--model.arch", arch, *SETTINGS.split()]
    settings += ["--trainer.max_steps", str(options.steps), *FIXED_STEPS]
    if result.exists():
        values: dict[str, Any] = json.loads(result.read_text())
        if values["settings"] != settings:
            raise SettingError(f"{folder} was made with other settings; remove it to make it again")
        return values
    values = {"settings": settings, "machine": describe(), **sizes(arch)}
    values["weights"] = _weights(folder, arch, options.weights)
    print(f"train  {arch}, {BEGINS[values['weights']]}: {options.steps} steps", flush=True)
    fit(folder, [*settings, "--model.weights", values["weights"]])
    values["minutes"] = sum(column(folder, "seconds")) / 60
    try:
        values |= exported(folder, options)
    except Exception as error:  # exporters raise various errors for unusual networks; continue with the others
        print(f"failed {arch}: {one_line(error)}", flush=True)
        return values | {"failed": one_line(error)[:200]}
    write_atomically(result, json.dumps(values))
    (folder / LAST).unlink()  # three times the network, and the bundle has it
    return values


def _weights(folder: Path, arch: str, wanted: str) -> str:
    """The initial weights of a network, from its run if there is one."""
    if (folder / LAST).exists():
        return str(TrainingRun(folder).settings["model"]["weights"])
    return imagenet_or_none(arch) if wanted == IMAGENET else NONE


def exported(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Export a run to `bundle` in its folder, score it and ask it for an answer with heat maps.

    Returns:
        Scores on validation, the difference and the size of the int8 file (None where the export refuses it), and
        height and width of the heat maps.
    """
    bundle = folder / "bundle"
    values: dict[str, Any] = {"int8_difference": None, "int8_bytes": None}
    try:
        card = export(TrainingRun(folder), bundle, "last")
    except BundleError as error:
        print(f"note   {error}", flush=True)
        card = export(TrainingRun(folder), bundle, "last", int8=False)
    scores = card.metrics["validation"]["profiles"][MICRO_F1]
    values |= {"micro_f1": scores["micro_f1"], "interval": scores["micro_f1_interval"], "labels": len(card.labels)}
    predictor = Predictor.from_bundle(bundle, "int8" if INT8_FILE in card.files else "onnx")
    if INT8_FILE in card.files:
        fp32, int8 = (_micro_f1(each, options) for each in (Predictor.from_bundle(bundle, "onnx"), predictor))
        values |= {"int8_difference": int8 - fp32, "int8_bytes": (bundle / INT8_FILE).stat().st_size}
    return values | {"heat_map": _heat_map(predictor, options)}


def _micro_f1(predictor: Predictor, options: argparse.Namespace) -> float:
    """Micro-F1 on validation photographs, at the card's thresholds."""
    profile = predictor.card.default_profile
    found = evaluate(predictor, options.data, profiles=[profile], groups=options.groups.split(","))
    return float(found["profiles"][profile]["micro_f1"] or 0)


def _heat_map(predictor: Predictor, options: argparse.Namespace) -> list[int]:
    """Height and width of the heat maps in an answer."""
    card = predictor.card
    image = open_split(options.data, "val", card.taxonomy, card.input, options.groups.split(",")).encoded(0)
    prediction = predictor.predict_each([image], features=True)[0].get()
    predictor.answer(prediction, AnswerOptions(explain="maps"))
    assert prediction.features is not None
    return list(prediction.features.shape[1:])


def time_engines(bundles: Mapping[str, Path], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of an inference of one image on one thread: the median over the rounds.

    Args:
        bundles: by the name of the network.
        rounds: in each, every file of every network answers once, so that other load affects all of them alike.

    Returns:
        By network and file.
    """
    engines: dict[tuple[str, str], tuple[OnnxEngine, np.ndarray]] = {}
    for arch, bundle in bundles.items():
        card = ModelCard.load(bundle)
        pixels = np.random.default_rng(0).integers(0, 256, (1, card.input.size, card.input.size, 3), np.uint8)
        for file in (ONNX_FILE, INT8_FILE):
            if file in card.files:
                engines[arch, file] = OnnxEngine(bundle / file, card.input, threads=1), pixels
    took: dict[tuple[str, str], list[float]] = {key: [] for key in engines}
    for _ in range(rounds + 1):
        for key, (engine, pixels) in engines.items():
            start = time.perf_counter()
            engine.run(pixels)
            took[key].append(time.perf_counter() - start)
    found: dict[str, dict[str, float]] = {arch: {} for arch in bundles}
    for (arch, file), seconds in took.items():
        found[arch][file] = 1000 * median(seconds[1:])  # the first one warms up
    return found


def section(results: Mapping[str, dict[str, Any]], times: Mapping[str, dict[str, float]], options: Any) -> str:
    """The Markdown: a row for each network, and how it was measured."""
    header = ["network", "parameters, million", "stages", "embedding", "begins with", "minutes of training"]
    header += ["micro-F1, 95 % interval", "int8: difference", "ms an image, fp32", "int8", "int8 file, MB", "heat maps"]
    rows = []
    for arch, values in results.items():
        row = [f"`{arch}`", f"{values['parameters'] / 1e6:.1f}", values["stages"], values["embedding"]]
        row += [BEGINS[values["weights"]], f"{values['minutes']:.1f}"]
        if "failed" in values:
            rows.append([*row, f"export failed: {values['failed']}", *[NOTHING] * 5])
            continue
        ms = {file: f"{value:.1f}" for file, value in times.get(arch, {}).items()}
        quantized = values["int8_bytes"] is not None
        row += [with_interval(values["micro_f1"], values["interval"])]
        row += [f"{values['int8_difference']:+.3f}" if quantized else "refused by the export"]
        row += [ms.get(ONNX_FILE, NOTHING), ms.get(INT8_FILE, NOTHING)]
        row += [f"{values['int8_bytes'] / 1e6:.1f}" if quantized else NOTHING]
        rows.append([*row, "x".join(str(side) for side in values["heat_map"])])
    machines = dict.fromkeys(values["machine"] for values in results.values())
    random = [f"`{arch}`" for arch, values in results.items() if values["weights"] == NONE]
    beginning = f"Their ImageNet weights could not be had offline: {', '.join(random)}. " if random else ""
    if options.weights == NONE:
        beginning = ""
    return (
        f"## {options.source}: {options.steps} steps at {options.size}x{options.size} px\n\n{table(header, rows)}\n\n"
        f"Every network was trained for {options.steps} steps of 32 photographs by `{CONFIG}` with `{SETTINGS}`, "
        f"exported with all four files, evaluated, and asked for an answer with heat maps. {beginning}Parameters are "
        f"without the head. Micro-F1 over {options.groups.replace(',', ', ')} on validation photographs, fp32, "
        "thresholds fitted out of fold; the difference of int8 at the thresholds of the card. Milliseconds: one thread "
        f"and no decoding, median of {options.rounds}, all files in turns in one process. "
        f"Machine: {'; '.join(machines)}. Measured by\n\n"
        f"    python -m benchmarks.backbones --data FOLDER --groups {options.groups} --source '{options.source}' "
        f"--arch {','.join(results)} --size {options.size} --steps {options.steps}"
        f"{f' --weights {NONE}' if options.weights == NONE else ''}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the missing networks, time all of them and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backbones", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder with a train and a val split")
    parser.add_argument("--groups", required=True, help="columns to learn, separated by commas")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--arch", default=NETWORKS, help="networks, separated by commas (default: %(default)s)")
    parser.add_argument(
        "--weights", choices=BEGINS, default=IMAGENET, help="ImageNet's where they can be had (default: %(default)s)"
    )
    parser.add_argument("--size", type=int, default=96, help="input size in px (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="of 32 photographs (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of timing (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/backbones"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        names = list(dict.fromkeys(options.arch.split(",")))
        for arch in names:
            families.family(arch).check(arch)  # before the first one is trained
        options.out = options.out / f"{options.data.name}-{options.size}-{options.steps}-{options.weights}"
        name = f"backbones {options.out.name}"
        results: dict[str, dict[str, Any]] = {}
        for arch in names:
            results[arch] = run(arch, options)
            write_section(name, section(results, {}, options), PAGE)
        complete = [arch for arch, values in results.items() if "failed" not in values]
        bundles = {arch: options.out / arch.replace("/", "-") / "bundle" for arch in complete}
        write_section(name, section(results, time_engines(bundles, options.rounds), options), PAGE)
        print(f"wrote  {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
