"""Report what a new bundle would change before it is deployed: by group, with the most changed photographs.

From the command line:  python -m serving.compare OLD NEW photos/ --out FOLDER
"""

import argparse
import base64
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fashion.errors import DataError, SettingError, one_line_errors
from fashion.files import write_json
from fashion.flags import add_engine_flag, at_least_1
from fashion.folders import atomic_folder, check_replaceable
from fashion.image_files import image_files
from fashion.pictures.pages import render_page
from fashion.pictures.tiles import INK, RIGHT, SOFT, WRONG, Picture, SheetLayout, Tile, sheet
from fashion.predictor import Predictor
from fashion.preprocess import ENDINGS, decode
from serving.changes import AnswerShare, BundleChanges, PhotographChanges, compare_bundles

PAGE_FILE, CHANGES_FILE, SHEET_FILE = "index.html", "changes.json", "changes.jpg"
EXAMPLES, MOST_EXAMPLES = 24, 500  # a JPEG may be 65,500 px high; 500 photographs are up to 56,264
LISTED = 50  # most labels on the page
LAYOUT = SheetLayout(side=270, columns=4, lines=9)  # its captions use ASCII, as the font lacks dashes and arrows


def photographs_of(folder: Path, most: int | None = None) -> dict[str, Path]:
    """Image files in a folder and its subfolders by relative path, sorted, without hidden ones and earlier comparisons.

    Args:
        folder: the folder to search.
        most: draw a random sample of this size, with a fixed seed.

    Raises:
        DataError: there is no image file.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give one with photographs")
    root = Path(os.path.abspath(folder))
    found = [
        path
        for path in map(Path, image_files(root))
        if path.parent == root or not (path.parent / CHANGES_FILE).is_file()
    ]
    if not found:
        raise DataError(f"{folder} holds no image ({', '.join(ENDINGS)}); give another folder")
    if most is not None and most < len(found):
        found = [found[i] for i in sorted(np.random.default_rng(0).choice(len(found), most, replace=False))]
    # A name with invalid UTF-8 could not be written into the page.
    return {str(path.relative_to(root)).encode(errors="backslashreplace").decode(): path for path in found}


def write_changes(changes: BundleChanges, photographs: dict[str, Path], out: Path, examples: int = EXAMPLES) -> Path:
    """Write the page, JSON and a picture into a folder; return the page's path.

    Args:
        changes: the result of the comparison.
        photographs: name in `changes` -> path.
        out: the folder; an earlier comparison there is replaced.
        examples: most photographs in the picture, up to `MOST_EXAMPLES`.

    Raises:
        SettingError: `out` has other contents.
    """
    check_folder(out)
    shown = changes.changed()[:examples]
    with atomic_folder(out) as folder:
        picture = _picture(shown, photographs) if shown else None
        if picture:
            picture.write(folder / SHEET_FILE)
        write_json(folder / CHANGES_FILE, changes.to_json(examples), allow_nan=False)
        page = render_page(
            Path(__file__).with_name("compare.html.j2"),
            {"count": "{:,}".format, "share": format_share},
            found=changes,
            listed=LISTED,
            shown=len(shown),
            picture=_embedded(picture) if picture else None,
        )
        (folder / PAGE_FILE).write_text(page, encoding="utf-8")
    return out / PAGE_FILE


def check_folder(out: Path) -> None:
    """Raise SettingError if `out` has contents other than an earlier comparison."""
    check_replaceable(out, lambda folder: (folder / CHANGES_FILE).is_file(), "comparison", "--out", SettingError)


def format_share(share: AnswerShare) -> str:
    """Format a share with its interval, such as `12.3 % (10.1 to 14.8)`."""
    if share.share is None or share.interval is None:
        return "–"
    low, high = (100 * end for end in share.interval)
    return f"{100 * share.share:.1f} % ({low:.1f} to {high:.1f})"


def _picture(shown: Sequence[PhotographChanges], photographs: dict[str, Path]) -> Picture:
    tiles = []
    for each in shown:
        lines = [(each.image, INK)]
        for sign, color, answers in (("+", RIGHT, each.gained), ("-", WRONG, each.lost)):
            for answer in answers:
                old, new = ("none" if p is None else f"{p:.2f}" for p in (answer.old, answer.new))
                lines.append((f"{sign} {answer.label.group}: {answer.label.name}, {old} to {new}", color))
        if each.kept:
            lines.append((f"both: {', '.join(label.name for label in each.kept)}", SOFT))
        tiles.append(Tile(decode(photographs[each.image], LAYOUT.side), lines))
    return sheet(tiles, LAYOUT)


def _embedded(picture: Picture) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture.to_jpeg()).decode()


def _summary(changes: BundleChanges, page: Path) -> str:
    every = changes.groups[0]
    parts = [f"{len(changes.photographs):,} photographs, answers of {every.photographs.count:,} change"]
    parts.append(f"gained {format_share(every.gained)}, lost {format_share(every.lost)}")
    if changes.left_out:
        parts.append(f"{len(changes.left_out):,} left out, listed in {CHANGES_FILE}")
    return f"{page}: {'; '.join(parts)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare two bundles and write the report; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.compare",
        description="Report what a new bundle would change in the answers to photographs.",
    )
    parser.add_argument("old", type=Path, help="the current bundle")
    parser.add_argument("new", type=Path, help="the bundle to replace it with")
    parser.add_argument("photographs", type=Path, help="folder of photographs, like those sent to the server")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder to write: a page, JSON and a picture"
    )
    parser.add_argument("--profile", help="thresholds (default: each bundle's own)")
    add_engine_flag(parser)
    parser.add_argument(
        "--most", type=at_least_1, metavar="N", help="draw N of the photographs at random (default: all)"
    )
    parser.add_argument(
        "--examples", type=at_least_1, default=EXAMPLES, help="photographs in the picture (%(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.examples > MOST_EXAMPLES:
        parser.error(f"--examples {options.examples} must be at most {MOST_EXAMPLES}")
    with one_line_errors():
        check_folder(options.out)  # checked first, since the comparison takes minutes
        photographs = photographs_of(options.photographs, options.most)
        old, new = (Predictor.from_bundle(bundle, options.engine) for bundle in (options.old, options.new))
        changes = compare_bundles(old, new, photographs, options.profile)
        print(_summary(changes, write_changes(changes, photographs, options.out, options.examples)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
