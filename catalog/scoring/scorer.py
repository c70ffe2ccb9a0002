"""The step that scores rows: photographs of some products in, their columns of the scored catalog out."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalog.scored.columns import (
    ATTRIBUTE,
    EMBEDDING,
    ID,
    IMAGE,
    LOGITS,
    PROBABILITIES,
    gate_columns,
    vector_column,
)
from catalog.scored.table import table_schema
from catalog.scoring.source import CONTENT, FAULT, PLACE, ROW, Piece
from fashion.answers import answered
from fashion.errors import InvalidImage, one_line
from fashion.prediction import Outcome, Prediction
from fashion.predictor import Predictor
from fashion.tables.places import ImagePlaces

# Beside the columns of a part, for rows that were left out; null in the others.
REASON, DETAIL = "fashion.reason", "fashion.detail"
BATCH = 64  # photographs of one step: enough that its last ones, which leave cores idle, do not count


@dataclass(frozen=True)
class Scoring:
    """How to score; small enough to be sent to each worker.

    Attributes:
        bundle: the model's folder, absolute.
        folder: where photographs lie whose place is no absolute path.
        engine, threads: see `fashion.engines.open_engine`.
        profile: what the answered attributes reach; None is the card's default.
        batch: photographs of one step.
    """

    bundle: str
    folder: str
    engine: str = "auto"
    threads: int | None = None
    profile: str | None = None
    batch: int = BATCH


class Scorer:
    """A model that is ready to score. Raises the errors of `Predictor.from_bundle`."""

    def __init__(self, scoring: Scoring) -> None:
        self._predictor = Predictor.from_bundle(scoring.bundle, scoring.engine, scoring.threads)
        self._folder = Path(scoring.folder)
        self._profile, self._batch = scoring.profile, scoring.batch

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Score the rows of a piece.

        Returns:
            In their order the columns of `catalog.scored.table.table_schema`, ROW, REASON and DETAIL. A row with a
            reason was left out: its vectors are zeros.

        Raises:
            Exception: a fault of the engine, which no other photograph will mend.
        """
        images, outcomes = self._predict(rows)
        for outcome in outcomes:
            if isinstance(outcome.result, Exception) and not isinstance(outcome.result, InvalidImage):
                raise outcome.result
        results = [outcome.result if isinstance(outcome.result, Prediction) else None for outcome in outcomes]
        faults = [outcome.result if isinstance(outcome.result, InvalidImage) else None for outcome in outcomes]
        columns = self._answers(results)
        own = [field for field in rows.schema if field.name not in (ID, ROW, PLACE, CONTENT, FAULT)]
        labels, length = (columns[name].type.list_size for name in (PROBABILITIES, EMBEDDING))
        schema = table_schema(self._predictor.taxonomy.groups, labels, length, own, self._predictor.card.gates)
        columns |= {ID: rows[ID], IMAGE: pa.array(images, pa.string())} | {f.name: rows[f.name] for f in own}
        scored = pa.table({name: columns[name] for name in schema.names}, schema=schema)
        reasons = [getattr(fault, "reason", "broken image") if fault else None for fault in faults]
        details = [one_line(fault) if fault else None for fault in faults]
        for name, column in ((ROW, rows[ROW]), (REASON, pa.array(reasons, pa.string()))):
            scored = scored.append_column(name, column)
        return scored.append_column(DETAIL, pa.array(details, pa.string()))

    def each(self, piece: Piece) -> Iterator[pa.Table]:
        """Read a piece and score it, a step at a time."""
        for rows in piece.read():
            for start in range(0, len(rows), self._batch):
                yield self(rows.slice(start, self._batch))

    def _predict(self, rows: pa.Table) -> tuple[list[str], list[Outcome]]:
        """The path of each photograph, "" where it has none, and what became of it."""
        found = [self._find(*cells) for cells in zip(*_cells(rows), strict=True)]
        there = [image for image in found if not isinstance(image, InvalidImage)]
        answers = iter(self._predictor.predict_each(there))
        outcomes = [Outcome(image) if isinstance(image, InvalidImage) else next(answers) for image in found]
        return [str(image) if isinstance(image, Path) else "" for image in found], outcomes

    def _find(self, fault: str | None, place: str | None, content: bytes | None) -> "bytes | Path | NotThere":
        if fault:
            return NotThere("broken row group", fault)
        if content:
            return content
        if not place:
            return NotThere("no image", "the row names none")
        try:
            places = ImagePlaces(self._folder, place)
            found = next((path for path in places if path.is_file()), None)
        except (OSError, ValueError) as error:  # a name too long for a file, or with a zero byte
            return NotThere("missing file", one_line(error))
        return found or NotThere("missing file", places.missing())

    def _answers(self, results: Sequence[Prediction | None]) -> dict[str, pa.Array]:
        """The columns that are ours, by name."""
        card = self._predictor.card
        width = len(card.labels)
        first = next((result for result in results if result is not None), None)
        length = self._predictor.engine.head.shape[1] if first is None else len(first.embedding)
        stacked = {PROBABILITIES: width, LOGITS: width, EMBEDDING: length}
        values = {name: np.zeros((len(results), size), np.float32) for name, size in stacked.items()}
        for i, result in enumerate(results):
            if result is not None:
                for name, rows in values.items():
                    rows[i] = getattr(result, name)
        columns = {name: vector_column(rows) for name, rows in values.items()}
        none = np.zeros(len(card.gates), np.float32)
        gates = np.stack([none if result is None else result.gates for result in results])
        columns |= {name: pa.array(gates[:, i]) for i, name in enumerate(gate_columns(card.gates))}
        probabilities = values[PROBABILITIES]
        chosen = answered(card, probabilities, self._profile, gates)
        for group in card.taxonomy.groups:
            indices = card.taxonomy.indices(group)
            cells = []
            for row, picked in zip(probabilities, chosen, strict=True):
                falling = indices[np.argsort(-row[indices], kind="stable")]
                cells.append([card.labels[i].name for i in falling if picked[i]])
            columns[ATTRIBUTE + group] = pa.array(cells, pa.list_(pa.string()))
        return columns


class NotThere(InvalidImage):
    """A photograph that is not where its row says; `reason` is the short one to count by."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def score_here(scoring: Scoring, pieces: Iterable[Piece]) -> Generator[pa.Table, None, None]:
    """Score pieces in this process, without Ray: what it takes to start would be most of a small catalog's time."""
    scorer = Scorer(scoring)
    for piece in pieces:
        yield from scorer.each(piece)


def _cells(rows: pa.Table) -> tuple[list, list, list]:
    return rows[FAULT].to_pylist(), rows[PLACE].to_pylist(), rows[CONTENT].to_pylist()
