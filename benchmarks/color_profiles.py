"""Effect of converting color profiles on the answered colors, and its cost.

    python -m benchmarks.color_profiles BUNDLE --data FOLDER,...

It writes the section `profiles` of docs/colors.md. Each validation photograph with one of the shop's strong
colors is converted to the color spaces of phones (Display P3) and cameras (Adobe RGB): the same colors in the
values of that space, with its profile. It is answered as it is, and once more without its profile, as by a reader
that takes all values for sRGB.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.colors import PAGE, ColoredPhotograph, ModelColors, shop_photographs
from benchmarks.document import table, write_section
from benchmarks.icc_profiles import (
    ADOBE_GAMMA,
    ADOBE_PRIMARIES,
    P3_PRIMARIES,
    SRGB_PRIMARIES,
    adobe_rgb,
    display_p3,
    linear_of_srgb,
    srgb_of_linear,
)
from benchmarks.machine import describe
from benchmarks.proportions import decimal_cell, wilson
from catalog.coloring.measuring import photograph_colors
from fashion.colors.cielab import ciede2000, hex_to_lab
from fashion.colors.naming import BASIC_COLORS
from fashion.errors import DataError, one_line_errors
from fashion.jpeg import jpeg_bytes
from fashion.predictor import Predictor
from fashion.preprocess import InputSpec, decode, load_pixels

STRONG = ("red", "green", "orange", "pink")
TIMED_SIDE = 600  # px
TIMED = 40  # decodings of each kind
QUALITY = 95


@dataclass(frozen=True)
class ColorSpace:
    """A color space of photographs: its primaries in XYZ, its transfer curve, its ICC profile."""

    name: str
    primaries: Sequence[Sequence[float]]
    encode: Callable[[np.ndarray], np.ndarray]
    profile: bytes

    def written(self, image: Image.Image, with_profile: bool) -> bytes:
        """An sRGB image as a JPEG in the values of this space, with its profile or without."""
        linear = linear_of_srgb(np.asarray(image, dtype=np.float64) / 255)
        there = linear @ np.array(SRGB_PRIMARIES) @ np.linalg.inv(np.array(self.primaries))
        levels = np.rint(self.encode(there.clip(0, 1)) * 255).astype(np.uint8)
        profile = self.profile if with_profile else None
        return jpeg_bytes(Image.fromarray(levels), QUALITY, subsampling=0, icc_profile=profile)


SRGB = ColorSpace("sRGB", SRGB_PRIMARIES, srgb_of_linear, b"")
SPACES = (
    ColorSpace("Display P3", P3_PRIMARIES, srgb_of_linear, display_p3()),
    ColorSpace("Adobe RGB", ADOBE_PRIMARIES, lambda linear: linear ** (1 / ADOBE_GAMMA), adobe_rgb()),
)


@dataclass(frozen=True)
class ColorAnswer:
    """The answer to a photograph: the most probable basic color, and the measured color with the largest share."""

    basic: str
    probability: float
    measured: np.ndarray  # (3,) in CIELAB


@dataclass(frozen=True)
class ProfileResult:
    """A photograph of a strong color: its true color, and the answers in sRGB, with a profile and without."""

    right: str
    plain: ColorAnswer
    converted: ColorAnswer
    ignored: ColorAnswer


def answer(model: ModelColors, photograph: bytes) -> ColorAnswer:
    """Ask for the colors of a photograph."""
    probabilities, _ = model.predict(photograph)
    first = int(probabilities.argmax())
    measured = hex_to_lab(photograph_colors(photograph)[0].hex)
    return ColorAnswer(BASIC_COLORS[first], float(probabilities[first]), measured)


def results(photographs: Sequence[ColoredPhotograph], space: ColorSpace, model: ModelColors) -> list[ProfileResult]:
    """Answer each photograph in sRGB and in a space, with its profile and without."""
    found = []
    for photograph in tqdm(photographs, space.name, unit="image", disable=None):
        image = decode(photograph.path)
        kinds = SRGB.written(image, False), space.written(image, True), space.written(image, False)
        found.append(ProfileResult(photograph.right[0], *(answer(model, kind) for kind in kinds)))
    return found


def row(name: str, found: Sequence[ColorAnswer], results: Sequence[ProfileResult]) -> list[str]:
    """A row of the table: how often answers are right and equal to those in sRGB, and the error of measured colors."""
    right = sum(each.basic == result.right for each, result in zip(found, results, strict=True))
    alike = sum(each.basic == result.plain.basic for each, result in zip(found, results, strict=True))
    off = [float(ciede2000(a.measured, r.plain.measured)) for a, r in zip(found, results, strict=True)]
    share = decimal_cell(right / len(found), wilson(right, len(found)))
    return [name, share, f"{alike} of {len(found)}", f"{np.median(off):.1f}", f"{np.quantile(off, 0.95):.1f}"]


def milliseconds(spaces: Sequence[ColorSpace], image: Image.Image, size: int) -> list[float]:
    """The median processor time from bytes to the network's input for each space, measured in turns."""
    spec = InputSpec(size=size)
    files = [space.written(image, bool(space.profile)) for space in spaces]
    times: list[list[float]] = [[] for _ in files]
    for _ in range(TIMED):
        for file, of in zip(files, times, strict=True):
            start = time.thread_time()
            load_pixels(file, spec)
            of.append(1000 * (time.thread_time() - start))
    return [float(np.median(of)) for of in times]


def text(found: Mapping[str, Sequence[ProfileResult]], times: Sequence[float], machine: str) -> str:
    """The section of the page."""
    first = next(iter(found.values()))
    rows = [row("sRGB", [result.plain for result in first], first)]
    for space, of in found.items():
        rows.append(row(f"**{space}, converted**", [result.converted for result in of], of))
        rows.append(row(f"{space}, its profile ignored", [result.ignored for result in of], of))
    names = ["sRGB, no profile", *(space.name for space in SPACES)]
    cost = ", ".join(f"{name} {ms:.1f} ms" for name, ms in zip(names, times, strict=True))
    header = ["written as", "the model's color is the shop's", "as in sRGB", "measured color off, median", "95 %"]
    return (
        f"{table(header, rows)}\n\n"
        f"{len(first)} validation photographs that the shop calls {', '.join(STRONG)}; shares with 95 % intervals "
        f"(Wilson), colors off in CIEDE2000. From the bytes of a JPEG of {TIMED_SIDE}x{TIMED_SIDE} px to the network's "
        f"input, medians of {TIMED} in turns: {cost}. Machine: {machine}. Measured by\n\n"
        f"    python -m benchmarks.color_profiles BUNDLE --data FOLDER,..."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.color_profiles", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export or training.ship")
    parser.add_argument("--data", required=True, help="data folders with a column colour, separated by commas")
    parser.add_argument("--most", type=int, default=400, help="photographs, drawn at random (default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        folders = [Path(folder) for folder in options.data.split(",")]
        photographs = [p for p in shop_photographs(folders, "val", sys.maxsize) if p.right[0] in STRONG][: options.most]
        if not photographs:
            raise DataError(f"no validation photograph of {options.data} is called {' or '.join(STRONG)}")
        predictor = Predictor.from_bundle(options.bundle)
        model = ModelColors(predictor)
        found = {space.name: results(photographs, space, model) for space in SPACES}
        image = decode(photographs[0].path).resize((TIMED_SIDE, TIMED_SIDE))
        times = milliseconds([SRGB, *SPACES], image, predictor.card.input.size)
        section = text(found, times, describe())
        write_section("profiles", section, PAGE)
        print(section)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
