"""The programs accept the commands of docs/imaterialist.md."""

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.activation_memory import main as activation_memory
from training.fit import FashionCLI
from training.sources.__main__ import _parser

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/imaterialist.md").read_text(encoding="utf-8")
BLOCKS = [line.strip().split("   ")[0] for line in PAGE.splitlines() if line.startswith("    ")]
COMMANDS = [shlex.split(line.partition(" -m ")[2]) for line in BLOCKS if " -m " in line]
FLAGS = re.findall(r"^\| [^|]+ \| `(--[^`]+)`", PAGE, re.MULTILINE)


def settings(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    path = [] if "--data.path" in arguments else ["--data.path", "x"]
    with pytest.raises(SystemExit) as end:
        FashionCLI([*arguments, *path, "--print_config"])
    assert not end.value.code
    return yaml.safe_load(capsys.readouterr().out)


def test_the_page_has_its_commands() -> None:
    modules = {command[0] for command in COMMANDS}
    assert modules >= {"training.sources", "training.fit", "training.export", "training.evaluate"}
    assert modules >= {"training.import_weights", "fashion.predictor", "serving.archive", "serving.server"}
    assert len(FLAGS) == 6


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "training.fit"], ids=" ".join)
def test_training_takes_its_settings(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    values = settings(command[1:], capsys)
    assert values["run"] == "runs/imaterialist"
    if "--trainer.num_nodes" in command:
        assert (values["trainer"]["num_nodes"], values["trainer"]["devices"]) == (2, 4)


@pytest.mark.parametrize("flags", FLAGS)
def test_training_takes_the_flags_of_the_table(flags: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = flags.split()
    values = settings(["--config", str(ROOT / "training/configs/imaterialist.yaml"), "--run", "x", *arguments], capsys)
    for name, text in zip(arguments[::2], arguments[1::2], strict=True):
        part, key = name.removeprefix("--").split(".")
        assert yaml.safe_load(str(values[part][key])) == yaml.safe_load(text), name  # devices may be a number as text
    trainer, batch = values["trainer"], values["data"]["batch_size"]
    if "keep" in PAGE.split(f"`{flags}`")[1].splitlines()[0]:
        assert batch * int(trainer["devices"]) * (trainer["accumulate_grad_batches"] or 1) == 256


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "training.sources"], ids=" ".join)
def test_the_importer_takes_its_arguments(command: list[str]) -> None:
    options = _parser().parse_args(command[1:])
    assert (options.source is None) != (options.shards is None)


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c[0] not in ("training.fit", "training.sources")], ids=" ".join
)
def test_other_programs_have_the_flags(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    module, *arguments = command
    with pytest.raises(SystemExit):
        import_module(module).main(["--help"])
    text = capsys.readouterr().out
    assert f"python -m {module}" in text
    for argument in arguments:
        assert not argument.startswith("--") or argument in text, argument


def test_the_table_of_memory_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert activation_memory([]) == 0
    assert capsys.readouterr().out.strip() in PAGE


def test_linked_files_are_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target
