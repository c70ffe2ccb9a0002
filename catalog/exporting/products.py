"""Read the products of a scored catalog with their answers at a profile."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.filters.columns import kind_of
from catalog.filters.filtering import RowFilter
from catalog.scored.columns import ID, IMAGE, PROBABILITIES, WRITTEN, gate_columns, vector_rows
from catalog.scored.table import Scored
from catalog.scored.verdicts import ProductVerdict
from fashion.answers import answered_mask, identity
from fashion.model_card import ModelCard
from fashion.taxonomy import NO


@dataclass(frozen=True)
class AnsweredLabel:
    """An answered label and its probability."""

    name: str
    probability: float


@dataclass(frozen=True)
class ExportedProduct:
    """A product of a catalog.

    Attributes:
        id: of the product.
        image: the place of its photograph.
        source: source cells by column, as its table writes them, see `shown_columns`; None for a missing value.
        answers: by group, the most probable first; groups without an answer are omitted.
        ruled_out: by group, the labels that people have said the product does not have.
    """

    id: str
    image: str
    source: dict[str, Any]
    answers: dict[str, list[AnsweredLabel]]
    ruled_out: dict[str, list[str]]


def read_products(scored: Scored, card: ModelCard, profile: str, where: str | None = None) -> Iterator[ExportedProduct]:
    """Read the products in order.

    Args:
        scored: the catalog.
        card: of the model that scored it.
        profile: name of the thresholds that choose the answers.
        where: a filter, see `catalog.filters.where`.

    Raises:
        DataError: the catalog was scored by another model.
        FilterError: an invalid filter.
        SettingError: an unknown profile.
    """
    scored.check_model(identity(card))
    card = scored.refitted(card)
    kept = RowFilter(where, scored) if where else None
    card.threshold_row(profile)  # raises for an unknown profile before anything is read
    own, gates, image = _typed_columns(scored), gate_columns(card.gates), image_column(scored)
    written = [WRITTEN + name for name in shown_columns(scored) if WRITTEN + name in scored.schema.names]
    needed = [ID, IMAGE, PROBABILITIES, *own, *written, *gates, *(kept.needed if kept else [])]
    overlay = scored.overlay()
    known = overlay.known if overlay else {}
    for batch in scored.batches(list(dict.fromkeys(needed))):
        if kept:
            batch = batch.filter(pa.array(kept.keeps(batch)))
        probabilities = vector_rows(batch.column(PROBABILITIES)).astype(np.float32)
        seen = [batch.column(name).to_numpy(zero_copy_only=False) for name in gates]
        answered = answered_mask(card, probabilities, profile, np.stack(seen, axis=1) if seen else None)
        answered &= probabilities > 0  # top-k also reaches labels that corrections removed
        cells = {name: batch.column(name).to_pylist() for name in (*own, *written)}
        ids, images = batch.column(ID).to_pylist(), batch.column(IMAGE).to_pylist()
        for row in range(len(batch)):
            source: dict[str, Any] = {image: None} if image else {}
            source |= {name: cells[name][row] for name in own}
            source |= {name.removeprefix(WRITTEN): text for name in written if (text := cells[name][row]) is not None}
            answers = _answers(card, answered[row], probabilities[row])
            yield ExportedProduct(ids[row], images[row], source, answers, _ruled_out(card, known.get(ids[row])))


def shown_columns(scored: Scored) -> list[str]:
    """The source columns, that of photographs first, without those of types that cannot be shown, such as bytes."""
    image = image_column(scored)
    return [*([image] if image else []), *_typed_columns(scored)]


def image_column(scored: Scored) -> str | None:
    """The source's column of photographs, if the catalog has its cells; Parquet files and folders have none."""
    written = (name.removeprefix(WRITTEN) for name in scored.schema.names if name.startswith(WRITTEN))
    return next((name for name in written if name not in scored.manifest.columns), None)


def _typed_columns(scored: Scored) -> list[str]:
    return [name for name in scored.manifest.columns if kind_of(scored.schema.field(name).type)]


def _ruled_out(card: ModelCard, verdict: ProductVerdict | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for index in [] if verdict is None else np.flatnonzero(verdict.targets == NO):
        found.setdefault(card.labels[index].group, []).append(card.labels[index].name)
    return found


def _answers(card: ModelCard, answered: np.ndarray, probabilities: np.ndarray) -> dict[str, list[AnsweredLabel]]:
    found: dict[str, list[AnsweredLabel]] = {}
    chosen = np.flatnonzero(answered)
    for index in chosen[np.argsort(-probabilities[chosen], kind="stable")]:
        label = card.labels[index]
        found.setdefault(label.group, []).append(AnsweredLabel(label.name, float(probabilities[index])))
    return {group: found[group] for group in card.taxonomy.groups if group in found}
