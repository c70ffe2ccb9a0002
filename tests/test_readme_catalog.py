"""The README's commands for a catalog give results with the shipped model, as its table of users promises."""

import csv
import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image
from tiny_bundle import garments

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOP, CATALOG = README.split("\n## ")[0], README.split("## A catalog")[1].split("\n## ")[0]
IDS = ["1042", "1077", "2001", *map(str, range(3000, 3021))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the included model, a catalog of drawn garments, and a photograph."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "model_store").symlink_to(ROOT / "model_store")
    with (folder / "catalog.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "image", "price", "stock", "date"])
        for i, (id, levels) in enumerate(zip(IDS, garments(len(IDS), 224, 5), strict=True)):
            Image.fromarray(levels).save(folder / f"{id}.jpg")
            table.writerow([id, f"{id}.jpg", 10 + i, i % 3, f"2026-0{1 + i % 6}-15"])
    shutil.copy(folder / "1042.jpg", folder / "photo.jpg")
    return folder


def commands(text: str) -> list[list[str]]:
    """The arguments of each `python -m catalog...` of a text, in order; parts of a line, and of a table's cell, too."""
    found = re.findall(r"python -m (catalog\.[a-z]+ [^#`\n]*?)(?:  |&&|`|\n)", text)
    return [shlex.split(command) for command in found]


def test_every_command_gives_a_result(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    made = {"score": "scored/score.json", "index": "scored/index/index.json", "export": "feed.tsv"}
    ordered = sorted(commands(TOP), key=lambda command: command[0] not in ("catalog.score", "catalog.index"))
    asked = [*ordered, *commands(CATALOG)]
    assert len(asked) >= 15
    for module, *arguments in asked:
        if module == "catalog.compare":
            for name in ("ours", "theirs"):
                shutil.copytree("scored", name, ignore=shutil.ignore_patterns("index"))
        imported = import_module(module)
        command = import_module(f"{module}.__main__") if hasattr(imported, "__path__") else imported
        assert command.main(arguments) in (0, None), [module, *arguments]
        assert capsys.readouterr().out.strip(), [module, *arguments]
        if (name := module.removeprefix("catalog.")) in made:
            assert Path(made[name]).stat().st_size > 0
    assert all(Path(name).exists() for name in ("found.png", "checks.jpg", "trends/index.html", "compared/index.html"))


def test_it_leads_each_of_its_users_somewhere() -> None:
    users = TOP.split("| you are |")[1].split("\n\n")[0]
    for user in ("merchandiser", "analyst", "engineer", "researcher"):
        (row,) = [line for line in users.splitlines() if user in line]
        assert "`python -m " in row, user
        assert "](" in row, user
    anchors = {re.sub(r"[^a-z0-9 -]", "", line.lower().lstrip("# ")).replace(" ", "-") for line in README.splitlines()}
    for anchor in re.findall(r"\]\(#([^)]+)\)", README):
        assert anchor in anchors, anchor
