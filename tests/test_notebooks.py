"""The notebooks run on any bundle and folder, and their saved outputs are those of their code."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from benchmarks.notebooks import CODE, code_hash, execute
from fashion.errors import DataError
from training.sources.sample import make_sample

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
MOST_BYTES = 1_500_000


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(tmp_path_factory.mktemp("data") / "sample", train=1, val=6, test=10, size=64, workers=1)


def run(path: Path, bundle: Path, folder: Path, work: Path) -> subprocess.CompletedProcess[str]:
    """Run a notebook as a reader would, with settings from environment variables."""
    settings = {"FASHION_BUNDLE": str(bundle), "FASHION_FOLDER": str(folder), "FASHION_WORK": str(work)}
    command = [sys.executable, "-m", "pytest", "--nbmake", "--override-ini", "addopts=", "-p", "no:schemathesis"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", str(path)],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_the_notebooks_are_found() -> None:
    assert NAMES == ["attribute_prediction", "product_matching", "trends"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_runs(path: Path, bundle: Path, sample: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    ended = run(path, bundle, sample, tmp_path / "work")
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "1 passed" in ended.stdout
    assert path.read_bytes() == before
    assert any((tmp_path / "work").iterdir())


def test_a_missing_bundle_is_a_one_line_error(bundle: Path, tmp_path: Path) -> None:
    path = ROOT / "notebooks/attribute_prediction.ipynb"
    ended = run(path, bundle, tmp_path / "nowhere", tmp_path / "work")
    assert ended.returncode == 1
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("error: ")]
    assert line == f"error: {tmp_path / 'nowhere'} does not exist; `make data` draws the sample into data/sample"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_saved_outputs_are_those_of_the_code(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.get(CODE) == code_hash(notebook), "its code has changed; run: make notebooks"
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result", "display_data"}  # no error
    assert sum("image/jpeg" in output.get("data", {}) or "image/png" in output.get("data", {}) for output in outputs)
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_saved_outputs_have_no_local_paths(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        texts = [cell.source] + [
            str(output.get("text", output.get("data", {}).get("text/plain"))) for output in cell.get("outputs", [])
        ]
        for text in texts:
            assert not re.search(r"(?<![\w.])/(work|root|home|tmp|usr|Users)/", text), text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_cells_are_short_and_explained(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert max(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code") <= 20
    words, code = (sum(cell.cell_type == kind for cell in cells) for kind in ("markdown", "code"))
    assert words >= code - 2


def test_a_cell_that_raises_leaves_the_notebook_as_it_was(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(code) for code in ("print(1)", "1 / 0")]
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"broken\.ipynb cannot be run: ZeroDivisionError: division by zero"):
        execute(path, {})
    assert path.read_bytes() == before
