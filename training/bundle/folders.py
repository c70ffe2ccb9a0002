"""Check before a bundle is written to a folder."""

from pathlib import Path

from fashion.errors import BundleError
from fashion.folders import check_replaceable
from fashion.model_card import CARD_FILE


def check_bundle_replaceable(out: Path) -> None:
    """Check that `out` (flag --out) is missing, empty or a bundle. Raises BundleError otherwise."""
    check_replaceable(out, lambda folder: (folder / CARD_FILE).is_file(), "bundle", "--out", BundleError)
