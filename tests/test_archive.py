"""The .mar archive: its contents, and that a bundle that cannot be served is refused."""

import json
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from fashion.errors import BundleError, SettingError
from fashion.model_card import ModelCard
from serving.archive import archive, main

CODE = {"handler.py", "model-config.yaml", "model_card.json", "MAR-INF/MANIFEST.json", "fashion/predictor.py"}


def names(mar: Path) -> set[str]:
    with zipfile.ZipFile(mar) as file:
        return set(file.namelist())


@pytest.mark.parametrize(
    ("engine", "weights"),
    [
        ("auto", {"model.int8.onnx", "model.pth"}),
        ("int8", {"model.int8.onnx"}),
        ("onnx", {"model.onnx"}),
        ("torch", {"model.pth"}),
    ],
)
def test_holds_code_card_and_the_weights_of_the_engine(
    bundle: Path, tmp_path: Path, engine: str, weights: set[str]
) -> None:
    found = names(archive(bundle, tmp_path / "store" / "fashion.mar", engine=engine))
    assert found >= CODE | {"fashion/imaterialist_2018.csv", "serving/protocol.py"}
    assert {name for name in found if name.startswith("model.")} == weights
    assert not any(
        "__pycache__" in name or name.startswith(("fashion/fetching/", "fashion/pictures/", "fashion/tables/"))
        for name in found
    )
    networks = {"fashion/backbones/__init__.py", "fashion/backbones/families.py", "fashion/backbones/timm.py"}
    assert networks & found == (networks if "model.pth" in weights else set())


@pytest.mark.parametrize("engine", ["int8", "torch"])
def test_the_archive_answers_without_the_checkout(bundle: Path, tmp_path: Path, engine: str) -> None:
    """The code in the archive works without the checkout."""
    with zipfile.ZipFile(archive(bundle, tmp_path / "fashion.mar", engine=engine)) as file:
        file.extractall(tmp_path / "unpacked")
    program = (
        "import fashion; from PIL import Image; from fashion.predictor import Predictor\n"
        f"answer = Predictor.from_bundle('.', '{engine}', device='cpu').predict(Image.new('RGB', (80, 80)))\n"
        "print(fashion.__file__, len(answer.probabilities))"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=tmp_path / "unpacked", capture_output=True, text=True, timeout=120)
    assert ended.stdout == f"{tmp_path}/unpacked/fashion/__init__.py 10\n", ended.stderr


def test_an_incomplete_bundle_is_packed_with_its_existing_files(bundle: Path, tmp_path: Path) -> None:
    small = shutil.copytree(bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("*.int8.onnx", "*.pth"))
    found = names(archive(small, tmp_path / "fashion.mar"))
    assert {name for name in found if name.startswith("model.")} == {"model.onnx"}


def test_manifest_names_model_and_version(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive(bundle, tmp_path / "fashion.mar", name="shop", engine="int8")) as file:
        model = json.loads(file.read("MAR-INF/MANIFEST.json"))["model"]
        assert (file.read("model.int8.onnx")) == (bundle / "model.int8.onnx").read_bytes()
    assert (model["modelName"], model["modelVersion"], model["handler"]) == ("shop", "1.0", "handler.py")
    assert model["configFile"] == "model-config.yaml"


def test_two_archives_at_once_do_not_mix(bundle: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        first = pool.submit(archive, bundle, tmp_path / "a" / "fashion.mar", engine="int8")
        second = pool.submit(archive, bundle, tmp_path / "b" / "fashion.mar", engine="onnx")
    assert "model.onnx" not in names(first.result())
    assert "model.int8.onnx" not in names(second.result())


def test_an_equal_archive_is_left_alone_and_a_changed_one_replaced(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    out = archive(copy, tmp_path / "fashion.mar", engine="int8")
    os.utime(out, (1_000_000_000, 1_000_000_000))
    before = out.stat()
    after = archive(copy, out, engine="int8").stat()
    assert (after.st_ino, after.st_mtime) == (before.st_ino, before.st_mtime)
    replace(ModelCard.load(copy), version="2.0").save(copy)
    assert archive(copy, out, engine="int8").stat().st_mtime > before.st_mtime
    with zipfile.ZipFile(out) as file:
        assert json.loads(file.read("model_card.json"))["version"] == "2.0"
    archive(copy, out, name="shop", engine="int8")
    with zipfile.ZipFile(out) as file:
        assert json.loads(file.read("MAR-INF/MANIFEST.json"))["model"]["modelName"] == "shop"
    out.write_bytes(b"broken")
    archive(copy, out, engine="int8")
    assert zipfile.is_zipfile(out)
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("another.txt", "without a manifest")
    archive(copy, out, engine="int8")
    assert "model_card.json" in names(out)


def test_changed_weights_are_refused_and_nothing_is_written(bundle: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(bundle, tmp_path / "bundle")
    weights = bytearray((broken / "model.int8.onnx").read_bytes())
    weights[1000] ^= 1
    (broken / "model.int8.onnx").write_bytes(weights)
    out = tmp_path / "store" / "fashion.mar"
    with pytest.raises(BundleError, match=r"model\.int8\.onnx was changed"):
        archive(broken, out)
    assert not out.parent.exists()


def test_unusable_bundles_are_reported(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no model_card\.json"):
        archive(tmp_path, tmp_path / "fashion.mar")
    with pytest.raises(SettingError, match=r"must end in \.mar"):
        archive(bundle, tmp_path / "fashion.zip")
    with pytest.raises(SettingError, match="model name 'a/b'"):
        archive(bundle, tmp_path / "fashion.mar", name="a/b")
    with pytest.raises(SettingError, match="engine 'gpu'"):
        archive(bundle, tmp_path / "fashion.mar", engine="gpu")


def test_full_disk_is_a_one_line_error_and_keeps_the_old_archive(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "store" / "fashion.mar"
    out.parent.mkdir()
    out.write_bytes(b"old")

    def full() -> None:  # limit files to 5 MB
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))

    command = [sys.executable, "-m", "serving.archive", str(bundle), "--out", str(out)]
    result = subprocess.run(command, preexec_fn=full, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("error: no space left on the disk")
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in out.parent.iterdir()] == ["fashion.mar"]
    assert out.read_bytes() == b"old"


def test_the_command_line_prints_its_result(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fashion.mar"
    assert main([str(bundle), "--out", str(out), "--engine", "int8"]) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"{out}: {out.stat().st_size / 1e6:.1f} MB, fashion 1.0, 10 labels")
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "nothing")])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: no model_card.json")
