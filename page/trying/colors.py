"""The dominant colors of a photograph, ready for JSON."""

from typing import Any

from catalog.coloring.measuring import photograph_colors


def colors_answer(photo: bytes) -> dict[str, Any]:
    """The colors of the product in a photograph, the largest share first, see docs/colors.md.

    Raises:
        InvalidImage: it cannot be used.
    """
    return {"colors": [vars(color) | {"share": round(color.share, 4)} for color in photograph_colors(photo)]}
