"""Convert photographs with an embedded color profile to sRGB.

An ICC profile defines the colors that pixel values stand for: phones write Display P3, cameras and editors Adobe RGB,
print shops CMYK. Read as sRGB, saturated colors come out too weak. Pillow's Little CMS does the conversion.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # Little CMS is loaded only for photographs with a profile, which are few
    from PIL import ImageCms

LARGEST_PROFILE = 4 * 2**20  # bytes; the largest real profiles, those of printing presses, have 0.5 to 3 MB
CACHED_TRANSFORMS = 16  # cached per thread
# A profile that changes no color by more levels than this counts as sRGB: variants of sRGB differ by rounding.
SAME_LEVELS = 2
# A profile that maps white to a level below this is treated as broken.
DARKEST_WHITE = 200

# Image mode -> the mode of its color channels; profile's color space -> the image mode that it applies to.
_CHANNELS = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGB", "YCbCr": "RGB", "CMYK": "CMYK"}
_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


class _TransformCache(threading.local):
    """A thread's cache of transforms: Little CMS does not guarantee that they are thread-safe."""

    def __init__(self) -> None:
        self.transforms: OrderedDict[tuple[bytes, str], ImageCms.ImageCmsTransform | None] = OrderedDict()


_cache = _TransformCache()


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image to sRGB.

    Args:
        image: gray, palette, RGB or CMYK with 8 bits a channel, with or without transparency.
        profile: the bytes of its ICC profile.

    Returns:
        RGB, or RGBA if the image has transparency. The image itself if there is no profile, or if the profile is sRGB,
        for another kind of image, larger than 4 MiB or broken.
    """
    channels = _CHANNELS.get(image.mode)
    if not isinstance(profile, bytes) or not 128 <= len(profile) <= LARGEST_PROFILE or channels is None:
        return image  # 128 bytes: the size of the header
    transform = _transform(profile, channels)
    if transform is None:
        return image
    if not image.has_transparency_data:
        return _apply(transform, image)
    image = image.convert("RGBA")
    converted = _apply(transform, image.convert("RGB"))
    converted.putalpha(image.getchannel("A"))
    return converted


def _apply(transform: "ImageCms.ImageCmsTransform", image: Image.Image) -> Image.Image:
    converted = transform.apply(image.convert(transform.input_mode) if image.mode != transform.input_mode else image)
    converted.info.clear()  # Pillow stores an sRGB profile here, which is redundant
    return converted


def _transform(profile: bytes, channels: str) -> "ImageCms.ImageCmsTransform | None":
    """This thread's cached transform for a profile; None if no conversion is needed."""
    key = (hashlib.blake2b(profile, digest_size=16).digest(), channels)
    transforms = _cache.transforms
    if key not in transforms:
        transforms[key] = _build(profile, channels)
        if len(transforms) > CACHED_TRANSFORMS:
            transforms.popitem(last=False)
    transforms.move_to_end(key)
    return transforms[key]


def _build(profile: bytes, channels: str) -> "ImageCms.ImageCmsTransform | None":
    from PIL import ImageCms

    # As in print previews: colors are relative to white, and black stays black.
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _PROFILE_MODES.get(source.profile.xcolor_space.strip())
        # A gray image may have an RGB profile: some editors keep it when they convert to grayscale.
        if mode is None or (mode != channels and (channels, mode) != ("L", "RGB")):
            return None
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.ImageCmsTransform(source, srgb, mode, "RGB", intent, flags=flags)
        return transform if _changes_colors(transform) else None
    except (OSError, TypeError, ValueError):  # how Pillow reports errors of Little CMS
        return None


def _changes_colors(transform: "ImageCms.ImageCmsTransform") -> bool:
    """Whether a transform is sound (white stays light) and visibly changes colors."""
    mode = transform.input_mode
    white = transform.apply(Image.new(mode, (1, 1), (0, 0, 0, 0) if mode == "CMYK" else "white"))
    if np.asarray(white).min() < DARKEST_WHITE:
        return False
    if mode == "CMYK":
        return True
    if mode == "L":
        colors = np.arange(256, dtype=np.uint8)[None]
    else:
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        colors = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    before = Image.fromarray(colors)
    after = np.asarray(transform.apply(before)).astype(int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() > SAME_LEVELS)
