"""The manifest of a scored catalog, score.json, and the origin that all parts share."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fashion.errors import DataError, FashionError, one_line
from fashion.taxonomy import Label, Taxonomy

MANIFEST_FILE = "score.json"
PARTS = "part-*.parquet"
SCHEMA = 1


@dataclass(frozen=True)
class Origin:
    """Origin of a scored catalog, which all its parts must share.

    Attributes:
        model: name, version and weights of the model, as in answers.
        source: the scored source: the absolute path of a folder or a table, or globs.
        profile: name of the thresholds that chose the answered attributes.
    """

    model: dict[str, str]
    source: str
    profile: str


@dataclass(frozen=True)
class Manifest:
    """Content of score.json.

    Attributes:
        model, source, profile: see `Origin`.
        labels: group and name of each probability, in the order of the model's outputs.
        embedding: length of an embedding.
        columns: the source's own columns, by name.
        parts: number of rows of each Parquet file, by its name; other files are ignored.
        left_out: number of images that could not be scored, by reason; left_out.csv lists them.
        created: date and time, ISO 8601, UTC.
        schema: version of this layout.
    """

    model: dict[str, str]
    source: str
    profile: str
    labels: tuple[Label, ...]
    embedding: int
    columns: tuple[str, ...]
    parts: dict[str, int]
    left_out: dict[str, int]
    created: str
    schema: int = SCHEMA

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The labels as a taxonomy."""
        return Taxonomy(self.labels)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the attribute groups, in order of first appearance."""
        return self.taxonomy.groups

    @property
    def rows(self) -> int:
        """Number of scored products."""
        return sum(self.parts.values())

    def to_json(self) -> dict[str, Any]:
        """The content of score.json; `groups` and `rows` are redundant, for human readers."""
        derived = {"groups": list(self.groups), "rows": self.rows}
        return asdict(self) | {"labels": self.taxonomy.to_json()} | derived

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Read `folder/score.json`.

        Raises:
            DataError: the file is missing, or is not a manifest of this schema.
        """
        path = Path(folder) / MANIFEST_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(_no_manifest(Path(folder))) from None
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as JSON: {error}; score again") from None
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        if found != SCHEMA:
            raise DataError(f"{path} has schema {found}; this version of the project reads schema {SCHEMA}")
        try:
            del content["groups"], content["rows"]
            content["labels"] = Taxonomy.from_json(content["labels"]).labels
            return cls(**content | {"columns": tuple(content["columns"])})
        except (TypeError, KeyError, FashionError) as error:
            raise DataError(f"{path} is not a manifest of a scored catalog: {one_line(error)}; score again") from None


def _no_manifest(folder: Path) -> str:
    if any(folder.glob(PARTS)):
        return f"the scoring of {folder} is not complete; run the same python -m catalog.score again to continue"
    return f"{folder} is not a scored catalog: it has no {MANIFEST_FILE}; python -m catalog.score makes one"


def describe_model(model: Mapping[str, str]) -> str:
    """Name, version and the first digits of the weights' hash."""
    return f"{model['name']} {model['version']} ({model['weights'].removeprefix('sha256:')[:12]})"
