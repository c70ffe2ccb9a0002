"""The photographs of the serving benchmarks: drawn garments, written as JPEGs of several sizes and qualities."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from fashion.files import write_atomically
from fashion.jpeg import jpeg_bytes

# Width and height, px: most are typical of shops, about 600x600, some smaller, some uncropped camera formats.
# Any few consecutive sizes are a fair sample, because slow servers process only the first photographs.
SIZES = (
    (600, 600),
    (600, 800),
    (480, 480),
    (1000, 1000),
    (640, 640),
    (600, 600),
    (512, 680),
    (800, 800),
    (600, 600),
    (720, 900),
    (560, 560),
    (900, 1200),
)
SMALL_SIZES = ((96, 96), (120, 160), (80, 80))
QUALITIES = (75, 85, 92, 80, 95)  # five, so that each is combined with each of the twelve sizes
PROGRESSIVE = 6  # every sixth is progressive
COUNT = 24


def photographs(folder: Path, sizes: Sequence[tuple[int, int]] = SIZES, count: int = COUNT) -> list[bytes]:
    """JPEG files, drawn if they are not in `folder` yet; the same on every machine.

    Args:
        folder: where they are kept for reuse.
        sizes: width and height of each, px, used cyclically.
        count: number of files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / _name(i, sizes) for i in range(count)]
    missing = [i for i, path in enumerate(paths) if not path.is_file()]
    for i in tqdm(missing, "drawing photographs", unit="image", disable=not missing):
        write_atomically(paths[i], _photograph(i, sizes))
    return [path.read_bytes() for path in paths]


def _photograph(i: int, sizes: Sequence[tuple[int, int]]) -> bytes:
    from training.sources.drawing import draw

    width, height = sizes[i % len(sizes)]
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    image = draw(i, side)[0].crop((left, top, left + width, top + height))
    return jpeg_bytes(image, QUALITIES[i % len(QUALITIES)], progressive=i % PROGRESSIVE == PROGRESSIVE - 1)


def _name(i: int, sizes: Sequence[tuple[int, int]]) -> str:
    width, height = sizes[i % len(sizes)]
    return f"{i:02d}-{width}x{height}-q{QUALITIES[i % len(QUALITIES)]}.jpg"
