"""fashion.heic: photographs of phones."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from image_files import HEIC, encoded, photo
from PIL import Image

from benchmarks.icc_profiles import display_p3
from fashion.errors import InvalidImage
from fashion.heic import can_read_heic
from fashion.orientation import exif_of_orientation
from fashion.preprocess import InputSpec, decode, load_pixels, looks_like_image

SPEC = InputSpec(size=64)


def heic(image: Image.Image, **options: object) -> bytes:
    """A HEIC file, as phones store photographs."""
    pytest.importorskip("pillow_heif")
    assert can_read_heic()
    file = io.BytesIO()
    image.save(file, "HEIF", quality=95, **options)
    return file.getvalue()


def check_alike(found: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(found.astype(int) - expected.astype(int)).mean() < 6


def test_it_is_read_as_the_same_photograph_in_jpeg() -> None:
    data = heic(photo())
    assert looks_like_image(data)
    check_alike(load_pixels(data, SPEC), load_pixels(encoded(photo()), SPEC))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(orientation: int) -> None:
    exif = exif_of_orientation(orientation)
    check_alike(load_pixels(heic(photo(), exif=exif), SPEC), load_pixels(encoded(photo(), exif=exif), SPEC))


def test_its_colors_are_converted() -> None:
    profile = display_p3()
    plain, converted = (load_pixels(heic(photo(), **options), SPEC) for options in ({}, {"icc_profile": profile}))
    check_alike(converted, load_pixels(encoded(photo(), icc_profile=profile), SPEC))
    assert np.abs(plain.astype(int) - converted.astype(int)).max() > 6


def test_the_checks_measure_the_first_one_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(heic(photo()))
    code = (
        "import sys; from pathlib import Path; from catalog.checking.measures import measure_photograph as measure; "
        "found = measure(Path(sys.argv[1])); print(found.width, found.height)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "photo.heic")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert tuple(map(int, said.split())) == photo().size


@pytest.mark.parametrize("cut", [16, 200, 600])
def test_a_broken_one_is_a_one_line_error(cut: int) -> None:
    with pytest.raises(InvalidImage, match="the image is broken") as error:
        decode(heic(photo())[:cut])
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("without_heic")
def test_without_the_library_the_error_names_the_fix() -> None:
    assert not looks_like_image(HEIC)
    with pytest.raises(InvalidImage, match=r"HEIC is not supported here; convert it to JPEG, or install pillow-heif$"):
        decode(HEIC)
