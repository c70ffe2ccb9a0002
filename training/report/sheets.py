"""Thumbnails of the photographs that a report shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from fashion.preprocess import decode
from training.report.evidence import PhotographFiles

SIDE = 224  # pixels, the longer side of a thumbnail; smaller photographs keep their size
QUALITY = 85
NOISE_SHOWN, PAIRS_SHOWN, EXCLUDING_SHOWN, CONFUSIONS_SHOWN = 24, 12, 12, 8


def rows_shown(contents: dict[str, Any]) -> list[int]:
    """Sorted positions of the photographs that the page of these contents shows."""
    return sorted(set(_rows(contents)))


def _rows(contents: dict[str, Any]) -> Iterator[int]:
    for sheet in (contents["least_certain"], contents["most_wrong"], contents["noise"][:NOISE_SHOWN]):
        yield from (entry["row"] for entry in sheet)
    yield from (entry["row"] for entry in contents["excluding"][:EXCLUDING_SHOWN])
    for pair in contents["contradictions"]["pairs"][:PAIRS_SHOWN]:
        yield from pair["rows"]
    for pair in contents["confusions"][:CONFUSIONS_SHOWN]:
        yield from pair["examples"]


def copy_file(row: int) -> str:
    """The file name of a photograph's thumbnail."""
    return f"{row}.jpg"


def write_copy(photographs: PhotographFiles, row: int, folder: Path) -> tuple[int, int]:
    """Write the thumbnail of a photograph, decoded and rotated as for the model; return its width and height."""
    image = decode(photographs.encoded(row), SIDE)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    image.save(folder / copy_file(row), "JPEG", quality=QUALITY)
    return image.size
