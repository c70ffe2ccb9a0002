"""Read and write the colors of a scored catalog's products in a Parquet file beside its parts.

FOLDER/colors.parquet           id, stamp, and lists of hex, name, basic and share of the colors
FOLDER/colors_left_out.csv      products without colors, with reasons
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.scored.columns import ID
from fashion.colors.palette import DominantColor
from fashion.errors import DataError, one_line
from fashion.files import write_atomically, write_csv
from fashion.text_tables import percent_cell

COLORS_FILE, COLORLESS_FILE = "colors.parquet", "colors_left_out.csv"
STAMP, HEX, NAME, BASIC, SHARE = "stamp", "hex", "name", "basic", "share"
SCHEMA = pa.schema(
    [
        pa.field(ID, pa.string()),
        pa.field(STAMP, pa.string()),
        *(pa.field(name, pa.list_(pa.string())) for name in (HEX, NAME, BASIC)),
        pa.field(SHARE, pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class ColoredProduct:
    """A product and its colors.

    Attributes:
        id: of the product.
        stamp: path, size and modification time of the measured photograph.
        colors: the largest share first; empty if the photograph could not be used.
        fault: why there are none.
    """

    id: str
    stamp: str
    colors: tuple[DominantColor, ...] = ()
    fault: str = ""


def read_colors(folder: Path, ids: Sequence[str] | None = None) -> dict[str, ColoredProduct]:
    """Read the colors of a scored catalog, by product.

    Args:
        folder: of the scored catalog.
        ids: the products; None reads all.

    Raises:
        DataError: there are no colors yet, or the file is broken.
    """
    path = Path(folder) / COLORS_FILE
    try:
        table = pq.read_table(path, schema=SCHEMA, filters=None if ids is None else [(ID, "in", list(ids))])
    except FileNotFoundError:
        raise DataError(f"{folder} has no colors yet; python -m catalog.colors {folder} measures them") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is broken: {one_line(error)}; remove it and run python -m catalog.colors") from None
    cells = (table[name].to_pylist() for name in SCHEMA.names)
    return {
        id: ColoredProduct(id, stamp, tuple(map(DominantColor, shares, *colors)))
        for id, stamp, *colors, shares in zip(*cells, strict=True)
    }


def write_colors(folder: Path, products: Sequence[ColoredProduct]) -> Path:
    """Write the colors of products, and the list of those that have none."""
    good = [product for product in products if not product.fault]
    columns = {
        ID: [product.id for product in good],
        STAMP: [product.stamp for product in good],
        **{
            name: [[getattr(color, name) for color in product.colors] for product in good]
            for name in (HEX, NAME, BASIC, SHARE)
        },
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns, schema=SCHEMA), file, compression="zstd")
    without = ((product.id, product.fault) for product in products if product.fault)
    write_csv(folder / COLORLESS_FILE, ("id", "detail"), without)
    return write_atomically(folder / COLORS_FILE, file.getvalue())


def named_colors(colors: Iterable[DominantColor]) -> str:
    """Colors in words, such as `navy blue 62 %, white 20 %`."""
    return ", ".join(f"{color.name} {percent_cell(color.share)}" for color in colors)
