"""Whether a folder may become a bundle."""

from pathlib import Path

from fashion.errors import BundleError
from fashion.folders import check_replaceable
from fashion.model_card import CARD_FILE


def check_bundle_replaceable(out: Path) -> None:
    """Raises BundleError where `out`, the --out of a command that writes a bundle, is something else with files."""
    check_replaceable(out, lambda folder: (folder / CARD_FILE).is_file(), "bundle", "--out", BundleError)
