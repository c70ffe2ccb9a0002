"""Small catalogs for the tests of catalog/: drawn photographs, and tables that reference or contain them."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tiny_bundle import garments

SIZE = 80  # px


def photograph(number: int) -> bytes:
    """A JPEG of a drawn garment, different for each number."""
    file = io.BytesIO()
    Image.fromarray(garments(1, SIZE, number)[0]).save(file, "JPEG", quality=92)
    return file.getvalue()


def write_photographs(folder: Path, count: int) -> list[Path]:
    """`0.jpg` ..., every other one in a subfolder."""
    paths = [folder / ("more" if i % 2 else "") / f"{i}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photograph(i))
    return paths


def write_csv(folder: Path, rows: int, photographs: int = 4) -> Path:
    """Write `catalog.csv` with `rows` products that share a few photographs in `images/`."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i in range(photographs):
        (folder / "images" / f"{i}.jpg").write_bytes(photograph(i))
    lines = [f"p{i},{i % photographs}.jpg,{i}.5,00{i},Brand {i % 3}" for i in range(rows)]
    path = folder / "catalog.csv"
    path.write_text("\n".join(["sku,photo,price,code,brand", *lines]) + "\n", encoding="utf-8")
    return path


def write_parquet(path: Path, rows: int, stored_as: str = "struct", start: int = 0, bad: int | None = None) -> Path:
    """Write products with their photographs in the file: as `binary`, or in the `struct` of the library `datasets`.

    Row `bad` has an invalid photograph.
    """
    content = [b"broken" if i == bad else photograph(i % 4) for i in range(start, start + rows)]
    images = (
        pa.array(content, pa.binary())
        if stored_as == "binary"
        else pa.array([{"bytes": image, "path": "x.jpg"} for image in content])
    )
    numbers = list(range(start, start + rows))
    columns = {"image": images, "item_ID": pa.array(numbers), "stock": pa.array(numbers, pa.int32())}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=5)
    return path
