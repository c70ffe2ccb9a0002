"""Reduces a bundle to what a CPU needs to serve it: the int8 file and the card, a tenth of the size.

From the command line:  python -m training.ship BUNDLE --out model_store/starter
"""

import argparse
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fashion.engines import open_engine
from fashion.errors import SettingError, one_line_errors
from fashion.folders import atomic_folder
from fashion.model_card import CARD_FILE, INT8_FILE, ModelCard, checked_file
from training.bundle.folders import check_bundle_replaceable

# A URL, which stays, or a path with its last part; file: URLs are paths.
PATH_PATTERN = re.compile(
    r"(\b(?!file:)[a-z][a-z0-9+.-]*://[^\s,'\"\]]+)"
    r"|(?<![\w.])(?:~\w*|\.{1,2})?/(?:[^\s,'\"\]/]+/)*([^\s,'\"\]/]+)",
    re.IGNORECASE,
)


def ship(bundle: Path, out: Path, command: str | None = None, texts: Sequence[Path] = ()) -> ModelCard:
    """Write the int8 file of a bundle and a card that lists only this file, atomically.

    Paths in the card are cut to their last part, to hide the folders of the training machine. The answers are those of
    the bundle on a CPU; the id of the weights differs, because it is computed from all files.

    Args:
        bundle: folder written by `training.export`.
        out: the folder to write; an existing bundle is replaced.
        command: the command that repeats the training; None for the one in the card.
        texts: files to add under their own names, such as the license of the initial weights.

    Returns:
        The new card.

    Raises:
        BundleError: the int8 file is missing or was changed, or `out` exists and is not a bundle.
        SettingError: `out` is the bundle, or a text is missing or has the name of a file of the bundle.
    """
    if out.resolve() == bundle.resolve():
        raise SettingError(f"--out {str(out)!r} is the bundle itself, whose other files would be lost; choose another")
    check_bundle_replaceable(out)
    card = ModelCard.load(bundle)
    source = checked_file(bundle, card, INT8_FILE)
    small = replace(
        card,
        files={INT8_FILE: card.files[INT8_FILE]},
        training=_without_folders(card.training) | ({"command": command} if command else {}),
        metrics=_without_folders(card.metrics),
    )
    for text in texts:
        if not text.is_file():
            raise SettingError(f"--with {str(text)!r} is not a file")
        if text.name in (INT8_FILE, CARD_FILE):
            raise SettingError(f"--with {str(text)!r} has the name of a file of the bundle; rename it")
    with atomic_folder(out) as folder:
        for text in texts:  # copied before `out` is replaced: they may lie in it
            shutil.copyfile(text, folder / text.name)
        shutil.copyfile(source, folder / INT8_FILE)
        small.save(folder)
        open_engine(folder, small)  # as a user would
    return small


def _without_folders(value: Any) -> Any:
    """Copy JSON-like data; in its strings, cut paths starting with /, ./, ../ or ~ to their last part."""
    if isinstance(value, dict):
        return {name: _without_folders(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(each) for each in value]
    return PATH_PATTERN.sub(r"\1\2", value) if isinstance(value, str) else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the small bundle and print its size."""
    parser = argparse.ArgumentParser(prog="python -m training.ship", description="Make a small bundle for serving.")
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--command", help="command that trains the model again (default: from the model card)")
    parser.add_argument(
        "--with",
        dest="texts",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another file for the bundle, such as the license of its initial weights; may be repeated",
    )
    options = parser.parse_args(arguments)
    with one_line_errors():
        ship(options.bundle, options.out, options.command, options.texts)
        size = sum(path.stat().st_size for path in options.out.iterdir())
        print(f"wrote  {options.out}: {INT8_FILE} and {CARD_FILE}, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
