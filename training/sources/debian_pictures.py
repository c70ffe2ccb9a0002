"""Collects pictures that show no product from packages of Debian, for training and validating the product gate."""

import io
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from fashion.errors import DataError, InvalidImage, SettingError
from fashion.files import write_csv
from fashion.orientation import upright
from fashion.preprocess import ENDINGS, decode
from training.sources.holdout import hash_fraction
from training.sources.qt_resources import read_resources
from training.sources.writer import new_dataset_folder


class PicturePackage(NamedTuple):
    """A package of Debian and its pictures: files whose path in the package matches `files` in full.

    Pictures whose path contains a match of `excluded` are left out. Of a Qt resource file (.rcc) the pictures inside
    are taken; their paths are those in that file. The pictures of a held-out package are all for validation.
    """

    name: str
    kind: str
    files: str
    excluded: str = r"(?!)"  # matches nothing
    held_out: bool = False


_WALLPAPERS = r"usr/share/backgrounds/.*"
# Excluded are people in clothes, garments, bags, glasses and what looks like cloth, also drawn; and variants of one
# picture (mirrored, dark, upright), which could get into different splits. Held-out packages come first: of near
# duplicates the first is kept, so training has no picture of theirs.
PACKAGES = (
    PicturePackage(
        "opencv-doc",
        "opencv",
        r"usr/share/doc/opencv-doc/examples/data/[^/]*",
        r"/(left|right)\d*\.jpg|/(basketball|messi|lena|ml\.png|vtest|chicky|rubberwhale)",
        held_out=True,
    ),
    PicturePackage("kalzium-data", "laboratory", r"usr/share/kalzium/.*\.jpe?g", r"/schutzbrille", held_out=True),
    PicturePackage(
        "gcompris-qt-data",
        "gcompris",
        r"usr/share/gcompris-qt/rcc/(categorization|erase|explore_farm_animals|explore_monuments|explore_world_animals"
        r"|solar_system|clickgame)\.rcc",
        r"/pillow",
    ),
    PicturePackage(
        "tuxpaint-stamps-default",
        "stamps",
        r"usr/share/tuxpaint/stamps/.*\.png",
        r"cartoon|clothes|people|seasonal|symbols|toys|plastic|astronaut|spacewalk|soldier|final-roll-call|fireman|hiker"
        r"|parachut|paratrooper|_mirror",
    ),
    PicturePackage("lomiri-wallpapers-16.04", "wallpaper", _WALLPAPERS),
    PicturePackage("lomiri-wallpapers-20.04", "wallpaper", _WALLPAPERS),
    PicturePackage("ukui-wallpapers", "wallpaper", _WALLPAPERS),
    PicturePackage(
        "plasma-workspace-wallpapers",
        "wallpaper",
        r"usr/share/wallpapers/.*/contents/images/.*",
        r"/Autumn/|/(720x1440|1080x1920|1622x2880)\.",
    ),
    PicturePackage("gnome-backgrounds", "wallpaper", _WALLPAPERS, r"-d\.|/(licorice|wood)-"),
    PicturePackage("mate-backgrounds", "wallpaper", _WALLPAPERS, r"Stripes|Ubuntu-Mate-(Dark|Radioactive|Warm)"),
    PicturePackage(
        "pysiogame",
        "cartoon",
        r".*/art4apps/(animals|construction|food|fruit_n_veg|nature|transport)/[^/]*\.jpg",
        r"/lunch\.",
    ),
)
_NO_PACKAGE = "run apt-get update first, or give a folder of all .deb files with --packages"
VAL_SHARE = 1 / 6  # of the packages that are not held out
SMALLEST, LARGEST = 64, 640  # pixels of a side; smaller pictures are left out, larger ones resized
QUALITY = 92  # of JPEG
_MARGIN = 0.12  # around a cut-out, of its longer side
_VISIBLE = 32  # of 255; below this opacity a pixel counts as transparent
_UNIFORM = 6  # standard deviation of the pixel values, of 255, below which a picture is nearly uniform
_HASH_SIDE = 16  # cells; the difference hash has two bits for each cell of a square of this side
_NEAR = 18  # bits of 512 that differ at most in near duplicates; more would join different cut-outs, mostly white


def collect_pictures(out: Path, packages: Path | None = None) -> str:
    """Write the pictures of `PACKAGES` into a new folder: images/, train.csv and val.csv with columns image and kind.

    The same packages give the same files.

    Args:
        out: the folder to make.
        packages: a folder with the .deb files of the packages; None downloads them with apt-get.

    Returns:
        A one-line summary: pictures by split and kind, and those left out.

    Raises:
        SettingError: apt-get or dpkg-deb is not installed.
        DataError: a package cannot be downloaded, is missing in `packages`, or is damaged.
        OutputExists: `out` exists and is not an empty folder.
    """
    for program in ("dpkg-deb",) if packages else ("dpkg-deb", "apt-get"):
        if shutil.which(program) is None:
            raise SettingError(f"{program} is not installed; run this command on Debian")
    with new_dataset_folder(out) as folder, TemporaryDirectory() as work:
        if packages is None:
            packages = Path(work)
            for package in tqdm(PACKAGES, desc="downloading", unit="package"):
                _run(["apt-get", "download", package.name], packages, _NO_PACKAGE)
        files = [_deb_file(package.name, packages) for package in PACKAGES]
        collection = _Collection(folder)
        for package, file in zip(PACKAGES, tqdm(files, desc="reading", unit="package"), strict=True):
            for path, content in _pictures(package, file):
                collection.add(package, path, content)
        collection.write_tables()
    return f"{out}: {collection}"


class _Collection:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, list[tuple[str, str]]] = {"train": [], "val": []}  # image and kind, by split
        self.hashes = np.empty((0, 2 * _HASH_SIDE**2), dtype=bool)
        self.left_out: Counter[str] = Counter()
        (folder / "images").mkdir()

    def add(self, package: PicturePackage, path: str, content: bytes) -> None:
        """Write a picture, or count why it is left out."""
        try:
            image = _prepared(content)
        except InvalidImage:
            self.left_out["unreadable"] += 1
            return
        if image is None:
            self.left_out["small or uniform"] += 1
            return
        bits = _difference_hash(image)
        if ((self.hashes != bits).sum(axis=1) <= _NEAR).any():
            self.left_out["near duplicates"] += 1
            return
        self.hashes = np.vstack((self.hashes, bits))
        key = f"{package.name}/{path}".encode()
        words = re.sub("[^a-z0-9]+", "-", "/".join(Path(path).with_suffix("").parts[-4:]).lower())
        name = f"{package.kind}-{sha256(key).hexdigest()[:8]}-{words}.jpg"  # the hash keeps it unique
        image.save(self.folder / "images" / name, "JPEG", quality=QUALITY)
        split = "val" if package.held_out or hash_fraction(key) < VAL_SHARE else "train"
        self.rows[split].append((name, package.kind))

    def write_tables(self) -> None:
        for split, rows in self.rows.items():
            write_csv(self.folder / f"{split}.csv", ("image", "kind"), rows)

    def __str__(self) -> str:
        counts = {split: Counter(kind for _, kind in rows) for split, rows in self.rows.items()}
        splits = (f"{kinds.total():,} {split} ({_listed(kinds)})" for split, kinds in counts.items())
        return f"{', '.join(splits)}; left out: {_listed(self.left_out)}"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"


def _run(command: list[str], folder: Path, advice: str) -> None:
    """Run a program in the folder; its last line of output is the reason if it fails."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"})
    if result.returncode:
        reason = (result.stderr.strip() or result.stdout.strip() or f"status {result.returncode}").splitlines()[-1]
        raise DataError(f"{' '.join(command)} failed: {reason}; {advice}")


def _deb_file(package: str, folder: Path) -> Path:
    found = sorted(folder.glob(f"{package}_*.deb"))
    if len(found) != 1:
        raise DataError(f"{folder} has {len(found)} files {package}_*.deb; it must have one of each package")
    return found[0].resolve()


def _pictures(package: PicturePackage, file: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of each picture of a package, sorted by path."""
    with TemporaryDirectory() as place:
        root = Path(place)
        _run(["dpkg-deb", "--extract", str(file), "."], root, "download the file again")
        for entry in sorted(root.rglob("*")):
            path = entry.relative_to(root).as_posix()
            if entry.is_symlink() or not entry.is_file() or not re.fullmatch(package.files, path):
                continue  # a link leads to another file of the package, or out of it
            inside = read_resources(entry) if entry.suffix == ".rcc" else [(path, entry.read_bytes())]
            for name, content in sorted(inside):
                if Path(name).suffix.lower() in ENDINGS and not re.search(package.excluded, name):
                    yield name, content


def _prepared(content: bytes) -> Image.Image | None:
    """The picture on white, a cut-out with a margin as in shops, resized; None if it is small or nearly uniform."""
    image, box = decode(content), _cut_out(content)
    if (min if box is None else max)(image.size) < SMALLEST:
        return None
    if box is not None:
        image = image.crop(box)
        side = max(SMALLEST, round(max(image.size) * (1 + 2 * _MARGIN)))
        square = Image.new("RGB", (side, side), "white")
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        image = square
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return None if np.asarray(image).std() < _UNIFORM else image


def _cut_out(content: bytes) -> tuple[int, int, int, int] | None:
    """The box of what is visible in a picture that is transparent around it; None for any other picture."""
    with Image.open(io.BytesIO(content)) as opened:
        if not opened.has_transparency_data:
            return None
        alpha = upright(opened).convert("RGBA").getchannel("A")
    visible = alpha.point(lambda level: level if level >= _VISIBLE else 0)
    return None if np.asarray(visible).all() else visible.getbbox() or (0, 0, 0, 0)


def _difference_hash(image: Image.Image) -> np.ndarray:
    """Whether each cell of a coarse gray grid is lighter than its left and than its upper neighbor: bool (512,)."""
    grid = image.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE + 1), Image.Resampling.BOX)
    levels = np.asarray(grid)
    return np.concatenate((levels[1:, 1:] > levels[1:, :-1], levels[1:, 1:] > levels[:-1, 1:])).ravel()
