"""Which rows are held out for validation where a source does not say."""

import hashlib
from collections.abc import Iterable, Iterator

from training.sources.writer import ProductRow, UnusedRow

VAL_SHARE = 0.1
MOST_HELD_BACK = 500  # photographs of a product, which are in memory: of 100 kB each 50 MB


def hash_fraction(key: bytes) -> float:
    """A number in [0, 1) that depends on the key alone: the same on every machine and in every order of rows."""
    return int.from_bytes(hashlib.sha256(key).digest()[:6], "big") / 2**48


def split_by_hash(key: bytes) -> str:
    """`val` for every tenth key, else `train`."""
    return "val" if hash_fraction(key) < VAL_SHARE else "train"


def hold_out_one(rows: Iterable[ProductRow | UnusedRow]) -> Iterator[ProductRow | UnusedRow]:
    """Where no usable row is for validation, as happens with few rows, move the product with the lowest hash there.

    All photographs of that product go together; one of more than `MOST_HELD_BACK` stays. A data set of a single product
    keeps it for training. Rows keep their order, but for those that are held back until the first row for validation
    comes.
    """
    kept: list[ProductRow] = []  # the photographs of the product with the lowest hash so far
    lowest = 1.0  # that hash; products with a higher one have gone to training
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
