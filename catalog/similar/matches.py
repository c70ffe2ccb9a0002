"""What a search answers with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from catalog.engines.store import Record
from catalog.filters.columns import ID, IMAGE, SOURCE
from catalog.similar.manifest import IndexManifest


@dataclass(frozen=True)
class Product:
    """A product, or a photograph that is asked about.

    Attributes:
        id: as the catalog has it; of a photograph its path.
        image: path of the photograph; empty where there is none.
        attributes: what the model answers, by group.
        source: the catalog's own columns; those without a value are left out.
        embedding: at unit length, float32 (E,).
        scores: what its attributes are compared by, float32 (A,), see `catalog.similar.spaces.scores`.
        payload: as the engine keeps it; empty for a photograph.
    """

    id: str
    image: str
    attributes: dict[str, list[str]]
    source: dict[str, Any]
    embedding: np.ndarray
    scores: np.ndarray
    payload: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def point(self) -> np.ndarray:
        """See `catalog.similar.spaces.point`."""
        return np.concatenate([self.embedding, self.scores])

    @property
    def names(self) -> list[str]:
        """The attributes of all groups."""
        return [name for names in self.attributes.values() for name in names]

    def to_json(self) -> dict[str, Any]:
        """Everything but the vectors."""
        return {"id": self.id, "image": self.image, "attributes": self.attributes, "source": self.source}


class NameDifference(NamedTuple):
    """Names of a group that only one of two products has."""

    wanted: list[str]
    found: list[str]


class Reason(NamedTuple):
    """Why a product was found for a phrase of a text.

    Attributes:
        asked: the phrase.
        kind: "label", "title" or "looks like"; "nothing" where nothing speaks for a word that is no label.
        found: the label, or the phrase as it stands in the texts.
        probability: of the label or of the look; None of titles, which have it.
    """

    asked: str
    kind: Literal["label", "title", "looks like", "nothing"]
    found: str
    probability: float | None = None

    def __str__(self) -> str:
        said = self.found if self.kind == "label" else f"{self.kind} {self.found!r}"
        return said if self.probability is None else f"{said} {self.probability:.2f}"


@dataclass(frozen=True)
class Match:
    """A product that was found.

    Attributes:
        product: the product.
        similarity: to what was asked for: 1 the same, 0 as two products at random; None where nothing was compared.
        shared: names that both have, by group; nothing where nothing was compared.
        differing: names that one has, by group; the same.
        why: what speaks for it, of a search in words.
    """

    product: Product
    similarity: float | None
    shared: dict[str, list[str]]
    differing: dict[str, NameDifference]
    why: tuple[Reason, ...] = ()

    @property
    def shared_names(self) -> list[str]:
        """What both have, of all groups."""
        return [name for names in self.shared.values() for name in names]

    @property
    def reasons(self) -> list[str]:
        """What speaks for it: of a search in words why it was found, otherwise what both have."""
        return [str(reason) for reason in self.why if reason.kind != "nothing"] or self.shared_names

    @property
    def differing_names(self) -> list[str]:
        """What one has: with - of what was asked for alone, with + of the product alone."""
        return [
            f"{sign}{name}"
            for difference in self.differing.values()
            for sign, names in (("-", difference.wanted), ("+", difference.found))
            for name in names
        ] + [f"-{reason.asked}" for reason in self.why if reason.kind == "nothing"]

    def to_json(self) -> dict[str, Any]:
        """The match as `--json` prints it."""
        similarity = None if self.similarity is None else round(self.similarity, 4)
        differing = {group: difference._asdict() for group, difference in self.differing.items()}
        why = {"why": [reason._asdict() for reason in self.why]} if self.why else {}
        return self.product.to_json() | {"similarity": similarity, "shared": self.shared, "differing": differing} | why


def cell_text(value: Any) -> str:
    """A value of the catalog's own columns as people read it; "" for none."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).removesuffix(".0" if isinstance(value, float) else "T00:00:00Z")


def match(product: Product, similarity: float, wanted: Mapping[str, list[str]]) -> Match:
    """A match with what the product shares with the attributes wanted, by group, and what differs."""
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
    """A product from its payload and point; names of columns are the catalog's again."""
    payload, columns = record.payload, manifest.columns
    assert record.vector is not None
    attributes = {column.name: column.values(payload) for column in columns.groups}
    source = payload.get(SOURCE, {})
    own = {column.name: source[column.place[1]] for column in columns.source if column.place[1] in source}
    embedding, scores = np.split(record.vector, [manifest.embedding])
    return Product(payload[ID], payload[IMAGE], attributes, own, embedding, scores, dict(payload))
