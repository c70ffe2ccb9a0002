"""Reading of the small YAML files that a user writes for the data: names and rules."""

import unicodedata
from pathlib import Path
from typing import Any

import yaml

from fashion.errors import DataError, one_line


def read_yaml(path: Path | str, what: str) -> Any:
    """The content of a file, normalized to NFC as labels are; an empty dict for an empty file.

    Raises:
        DataError: it cannot be read; `what` names the expected content, such as "names".
    """
    try:
        return yaml.safe_load(unicodedata.normalize("NFC", Path(path).read_text(encoding="utf-8"))) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"the {what} in {path} cannot be read: {one_line(error)}") from None
