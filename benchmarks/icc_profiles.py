"""ICC profiles, written byte by byte by the ICC specification (ICC.1:2001-04, version 2, and `para` of version 4)."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue in XYZ, adapted to D50, as in the usual profiles of these names.
SRGB_PRIMARIES = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
P3_PRIMARIES = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_GAMMA = 2.19921875
ADOBE_PRIMARIES = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def linear_of_srgb(encoded: np.ndarray) -> np.ndarray:
    """The transfer curve of sRGB and of Display P3, values in 0 to 1."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def srgb_of_linear(linear: np.ndarray) -> np.ndarray:
    """Its inverse."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def in_srgb(levels: np.ndarray, primaries: Sequence, linear: np.ndarray) -> np.ndarray:
    """Colors converted to sRGB by the textbook formula: levels (..., 3), 0 to 255, with linear values `linear`."""
    assert levels.shape == linear.shape
    there = linear @ np.array(primaries) @ np.linalg.inv(np.array(SRGB_PRIMARIES))
    return srgb_of_linear(there.clip(0, 1)) * 255


def rgb_profile(primaries: Sequence[Sequence[float]], curve: bytes) -> bytes:
    """A profile of an RGB space with one curve for all channels."""
    tags = {f"{name}XYZ": _xyz(color) for name, color in zip("rgb", primaries, strict=True)}
    return profile("RGB ", "XYZ ", tags | {f"{name}TRC": curve for name in "rgb"})


def srgb() -> bytes:
    """The usual sRGB profile, with a table of 1024 values as its curve."""
    return rgb_profile(SRGB_PRIMARIES, table(linear_of_srgb(np.linspace(0, 1, 1024))))


def display_p3() -> bytes:
    """Display P3, as phones write it."""
    return rgb_profile(P3_PRIMARIES, srgb_curve())


def adobe_rgb() -> bytes:
    """Adobe RGB, as cameras and editors write it."""
    return rgb_profile(ADOBE_PRIMARIES, gamma(ADOBE_GAMMA))


def linear_gray() -> bytes:
    """Linear gray."""
    return profile("GRAY", "XYZ ", {"kTRC": gamma(1.0)})


def cmyk() -> bytes:
    """A CMYK press: full inks in Lab, mixtures by the product of their lightness."""
    inks = {"C": (140, 91, 78), "M": (122, 202, 125), "Y": (227, 123, 221), "K": (41, 128, 128)}  # L of 255; a, b + 128
    colors = []
    for corner in range(16):  # cyan changes slowest
        mixed = np.array([255.0, 0, 0])
        for i, (lightness, a, b) in enumerate(inks.values()):
            if corner >> (3 - i) & 1:
                mixed = np.array([mixed[0] * lightness / 255, mixed[1] + a - 128, mixed[2] + b - 128])
        colors += [int(mixed[0]), *(int(value) + 128 for value in mixed[1:].clip(-128, 127))]
    same = bytes(range(256))
    matrix = b"".join(_fixed(float(i == j)) for i in range(3) for j in range(3))
    head = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix
    return profile("CMYK", "Lab ", {"A2B0": head + 4 * same + bytes(colors) + 3 * same}, "prtr")


def profile(space: str, connection: str, tags: Mapping[str, bytes], kind: str = "mntr") -> bytes:
    """A profile with the given tags."""
    tags = dict(tags) | {"wtpt": _xyz(D50)}
    entries, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        entries += name.encode() + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">II", start + len(body), 0) + b"\x02\x40\0\0" + (kind + space + connection).encode()
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(_fixed, D50)) + bytes(48)
    assert len(head) == 128
    return head + struct.pack(">I", len(tags)) + entries + body


def gamma(exponent: float) -> bytes:
    """A gamma curve."""
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(exponent * 256))


def table(values: np.ndarray) -> bytes:
    """A curve as a table of values, 0 to 1."""
    return b"curv" + struct.pack(">II", 0, len(values)) + (values * 65535).round().astype(">u2").tobytes()


def srgb_curve() -> bytes:
    """The curve of sRGB as a formula."""
    return b"para" + bytes(4) + b"\0\3\0\0" + b"".join(map(_fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))


def _xyz(color: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, color))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
