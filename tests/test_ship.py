"""training.ship."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from photos import photo

from fashion.errors import BundleError, SettingError
from fashion.model_card import INT8_FILE, ModelCard
from fashion.predictor import Predictor
from training.ship import main, ship


def test_the_small_bundle_answers_as_the_whole_one(bundle: Path, tmp_path: Path) -> None:
    assert main([str(bundle), "--out", str(tmp_path / "starter")]) == 0
    assert sorted(path.name for path in (tmp_path / "starter").iterdir()) == [INT8_FILE, "model_card.json"]
    whole, small = Predictor.from_bundle(bundle), Predictor.from_bundle(tmp_path / "starter")
    assert np.array_equal(whole.predict(photo(2)).logits, small.predict(photo(2)).logits)
    assert whole.answer(whole.predict(photo(2)))["attributes"] == small.answer(small.predict(photo(2)))["attributes"]
    ship(bundle, tmp_path / "starter")  # once more, over the first


def test_the_card_contains_no_local_paths(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    card = ModelCard.load(copy)
    places = {"path": ["/home/me/shop a", "/data/b", "../data/c"], "cache": "/x/y", "more": ["~/data/shop", "~me/d"]}
    link = "https://host.example/a/b.pth"
    card.training["settings"] = {"data": places, "lr": 0.5}
    card.metrics["validation"] = {
        "data": "/home/me/shop, /data/b, file:///home/me/c",
        "note": "1/2 of them",
        "command": f"fit --weights {link} --path=/home/me/d --cache '/home/me/e'",
        "source": f"{link}, HTTP://b.example/c/",
    }
    card.save(copy)
    small = ship(copy, tmp_path / "out", "python -m training.fit")
    assert small.training["settings"]["data"] == {"path": ["shop a", "b", "c"], "cache": "y", "more": ["shop", "d"]}
    assert small.metrics["validation"] == {
        "data": "shop, b, file://c",
        "note": "1/2 of them",
        "command": f"fit --weights {link} --path=d --cache 'e'",
        "source": f"{link}, HTTP://b.example/c/",
    }
    assert small.training["command"] == "python -m training.fit"
    assert "/home" not in (tmp_path / "out" / "model_card.json").read_text()


def test_licenses_stay_beside_the_model_when_it_is_replaced(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notice, out = tmp_path / "NOTICE", tmp_path / "out"
    notice.write_text("weights of others")
    assert main([str(bundle), "--out", str(out), "--with", str(notice)]) == 0
    notice.unlink()
    assert main([str(bundle), "--out", str(out), "--with", str(out / "NOTICE")]) == 0
    assert (out / "NOTICE").read_text() == "weights of others"
    Predictor.from_bundle(out)
    with pytest.raises(SystemExit):
        main([str(bundle), "--out", str(out), "--with", str(notice)])
    assert "is not a file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(bundle), "--out", str(out), "--with", str(out / "model_card.json")])
    assert "has the name of a file of the bundle" in capsys.readouterr().err
    assert (out / "NOTICE").is_file()


def test_a_bundle_is_not_replaced_by_its_part(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle)
    with pytest.raises(SettingError, match="is the bundle itself, whose other files would be lost"):
        ship(bundle, tmp_path / "link")
    assert (bundle / "model.onnx").is_file()


def test_bundles_that_cannot_be_shipped_are_one_line_errors(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("mine")
    with pytest.raises(BundleError, match="folder with files and no bundle; choose another --out"):
        ship(bundle, tmp_path / "work")
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / INT8_FILE).write_bytes(b"changed")
    with pytest.raises(SystemExit):
        main([str(copy), "--out", str(tmp_path / "out")])
    assert "was changed" in capsys.readouterr().err
    (copy / INT8_FILE).unlink()
    with pytest.raises(BundleError, match=f"has no {INT8_FILE}"):
        ship(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert ModelCard.load(bundle).files.keys() > {INT8_FILE}
