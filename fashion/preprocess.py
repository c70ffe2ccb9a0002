"""Decode, resize and normalize photographs: the single definition of preprocessing.

Training, export, serving and the catalog all use this module, so a model gets the same input in production as in
training.
"""

import io
import math
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from fashion import borders
from fashion.color_profiles import to_srgb
from fashion.errors import InvalidImage, SettingError, one_line
from fashion.heic import FORMAT as HEIC
from fashion.heic import HEIC_ADVICE, can_read_heic, looks_like_heic
from fashion.orientation import upright
from fashion.plain_files import without_metadata

# Photograph formats only: no vector, document or camera-raw decoder ever runs on untrusted files.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# File name endings of these formats, compared case-insensitively.
ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo"),
    *(".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".avifs"),
)
BIG_ENDIAN_TIFF = b"MM"
MIN_SIDE = 8  # px; a smaller image shows nothing recognizable
# Allows 50-megapixel phone photographs. The limit is 0.3 GB decoded, 0.9 GB with transparency, twice that with a color
# profile.
MAX_PIXELS = 80_000_000
# A JPEG is decoded at a reduced scale only if its sides stay at least this many times the input size: at 1 the JPEG
# decoder's coarse filter changes the result by up to 74 of 255 levels, at 2 the resize evens it out.
DRAFT_MARGIN = 2

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_WARNINGS_LOCK = threading.Lock()

Source = bytes | bytearray | memoryview | str | Path | Image.Image


@dataclass(frozen=True)
class InputSpec:
    """The network's input specification, stored in checkpoints and in the model card.

    Attributes:
        size: height and width of the input, pixels.
        mean: mean of the red, green and blue channel, in [0, 1]; subtracted.
        std: standard deviation of the channels, in (0, 1]; divided by.
        resize: `squash` scales both sides to `size` and ignores the aspect ratio; `pad` keeps the ratio and pads with
            white.
        interpolation: of the resize, antialiased when shrinking.
        border: `cut` crops a wide border of one color before the resize, see `fashion.borders`; `keep` does not.

    Raises:
        SettingError: a value out of range or unknown.
    """

    size: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    resize: Literal["squash", "pad"] = "squash"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    border: Literal["keep", "cut"] = "keep"

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 2048:
            raise SettingError(f"input size {self.size} is out of range; a ResNet takes 32 to 2048 px")
        if self.resize not in ("squash", "pad"):
            raise SettingError(f"resize rule {self.resize!r} is unknown; choose 'squash' or 'pad'")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise SettingError(f"interpolation {self.interpolation!r} is unknown; choose 'bilinear' or 'bicubic'")
        if self.border not in ("keep", "cut"):
            raise SettingError(f"border rule {self.border!r} is unknown; choose 'keep' or 'cut'")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(0 <= value <= 1 for value in values):
                raise SettingError(f"{name} {values} must be three values between 0 and 1, for red, green and blue")
        if min(self.std) == 0:
            raise SettingError(f"std {self.std} has a zero; the channels are divided by it")

    @property
    def filter(self) -> Image.Resampling:
        """The interpolation as Pillow's constant."""
        return Image.Resampling[self.interpolation.upper()]


def load_pixels(source: Source, spec: InputSpec) -> np.ndarray:
    """Decode and resize one image.

    Returns:
        uint8 array of shape (S, S, 3), red, green, blue in 0 to 255, S being `spec.size`.

    Raises:
        InvalidImage: see `decode`.
    """
    return np.array(resize(decode_and_crop(source, spec), spec))  # a copy, since torch does not accept read-only memory


def decode_and_crop(source: Source, spec: InputSpec, size: int | None = None) -> Image.Image:
    """`decode` one image for an input, and crop its border if `spec` says so.

    If cropping leaves too few pixels of a JPEG decoded at a reduced scale, it is decoded again at a larger scale.

    Args:
        source: see `decode`.
        spec: of the input.
        size: px that the cropped image will be resized to; default is the size of `spec`.

    Raises:
        InvalidImage: see `decode`.
    """
    size = size or spec.size
    image = decode(source, size)
    window = borders.crop_region(image) if spec.border == "cut" else None
    if window is None:
        return image
    cut = image.crop(window.edges(image.size))
    if min(cut.size) >= DRAFT_MARGIN * size or isinstance(source, Image.Image):
        return cut
    part = min(window.width, window.height)
    image = decode(source, math.ceil(size / part))
    return image.crop(window.edges(image.size))


def decode(source: Source, size: int | None = None) -> Image.Image:
    """Decode an image, apply its EXIF orientation, and convert it to sRGB on white.

    Grayscale, palette, transparent, CMYK and 16-bit images are converted, and colors by the file's ICC profile, see
    `fashion.color_profiles`; an animation gives its first frame. Other metadata is ignored, and a file with unreadable
    metadata is decoded without it.

    Args:
        source: the bytes of an image file, the path of one, or a PIL image.
        size: the input size that the image will be resized to. A large JPEG is then decoded at the smallest of the
            scales 1/2, 1/4 and 1/8 whose sides are at least twice `size`: several times faster, and after the resize
            within a few levels of the full decode. Default is full size.

    Raises:
        InvalidImage: the file is missing, not an image, broken or truncated, has a side below 8 px or more than 80
            megapixels.
        TypeError: the source is neither bytes nor a path nor a PIL image.
    """
    _ignore_pillow_warnings()
    if isinstance(source, Image.Image):
        return _load(source)
    data = _read(source)
    try:
        return _load(_open(data), size)
    except InvalidImage:
        plain = without_metadata(data)
        if plain is not None:
            with suppress(InvalidImage):
                return _load(_open(plain), size)
        raise  # the error of the original file


def resize(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Resize an RGB image to S x S by the rule of `spec`, with antialiasing when shrinking."""
    size = spec.size
    if spec.resize == "squash":
        return image.resize((size, size), spec.filter)
    scale = size / max(image.size)
    # At least 1 px: a strip of 20,000 x 20 would otherwise get a side of 0.
    width, height = (max(1, round(side * scale)) for side in image.size)
    padded = Image.new("RGB", (size, size), (255, 255, 255))
    padded.paste(image.resize((width, height), spec.filter), ((size - width) // 2, (size - height) // 2))
    return padded


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


def looks_like_image(data: bytes) -> bool:
    """Whether a file has a supported photograph format, by its first 12 bytes or more."""
    if looks_like_heic(data):
        return can_read_heic()
    return data.startswith(_SIGNATURES) or data[4:12] == b"ftypavif" or data[8:12] == b"WEBP"


def _ignore_pillow_warnings() -> None:
    """Silence Pillow's warnings about odd metadata, which is harmless, and about large sizes, which are checked here.

    The filter is installed permanently because `warnings.catch_warnings` is not thread-safe.
    """
    with _WARNINGS_LOCK:
        known = (getattr(entry[3], "pattern", None) for entry in warnings.filters if entry[0] == "ignore")
        if "PIL" not in known:
            warnings.filterwarnings("ignore", module="PIL")


def _read(source: bytes | bytearray | memoryview | str | Path) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | Path):
        try:
            data = Path(source).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a null byte in the path
            raise InvalidImage(f"cannot read {str(source)!r}: {getattr(error, 'strerror', None) or error}") from None
    else:
        raise TypeError(f"an image must be bytes, a path or a PIL image, not {type(source).__name__}")
    if not data:
        raise InvalidImage("the image is empty (0 bytes)")
    return data


def _open(data: bytes) -> Image.Image:
    """Read the header only; the pixels are decoded after the size is checked."""
    try:
        if data.startswith(BIG_ENDIAN_TIFF):
            _register_inverted_gray()
        heic = looks_like_heic(data) and can_read_heic()
        return Image.open(io.BytesIO(data), formats=(HEIC,) if heic else FORMATS)
    except Image.UnidentifiedImageError:
        raise InvalidImage(_describe(data)) from None
    except Image.DecompressionBombError:
        raise InvalidImage(f"the image has more than {MAX_PIXELS // 10**6} megapixels; send a smaller one") from None
    except Exception as error:
        raise _broken(error) from None


def _register_inverted_gray() -> None:
    """Register big-endian 16-bit TIFF with white as zero, which Pillow lacks; `_eight_bit` inverts both byte orders."""
    from PIL import TiffImagePlugin  # takes as long to load as PIL.Image, and few files are TIFF

    of_scanners = (TiffImagePlugin.MM, 0, (1,), 1, (16,), ())
    TiffImagePlugin.OPEN_INFO.setdefault(of_scanners, ("I;16B", "I;16B"))


def _load(image: Image.Image, size: int | None = None) -> Image.Image:
    """Decode the pixels of an opened image; for `size` see `decode`."""
    _check_size(image)
    try:
        if size is not None:
            image.draft(None, (DRAFT_MARGIN * size, DRAFT_MARGIN * size))
        image.load()
        return _to_rgb(image)
    except InvalidImage:
        raise
    except Exception as error:  # on arbitrary bytes, decoders raise OSError, SyntaxError, struct.error ...
        raise _broken(error) from None


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise InvalidImage(f"the image is {width}x{height} px; each side must have at least {MIN_SIDE}")
    if width * height > MAX_PIXELS:
        raise InvalidImage(
            f"the image is {width}x{height} px, more than {MAX_PIXELS // 10**6} megapixels; send a smaller one"
        )


def _broken(error: Exception) -> InvalidImage:
    return InvalidImage(f"the image is broken: {one_line(error) or type(error).__name__}")


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = _eight_bit(image)
    elif image.mode == "F":
        raise InvalidImage("the image has floating-point pixels; save it with 8 or 16 bits per channel")
    image = to_srgb(upright(image), profile)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 12- or 16-bit grayscale to 8 bits and turn it upright; Pillow's own conversion would clip at 255."""
    tags = getattr(image, "tag_v2", {})  # TIFF only; Pillow does not invert 16-bit images whose white is 0
    if max(tags.get(_BITS, (16,))) > 16:
        raise InvalidImage("the image has 32 bits per pixel; save it with 8 or 16 bits per channel")
    bits = min((16, *tags.get(_BITS, ())))
    white = 2**bits - 1
    levels = np.asarray(upright(image)).clip(0, white).astype(np.uint32)
    if tags and tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO) == _WHITE_IS_ZERO:
        levels = white - levels
    return Image.fromarray((levels * 255 // white).astype(np.uint8))


def _describe(data: bytes) -> str:
    """The error message for bytes that Pillow does not recognize."""
    length = f"{len(data)} byte{'s' if len(data) > 1 else ''}"
    head = data[:256].lstrip().lower()
    if looks_like_heic(data) and not can_read_heic():
        return f"HEIC is not supported here; {HEIC_ADVICE}"
    if looks_like_image(data):
        like = "HEIC" if looks_like_heic(data) else "an image"
        return f"the image is broken: {length} that begin like {like}, but with an unreadable header"
    kind = next((kind for start, kind in _OTHERS.items() if head.startswith(start)), "")
    if data[4:8] == b"ftyp":
        kind = "a video"
    return f"not an image: {length}{kind and ' that look like '}{kind}; expected {', '.join(FORMATS)}"


_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # two TIFF tags, and a value of the second
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")
_OTHERS = {
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<svg": "SVG",
    b"<?xml": "XML or SVG",
    b"pk\x03\x04": "a ZIP archive",
    b"%pdf": "a PDF",
    b"{": "JSON",
    b"http": "a URL",
    b"data:image": "base64 text",
    b"/9j/": "base64 text",
    b"ivborw0kgg": "base64 text",
}
