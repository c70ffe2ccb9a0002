"""benchmarks.color_profiles: the same colors in other color spaces, and the answers for them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import color_profiles
from benchmarks.color_profiles import SPACES, SRGB, ColorSpace
from benchmarks.drawn_shop import STARTER, garment
from fashion.preprocess import decode


def strong() -> Image.Image:
    """Strong colors within all gamuts, in large areas, which JPEG changes little."""
    colors = np.array([[200, 40, 50], [40, 150, 60], [230, 130, 40], [120, 120, 120]], np.uint8)
    return Image.fromarray(np.repeat(np.repeat(colors.reshape(2, 2, 3), 32, 0), 32, 1))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_only_with_its_profile_a_photograph_keeps_its_colors(space: ColorSpace) -> None:
    plain = np.asarray(decode(SRGB.written(strong(), False)), np.int16)
    converted = np.asarray(decode(space.written(strong(), True)), np.int16)
    ignored = np.asarray(decode(space.written(strong(), False)), np.int16)
    assert np.abs(plain - converted).max() <= 4
    assert np.abs(plain - ignored)[:32, :32].max() > 15  # red
    assert np.abs(plain - ignored)[32:, 32:].max() <= 8  # gray stays gray; only the tone curves differ


def test_the_section_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(color_profiles, "PAGE", tmp_path / "colors.md")
    monkeypatch.setattr(color_profiles, "TIMED", 2)
    (tmp_path / "images").mkdir()
    rows = ["image,colour"]
    for seed, color in ((1, "Red"), (7, "Beige"), (13, "Green")):
        (tmp_path / "images" / f"{seed}.jpg").write_bytes(garment(seed))
        rows.append(f"{seed}.jpg,{color}")
    (tmp_path / "val.csv").write_text("\n".join(rows) + "\n")
    assert color_profiles.main([str(STARTER), "--data", str(tmp_path)]) == 0
    page = (tmp_path / "colors.md").read_text()
    assert "2 validation photographs that the shop calls red, green" in page  # beige is not among them
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")][2:]
    assert [name.strip("*") for name, *_ in lines] == [
        "sRGB",
        *(f"{space.name}, {way}" for space in SPACES for way in ("converted", "its profile ignored")),
    ]
    off = {name.strip("*"): float(median) for name, _, _, median, _ in lines}
    assert off["sRGB"] == 0
    for space in SPACES:
        assert off[f"{space.name}, converted"] < off[f"{space.name}, its profile ignored"]
    (tmp_path / "val.csv").write_text("image,colour\n7.jpg,Beige\n")
    with pytest.raises(SystemExit):
        color_profiles.main([str(STARTER), "--data", str(tmp_path)])
