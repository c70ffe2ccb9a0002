"""The picture of the README: photographs of a test split, what a bundle answers, and whether that is right.

python -m benchmarks.picture runs/sample/bundle data/sample
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fashion.errors import one_line_errors
from fashion.predictor import Predictor
from training.sources.extract import extract_photo

OUT = Path("docs/img/answers.png")
ROWS = (0, 1, 2, 3)
WIDTH, MARGIN, LINE = 290, 20, 24  # pixels of a column, between columns, of a line of text
INK, SOFT, BAR, RIGHT, WRONG = "#1f2328", "#6b7280", "#dbe4f0", "#15803d", "#c2410c"


def picture(predictor: Predictor, data: Path, rows: Sequence[int], scratch: Path) -> Image.Image:
    """Draw one column for each row of the test split: the photograph, and a line with a bar for each answer."""
    columns = []
    for row in rows:
        photo = scratch / f"{row}.jpg"
        truth = extract_photo(data, photo, "test", row)["labels"]
        attributes = predictor.answer(predictor.predict(photo))["attributes"]
        columns.append((Image.open(photo).convert("RGB"), attributes, truth))
    lines = max(len(attributes) + len(_missed(attributes, truth)) for _, attributes, truth in columns)
    size = (len(columns) * (WIDTH + MARGIN) + MARGIN, WIDTH + lines * LINE + 3 * MARGIN)
    canvas = Image.new("RGB", size, "white")
    for i, (photo_image, attributes, truth) in enumerate(columns):
        left = MARGIN + i * (WIDTH + MARGIN)
        canvas.paste(photo_image.resize((WIDTH, WIDTH), Image.Resampling.LANCZOS), (left, MARGIN))
        _write(ImageDraw.Draw(canvas), left, WIDTH + 2 * MARGIN, attributes, truth)
    return canvas


def _write(draw: ImageDraw.ImageDraw, left: int, top: int, attributes: list[dict], truth: dict) -> None:
    small, normal = ImageFont.load_default(13), ImageFont.load_default(15)
    for attribute in attributes:
        names = truth.get(attribute["group"])
        color = SOFT if names is None else RIGHT if attribute["name"] in names else WRONG
        draw.rectangle((left, top, left + WIDTH * attribute["probability"], top + LINE - 4), fill=BAR)
        draw.text((left + 6, top + 3), attribute["group"], fill=SOFT, font=small)
        draw.text((left + 78, top + 1), attribute["name"], fill=color, font=normal)
        percent = f"{attribute['probability']:.0%}"
        draw.text((left + WIDTH - 6 - draw.textlength(percent, normal), top + 1), percent, fill=INK, font=normal)
        top += LINE
    for group, name in _missed(attributes, truth):
        draw.text((left + 6, top + 3), group, fill=SOFT, font=small)
        draw.text((left + 78, top + 1), f"{name} (missed)", fill=WRONG, font=normal)
        top += LINE


def _missed(attributes: list[dict], truth: dict) -> list[tuple[str, str]]:
    given = {(attribute["group"], attribute["name"]) for attribute in attributes}
    return [(group, name) for group, names in truth.items() for name in names or () if (group, name) not in given]


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
        options.out.parent.mkdir(parents=True, exist_ok=True)
        picture(predictor, options.data, options.rows, Path(scratch)).save(options.out, optimize=True)
        print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
