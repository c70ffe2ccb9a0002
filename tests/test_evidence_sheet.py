"""The picture of an answer's evidence maps."""

import io
from pathlib import Path

import pytest
from photos import photo
from PIL import Image

from fashion.errors import SettingError
from fashion.options import AnswerOptions
from fashion.pictures.tiles import HEAT_MAP_LAYOUT, MARGIN
from fashion.predictor import Predictor
from serving.evidence_sheet import write_evidence_sheet


@pytest.fixture(scope="module")
def answer(bundle: Path) -> dict[str, object]:
    predictor = Predictor.from_bundle(bundle, engine="int8")
    found = predictor.predict_each([photo(1)], features=True)[0].get()
    return predictor.answer(found, AnswerOptions(explain="overlay", all=True), photo(1))


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_tile_for_the_photograph_and_for_each_attribute(answer, tmp_path, ending):
    (tmp_path / "photo.png").write_bytes(photo(1))
    path = write_evidence_sheet(tmp_path / "photo.png", answer, tmp_path / f"sheet{ending}")
    sheet = Image.open(path)
    assert sheet.size == HEAT_MAP_LAYOUT.size(1 + len(answer["attributes"]))
    original = Image.open(io.BytesIO(photo(1))).convert("RGB").resize((HEAT_MAP_LAYOUT.side, HEAT_MAP_LAYOUT.side))
    tile = sheet.convert("RGB").crop((MARGIN, MARGIN, MARGIN + HEAT_MAP_LAYOUT.side, MARGIN + HEAT_MAP_LAYOUT.side))
    difference = sum(
        abs(a - b) for a, b in zip(tile.resize((8, 8)).tobytes(), original.resize((8, 8)).tobytes(), strict=True)
    )
    assert difference / (8 * 8 * 3) < 8


def test_an_ending_that_is_not_an_image_format(answer, tmp_path):
    (tmp_path / "photo.png").write_bytes(photo(1))
    with pytest.raises(SettingError, match=r"must end in \.jpg, \.png"):
        write_evidence_sheet(tmp_path / "photo.png", answer, tmp_path / "sheet.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png"]
