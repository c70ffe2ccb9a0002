"""Share corrections of the model, stored with a scored catalog in share_corrections.json.

They correct the estimated shares of labels for the model's error rates, see `fashion.share_correction`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from catalog.scored.table import Scored
from fashion.errors import BundleError, DataError
from fashion.files import write_json
from fashion.model_card import ModelCard
from fashion.share_correction import GroupCorrection, read_corrections

CORRECTIONS_FILE = "share_corrections.json"


def keep_corrections(folder: Path, card: ModelCard) -> None:
    """Write the share corrections of the model into a catalog's folder, or remove the file if the model has none."""
    path = Path(folder) / CORRECTIONS_FILE
    if not card.share_corrections:
        path.unlink(missing_ok=True)
        return
    write_json(path, {"weights": card.weights_id, "groups": card.share_corrections})


def is_refitted(scored: Scored) -> bool:
    """Whether a refit of calibration and thresholds is in force. Raises DataError for a broken store."""
    overlay = scored.overlay()
    return overlay is not None and overlay.refit is not None


def kept_corrections(scored: Scored) -> Mapping[str, GroupCorrection]:
    """The share corrections of a catalog by group; empty if its model has none.

    Also empty after a refit, because the model's error rates were measured with its own calibration.

    Raises:
        DataError: the file is broken, or of another model.
    """
    if is_refitted(scored):
        return {}
    path = scored.folder / CORRECTIONS_FILE
    again = "remove it, and shares are not corrected, or run python -m catalog.score again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        weights, groups = content["weights"], content["groups"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {error!r}; {again}") from None
    if weights != scored.manifest.model["weights"]:
        raise DataError(f"{path} is of another model than the catalog; {again}")
    try:
        return read_corrections(groups, scored.manifest.taxonomy, str(path))
    except BundleError as error:
        raise DataError(f"{error}; {again}") from None
