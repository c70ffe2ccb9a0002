"""Pictures of Debian's packages: which are taken, how they are written, and the Qt resource files among them."""

import csv
import io
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from fashion.errors import DataError
from training.sources import debian_pictures
from training.sources.__main__ import main
from training.sources.debian_pictures import LARGEST, PACKAGES, collect_pictures
from training.sources.opening import import_negatives
from training.sources.qt_resources import read_resources

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="makes .deb files with dpkg-deb")
STAMPS, BACKGROUNDS = "usr/share/tuxpaint/stamps", "usr/share/backgrounds"
OPENCV, ART = "usr/share/doc/opencv-doc/examples/data", "usr/share/games/pysiogame/res/images/art4apps"
ZLIB, FOLDER, ZSTD = 1, 2, 4


def picture(seed: int, size: tuple[int, int] = (96, 80), form: str = "PNG", alpha: Image.Image | None = None) -> bytes:
    """A picture of colored blotches, different for each seed."""
    blotches = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8))
    image = blotches.resize(size, Image.Resampling.BICUBIC)
    if alpha is not None:
        image.putalpha(alpha)
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def resources(files: dict[str, tuple[int, bytes]], version: int = 3) -> bytes:
    """A Qt resource file of `folder/name` paths in one folder, as `rcc --binary` writes it; flags and stored bytes."""
    folder = next(iter(files)).split("/")[0]
    names, data, nodes = b"", b"", []
    time = bytes(8) if version > 1 else b""

    def named(text: str) -> int:
        nonlocal names
        place = len(names)
        names += struct.pack(">HI", len(text), 0) + text.encode("utf-16-be")
        return place

    nodes.append(struct.pack(">IHII", 0, FOLDER, 1, 1) + time)
    nodes.append(struct.pack(">IHII", named(folder), FOLDER, len(files), 2) + time)
    for path, (flags, stored) in files.items():
        nodes.append(struct.pack(">IHHHI", named(path.split("/")[1]), flags, 0, 0, len(data)) + time)
        data += struct.pack(">I", len(stored)) + stored
    start = 24 if version == 3 else 20  # version 3 has flags of all files
    tree, header = start + len(data) + len(names), start - 20
    offsets = struct.pack(">4I", version, tree, start, start + len(data))
    return b"qres" + offsets + bytes(header) + data + names + b"".join(nodes)


def qt_zlib(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + zlib.compress(content)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every package of the table as a small .deb file."""
    disc = Image.radial_gradient("L").resize((90, 90)).point(lambda level: 255 if level < 100 else 0)
    wall = picture(6, (1000, 500))
    contents: dict[str, dict[str, bytes]] = {package.name: {} for package in PACKAGES}
    contents["opencv-doc"] = {
        f"{OPENCV}/fruit.jpg": picture(1, form="JPEG"),
        f"{OPENCV}/left01.jpg": picture(2, form="JPEG"),
        f"{OPENCV}/dnn/net.jpg": picture(3, form="JPEG"),  # in a folder below
    }
    contents["gcompris-qt-data"] = {
        "usr/share/gcompris-qt/rcc/erase.rcc": resources(
            {
                "erase/cow.webp": (0, picture(4, form="WEBP")),
                "erase/dog.webp": (ZLIB, qt_zlib(picture(5, form="WEBP"))),
                "erase/erase.js": (0, b"code"),
            }
        ),
        "usr/share/gcompris-qt/rcc/lang.rcc": resources({"lang/boy.webp": (0, picture(7, form="WEBP"))}),
    }
    contents["tuxpaint-stamps-default"] = {
        f"{STAMPS}/animals/duck.png": picture(8, (90, 90), alpha=disc),
        f"{STAMPS}/clothes/hat.png": picture(9, (90, 90), alpha=disc),
        f"{STAMPS}/animals/tiny.png": picture(10, (40, 40), alpha=disc.resize((40, 40))),
        f"{STAMPS}/animals/nothing.png": picture(11, (90, 90), alpha=Image.new("L", (90, 90))),
    }
    contents["ukui-wallpapers"] = {f"{BACKGROUNDS}/wall.png": wall, f"{BACKGROUNDS}/broken.jpg": b"no picture"}
    small = Image.open(io.BytesIO(wall)).resize((500, 250))
    small.save(jpeg := io.BytesIO(), "JPEG")
    contents["mate-backgrounds"] = {f"{BACKGROUNDS}/mate/again.jpg": jpeg.getvalue()}
    contents["pysiogame"] = {f"{ART}/food/{n}.jpg": picture(100 + n, form="JPEG") for n in range(24)}
    contents["pysiogame"][f"{ART}/people/aunt.jpg"] = picture(99, form="JPEG")
    folder = tmp_path_factory.mktemp("debs")
    for name, files in contents.items():
        root = tmp_path_factory.mktemp("root")
        control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.com>\nDescription: small\n"
        for path, content in {"DEBIAN/control": control.encode(), **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        if name == "ukui-wallpapers":
            (root / BACKGROUNDS / "default.jpg").symlink_to("/etc/hostname")
        subprocess.run(
            ["dpkg-deb", "--build", "-z1", root, folder / f"{name}_1_all.deb"], check=True, capture_output=True
        )
    return folder


def rows(folder: Path) -> dict[str, tuple[str, str]]:
    """Split and kind by the end of the image's name."""
    found = {}
    for split in ("train", "val"):
        with (folder / f"{split}.csv").open(newline="", encoding="utf-8") as file:
            found |= {row["image"]: (split, row["kind"]) for row in csv.DictReader(file)}
    return found


@needs_dpkg
def test_pictures_of_the_packages(packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    main(["debian-pictures", "--packages", str(packages), "--out", str(out)])
    found = rows(out)
    assert sorted(found) == sorted(path.name for path in (out / "images").iterdir())
    words = {name.split("-", 2)[2].removesuffix(".jpg"): place for name, place in found.items()}
    assert {word for word, (_, kind) in words.items() if kind != "cartoon"} == {
        *("opencv-doc-examples-data-fruit", "erase-cow", "erase-dog", "tuxpaint-stamps-animals-duck"),
        "usr-share-backgrounds-wall",
    }
    assert words["opencv-doc-examples-data-fruit"] == ("val", "opencv")
    assert words["erase-cow"][1] == "gcompris"
    cartoons = [split for split, kind in found.values() if kind == "cartoon"]
    assert len(cartoons) == 24
    assert 1 <= cartoons.count("val") <= 8  # a sixth is 4
    assert "left out: 2 small or uniform, 1 unreadable, 1 near duplicates\n" in capsys.readouterr().out

    for path in (out / "images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert max(image.size) <= LARGEST
    (wall,) = (out / "images").glob("*-wall.jpg")
    with Image.open(wall) as image:
        assert image.size == (LARGEST, LARGEST // 2)
    (duck,) = (out / "images").glob("*-duck.jpg")
    with Image.open(duck) as image:  # a disc, with a margin of 12 % of its width on each side
        dark = np.asarray(image.convert("L")) < 230
        across = np.flatnonzero(dark.any(axis=0))
        assert image.width == image.height
        assert across[0] == pytest.approx(0.12 / 1.24 * image.width, abs=3)
        assert image.width - across[-1] == pytest.approx(0.12 / 1.24 * image.width, abs=3)

    again = tmp_path / "again"
    collect_pictures(again, packages)
    assert {p.name: p.read_bytes() for p in out.rglob("*.*")} == {p.name: p.read_bytes() for p in again.rglob("*.*")}
    assert import_negatives(out, tmp_path / "imported").left_out == {}


@needs_dpkg
def test_a_missing_or_damaged_package_is_one_line(
    packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = shutil.copytree(packages, tmp_path / "some")
    (some / "opencv-doc_1_all.deb").write_bytes(b"no archive")
    (some / "pysiogame_1_all.deb").rename(tmp_path / "pysiogame_1_all.deb")
    for message in ("pysiogame_*.deb", "dpkg-deb --extract"):
        with pytest.raises(SystemExit, match="2"):
            main(["debian-pictures", "--packages", str(some), "--out", str(tmp_path / "out")])
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert message in line
        shutil.copy(packages / "pysiogame_1_all.deb", some)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pysiogame_1_all.deb", "some"]


def test_without_debians_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="2"):
        main(["debian-pictures", "--out", str(tmp_path / "out")])
    assert capsys.readouterr().err == "error: dpkg-deb is not installed; run this command on Debian\n"


def test_a_package_that_apt_cannot_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("dpkg-deb", "apt-get"):  # as apt-get fails without package lists
        (tmp_path / program).write_text("#!/bin/sh\necho E: Unable to locate package $2 >&2\nexit 100\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=f"Unable to locate package {PACKAGES[0].name}; run apt-get update"):
        collect_pictures(tmp_path / "out")


def test_held_out_packages_come_first() -> None:
    held_out = [package.held_out for package in debian_pictures.PACKAGES]
    assert held_out == sorted(held_out, reverse=True)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_qt_resources(tmp_path: Path, version: int) -> None:
    zstd = pa.compress(b"third", codec="zstd", asbytes=True)
    files = {"a/1.txt": (0, b"first"), "a/ü.txt": (ZLIB, qt_zlib(b"second" * 9)), "a/3": (ZSTD, zstd), "a/4": (0, b"")}
    file = tmp_path / "some.rcc"
    file.write_bytes(resources(files, version))
    read = dict(read_resources(file))
    assert read == {"a/1.txt": b"first", "a/ü.txt": b"second" * 9, "a/3": b"third", "a/4": b""}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: b"rcc!" + content[4:], "does not begin with qres"),
        (lambda content: content[:7] + b"\x09" + content[8:], "version is 9"),
        (lambda content: content[:-10], "buffer"),
        (lambda content: content[:24] + b"\xff" + content[25:], "cut off"),  # the length of the file in it
        (lambda content: content[: -3 * 22 + 10] + bytes(4) + content[-3 * 22 + 14 :], "contains itself"),
    ],
)
def test_damaged_qt_resources(tmp_path: Path, damage: Callable[[bytes], bytes], reason: str) -> None:
    file = tmp_path / "some.rcc"
    file.write_bytes(damage(resources({"a/1.txt": (0, b"first")})))
    with pytest.raises(DataError, match=reason):
        list(read_resources(file))
