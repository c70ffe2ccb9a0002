"""The picture at the head of the README: photographs of a test split, what a bundle answers, and whether that is right.

python -m benchmarks.picture runs/sample/bundle data/sample
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fashion.errors import one_line_errors
from fashion.portrait import gallery
from fashion.predictor import Predictor
from fashion.tiles import Picture
from training.sources.extract import extract_photo

OUT = Path("docs/img/answers.png")
ROWS = (0, 1, 2, 3)


def picture(predictor: Predictor, data: Path, rows: Sequence[int], scratch: Path) -> Picture:
    """Draw one column for each row of the test split: the photograph, and a line with a bar for each answer."""
    photos = [scratch / f"{row}.jpg" for row in rows]
    truths = [extract_photo(data, photo, "test", row)["labels"] for photo, row in zip(photos, rows, strict=True)]
    return gallery(predictor, photos, truths)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, help="folder in the training format with a test split")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="of the test split (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors(), tempfile.TemporaryDirectory() as scratch:
        predictor = Predictor.from_bundle(options.bundle)
        picture(predictor, options.data, options.rows, Path(scratch)).write(options.out, "--out")
        print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
