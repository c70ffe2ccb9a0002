"""Results of a search: products, how they match the query, and why they were found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from catalog.engines.store import Record
from catalog.filters.columns import ID, IMAGE, SOURCE
from catalog.similar.manifest import IndexManifest


@dataclass(frozen=True)
class Product:
    """A product, or a photograph used as a query.

    Attributes:
        id: the catalog's id, or the path of a query photograph.
        image: path of the photograph; empty if there is none.
        attributes: the model's answers, by group.
        source: the source's own columns; those without a value are left out.
        embedding: at unit length, float32 (E,).
        scores: attribute scores for comparison, float32 (A,), see `catalog.similar.spaces.scores`.
        payload: as stored in the engine; empty for a query photograph.
        repeated: names of labels in several of the model's groups; they are shown with their group.
    """

    id: str
    image: str
    attributes: dict[str, list[str]]
    source: dict[str, Any]
    embedding: np.ndarray
    scores: np.ndarray
    payload: dict[str, Any] = field(default_factory=dict, repr=False)
    repeated: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def point(self) -> np.ndarray:
        """See `catalog.similar.spaces.point`."""
        return np.concatenate([self.embedding, self.scores])

    @property
    def names(self) -> list[str]:
        """The attributes of all groups, as shown."""
        return self.shown(self.attributes)

    def shown(self, attributes: Mapping[str, Sequence[str]]) -> list[str]:
        """Attributes by group as people read them: `Red`, but `pattern Solid` if another group has a `Solid` too."""
        return [
            f"{group} {name}" if name in self.repeated else name
            for group, names in attributes.items()
            for name in names
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything but the vectors."""
        return {"id": self.id, "image": self.image, "attributes": self.attributes, "source": self.source}


class NameDifference(NamedTuple):
    """Attributes of a group that only the query (`wanted`) or only the match (`found`) has."""

    wanted: list[str]
    found: list[str]


class Reason(NamedTuple):
    """Why a product was found for a phrase of a text query.

    Attributes:
        asked: the phrase.
        kind: "label", "title" or "likely"; "nothing" if the word is no label and there is no evidence for it.
        found: the label, or the phrase as written in the product texts.
        probability: of the label, or of the learned word; None for titles.
    """

    asked: str
    kind: Literal["label", "title", "likely", "nothing"]
    found: str
    probability: float | None = None

    def __str__(self) -> str:
        text = self.found if self.kind == "label" else f"{self.kind} {self.found!r}"
        return text if self.probability is None else f"{text} {self.probability:.2f}"


@dataclass(frozen=True)
class Match:
    """A product that was found.

    Attributes:
        product: the product.
        similarity: to the query: 1 is identical, 0 is like two random products; None without a comparison.
        shared: attributes that both have, by group; empty without a comparison.
        differing: attributes that only one has, by group; empty without a comparison.
        why: evidence for the match in a text search.
    """

    product: Product
    similarity: float | None
    shared: dict[str, list[str]]
    differing: dict[str, NameDifference]
    why: tuple[Reason, ...] = ()

    @property
    def shared_names(self) -> list[str]:
        """The shared attributes of all groups, as shown."""
        return self.product.shown(self.shared)

    @property
    def reasons(self) -> list[str]:
        """Evidence for the match: the reasons of a text search, otherwise the shared attributes."""
        return [str(reason) for reason in self.why if reason.kind != "nothing"] or self.shared_names

    @property
    def differing_names(self) -> list[str]:
        """The differing attributes: - marks those of the query alone, + those of the product alone."""
        return [
            f"{sign}{name}"
            for group, difference in self.differing.items()
            for sign, names in (("-", difference.wanted), ("+", difference.found))
            for name in self.product.shown({group: names})
        ] + [f"-{reason.asked}" for reason in self.why if reason.kind == "nothing"]

    def to_json(self) -> dict[str, Any]:
        """The match as `--json` prints it."""
        similarity = None if self.similarity is None else round(self.similarity, 4)
        differing = {group: difference._asdict() for group, difference in self.differing.items()}
        why = {"why": [reason._asdict() for reason in self.why]} if self.why else {}
        return self.product.to_json() | {"similarity": similarity, "shared": self.shared, "differing": differing} | why


def cell_text(value: Any) -> str:
    """A value of a source column formatted for display; "" for None."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).removesuffix(".0" if isinstance(value, float) else "T00:00:00Z")


def match(product: Product, similarity: float, wanted: Mapping[str, list[str]]) -> Match:
    """Compare a product with the wanted attributes, by group."""
    shared, differing = {}, {}
    for group in dict.fromkeys([*wanted, *product.attributes]):
        one, other = wanted.get(group, []), product.attributes.get(group, [])
        if both := [name for name in one if name in other]:
            shared[group] = both
        difference = NameDifference([n for n in one if n not in other], [n for n in other if n not in one])
        if any(difference):
            differing[group] = difference
    return Match(product, similarity, shared, differing)


def product_of(record: Record, manifest: IndexManifest) -> Product:
    """Rebuild a product from its point; columns get the catalog's names again."""
    payload, columns = record.payload, manifest.columns
    assert record.vector is not None
    attributes = {column.name: column.values(payload) for column in columns.groups}
    source = payload.get(SOURCE, {})
    own = {column.name: source[column.place[1]] for column in columns.source if column.place[1] in source}
    embedding, scores = np.split(record.vector, [manifest.embedding])
    return Product(
        payload[ID], payload[IMAGE], attributes, own, embedding, scores, dict(payload), manifest.taxonomy.repeated_names
    )
