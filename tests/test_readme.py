"""The README's Python blocks, its commands for an own catalog, its make targets and its files."""

import csv
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from colored_shapes import COLORS, block
from image_files import encoded
from PIL import Image
from tiny_bundle import garments

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TREE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = [
    block
    for page in (README, (ROOT / "docs/bundle.md").read_text(encoding="utf-8"))
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
]
COMMANDS = [line.strip().split("  ")[0] for line in README.splitlines() if line.startswith("    ")]
SMALL = ["--model.arch", "resnet18", "--model.weights", "none", "--data.input.size", "32"]
SMALL += ["--model.lr", "0.002", "--data.batch_size", "16", "--data.workers", "0", "--trainer.max_epochs", "3"]
SMALL += ["--trainer.accelerator", "cpu", "--trainer.precision", "32-true"]


def run(*command: str, folder: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.fixture
def home(exported: Path, tmp_path: Path) -> Path:
    """A folder as after `make demo`."""
    (tmp_path / "runs/sample").mkdir(parents=True)
    (tmp_path / "runs/sample/bundle").symlink_to(exported)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/demo.jpg").write_bytes(encoded(Image.fromarray(garments(1, 96, 7)[0])))
    return tmp_path


def test_python_blocks(home: Path) -> None:
    assert len(PYTHON_BLOCKS) == 2
    run(sys.executable, "-c", PYTHON_BLOCKS[0], folder=home)
    lines = run(sys.executable, "-c", PYTHON_BLOCKS[1], folder=home).splitlines()
    assert [line.split()[0] for line in lines] == ["model.onnx", "model.int8.onnx", "model.pth", "model.ckpt"]
    onnx, int8, pth, ckpt = (float(line.split()[-1]) for line in lines)
    assert max(onnx, pth, ckpt) - min(onnx, pth, ckpt) <= 1e-4
    assert abs(int8 - pth) <= 0.05


def test_own_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "FOLDER"
    (folder / "images").mkdir(parents=True)
    for split, count in (("train", 180), ("val", 30)):
        rows = [(f"{split}{i}.png", i % 2 == 0, list(COLORS)[i % 3]) for i in range(count)]
        with (folder / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "category", "color"])
            writer.writerows([name, "Wide" if wide else "Tall", color] for name, wide, color in rows)
        for i, (name, wide, color) in enumerate(rows):
            (folder / "images" / name).write_bytes(block(COLORS[color], wide, gray=255 - i % 100))
    section = README.split("## Your own catalog")[1].split("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("    python -m")]
    assert [shlex.split(line)[2] for line in lines] == [
        "training.fit",
        "training.export",
        "training.evaluate",
        "serving.archive",
        "serving.server",
    ]
    monkeypatch.chdir(tmp_path)
    for line in lines[:-1]:  # test_server starts the server
        module, *arguments = shlex.split(line)[2:]
        if module == "training.fit":
            arguments[arguments.index("--config") + 1] = str(ROOT / "training/configs/catalog.yaml")
            arguments += SMALL
        assert not import_module(module).main(arguments), line
    assert (tmp_path / "model_store/fashion.mar").stat().st_size > 0


@pytest.mark.parametrize("target", sorted({line.split()[1] for line in COMMANDS if line.startswith("make ")}))
def test_make_targets(target: str) -> None:
    assert run("make", "--dry-run", target, folder=ROOT)


def test_make_data_writes_the_photograph_of_the_examples() -> None:
    assert "data/demo.jpg" in README
    assert "--out data/demo.jpg" in run("make", "--dry-run", "data", folder=ROOT)


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([a-z_.]+)", README))))
def test_modules_print_help(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    imported = import_module(module)
    command = import_module(f"{module}.__main__") if hasattr(imported, "__path__") else imported
    with pytest.raises(SystemExit) as exit:
        command.main(["--help"])
    assert exit.value.code == 0
    assert f"python -m {module}" in capsys.readouterr().out


def test_the_tree_names_files_that_are_there() -> None:
    tree = TREE.split("## The tree")[1].split("\n## ")[0]
    folders: dict[int, str] = {}  # by depth of indentation
    for line in tree.splitlines():
        if not line.startswith("    "):
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        names, _, rest = line.strip().partition("  ")
        folders = {at: name for at, name in folders.items() if at < depth}
        above = folders[max(folders)] if folders else ""  # a file may have entries below it
        if names.endswith("/"):
            folders[depth] = above = above + names
            assert (ROOT / above).is_dir() or above == "model_store/", above
            names = ""
        for name in [*filter(None, names.split(", ")), *re.findall(r"[a-z0-9_]+\.py\b", rest)]:
            assert (ROOT / above / name).exists(), f"{above}{name}"


def test_linked_files_are_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_the_readme_is_readable_in_five_minutes() -> None:
    assert len(README.splitlines()) <= 200
