"""sRGB to CIELAB and back, and the CIEDE2000 difference of two colors.

CIELAB as defined by CIE 15, for the white point of sRGB (D65, IEC 61966-2-1): L* from 0 to 100, a* from green to red,
b* from blue to yellow.
"""

import re

import numpy as np

from fashion.errors import SettingError

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)  # XYZ of 255, 255, 255, so that white is exactly L*a*b* 100, 0, 0
_TO_CONES = (_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_KNEE = 6 / 29  # below this the cube root is replaced by a straight line
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB, uint8 (..., 3) -> L*, a*, b*, float32 (..., 3)."""
    ratios = _LINEAR[rgb] @ _TO_CONES
    roots = np.where(ratios > _KNEE**3, np.cbrt(ratios), ratios / (3 * _KNEE**2) + np.float32(4 / 29))
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """L*, a*, b* (..., 3) -> sRGB, uint8 (..., 3); colors outside the sRGB gamut are clipped per channel."""
    y = (lab[..., 0] + 16) / 116
    roots = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratios = np.where(roots > _KNEE, roots**3, 3 * _KNEE**2 * (roots - 4 / 29))
    linear = ((ratios * _WHITE) @ np.linalg.inv(_TO_XYZ).T).clip(0, 1)
    levels = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (255 * levels).round().astype(np.uint8)


def hex_to_lab(text: str) -> np.ndarray:
    """Parse `#7a1f2b`, `7a1f2b` or `#fff` -> L*, a*, b*, float32 (3,). Raises SettingError for any other text."""
    found = _HEX.fullmatch(text.strip())
    if not found:
        raise SettingError(f"{text!r} is not a color such as '#7a1f2b'")
    digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
    return rgb_to_lab(np.frombuffer(bytes.fromhex(digits), np.uint8))


def lab_to_hex(lab: np.ndarray) -> str:
    """L*, a*, b* (3,) -> hexadecimal sRGB such as `#7a1f2b`."""
    return "#" + lab_to_rgb(lab).tobytes().hex()


def ciede2000(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The CIEDE2000 difference of colors: 1 is barely visible side by side, 100 is black against white.

    As in G. Sharma, W. Wu, E. N. Dalal: The CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary
    Test Data, and Mathematical Observations, Color Research and Application 30(1), 2005; all three factors k are 1.

    Args:
        one, other: L*, a*, b* (..., 3), broadcast against each other.

    Returns:
        float64 (...).
    """
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(each, np.float64), -1, 0) for each in (one, other))
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    gray = c1 * c2 == 0
    turn = np.where(gray, 0, (h2 - h1 + 180) % 360 - 180)
    # For opposite hues the sign of the turn does not matter to the sine, but to the mean below.
    turn = np.where(~gray & (h2 - h1 == 180), 180.0, turn)
    hue = np.where(gray, h1 + h2, np.where(np.abs(h1 - h2) <= 180, (h1 + h2) / 2, (h1 + h2 + 360) / 2 % 360))
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))

    def cos(degrees: np.ndarray) -> np.ndarray:
        return np.cos(np.radians(degrees))

    t = 1 - 0.17 * cos(hue - 30) + 0.24 * cos(2 * hue) + 0.32 * cos(3 * hue + 6) - 0.20 * cos(4 * hue - 63)
    middle = (lightness - 50) ** 2
    sl, sc, sh = 1 + 0.015 * middle / np.sqrt(20 + middle), 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    turning = 60 * np.exp(-(((hue - 275) / 25) ** 2))  # twice the paper's angle
    rt = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(np.radians(turning))
    return np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * (dc / sc) * (dh / sh))
