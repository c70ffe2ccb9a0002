"""Evaluate the starter model: the figures of docs/starter.md.

    python -m benchmarks.starter --data 'FOLDER,FOLDER' --sources 'NAME;NAME' --rules FILE --negatives FOLDER

It answers the validation photographs of each data folder, plain and changed in ways that keep their labels valid, and
writes the sections of docs/starter.md: `starter` (F1), `starter top-1`, `starter calibration`, `starter gates` and
`starter no product` (for models with gates), and `starter changes`.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.changed_photographs import CHANGES, WIDE_BORDERS, changed_answers, stays_when_recolored
from benchmarks.document import table, write_section
from benchmarks.held_out import HeldOut, answer_held_out
from benchmarks.machine import describe
from benchmarks.starter_gates import applies_rows, false_alarm_rows, recognized_rows
from benchmarks.starter_scores import CERTAIN, SCORES, calibration_rows, certain_row, f1_rows, top_1_rows
from fashion.errors import SettingError, one_line_errors
from fashion.predictor import Predictor
from fashion.preprocess import decode
from fashion.profiles.thresholds import MICRO_F1
from training.data.images import Photographs
from training.sources.opening import DEFAULT_CACHE

PAGE = Path("docs/starter.md")
BUNDLE = Path("model_store/starter")
LARGE = 1024  # px; larger than the photographs, so that they are decoded at full size


def photographs(images: Photographs, positions: Sequence[int] | np.ndarray) -> list[Image.Image]:
    """Some photographs of a split, decoded at full size."""
    return [decode(images.encoded(int(i)), LARGE) for i in positions]


def write_scores(held: HeldOut, profile: str, together: Sequence[str], about: str) -> None:
    """Write F1, most probable labels and calibration errors."""
    write_section(
        "starter", f"{table(['validation photographs of', *SCORES], f1_rows(held, profile, together))}\n\n{about}", PAGE
    )
    lines = top_1_rows(held)
    if together:
        lines.append(
            [
                f"cells of {', '.join(together)} that can be answered with {CERTAIN:.0%} precision",
                *certain_row(held, together),
            ]
        )
    header = ["most probable label of, right where annotated, 95 % interval, photographs", *held.names]
    write_section("starter top-1", f"{table(header, lines)}\n\nOf the same photographs, by the same command.", PAGE)
    errors = table(["expected calibration error of", "before", "after calibration"], calibration_rows(held))
    write_section("starter calibration", f"{errors}\n\nOut of fold, by the same command.", PAGE)


def write_gates(held: HeldOut, negatives: Sequence[Path]) -> None:
    """Write the sections about gates, for a model that has some."""
    rows = applies_rows(held)
    if rows:
        header = ["group", "F1 of 'applies', 95 % interval", "photographs", "F1 of 'does not apply'", "photographs"]
        write_section(
            "starter gates",
            f"{table(header, rows)}\n\nThe validation photographs of all sources together, by the same command.",
            PAGE,
        )
    if held.seen.gate_predictions.gates.product and negatives:
        header = ["photographs of", "photographs", "said to show no product, 95 % interval"]
        alarms = table(header, false_alarm_rows(held))
        found = table(["photographs without a product", *header[1:]], recognized_rows(held, negatives))
        write_section("starter no product", f"{alarms}\n\n{found}\n\nOut of fold, by the same command.", PAGE)


def write_changes(predictor: Predictor, held: HeldOut, profile: str, count: int, recolored: str | None) -> None:
    """Write the shares of answers that stay the same when photographs are changed."""
    shown = [photographs(held.photographs, held.rows_of(i)[:count]) for i in range(len(held.names))]
    changes = {**CHANGES, **WIDE_BORDERS}
    found = [changed_answers(predictor, images, profile, changes) for images in shown]
    lines = [[change, *(f"{of[change]:.1%}" for of in found)] for change in changes]
    if recolored:
        stay = [stays_when_recolored(predictor, images, recolored) for images in shown]
        lines.append([f"recolored: the likeliest {recolored}", *(f"{part:.1%}" for part in stay)])
    header = ["answers that stay when the photograph is", *held.names]
    text = f"{table(header, lines)}\n\nOf the first {count} validation photographs of each, by the same command."
    write_section("starter changes", text, PAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write every section."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        folders, names = options.data.split(","), [name.strip() for name in options.sources.split(";")]
        if len(folders) != len(names) or len(set(names)) < len(names):
            raise SettingError("give as many different names with --sources as folders with --data")
        predictor = Predictor.from_bundle(options.bundle)
        together = [group for group in options.together.split(",") if group]
        negatives = [Path(folder) for folder in options.negatives.split(",") if folder]
        catalogs: Mapping[str, str] = dict(zip(names, folders, strict=True))
        held = answer_held_out(predictor, catalogs, options.rules, options.names, negatives, options.cache)
        command = f"    python -m benchmarks.starter --data FOLDER,... --sources '{options.sources}'"
        command += f" --together {options.together}" if together else ""
        command += f" --recolored {options.recolored}" if options.recolored else ""
        command += " --rules FILE" if options.rules else ""
        command += " --names FILE" if options.names else ""
        command += " --negatives FOLDER" if negatives else ""
        about = f"Out of fold. Profile `{options.profile}`, {predictor.engine.name}. Machine: {describe()}. "
        about += f"Measured by\n\n{command}\n"
        write_scores(held, options.profile, together, about)
        write_gates(held, negatives)
        write_changes(predictor, held, options.profile, options.changed, options.recolored)
        print(f"wrote  {PAGE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starter", description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="(default: %(default)s)")
    parser.add_argument("--data", required=True, help="data folders, separated by commas")
    parser.add_argument("--sources", required=True, help="their public names, separated by semicolons")
    parser.add_argument("--together", default="", metavar="GROUPS", help="groups that shall have a row together")
    parser.add_argument("--recolored", metavar="GROUP", help="whether recolored products keep their label of this")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="YAML file of derived labels, as in training")
    parser.add_argument("--names", type=Path, metavar="FILE", help="YAML file of names to change, as in training")
    parser.add_argument(
        "--negatives", default="", metavar="FOLDERS", help="of photographs without a product, by commas"
    )
    parser.add_argument("--profile", default=MICRO_F1, help="(default: %(default)s)")
    parser.add_argument("--changed", type=int, default=200, help="photographs of each to change (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="of imported data (default: %(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
