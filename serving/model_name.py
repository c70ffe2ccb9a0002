"""The name of a served model, a part of its addresses: `/predictions/NAME`."""

import re

from fashion.errors import SettingError

PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # names that TorchServe accepts; also a part of the URL


def check_name(name: str) -> None:
    """Raise SettingError if a model cannot have this name."""
    if not PATTERN.fullmatch(name):
        raise SettingError(
            f"model name {name!r} must be letters, digits, '_', '-' and '.', beginning with a letter or digit, "
            "such as fashion"
        )
