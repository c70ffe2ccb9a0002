"""The documentation and the commands agree with the declared options."""

import argparse
from pathlib import Path

import pytest

from fashion.options import NAMES, OPTIONS, add_flags, flag_values
from serving.request_parsing import header_name

API = Path("docs/api.md")


def test_the_page_has_a_row_for_each_option_as_declared() -> None:
    rows = [
        f"| `{name}` | `{header_name(name)}` | {option.values} | {option.meaning} |" for name, option in OPTIONS.items()
    ]
    assert "\n".join(["| option | header | values | meaning |", "|---|---|---|---|", *rows]) + "\n" in API.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_each_option_is_a_flag_with_its_help(name: str) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, [name])
    assert OPTIONS[name].meaning in " ".join(parser.format_help().split())
    flag = f"--{name.replace('_', '-')}"
    given = [flag, "x"] if OPTIONS[name].metavar else [flag]
    assert flag_values(parser.parse_args(given), [name]) == {name: given[1] if len(given) == 2 else "true"}
    assert flag_values(parser.parse_args([]), [name]) == {}
