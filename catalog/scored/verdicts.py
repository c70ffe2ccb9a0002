"""Combine the corrections of each product into one verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from catalog.scored.correction_store import IS, NOT_A_PRODUCT, ONLY, REFITS, Entry
from fashion.taxonomy import NO, NOT_ANNOTATED, YES, Label, Taxonomy


@dataclass
class ProductVerdict:
    """Combined corrections of a product.

    Attributes:
        targets: int8 (A,): 1 yes, 0 no, -1 not annotated.
        not_product: whether the photograph shows no product; then no label is answered, regardless of `targets`. A
            later confirmation of a label overrides it.
        left_out: labels of entries that the model does not have.
    """

    targets: np.ndarray
    not_product: bool = False
    left_out: list[Label] = field(default_factory=list)

    def take(self, entry: Entry, taxonomy: Taxonomy) -> None:
        """Apply the next entry in force. A label that the model does not have goes to `left_out`."""
        if entry.verdict == NOT_A_PRODUCT:
            self.not_product = True
            return
        label = Label(entry.group, entry.label)
        if entry.group not in taxonomy.groups or (entry.label and label not in taxonomy.index):
            self.left_out.append(label)
            return
        if entry.verdict == ONLY:
            self.targets[taxonomy.indices(entry.group)] = NO
        if entry.label:
            right = entry.verdict in (IS, ONLY)
            self.targets[taxonomy.index[label]] = YES if right else NO
            if right:
                self.not_product = False


def verdicts(entries: Iterable[Entry], taxonomy: Taxonomy) -> dict[str, ProductVerdict]:
    """Verdicts on the corrected products, by id.

    Args:
        entries: entries in force, see `catalog.scored.correction_store.in_force`.
        taxonomy: of the model; other labels go to `ProductVerdict.left_out`.
    """
    found: dict[str, ProductVerdict] = {}
    for entry in entries:
        if entry.product == REFITS:
            continue
        if entry.product not in found:
            found[entry.product] = ProductVerdict(np.full(len(taxonomy), NOT_ANNOTATED, np.int8))
        found[entry.product].take(entry, taxonomy)
    return found


def target_rows(known: Mapping[str, ProductVerdict], ids: Iterable[str], taxonomy: Taxonomy) -> np.ndarray:
    """Targets of products, int8 (N, A); all -1 for those without corrections and those that show no product."""
    unknown = np.full(len(taxonomy), NOT_ANNOTATED, np.int8)
    rows = [known[id].targets if id in known and not known[id].not_product else unknown for id in ids]
    return np.stack(rows) if rows else np.empty((0, len(taxonomy)), np.int8)
