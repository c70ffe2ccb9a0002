"""Runs the notebooks in place, so that they hold the outputs of their code, and keeps three pictures for the README.

python -m benchmarks.notebooks runs/sample/bundle data/sample
"""

import argparse
import base64
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm

from catalog import open_index
from catalog.scoring.opening import image_files
from catalog.similar.sheet import draw_sheet
from fashion.errors import DataError, one_line_errors
from fashion.files import write_whole
from fashion.pictures.portrait import portrait
from fashion.pictures.tiles import stacked
from fashion.predictor import Predictor

FOLDER, IMAGES, WORK = Path("notebooks"), Path("docs/img"), Path("runs/notebooks")
PORTRAITS = (2, 3)  # photographs of the test split
QUERY = "test-00002.jpg"
FOUND = 4
CODE = "code_sha256"  # in a notebook's metadata: of the code whose outputs it holds


def execute(path: Path, settings: Mapping[str, str]) -> None:
    """Run a notebook in a kernel of its own and write it with its outputs, or not at all.

    Progress bars and times are left out: they would change with each run.

    Args:
        path: the notebook.
        settings: environment variables of its kernel.

    Raises:
        DataError: a cell raises.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}, record_timing=False)
    try:
        client.execute(env=os.environ | dict(settings))
    except CellExecutionError as error:
        raise DataError(f"{path} cannot be run: {error.ename}: {error.evalue}") from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata[CODE] = code_hash(notebook)
    write_whole(path, nbformat.writes(notebook) + "\n")


def code_hash(notebook: Any) -> str:
    """The sha256 of the code of a notebook, as hexadecimal digits; where a function is imported from does not count."""
    cells = [cell.source.splitlines() for cell in notebook.cells if cell.cell_type == "code"]
    code = ["\n".join(line for line in lines if not line.startswith(("from ", "import "))) for lines in cells]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def draw(bundle: Path, photographs: Path, index: Path, images: Path) -> list[Path]:
    """Draw `attribute_prediction.png` and `product_matching.png`.

    Args:
        bundle: the model.
        photographs: the folder that the notebook of attributes looks at.
        index: of the notebook of products.
        images: the folder to write to.
    """
    predictor = Predictor.from_bundle(bundle)
    photos = image_files(photographs)
    portraits = [portrait(predictor, photos[i]) for i in PORTRAITS]
    with open_index(index) as opened:
        product = opened.product(QUERY)
        nearest = opened.search(QUERY, limit=FOUND)
        colors = opened.search(QUERY, space="attributes", weights={"category": 3, "color": 0}, limit=FOUND)
    sheets = [draw_sheet([product], nearest, "nearest"), draw_sheet([product], colors, "same category, any color")]
    pictures = {"attribute_prediction.png": stacked(portraits), "product_matching.png": stacked(sheets)}
    return [picture.write(images / name) for name, picture in pictures.items()]


def keep(notebook: Path, call: str, picture: Path) -> Path:
    """Write the JPEG picture that a cell of a notebook shows.

    Args:
        notebook: with outputs.
        call: what stands in the cell's code.
        picture: the file to write.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    (cell,) = (cell for cell in cells if cell.cell_type == "code" and call in cell.source)
    (shown,) = (output.data["image/jpeg"] for output in cell.outputs if "image/jpeg" in output.get("data", {}))
    return write_whole(picture, base64.b64decode(shown))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the notebooks and draw the pictures; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebooks", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, help="folder in the training format with splits val and test")
    options = parser.parse_args(arguments)
    with one_line_errors():
        shutil.rmtree(WORK, ignore_errors=True)  # what other models scored
        settings = {"FASHION_BUNDLE": str(options.bundle), "FASHION_FOLDER": str(options.data)}
        for path in tqdm(sorted(FOLDER.glob("*.ipynb")), desc="running", unit="notebook"):
            execute(path, settings)
        drawn = draw(options.bundle, WORK / "prediction/photographs", WORK / "matching/index", IMAGES)
        for path in (*drawn, keep(FOLDER / "trends.ipynb", "draw_trends(", IMAGES / "trends.jpg")):
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
