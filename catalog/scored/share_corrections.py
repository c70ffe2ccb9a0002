"""The corrections of shares that a scored catalog keeps beside its parts in share_corrections.json, from the model."""

import json
from collections.abc import Mapping
from pathlib import Path

from catalog.scored.table import Scored
from fashion.errors import BundleError, DataError
from fashion.files import write_whole
from fashion.model_card import ModelCard
from fashion.share_correction import GroupCorrection, read_corrections

CORRECTIONS_FILE = "share_corrections.json"


def keep_corrections(folder: Path, card: ModelCard) -> None:
    """Write those of the model that scored a catalog into its folder; where it has none, remove what is there."""
    path = Path(folder) / CORRECTIONS_FILE
    if not card.share_corrections:
        path.unlink(missing_ok=True)
        return
    content = {"weights": card.weights_id, "groups": card.share_corrections}
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def kept_corrections(scored: Scored) -> Mapping[str, GroupCorrection]:
    """By group how shares of a catalog are corrected; empty where its model could not say.

    Nor can it say of a catalog whose calibration was fitted anew: the model's errors were seen with its own.

    Raises:
        DataError: the file is broken, or another model's.
    """
    overlay = scored.overlay()
    if overlay and overlay.refit:
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
