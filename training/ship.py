"""A bundle -> one to ship: the int8 file and the card, a tenth of the size, all that a CPU needs to serve it.

From the command line:  python -m training.ship BUNDLE --out model_store/starter
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fashion.engines import open_engine
from fashion.errors import one_line_errors
from fashion.model_card import CARD_FILE, INT8_FILE, ModelCard, checked_file
from training.folders import check_bundle_replaceable, new_folder


def ship(bundle: Path, out: Path) -> ModelCard:
    """Write the int8 file of a bundle and a card that lists it alone, whole or not at all.

    The answers stay those of the bundle on a CPU; the id of the weights, which is that of all files, is another one.

    Args:
        bundle: what `training.export` wrote.
        out: the folder to write; a bundle that is there is replaced.

    Returns:
        The new card.

    Raises:
        BundleError: there is no int8 file, it was changed, or `out` is no bundle.
    """
    check_bundle_replaceable(out)
    card = ModelCard.load(bundle)
    source = checked_file(bundle, card, INT8_FILE)
    small = replace(card, files={INT8_FILE: card.files[INT8_FILE]})
    with new_folder(out) as folder:
        shutil.copyfile(source, folder / INT8_FILE)
        small.save(folder)
        open_engine(folder, small)  # as a user would
    return small


def main(arguments: Sequence[str] | None = None) -> int:
    """Write it and say how large it is."""
    parser = argparse.ArgumentParser(prog="python -m training.ship", description="Make a small bundle for serving.")
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args(arguments)
    with one_line_errors():
        ship(options.bundle, options.out)
        size = sum(path.stat().st_size for path in options.out.iterdir())
        print(f"wrote  {options.out}: {INT8_FILE} and {CARD_FILE}, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
