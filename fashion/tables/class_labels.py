"""Class labels of the library `datasets`: numbers in a Parquet file, whose names stand in the schema's metadata."""

import json
from typing import Any

import pyarrow as pa

LIST_FEATURES = ("List", "LargeList", "Sequence")  # what `datasets` calls a column of lists, by its version


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """The names of each column of ClassLabel, or of lists of it, in the order of their numbers."""
    metadata = (schema.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(metadata).get("info", {}).get("features", {})
    found = {column: _names(feature) for column, feature in features.items() if column in schema.names}
    return {column: names for column, names in found.items() if names is not None}


def named(cell: Any, names: list[str]) -> Any:
    """The name of a number, or the names of a list of them. -1 is "no label": None, and nothing in a list."""
    if isinstance(cell, list):
        return [name for name in (named(each, names) for each in cell) if name is not None]
    return names[cell] if cell is not None and 0 <= cell < len(names) else None


def _names(feature: Any) -> list[str] | None:
    """The names of a feature as `datasets` describes it; None where it is no class label."""
    if isinstance(feature, list) and len(feature) == 1:  # as versions of `datasets` before 2 wrote a list
        return _names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") in LIST_FEATURES:
        return _names(feature.get("feature"))
    return feature.get("names") if feature.get("_type") == "ClassLabel" else None
