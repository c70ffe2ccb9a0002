"""Compare resize rules (squash, pad, crop), and border rules for photographs with wide borders.

    python -m benchmarks.input_rules --data 'FOLDER,FOLDER' --groups article,colour --sources 'NAME;NAME'

For each resize rule a linear probe, ridge regression on the frozen features of a pretrained network, learns the groups
from training photographs of all folders together and is scored on validation photographs of each. With `--bundle`
instead: a trained model on validation photographs without and with added borders, under the border rules `keep` and
`cut`. It writes the section `input rules`, or `input rules, borders`, of docs/recipe.md.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.last_epoch import LastEpoch
from benchmarks.machine import describe
from benchmarks.trials import PAGE
from fashion import borders
from fashion.answers import answered_mask
from fashion.backbones.contract import Backbone
from fashion.backbones.families import build, family
from fashion.engines import TorchEngine
from fashion.errors import SettingError, one_line_errors
from fashion.model_card import CARD_FILE
from fashion.prediction import Prediction
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec, decode, resize
from training.data.catalogs import open_catalogs
from training.data.images import Photographs, open_rows, open_split
from training.profiles.scores import score_answers
from training.sources.opening import DEFAULT_CACHE
from training.sources.writer import IMAGE

IMAGENET_CLASSES = 1000
RIDGE = 300.0  # of standardized features
RATIO = 4 / 3  # aspect ratio that `center` crops to
SLACK = 1.02  # tolerance for rounded sides of 4:3 photographs
BATCH_SIZE = 32
REFERENCE = "squash"
FAR = "those of them farther from square than 4:3"
PARTS = (0.7, 0.5, 0.35, 0.25)  # of the bordered image's width that the photograph covers
COLORS: Mapping[str, tuple[int, int, int]] = {"white": (255, 255, 255), "gray": (200, 200, 200)}
BORDER_RULES: tuple[Literal["keep", "cut"], ...] = ("keep", "cut")

Rule = Callable[[Image.Image, InputSpec], Image.Image]


def crop_to_ratio(image: Image.Image, ratio: float = RATIO) -> Image.Image:
    """The image, center-cropped so that its longer side is at most `ratio` times the shorter."""
    width, height = image.size
    across, down = min(width, round(height * ratio)), min(height, round(width * ratio))
    left, top = (width - across) // 2, (height - down) // 2
    return image.crop((left, top, left + across, top + down))


RULES: Mapping[str, Rule] = {
    "squash": resize,
    "pad": lambda image, spec: resize(image, replace(spec, resize="pad")),
    "center": lambda image, spec: resize(crop_to_ratio(image), spec),
}
SAYS = {
    "squash": "both sides scaled to the input's, the ratio ignored",
    "pad": "the ratio kept, filled up with white",
    "center": "cropped to 4:3 where it is farther from square, then squashed",
}


def bordered(image: Image.Image, part: float, color: tuple[int, int, int]) -> Image.Image:
    """The image centered on a background of that color, covering that part of the width and of the height."""
    width, height = (round(side / part) for side in image.size)
    whole = Image.new("RGB", (width, height), color)
    whole.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return whole


@dataclass(frozen=True)
class Labeled:
    """Photographs of one split of one folder.

    Attributes:
        images: encoded.
        labels: for each photograph, the groups with exactly one label.
        far: whether each photograph is farther from square than `RATIO`.
    """

    images: list[bytes]
    labels: list[dict[str, str]]
    far: list[bool]


def read(folder: Path, split: str, groups: Sequence[str], count: int, cache: Path) -> Labeled:
    """At most `count` photographs of a split, a random but fixed sample."""
    catalogs = open_catalogs([folder], groups, cache, partly=True)
    rows = open_rows(catalogs, split, cache)
    drawn = rows.select(np.sort(np.random.default_rng(0).permutation(len(rows))[:count]))
    images, labels, far = [], [], []
    for row in drawn:
        cells = catalogs[0].cells(row)
        images.append(row[IMAGE]["bytes"])
        labels.append({group: names[0] for group, names in cells.items() if names and len(names) == 1})
        width, height = decode(images[-1]).size
        far.append(max(width, height) > SLACK * RATIO * min(width, height))
    return Labeled(images, labels, far)


def pretrained(arch: str) -> Backbone:
    """A network with its ImageNet weights."""
    network = build(arch, IMAGENET_CLASSES)
    network.load_state_dict(family(arch).imagenet(arch), strict=False)  # packages lack the batch norms' counters
    return network


def embed(engine: TorchEngine, images: Sequence[bytes], spec: InputSpec, name: str) -> dict[str, np.ndarray]:
    """The features (N, E) of photographs under each rule; reused from the reference where the pixels are the same."""
    found: dict[str, list[np.ndarray]] = {rule: [] for rule in RULES}
    for start in tqdm(range(0, len(images), BATCH_SIZE), name, unit="batch"):
        decoded = [decode(image) for image in images[start : start + BATCH_SIZE]]
        pixels = {rule: np.stack([np.asarray(how(image, spec)) for image in decoded]) for rule, how in RULES.items()}
        reference = engine.run(pixels[REFERENCE]).embedding
        for rule, batch in pixels.items():
            other = (batch != pixels[REFERENCE]).any((1, 2, 3))
            own = reference.copy()
            if other.any():
                own[other] = engine.run(batch[other]).embedding
            found[rule].append(own)
    return {rule: np.concatenate(parts) for rule, parts in found.items()}


def probe(train: np.ndarray, names: Sequence[str], val: np.ndarray) -> list[str]:
    """The most probable label of each validation image by ridge regression on one-hot labels.

    Args:
        train: features (N, E).
        names: the label of each of the N.
        val: features (M, E).
    """
    classes, indices = np.unique(np.array(names), return_inverse=True)
    mean, std = train.mean(0), train.std(0) + 1e-3
    x, y = ((part - mean) / std for part in (train, val))
    shares = np.bincount(indices) / len(indices)
    targets = np.eye(len(classes))[indices] - shares
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ targets)
    return classes[(y @ weights + shares).argmax(1)].tolist()


def compare_rules(train: Sequence[Labeled], val: Sequence[Labeled], options: argparse.Namespace) -> list[list[str]]:
    """Rows of the table: top-1 of each folder and group under each rule, with the difference to the reference."""
    arch = options.arch
    spec = replace(family(arch).declared_input(arch), size=options.size)
    engine = TorchEngine(pretrained(arch), spec)
    seen = embed(engine, [image for part in train for image in part.images], spec, "train")
    labels = [of for part in train for of in part.labels]
    unseen = [embed(engine, part.images, spec, "val") for part in val]
    rows = []
    for group in options.groups:
        own = [i for i, of in enumerate(labels) if group in of]
        if not own:
            continue
        for source, part, features in zip(options.names, val, unseen, strict=True):
            asked = [i for i, of in enumerate(part.labels) if group in of]
            if not asked:
                continue
            true = np.array([part.labels[i][group] for i in asked])
            right = {
                rule: np.array(probe(seen[rule][own], [labels[i][group] for i in own], features[rule][asked])) == true
                for rule in RULES
            }
            rows.append([source, group, f"{len(asked):,}", *(_top_1(right, rule) for rule in RULES)])
            far = np.array([part.far[i] for i in asked])
            if 0 < far.sum() < len(far):
                some = {rule: answers[far] for rule, answers in right.items()}
                rows.append([f"— {FAR}", group, f"{far.sum():,}", *(_top_1(some, rule) for rule in RULES)])
    return rows


def _top_1(right: Mapping[str, np.ndarray], rule: str) -> str:
    """Top-1, and its difference to the reference with the paired standard error."""
    value = f"{right[rule].mean():.3f}"
    if rule == REFERENCE:
        return value
    change = right[rule].astype(float) - right[REFERENCE]
    return f"{value} ({change.mean():+.3f} ± {change.std() / len(change) ** 0.5:.3f})"


class BorderTrial:
    """A trained model on photographs with and without borders, under both border rules.

    Args:
        model: a bundle, or the folder of a run whose last epoch is taken.
        groups: the groups to score.
    """

    def __init__(self, model: Path, groups: Sequence[str]) -> None:
        trained = Predictor.from_bundle(model) if (model / CARD_FILE).exists() else LastEpoch(model).predictor
        card = trained.card
        self.groups = [group for group in card.taxonomy.groups if group in groups]
        if not self.groups:
            raise SettingError(f"{model} has none of the groups {', '.join(groups)}; it has {card.taxonomy.groups}")
        self._predictors = {
            rule: Predictor(replace(card, input=replace(card.input, border=rule)), trained.engine)
            for rule in BORDER_RULES
        }
        self._card = card

    def photographs(self, folder: Path, count: int, cache: Path) -> Photographs:
        """Validation photographs of a folder."""
        taxonomy, spec = self._card.taxonomy, self._card.input
        return open_split(folder, "val", taxonomy, spec, self.groups, cache, partly=True).sample(count)

    def score(self, images: Sequence[Image.Image], targets: np.ndarray) -> dict[str, tuple[float, float, float]]:
        """For each rule: micro-F1 with the card's thresholds, mean top-1 of the groups, and the share that was cut."""
        cut = [i for i, image in enumerate(images) if borders.crop_region(image)]
        keep, others = self._predictors["keep"], self._predictors["cut"]
        found = keep.predict(list(images))
        changed = list(found)
        for i, prediction in zip(cut, others.predict([images[i] for i in cut]) if cut else [], strict=True):
            changed[i] = prediction
        return {
            rule: (*self._scores(predictions, targets), len(cut) / len(images) if rule == "cut" else 0.0)
            for rule, predictions in zip(BORDER_RULES, (found, changed), strict=True)
        }

    def _scores(self, predictions: Sequence[Prediction], targets: np.ndarray) -> tuple[float, float]:
        probabilities, gates = (
            np.stack([getattr(p, name) for p in predictions]) for name in ("probabilities", "gates")
        )
        card, taxonomy = self._card, self._card.taxonomy
        labels = np.concatenate([taxonomy.indices(group) for group in self.groups])
        known = np.full_like(targets, -1)
        known[:, labels] = targets[:, labels]
        profile = card.default_profile
        answers = answered_mask(card, probabilities, profile, gates)
        micro_f1 = score_answers(answers, known, card.threshold_row(profile), taxonomy)["micro_f1"]
        tops = []
        for group in self.groups:
            own = taxonomy.indices(group)
            single = (known[:, own] == 1).sum(1) == 1
            if single.any():
                best = probabilities[single][:, own].argmax(1)
                tops.append(float((known[single][:, own][np.arange(len(best)), best] == 1).mean()))
        return micro_f1, float(np.mean(tops))


def compare_borders(options: argparse.Namespace) -> list[list[str]]:
    """Rows of the table: for each folder and border the scores under both rules."""
    trial = BorderTrial(options.bundle, options.groups)
    rows = []
    for source, folder in zip(options.names, options.folders, strict=True):
        photographs = trial.photographs(folder, options.bordered, options.cache)
        plain = [decode(photographs.encoded(i)) for i in range(len(photographs))]
        targets = np.stack([photographs.reader.targets(photographs.rows[i]) for i in range(len(plain))])
        cases = {"none": plain} | {
            f"{name}, {part:.0%} of the width left": (part, color) for name, color in COLORS.items() for part in PARTS
        }
        for case, how in tqdm(cases.items(), source, unit="border"):
            images = how if isinstance(how, list) else [bordered(image, *how) for image in plain]
            of = trial.score(images, targets)
            cells = [f"{of[rule][at]:.3f}" for at in (0, 1) for rule in BORDER_RULES]
            rows.append([f"{source}, {len(plain):,}", case, *cells, f"{of['cut'][2]:.1%}"])
    return rows


def command(options: argparse.Namespace) -> str:
    """The command that measured a section, without the folders."""
    return (
        f"    python -m benchmarks.input_rules --data FOLDER,FOLDER --groups {','.join(options.groups)} "
        f"--sources '{'; '.join(options.names)}'"
    )


def rules_section(rows: Sequence[Sequence[str]], options: argparse.Namespace) -> str:
    """The Markdown of the resize rules."""
    says = "; ".join(f"{rule}: {said}" for rule, said in SAYS.items())
    return (
        f"## Resize rules\n\n{table(['photographs', 'group', 'scored', *RULES], rows)}\n\n"
        f"Top-1 of a linear probe (ridge regression) on frozen ImageNet features of {options.arch} at {options.size} "
        f"px, learned from up to {options.train:,} training photographs of each source together; in brackets the "
        f"difference to {REFERENCE} with its standard error, of paired answers. {says}. "
        f"Machine: {describe()}. Measured by\n\n"
        f"{command(options)} --arch {options.arch} --size {options.size} --train {options.train} --val {options.val}"
    )


def borders_section(rows: Sequence[Sequence[str]], options: argparse.Namespace) -> str:
    """The Markdown of the border rules."""
    heads = [f"{score}, {rule}" for score in ("micro-F1", "top-1") for rule in BORDER_RULES]
    return (
        f"## Borders\n\n{table(['photographs', 'border added', *heads, 'cut'], rows)}\n\n"
        f"The groups {', '.join(options.groups)}, as far as they are annotated; top-1 is their mean. `keep` and `cut` "
        "are values of `--data.input.border` for the same weights; the last column is the part of the photographs that "
        f"`cut` changes. Machine: {describe()}. Measured by\n\n"
        f"{command(options)} --bundle MODEL --bordered {options.bordered}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the sections."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.input_rules", description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data folders, separated by commas")
    parser.add_argument("--groups", required=True, help="columns to learn, separated by commas")
    parser.add_argument("--sources", required=True, help="public names of the data sets, separated by semicolons")
    parser.add_argument("--arch", default="timm/tf_efficientnet_lite0", help="(default: %(default)s)")
    parser.add_argument("--size", type=int, default=160, help="input size of the probe in px (default: %(default)s)")
    parser.add_argument(
        "--train", type=int, default=1000, help="training photographs of each folder (default: %(default)s)"
    )
    parser.add_argument(
        "--val", type=int, default=400, help="validation photographs of each folder (default: %(default)s)"
    )
    parser.add_argument("--bundle", type=Path, help="a bundle, or a training run: measure borders with it instead")
    parser.add_argument(
        "--bordered", type=int, default=200, help="validation photographs to add borders to (default: %(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=Path(DEFAULT_CACHE), help="(default: %(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="to write to (default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors(), torch.inference_mode():
        options.folders = [Path(folder.strip()) for folder in options.data.split(",")]
        options.names = [name.strip() for name in options.sources.split(";")]
        options.groups = [group.strip() for group in options.groups.split(",")]
        if len(options.folders) != len(options.names):
            raise SettingError(f"{len(options.folders)} folders and {len(options.names)} sources; give each a name")
        if options.bundle:
            section = borders_section(compare_borders(options), options)
            write_section("input rules, borders", section, options.page)
        else:
            train, val = (
                [read(folder, split, options.groups, count, options.cache) for folder in options.folders]
                for split, count in (("train", options.train), ("val", options.val))
            )
            section = rules_section(compare_rules(train, val, options), options)
            write_section("input rules", section, options.page)
        print(section)
        print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
