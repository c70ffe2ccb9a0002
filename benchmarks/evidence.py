"""Localization of heat maps: the share of their evidence inside boxes drawn by hand.

    python -m benchmarks.evidence BUNDLE --data FOLDER,...

It writes the section `starter evidence` of docs/starter.md. `evidence_boxes.csv`, beside this file, holds the boxes of
30 validation photographs of Fashion Product Images, in fractions of the photograph's width and height. They
were drawn on each photograph shown 500 px high under a grid of 5 %, before any heat map was viewed:

- `sleeve`: both sleeves, from the shoulder seam to the hem or cuff; for sleeveless garments both armholes, with the
  part of the arm that a short sleeve would cover;
- `neck`: the collar, or the opening with its edge; for polo shirts the row of buttons too.

46 photographs had been sampled, some of each label and few of one article. 15 of sleeves and 15 of necks were
kept; those with rolled-up sleeves, with another garment's sleeves or without straps were dropped.
"""

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.document import table, write_section
from fashion.errors import DataError, SettingError, one_line_errors
from fashion.explanation import activation_maps, upsampled_evidence
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec, decode
from fashion.profiles.bootstrap import interval
from fashion.taxonomy import Label

BOXES = Path(__file__).with_name("evidence_boxes.csv")
PAGE = Path("docs/starter.md")
KINDS = ("covered", "activation")  # of maps, see fashion.occlusion and fashion.explanation
LARGE = 1024  # px; larger than the photographs, so that they are decoded at full size

Box = tuple[float, float, float, float]  # left, top, right, bottom, in parts of width and height


@dataclass(frozen=True)
class BoxedPhotograph:
    """A photograph with boxes around the visible evidence for its label.

    Attributes:
        path: of the image file.
        label: its annotated label.
        boxes: one or more.
    """

    path: Path
    label: Label
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Pointing:
    """How well one heat map localizes its boxes.

    Attributes:
        share: of the positive evidence that is inside the boxes; 0 without positive evidence.
        area: share of the photograph that the boxes cover, which is the expected share of uniform evidence.
        hit: whether the map's maximum is inside a box, the "pointing game" of Zhang et al. 2016, "Top-down Neural
            Attention by Excitation Backprop", arXiv:1608.00507.
    """

    share: float
    area: float
    hit: bool


def read_boxes(path: Path, folders: Mapping[str, Path]) -> list[BoxedPhotograph]:
    """The photographs of a file of boxes, in its order.

    Args:
        path: a CSV file with the columns data, image, group, label, left, top, right, bottom; lines that begin with #
            are comments.
        folders: of the data sets, by the name that the file gives them.

    Raises:
        DataError: a data set that is not among the folders, a missing photograph, or a box outside its photograph.
    """
    found: dict[tuple[Path, Label], list[Box]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if row["data"] not in folders:
                raise DataError(f"{path} has boxes of {row['data']}; name a folder of that name with --data")
            image = folders[row["data"]] / "images" / row["image"]
            if not image.is_file():
                raise DataError(f"{image} is missing; {path} has boxes of it")
            left, top, right, bottom = (float(row[side]) for side in ("left", "top", "right", "bottom"))
            if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                raise DataError(f"{path} has an invalid box of {row['image']}: {left}, {top}, {right}, {bottom}")
            found.setdefault((image, Label(row["group"], row["label"])), []).append((left, top, right, bottom))
    return [BoxedPhotograph(image, label, tuple(boxes)) for (image, label), boxes in found.items()]


def inside(boxes: Sequence[Box], size: tuple[int, int]) -> np.ndarray:
    """Mask of a photograph's pixels inside any of the boxes, bool (height, width)."""
    width, height = size
    mask = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes:
        mask[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = True
    return mask


def point(evidence: np.ndarray, boxes: Sequence[Box], image: Image.Image, spec: InputSpec) -> Pointing:
    """Compare one heat map with boxes.

    Args:
        evidence: (h, w), one of `fashion.explanation.activation_maps`.
        boxes: of the photograph.
        image: the photograph.
        spec: of the network's input.
    """
    strength = upsampled_evidence(evidence, image, image.size, spec).astype(np.float64)
    mask = inside(boxes, image.size)
    whole = strength.sum()
    hit = bool(mask[np.unravel_index(strength.argmax(), strength.shape)]) if whole else False
    return Pointing(float(strength[mask].sum() / whole) if whole else 0.0, float(mask.mean()), hit)


def measure(predictor: Predictor, photographs: Sequence[BoxedPhotograph], kind: str) -> list[Pointing]:
    """Localization of each photograph's own label, whether or not the model answers it.

    Args:
        predictor: the model.
        photographs: with boxes.
        kind: `activation` or `covered`, of the maps.

    Raises:
        SettingError: the model does not know a label.
    """
    index, head = predictor.taxonomy.index, predictor.engine.head
    found = []
    for photograph in photographs:
        if photograph.label not in index:
            raise SettingError(f"the model does not know {photograph.label.name!r} of {photograph.label.group}")
        image = decode(photograph.path, LARGE)
        labels = [index[photograph.label]]
        if kind == "covered":
            (evidence,) = predictor.evidence(image, labels)
        else:
            result = predictor.predict_each([image], features=True)[0].get()
            assert result.features is not None  # they were asked for
            (evidence,) = activation_maps(result.features, head[labels])
        found.append(point(evidence, photograph.boxes, image, predictor.card.input))
    return found


def rows(photographs: Sequence[BoxedPhotograph], pointings: Sequence[Pointing], kind: str) -> list[list[str]]:
    """Rows of the table for one kind of maps: each group, and each of its labels."""
    lines = []
    groups = dict.fromkeys(photograph.label.group for photograph in photographs)
    for group in groups:
        names = dict.fromkeys(each.label.name for each in photographs if each.label.group == group)
        for name in (None, *names):
            chosen = [
                pointing
                for photograph, pointing in zip(photographs, pointings, strict=True)
                if photograph.label.group == group and name in (None, photograph.label.name)
            ]
            shares = np.array([pointing.share for pointing in chosen])
            area = float(np.mean([pointing.area for pointing in chosen]))
            lines.append(
                [
                    f"— {name}" if name else group,
                    kind,
                    str(len(chosen)),
                    _mean(shares),
                    f"{area:.3f}",
                    f"{shares.mean() / area:.1f}",
                    f"{sum(pointing.hit for pointing in chosen)} of {len(chosen)}",
                ]
            )
    return lines


def _mean(values: np.ndarray) -> str:
    around = interval(lambda weights: weights @ values / weights.sum(axis=1), len(values))
    return f"{values.mean():.3f}" + (f" ({around[0]:.3f} to {around[1]:.3f})" if around else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export or training.ship")
    parser.add_argument("--data", required=True, help="data folders with the boxes' photographs, separated by commas")
    parser.add_argument("--boxes", type=Path, default=BOXES, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        folders = {Path(folder).name: Path(folder) for folder in options.data.split(",")}
        photographs = read_boxes(options.boxes, folders)
        predictor = Predictor.from_bundle(options.bundle)
        lines = [row for kind in KINDS for row in rows(photographs, measure(predictor, photographs, kind), kind)]
        header = [
            "heat maps of",
            "kind",
            "photographs",
            "evidence inside the boxes, 95 % interval",
            "area of the boxes",
            "times as much as by chance",
            "highest inside a box",
        ]
        text = f"{table(header, lines)}\n\nOf each photograph's own label; {predictor.engine.name}."
        text += " Measured by\n\n    python -m benchmarks.evidence BUNDLE --data FOLDER,..."
        write_section("starter evidence", text, PAGE)
        print(text)
        print(f"\nwrote  {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
