"""Chooses the validation rows of a source without splits."""

import hashlib
from collections.abc import Iterable, Iterator

from training.sources.writer import ProductRow, UnusedRow

VAL_SHARE = 0.1
MOST_HELD_BACK = 500  # photographs of a product kept in memory: 50 MB at 100 kB each


def hash_fraction(key: bytes) -> float:
    """Hash a key to a number in [0, 1), the same on every machine and for every order of rows."""
    return int.from_bytes(hashlib.sha256(key).digest()[:6], "big") / 2**48


def split_by_hash(key: bytes) -> str:
    """`val` for every tenth key, else `train`."""
    return "val" if hash_fraction(key) < VAL_SHARE else "train"


def hold_out_one(rows: Iterable[ProductRow | UnusedRow]) -> Iterator[ProductRow | UnusedRow]:
    """Ensure a validation row: if there is none, as happens with few rows, move the product with the lowest hash there.

    All photographs of that product move together; a product with more than `MOST_HELD_BACK` is not moved. If there is
    only one product, it stays in training. Rows keep their order, except for those held back until the first
    validation row.
    """
    kept: list[ProductRow] = []  # the photographs of the product with the lowest hash so far
    lowest = 1.0  # its hash; products with a higher one were passed on
    held_out = other = False
    for row in rows:
        if held_out or isinstance(row, UnusedRow) or row.split == "test":
            yield row
            continue
        if row.split == "val":
            held_out = True
            yield from (*kept, row)
            kept = []
            continue
        fraction = hash_fraction(row.id.encode())
        if fraction < lowest:
            other = other or bool(kept)
            yield from kept
            kept, lowest = [row], fraction
        elif fraction == lowest and kept:
            kept.append(row)
            if len(kept) > MOST_HELD_BACK:
                other = True
                yield from kept
                kept = []
        else:
            other = True
            yield row
    yield from (row._replace(split="val") if other else row for row in kept)
