"""Run the notebooks in place, so that they contain their outputs, and save three pictures for the docs.

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
from catalog.similar.sheet import draw_sheet
from fashion.errors import DataError, one_line_errors
from fashion.files import write_atomically
from fashion.image_files import image_files
from fashion.pictures.portrait import portrait
from fashion.pictures.tiles import stacked
from fashion.predictor import Predictor

FOLDER, IMAGES, WORK = Path("notebooks"), Path("docs/img"), Path("runs/notebooks")
PORTRAITS = (2, 3)  # photographs of the test split
QUERY = "test-00002.jpg"
FOUND = 4
CODE = "code_sha256"  # in a notebook's metadata: hash of the code that its outputs are from


def execute(path: Path, settings: Mapping[str, str]) -> None:
    """Run a notebook in its own kernel and write it with its outputs, atomically.

    Progress bars and times are left out, because they change with each run.

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
    write_atomically(path, nbformat.writes(notebook) + "\n")


def code_hash(notebook: Any) -> str:
    """The sha256 of a notebook's code, in hexadecimal; the modules that functions are imported from are ignored."""
    cells = [cell.source.splitlines() for cell in notebook.cells if cell.cell_type == "code"]
    code = ["\n".join(line for line in lines if not line.startswith(("from ", "import "))) for lines in cells]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def draw(bundle: Path, photographs: Path, index: Path, images: Path) -> list[Path]:
    """Draw `attribute_prediction.png` and `product_matching.png`.

    Args:
        bundle: the model.
        photographs: the folder that the attribute notebook uses.
        index: of the product notebook.
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
    """Write the JPEG output of a notebook cell to a file.

    Args:
        notebook: with outputs.
        call: text in the cell's code.
        picture: the file to write.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    (cell,) = (cell for cell in cells if cell.cell_type == "code" and call in cell.source)
    (shown,) = (output.data["image/jpeg"] for output in cell.outputs if "image/jpeg" in output.get("data", {}))
    return write_atomically(picture, base64.b64decode(shown))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the notebooks and draw the pictures; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebooks", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, help="folder in the training format with splits val and test")
    options = parser.parse_args(arguments)
    with one_line_errors():
        shutil.rmtree(WORK, ignore_errors=True)  # scores of other models
        settings = {"FASHION_BUNDLE": str(options.bundle), "FASHION_FOLDER": str(options.data)}
        for path in tqdm(sorted(FOLDER.glob("*.ipynb")), desc="running", unit="notebook"):
            execute(path, settings)
        drawn = draw(options.bundle, WORK / "prediction/photographs", WORK / "matching/index", IMAGES)
        for path in (*drawn, keep(FOLDER / "trends.ipynb", "draw_trends(", IMAGES / "trends.jpg")):
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
