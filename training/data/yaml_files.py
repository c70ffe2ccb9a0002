"""The small YAML files that a user writes beside the data: names and rules."""

import unicodedata
from pathlib import Path
from typing import Any

import yaml

from fashion.errors import DataError, one_line


def read_yaml(path: Path | str, what: str) -> Any:
    """The content of a file, an empty dictionary where there is none; its text in the normal form of labels (NFC).

    Raises:
        DataError: it cannot be read; `what` says what it should hold, such as "names".
    """
    try:
        return yaml.safe_load(unicodedata.normalize("NFC", Path(path).read_text(encoding="utf-8"))) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"the {what} in {path} cannot be read: {one_line(error)}") from None
