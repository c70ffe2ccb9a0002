"""Several photographs of one product: detection of duplicate and conflicting rows, and ids of photographs."""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a row is refused: a short reason to count by, and the detail."""

    reason: str
    detail: str


class Products:
    """State of the products seen so far; about 400 bytes of memory per photograph."""

    def __init__(self) -> None:
        self._splits: dict[str, str] = {}  # by product
        self._numbers: dict[str, int] = {}  # by product, the number of its last photograph, from 1
        self._ids: set[str] = set()  # of all photographs
        self._labels: dict[int, int] = {}  # digest of the labels, by digest of product and photograph

    def refusal(
        self, product: str, split: str, image: bytes, cells: Mapping[str, Sequence[str] | None]
    ) -> Refusal | None:
        """Why a row must be left out; None if it is accepted and recorded.

        A row that repeats another (the same product, photograph and labels) is a duplicate. The same photograph of the
        same product with other labels is a contradiction; the first row counts. A product stays in the split of its
        first row: otherwise the model would be evaluated on products that it was trained on.

        Args:
            product: its id.
            split: of the row.
            image: the image file's bytes.
            cells: labels by group, None where not annotated; the groups are the same in all rows, in the same order.
        """
        first = self._splits.get(product, split)
        labels = _digest(json.dumps([names and sorted(names) for names in cells.values()]).encode())
        photograph = _digest(image, product)
        before = self._labels.get(photograph)
        if before == labels:
            return Refusal("duplicate row", "an earlier row has this id, this photograph and these labels")
        if before is not None:
            return Refusal("other labels", "an earlier row has this id and this photograph, but other labels")
        if first != split:
            return Refusal(
                "other split",
                f"an earlier row of this id is in {first}; where ids do not name products, name another column with "
                "--id-column of: python -m training.sources catalog",
            )
        self._splits[product] = split
        self._labels[photograph] = labels
        return None

    def photograph_id(self, product: str) -> str:
        """A new id for a photograph of product `P`: `P`, then `P-2`, `P-3` and so on, skipping ids in use."""
        number = self._numbers.get(product, 0) + 1
        while (name := product if number == 1 else f"{product}-{number}") in self._ids:
            number += 1
        self._numbers[product] = number
        self._ids.add(name)
        return name


def _digest(content: bytes, key: str = "") -> int:
    """64-bit hash: a collision among a million photographs happens once in 30 million data sets."""
    digest = blake2b(key.encode(errors="surrogatepass") + b"\0", digest_size=8)
    digest.update(content)
    return int.from_bytes(digest.digest(), "big")
