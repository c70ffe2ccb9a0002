"""Photographs whose color profile is not sRGB, converted to it.

An embedded ICC profile says what the numbers of a photograph mean: phones write Display P3, cameras and editors Adobe
RGB, print shops CMYK. Read as sRGB, strong colors come out too weak. The conversion is that of Little CMS, by Pillow.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # few photographs have a profile; the others need no Little CMS
    from PIL import ImageCms

LARGEST_PROFILE = 4 * 2**20  # bytes; profiles of printing presses, the largest there are, have 0.5 to 3 MB
KEPT_TRANSFORMS = 16  # for each thread
# A profile that moves no color by more levels than this is sRGB: those in use differ by rounding.
SAME_LEVELS = 2
# A profile in which white is darker than this is broken, whatever its structure.
DARKEST_WHITE = 200

# Image mode -> what its channels are; profile's color space -> the mode that its numbers come in.
_CHANNELS = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGB", "YCbCr": "RGB", "CMYK": "CMYK"}
_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


class _Kept(threading.local):
    """The transforms of one thread: Little CMS does not promise that threads may share them."""

    def __init__(self) -> None:
        self.transforms: OrderedDict[tuple[bytes, str], ImageCms.ImageCmsTransform | None] = OrderedDict()


_kept = _Kept()


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image to sRGB.

    Args:
        image: 8 bits a channel: gray, palette, RGB or CMYK, with or without transparency.
        profile: the bytes of its ICC profile.

    Returns:
        RGB, or RGBA where there is transparency. The image itself where there is no profile, or one that is sRGB, of
        another kind of image, larger than 4 MiB or broken.
    """
    channels = _CHANNELS.get(image.mode)
    if not isinstance(profile, bytes) or not 128 <= len(profile) <= LARGEST_PROFILE or channels is None:
        return image  # 128: the header alone
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
    converted.info.clear()  # Pillow notes the profile of sRGB, which goes without saying
    return converted


def _transform(profile: bytes, channels: str) -> "ImageCms.ImageCmsTransform | None":
    """The transform of this thread for a profile; None where nothing is to be done."""
    key = (hashlib.blake2b(profile, digest_size=16).digest(), channels)
    transforms = _kept.transforms
    if key not in transforms:
        transforms[key] = _build(profile, channels)
        if len(transforms) > KEPT_TRANSFORMS:
            transforms.popitem(last=False)
    transforms.move_to_end(key)
    return transforms[key]


def _build(profile: bytes, channels: str) -> "ImageCms.ImageCmsTransform | None":
    from PIL import ImageCms

    # As print previews do it: colors keep their place relative to white, and black stays black.
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _PROFILE_MODES.get(source.profile.xcolor_space.strip())
        # A gray image may have a profile of RGB, as editors leave it when the colors are taken away.
        if mode is None or (mode != channels and (channels, mode) != ("L", "RGB")):
            return None
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.ImageCmsTransform(source, srgb, mode, "RGB", intent, flags=flags)
        return transform if _changes_colors(transform) else None
    except (OSError, TypeError, ValueError):  # what Pillow makes of the errors of Little CMS
        return None


def _changes_colors(transform: "ImageCms.ImageCmsTransform") -> bool:
    """Whether a transform does anything to colors, and anything sensible."""
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
