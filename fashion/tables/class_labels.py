"""Class labels of the library `datasets`: integers in a Parquet file, with names in the schema's metadata."""

import json
from typing import Any

import pyarrow as pa

LIST_FEATURES = ("List", "LargeList", "Sequence")  # list types in different versions of `datasets`


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """By column of type ClassLabel, or list of ClassLabel: its class names in the order of their numbers."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        described = {column: features[column] for column in schema.names if column in features}
    except (ValueError, KeyError, TypeError):  # missing or broken metadata: the numbers are kept
        return {}
    found = {column: _names(feature) for column, feature in described.items()}
    return {column: names for column, names in found.items() if names is not None}


def to_class_names(cell: Any, names: list[str]) -> Any:
    """The name of a class number, or the names of a list of them. -1 is "no label": None, or omitted from a list."""
    if isinstance(cell, list):
        return [name for name in (to_class_names(each, names) for each in cell) if name is not None]
    return names[cell] if cell is not None and 0 <= cell < len(names) else None


def _names(feature: Any) -> list[str] | None:
    """The class names of a feature in the metadata of `datasets`; None if it is not a class label."""
    if isinstance(feature, list) and len(feature) == 1:  # a list in versions of `datasets` before 2
        return _names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") in LIST_FEATURES:
        return _names(feature.get("feature"))
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    return list(map(str, names)) if isinstance(names, list) else None
