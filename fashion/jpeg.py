"""Images as JPEG files in memory."""

import io
from typing import Any

from PIL import Image


def jpeg_bytes(image: Image.Image, quality: int, **options: Any) -> bytes:
    """Encode an image as a JPEG file.

    Args:
        image: RGB or gray.
        quality: of the JPEG, 1 to 95.
        options: others of Pillow's encoder, such as `subsampling`.
    """
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, **options)
    return file.getvalue()
