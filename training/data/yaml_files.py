"""Reading of the small YAML files that a user writes for the data: names and rules."""

import sys
import unicodedata
from pathlib import Path
from typing import Any

import yaml

from fashion.errors import DataError, one_line
from fashion.model_card import ModelCard


class UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that is repeated in a table; plain YAML silently keeps only the last one."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            name, line = (key.tag, str(key.value)), key.start_mark.line + 1
            if name in lines:
                raise yaml.YAMLError(
                    f"line {line} repeats the key {key.value!r} of line {lines[name]}; keep one with the entries of "
                    "both (for several sources of a derived group: a list)"
                )
            lines[name] = line
        return node


def read_yaml(path: Path | str, what: str) -> Any:
    """The content of a file, normalized to NFC as labels are; an empty dict for an empty file.

    Raises:
        DataError: it cannot be read or repeats a key; `what` names the expected content, such as "names".
    """
    try:
        text = unicodedata.normalize("NFC", Path(path).read_text(encoding="utf-8"))
        return yaml.load(text, UniqueKeyLoader) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"the {what} in {path} cannot be read: {one_line(error)}") from None


def file_of_training(card: ModelCard, setting: str) -> Path | None:
    """The names or rules file that a model was trained with; None, with a note on stderr, if it is no longer there.

    Args:
        card: of the model.
        setting: `names` or `rules`.
    """
    name = card.training.get("settings", {}).get("data", {}).get(setting)
    if not name:
        return None
    path = Path(name)
    # The card of a shipped model has the bare name; a file of that name in the current folder may be any.
    if path.name != name and path.is_file():
        return path
    print(
        f"note   the model was trained with the {setting} of {name}, which is not here; give --{setting}",
        file=sys.stderr,
    )
    return None
