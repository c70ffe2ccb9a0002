"""CIELAB against values known by definition, CIEDE2000 against published pairs."""

import numpy as np
import pytest

from fashion.colors.cielab import ciede2000, hex_to_lab, lab_to_hex, lab_to_rgb, rgb_to_lab
from fashion.errors import SettingError

# L1, a1, b1, L2, a2, b2 and the difference: table 1 of Sharma, Wu and Dalal 2005, all 34 pairs.
PAIRS = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def pairs() -> np.ndarray:
    return np.array([line.split() for line in PAIRS.strip().splitlines()], dtype=np.float64)


def test_difference_is_the_published_one():
    found = ciede2000(pairs()[:, :3], pairs()[:, 3:6])
    assert len(found) == 34
    np.testing.assert_allclose(found, pairs()[:, 6], atol=5e-5)


def test_difference_is_the_same_both_ways():
    np.testing.assert_allclose(
        ciede2000(pairs()[:, :3], pairs()[:, 3:6]), ciede2000(pairs()[:, 3:6], pairs()[:, :3]), atol=1e-9
    )


def test_difference_broadcasts():
    one, other = pairs()[:, None, :3], pairs()[None, :, 3:6]
    found = ciede2000(one, other)
    assert found.shape == (34, 34)
    np.testing.assert_allclose(found[3, 7], ciede2000(pairs()[3, :3], pairs()[7, 3:6]))


def test_white_black_and_the_primaries():
    levels = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    known = [(100, 0, 0), (0, 0, 0), (53.24, 80.09, 67.20), (32.30, 79.19, -107.86)]
    np.testing.assert_allclose(rgb_to_lab(levels), known, atol=0.02)


def test_the_inverse_conversion_restores_every_level():
    levels = np.random.default_rng(0).integers(0, 256, (5000, 3)).astype(np.uint8)
    np.testing.assert_array_equal(lab_to_rgb(rgb_to_lab(levels)), levels)


def test_a_text_is_a_color():
    assert lab_to_hex(hex_to_lab("#7a1f2b")) == "#7a1f2b"
    assert lab_to_hex(hex_to_lab(" FA0 ")) == "#ffaa00"


@pytest.mark.parametrize("text", ["", "red", "#12345", "#1234567", "7a1f2g"])
def test_other_texts_are_not_colors(text):
    with pytest.raises(SettingError, match="such as '#7a1f2b'"):
        hex_to_lab(text)
