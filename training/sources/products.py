"""Several photographs of one product: which rows bring a further one, which only repeat, and what each is called."""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a row adds nothing to those before it: a short reason to count by, and the detail."""

    reason: str
    detail: str


class Products:
    """The products of a data set, as its rows come. It remembers about 400 bytes of each photograph."""

    def __init__(self) -> None:
        self._splits: dict[str, str] = {}  # of each product
        self._numbers: dict[str, int] = {}  # of the last photograph of each product, from 1
        self._ids: set[str] = set()  # of all photographs
        self._labels: dict[int, int] = {}  # of each photograph of each product, digest by digest

    def refusal(
        self, product: str, split: str, image: bytes, cells: Mapping[str, Sequence[str] | None]
    ) -> Refusal | None:
        """Why a row cannot be taken after those before it; None where it is taken, and remembered.

        A row that repeats another (the same product, photograph and labels) is a duplicate. The same photograph of the
        same product with other labels would teach both that a label is there and that it is not; the first row counts.
        A product stays in the split of its first row: in two of them, the model would be judged on what it has seen.

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
        """A new id for a photograph: that of its product, then `P-2`, `P-3` and so on, or the next that is free."""
        number = self._numbers.get(product, 0) + 1
        while (name := product if number == 1 else f"{product}-{number}") in self._ids:
            number += 1
        self._numbers[product] = number
        self._ids.add(name)
        return name


def _digest(content: bytes, key: str = "") -> int:
    """64 bits: among a million photographs two meet by chance once in 30 million data sets."""
    digest = blake2b(key.encode(errors="surrogatepass") + b"\0", digest_size=8)
    digest.update(content)
    return int.from_bytes(digest.digest(), "big")
