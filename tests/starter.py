"""Versions of the shipped model, for server tests that need no training."""

import json
import shutil
from pathlib import Path

from fashion.model_card import CARD_FILE, INT8_FILE

STARTER = Path(__file__).parents[1] / "model_store" / "starter"


def starter_version(folder: Path, version: str) -> Path:
    """Write a bundle with the shipped weights under another version; return the folder."""
    folder.mkdir(parents=True)
    shutil.copy(STARTER / INT8_FILE, folder)
    card = json.loads((STARTER / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(json.dumps(card | {"version": version}))
    return folder
