"""From the bytes of a photograph to the network's input: the one definition of decode, resize and normalize.

Training, export, serving and the catalog all come through here, so that a model sees in production what it saw in
training.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from fashion.errors import InvalidImage, SettingError, one_line

# Photograph formats only: no vector, document or camera-raw decoder is ever run on what a stranger sends.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MIN_SIDE = 8  # px; below this nothing can be seen
MAX_PIXELS = 80_000_000  # 240 MB once decoded; a 50-megapixel phone photograph passes, a decompression bomb does not

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Source = bytes | bytearray | memoryview | str | Path | Image.Image


@dataclass(frozen=True)
class InputSpec:
    """What the network wants to see. It travels in the checkpoint and in the model card.

    Attributes:
        size: height and width of the input, pixels.
        mean: mean of the red, green and blue channel, in [0, 1]; subtracted.
        std: standard deviation of the channels, in (0, 1]; divided by.
        resize: `squash` scales both sides to `size` and ignores the aspect ratio; `pad` keeps the ratio and fills up
            with white.

    Raises:
        SettingError: a value that no network can use.
    """

    size: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    resize: Literal["squash", "pad"] = "squash"

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 2048:
            raise SettingError(f"input size {self.size} is out of range; a ResNet takes 32 to 2048 px")
        if self.resize not in ("squash", "pad"):
            raise SettingError(f"resize rule {self.resize!r} is unknown; choose 'squash' or 'pad'")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(0 <= value <= 1 for value in values):
                raise SettingError(f"{name} {values} must be three values between 0 and 1, for red, green and blue")
        if min(self.std) == 0:
            raise SettingError(f"std {self.std} has a zero; the channels are divided by it")


def pixels(source: Source, spec: InputSpec) -> np.ndarray:
    """Decode and resize one image.

    Returns:
        uint8 array of shape (S, S, 3), red, green, blue in 0 to 255, S being `spec.size`.

    Raises:
        InvalidImage: see `decode`.
    """
    return np.asarray(resize(decode(source, spec.size), spec))


def decode(source: Source, size: int | None = None) -> Image.Image:
    """Read an image, turn it as its EXIF data says and make it RGB on white.

    Grayscale, palette, transparent, CMYK and 16-bit images are converted; of an animation the first frame is taken.

    Args:
        source: the bytes of an image file, the path of one, or a PIL image.
        size: the input size the image will be resized to. With it a large JPEG is decoded at the smallest of its
            1/2, 1/4 and 1/8 scales whose sides are not below `size`, several times faster. Leave it out for full size.

    Raises:
        InvalidImage: not an image, a broken or truncated one, a missing file, a side below 8 px or more than 80
            megapixels.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(_checked(source))
    data = _read(source)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise InvalidImage(f"not an image: {_describe(data)}; expected {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidImage(f"the image has more than {MAX_PIXELS // 10**6} megapixels; send a smaller one") from None
    except Exception as error:
        raise InvalidImage(f"the image is broken: {one_line(error)}") from None
    _checked(image)
    try:
        if size is not None:
            image.draft(None, (size, size))
        image.load()
        return _to_rgb(image)
    except InvalidImage:
        raise
    except Exception as error:  # decoders fed with arbitrary bytes raise OSError, SyntaxError, struct.error and more
        raise InvalidImage(f"the image is broken: {one_line(error)}") from None


def resize(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Resize an RGB image to S x S by the rule of `spec`: bilinear, with antialiasing when it shrinks."""
    target = (spec.size, spec.size)
    if spec.resize == "pad":
        return ImageOps.pad(image, target, method=Image.Resampling.BILINEAR, color=(255, 255, 255))
    return image.resize(target, Image.Resampling.BILINEAR)


def scale_and_shift(spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """The normalization as one multiplication and one addition: normalized = pixel * scale + shift.

    With x = pixel / 255, (x - mean) / std = pixel * 1 / (255 std) - mean / std.

    Returns:
        scale and shift, each float32 of shape (3,).
    """
    mean, std = np.asarray(spec.mean), np.asarray(spec.std)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def normalize(batch: np.ndarray, spec: InputSpec) -> np.ndarray:
    """uint8 pixels of shape (B, S, S, 3) -> the network's input, float32 of shape (B, 3, S, S), C-contiguous."""
    scale, shift = (values[:, None, None] for values in scale_and_shift(spec))
    planes = batch.transpose(0, 3, 1, 2)
    normalized = np.empty(planes.shape, dtype=np.float32)
    np.multiply(planes, scale, out=normalized)
    normalized += shift
    return normalized


def _read(source: bytes | bytearray | memoryview | str | Path) -> bytes:
    if not isinstance(source, str | Path):
        data = bytes(source)
    else:
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise InvalidImage(f"cannot read {str(source)!r}: {error.strerror or error}") from None
    if not data:
        raise InvalidImage("the image is empty (0 bytes)")
    return data


def _checked(image: Image.Image) -> Image.Image:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise InvalidImage(f"the image is {width}x{height} px; each side must have at least {MIN_SIDE}")
    if width * height > MAX_PIXELS:
        raise InvalidImage(
            f"the image is {width}x{height} px, more than {MAX_PIXELS // 10**6} megapixels; send a smaller one"
        )
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grayscale; Pillow's own conversion would clip it at 255
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise InvalidImage("the image has floating-point pixels; save it with 8 or 16 bits a channel")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _describe(data: bytes) -> str:
    kind = next((name for magic, name in _LOOKALIKES.items() if data[:256].lstrip().lower().startswith(magic)), None)
    return f"{len(data)} bytes" + (f" that look like {kind}" if kind else "")


_LOOKALIKES = {
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<svg": "SVG",
    b"<?xml": "XML or SVG",
    b"pk\x03\x04": "a ZIP archive",
    b"%pdf": "a PDF",
    b"{": "JSON",
    b"http": "a URL; send the image itself",
}
