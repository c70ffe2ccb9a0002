"""Draw the maps of an answer: the photograph, and next to it the evidence for each attribute."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from fashion.pictures.tiles import HEAT_MAP_LAYOUT, INK, SOFT, Tile, sheet
from fashion.preprocess import decode


def write_evidence_sheet(photo: Path, answer: Mapping[str, Any], path: Path) -> Path:
    """Write the picture, in the format given by the file's ending.

    Args:
        photo: the photograph.
        answer: the answer for it, with overlays.
        path: the file to write.

    Raises:
        SettingError: the ending is not that of an image format.
        InvalidImage: the photograph cannot be read.
    """
    tiles = [Tile(decode(photo, HEAT_MAP_LAYOUT.side), [("the photograph", INK)])]
    for attribute in answer["attributes"]:
        picture = Image.open(io.BytesIO(base64.b64decode(attribute["overlay"])))
        lines = [(attribute["name"], INK), (f"{attribute['group']}, {attribute['probability']:.0%}", SOFT)]
        tiles.append(Tile(picture, lines))
    return sheet(tiles, HEAT_MAP_LAYOUT).write(path, "--explain")
