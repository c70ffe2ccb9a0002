"""Merge answers with the source's own cells: keep, fill in, and record differences."""

import re
from collections.abc import Callable, Collection, Sequence
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


@dataclass(frozen=True)
class CellEvidence:
    """What a source's cell is compared with.

    Attributes:
        answers: the answered labels, best first; without any a cell contradicts nothing.
        spellings: of the answers, in other languages.
        ruled_out: labels that people have said the product does not have.
    """

    answers: Sequence[AnsweredLabel] = ()
    spellings: Collection[str] = ()
    ruled_out: Collection[str] = ()

    @property
    def agreeing(self) -> set[str]:
        """The answers in all spellings."""
        return {each.name for each in self.answers} | set(self.spellings)

    def refutes(self, cell: str, convert: Callable[[str], str] = str) -> bool:
        """Whether a cell names a label that is ruled out; `convert` as for `Merger.cell`."""
        answered = self.agreeing | {convert(name) for name in self.agreeing}
        return _names_any(cell, {wrong for name in self.ruled_out for wrong in (name, convert(name))} - answered)


NOTHING = CellEvidence()


@dataclass
class Merger:
    """Merges cell by cell, and counts.

    Attributes:
        overwrite: whether answers replace the source's cells.
        filled: number of cells filled by an answer.
        kept: number of source cells kept.
        corrected: number of source cells replaced because people have said that they are wrong.
        differences: other source cells that agree with no answer, or have no counterpart in the format.
    """

    overwrite: bool = False
    filled: int = 0
    kept: int = 0
    corrected: int = 0
    differences: list[Difference] = field(default_factory=list)

    def cell(
        self,
        product: ExportedProduct,
        name: str,
        answer: str,
        evidence: CellEvidence = NOTHING,
        others: Sequence[str] = (),
        convert: Callable[[str], str] = str,
    ) -> str:
        """The merged cell of a field.

        Args:
            product: with its source cells.
            name: of the field.
            answer: the answer as a cell; empty if there is none.
            evidence: to be compared with the source's cell.
            others: see `source_column`.
            convert: converts the source's cell for the format; "" if that has no counterpart, then the answer is taken.
        """
        column = source_column(product.source, name, others)
        own = text(product.source[column]) if column else ""
        kept = convert(own)
        if evidence.refutes(own, convert) or evidence.refutes(kept, convert):
            self.corrected += 1
            return answer
        agreeing = evidence.agreeing | {answer}
        if own and column and evidence.answers and not (_names_any(own, agreeing) or _names_any(kept, agreeing)):
            best = evidence.answers[0]
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


def _names_any(cell: str, names: Collection[str]) -> bool:
    """Whether a cell, or one of the values in it, is one of these names."""
    found = {part.strip().casefold() for part in (cell, *re.split(SEPARATORS, cell))} - {""}
    return not found.isdisjoint(name.casefold() for name in names)
