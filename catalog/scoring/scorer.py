"""Score rows: photographs in, columns of the scored catalog out."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from catalog.scored.columns import EMBEDDING, ID, IMAGE, PROBABILITIES
from catalog.scored.table import table_schema
from catalog.scoring.answer_columns import answer_columns
from catalog.scoring.source import CONTENT, FAULT, LAST, PLACE, ROW, Piece
from fashion.errors import InvalidImage, one_line
from fashion.prediction import Outcome
from fashion.predictor import Predictor
from fashion.tables.image_paths import ImagePaths

# Columns besides those of a part: why a row was left out; null otherwise.
REASON, DETAIL = "fashion.reason", "fashion.detail"
MISSING = "missing file"  # a reason
BATCH = 32  # photographs per step; a killed run repeats only the steps in progress
PARALLEL_STEPS = 2  # while one builds its rows or waits for its last photograph, the other uses the cores


@dataclass(frozen=True)
class Scoring:
    """Settings of a scoring; sent to each worker.

    Attributes:
        bundle: absolute path of the model's folder.
        folder: base of relative photograph paths.
        engine, threads: see `fashion.engines.open_engine`.
        profile: name of the thresholds that choose the answered attributes; None is the card's default.
        batch: photographs per step.
    """

    bundle: str
    folder: str
    engine: str = "auto"
    threads: int | None = None
    profile: str | None = None
    batch: int = BATCH


class Scorer:
    """A loaded model that scores pieces. Raises the errors of `Predictor.from_bundle`."""

    def __init__(self, scoring: Scoring) -> None:
        self._predictor = Predictor.from_bundle(scoring.bundle, scoring.engine, scoring.threads)
        self._folder = Path(scoring.folder)
        self._profile, self._batch = scoring.profile, scoring.batch

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Score the rows of a piece.

        Returns:
            One row per photograph, in order: the columns of `catalog.scored.table.table_schema`, ROW, LAST, REASON and
            DETAIL. A photograph with a reason was left out; its vectors are zeros.

        Raises:
            Exception: the engine failed, as it would for any other photograph.
        """
        images, outcomes = self._predict(rows)
        for outcome in outcomes:
            if outcome.error and not isinstance(outcome.error, InvalidImage):
                raise outcome.error
        results = [outcome.prediction for outcome in outcomes]
        faults = [outcome.error for outcome in outcomes]
        width = next((len(result.embedding) for result in results if result), self._predictor.engine.head.shape[1])
        columns = answer_columns(self._predictor.card, results, width, self._profile)
        own = [field for field in rows.schema if field.name not in (ID, ROW, PLACE, CONTENT, FAULT, LAST)]
        labels, length = (columns[name].type.list_size for name in (PROBABILITIES, EMBEDDING))
        schema = table_schema(self._predictor.taxonomy.groups, labels, length, own, self._predictor.card.gates)
        columns |= {ID: rows[ID], IMAGE: pa.array(images, pa.string())} | {f.name: rows[f.name] for f in own}
        scored = pa.table({name: columns[name] for name in schema.names}, schema=schema)
        reasons = [getattr(fault, "reason", "broken image") if fault else None for fault in faults]
        details = [one_line(fault) if fault else None for fault in faults]
        for name, column in ((ROW, rows[ROW]), (LAST, rows[LAST]), (REASON, pa.array(reasons, pa.string()))):
            scored = scored.append_column(name, column)
        return scored.append_column(DETAIL, pa.array(details, pa.string()))

    def score_each(self, pieces: Iterable[Piece]) -> Generator[pa.Table, None, None]:
        """Read pieces and score them, in order, with `PARALLEL_STEPS` steps in parallel."""
        steps = (
            rows.slice(start, self._batch)
            for piece in pieces
            for rows in piece.read()
            for start in range(0, len(rows), self._batch)
        )
        begun: deque[Future[pa.Table]] = deque()
        with ThreadPoolExecutor(PARALLEL_STEPS, thread_name_prefix="step") as pool:
            try:
                for rows in steps:
                    begun.append(pool.submit(self, rows))
                    if len(begun) > PARALLEL_STEPS:  # one step is queued so that no thread idles
                        yield begun.popleft().result()
                while begun:
                    yield begun.popleft().result()
            finally:
                for step in begun:
                    step.cancel()

    def _predict(self, rows: pa.Table) -> tuple[list[str], list[Outcome]]:
        """The place of each photograph, "" if it has none, and its outcome."""
        found = [self._find(*cells) for cells in zip(*_cells(rows), strict=True)]
        there = [image for image in found if not isinstance(image, InvalidImage)]
        answers = iter(self._predictor.predict_each(there))
        outcomes = [Outcome(error=image) if isinstance(image, InvalidImage) else next(answers) for image in found]
        places = zip(found, rows[PLACE].to_pylist(), strict=True)
        return [str(image) if isinstance(image, Path) else place or "" for image, place in places], outcomes

    def _find(self, fault: str | None, place: str | None, content: bytes | None) -> "bytes | Path | MissingPhotograph":
        if fault:
            return MissingPhotograph("broken row group", fault)
        if content:
            return content
        if not place:
            return MissingPhotograph("no image", "the row names none")
        try:
            places = ImagePaths(self._folder, place)
            found = next((path for path in places if path.is_file()), None)
        except (OSError, ValueError) as error:  # a file name that is too long or contains a NUL byte
            return MissingPhotograph(MISSING, one_line(error))
        return found or MissingPhotograph(MISSING, places.missing_message())


class MissingPhotograph(InvalidImage):
    """A photograph that is not where its row says; `reason` is a short text for counting."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _cells(rows: pa.Table) -> tuple[list, list, list]:
    return rows[FAULT].to_pylist(), rows[PLACE].to_pylist(), rows[CONTENT].to_pylist()
