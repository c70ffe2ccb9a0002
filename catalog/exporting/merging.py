"""Merge answers with the source's own cells: keep, fill in, and record differences."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from catalog.exporting.products import AnsweredLabel, ExportedProduct
from fashion.tables.columns import is_usual, usual_name

# Other usual names of a field in shops' tables.
OTHER_NAMES = {
    "color": ("colour", "farbe", "couleur"),
    "colour": ("color", "farbe", "couleur"),
    "google_product_category": ("google_category",),
    "age_group": ("age",),
    "material": ("fabric",),
}
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
        differences: source cells that agree with no answer.
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
    ) -> str:
        """The merged cell of a field.

        Args:
            product: with its source cells.
            name: of the field.
            answer: the answer as a cell; empty if there is none.
            answers: the answered labels, to be compared with the source's cell.
            others: see `source_column`.
        """
        column = source_column(product.source, name, others)
        own = text(product.source[column]) if column else ""
        if own and column and answers and not _agree(own, answer, answers):
            best = answers[0]
            self.differences.append(Difference(product.id, column, own, best.name, best.probability))
        if own and not (self.overwrite and answer):
            self.kept += 1
            return own
        self.filled += bool(answer)
        return answer


def source_column(columns: Iterable[str], name: str, others: Sequence[str] = ()) -> str | None:
    """The source column of a field, ignoring case, or None.

    Args:
        columns: of the source.
        name: of the field.
        others: fields with columns of their own; none of their names is another name of this field.
    """
    aliases = [alias for alias in OTHER_NAMES.get(name, ()) if not is_usual(alias, others)]
    return usual_name(list(columns), (name, *aliases))


def text(value: object) -> str:
    """A cell of the catalog as text; empty for no value."""
    if value is None:
        return ""
    return "|".join(map(text, value)) if isinstance(value, list) else str(value).strip()


def _agree(own: str, answer: str, answers: Sequence[AnsweredLabel]) -> bool:
    named = {each.name.casefold() for each in answers} | {answer.casefold()}
    return own.casefold() in named or any(part.strip().casefold() in named for part in re.split(SEPARATORS, own))
