"""The manifest of an index."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from catalog.engines.store import Query, Store, Tuning
from catalog.filters.columns import Columns
from catalog.scored.score_manifest import Manifest as ScoreManifest
from catalog.similar.projection import Projection
from catalog.similar.spaces import Scales
from fashion.errors import DataError, FashionError
from fashion.taxonomy import Label, Taxonomy

SCHEMA = 4


@dataclass(frozen=True)
class IndexManifest:
    """Description of an index, stored with it.

    Attributes:
        model: name, version and weights of the model that computed the vectors.
        labels: of the model, in output order.
        profile: name of the thresholds that chose the answered attributes.
        embedding: length of an embedding.
        columns: columns that filters can name.
        scales: average similarities of its products, for normalization.
        tuning: how it was built.
        projection: projection to coarse vectors; None if every search compares all products.
        catalog: the folder of the scored catalog.
        rows: number of products.
        complete: false while the index is being written, or if writing was interrupted.
        created: date and time of the last change, ISO 8601, UTC.
        photographs: number of photographs with a point of their own: those of products that have several.
        corrections: number of the last correction entry that the index includes.
        schema: version of this layout.
    """

    model: dict[str, str]
    labels: tuple[Label, ...]
    profile: str
    embedding: int
    columns: Columns
    scales: Scales
    tuning: Tuning
    projection: Projection | None
    catalog: str
    rows: int
    complete: bool
    created: str
    photographs: int = 0
    corrections: int = 0
    schema: int = SCHEMA

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The labels as a taxonomy."""
        return Taxonomy(self.labels)

    def query(self, vectors: np.ndarray, exact: bool) -> Query:
        """The engine's query for the points with the largest dot product with vectors (..., E + A).

        Args:
            vectors: see `catalog.similar.spaces.Measure.query`.
            exact: compare every product even if the index is approximate.
        """
        return Query(vectors, None if exact or self.projection is None else self.projection.queries(vectors))

    def to_json(self) -> dict[str, Any]:
        """The manifest as stored."""
        return {
            **{name: value for name, value in vars(self).items() if name in self.__dataclass_fields__},
            "labels": self.taxonomy.to_json(),
            "columns": self.columns.to_json(),
            "scales": asdict(self.scales),
            "tuning": asdict(self.tuning),
            "projection": self.projection and self.projection.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], place: str) -> "IndexManifest":
        """The inverse of `to_json`.

        Raises:
            DataError: the schema is another, or the content is broken; the message names `place`.
        """
        found = content.get("schema") if isinstance(content, Mapping) else type(content).__name__
        if found != SCHEMA:
            raise DataError(
                f"the index {place} has schema {found}; this version reads {SCHEMA}; index the catalog again with "
                "--replace"
            )
        try:
            return cls(
                **{
                    **content,
                    "labels": Taxonomy.from_json(content["labels"]).labels,
                    "columns": Columns.from_json(content["columns"]),
                    "scales": Scales(**content["scales"]),
                    "tuning": Tuning(**content["tuning"]),
                    "projection": content["projection"] and Projection.from_json(content["projection"]),
                }
            )
        except (KeyError, TypeError, ValueError, FashionError) as error:
            raise DataError(f"the index {place} has a broken manifest: {error!r}; index the catalog again") from None


def catalog_folders(manifest: IndexManifest, store: Store) -> list[Path]:
    """Where the scored catalog of an index may be: around the index, if it was copied with it, and where it was.

    The folder around the index comes first only if products were scored there with the same model.
    """
    recorded = Path(manifest.catalog)
    if store.folder is None:
        return [recorded]
    around = store.folder.absolute().parent
    return [around, recorded] if _scored_by(around) == manifest.model["weights"] else [recorded, around]


def _scored_by(folder: Path) -> str | None:
    """The weights of the model that scored a catalog; None if there is none that can be read."""
    try:
        return ScoreManifest.load(folder).model["weights"]
    except FashionError:
        return None
