"""Merge answers with the source's own cells: keep, fill in, and record differences."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from catalog.exporting.products import AnsweredLabel, ExportedProduct
from catalog.scored.source_columns import source_column

SEPARATORS = r"[|/;,]"  # between several values in a cell of the source


@dataclass(frozen=True)
class Difference:
    """A cell of the source that the photograph contradicts."""

    id: str
    column: str
    table: str
    photograph: str
    probability: float


@dataclass
class Merger:
    """Merges cell by cell, and counts.

    Attributes:
        overwrite: whether answers replace the source's cells.
        filled: number of cells filled by an answer.
        kept: number of source cells kept.
        differences: source cells that agree with no answer, or have no counterpart in the format.
    """

    overwrite: bool = False
    filled: int = 0
    kept: int = 0
    differences: list[Difference] = field(default_factory=list)

    def cell(
        self,
        product: ExportedProduct,
        name: str,
        answer: str,
        answers: Sequence[AnsweredLabel] = (),
        others: Sequence[str] = (),
        convert: Callable[[str], str] = str,
    ) -> str:
        """The merged cell of a field.

        Args:
            product: with its source cells.
            name: of the field.
            answer: the answer as a cell; empty if there is none.
            answers: the answered labels, to be compared with the source's cell.
            others: see `source_column`.
            convert: converts the source's cell for the format; "" if that has no counterpart, then the answer is taken.
        """
        column = source_column(product.source, name, others)
        own = text(product.source[column]) if column else ""
        kept = convert(own)
        if own and column and answers and not any(_agree(cell, answer, answers) for cell in {own, kept}):
            best = answers[0]
            self.differences.append(Difference(product.id, column, own, best.name, best.probability))
        if kept and not (self.overwrite and answer):
            self.kept += 1
            return kept
        self.filled += bool(answer)
        return answer


def text(value: object) -> str:
    """A cell of the catalog as text; empty for no value."""
    if value is None:
        return ""
    return "|".join(map(text, value)) if isinstance(value, list) else str(value).strip()


def _agree(own: str, answer: str, answers: Sequence[AnsweredLabel]) -> bool:
    named = {each.name.casefold() for each in answers} | {answer.casefold()}
    return own.casefold() in named or any(part.strip().casefold() in named for part in re.split(SEPARATORS, own))
