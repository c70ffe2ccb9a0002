"""Which rows are held out for validation where a source does not say."""

import hashlib
from collections.abc import Iterable, Iterator

from training.sources.writer import ProductRow, UnusedRow, duplicate

VAL_SHARE = 0.1


def hash_fraction(key: bytes) -> float:
    """A number in [0, 1) that depends on the key alone: the same on every machine and in every order of rows."""
    return int.from_bytes(hashlib.sha256(key).digest()[:6], "big") / 2**48


def split_by_hash(key: bytes) -> str:
    """`val` for every tenth key, else `train`."""
    return "val" if hash_fraction(key) < VAL_SHARE else "train"


def hold_out_one(rows: Iterable[ProductRow | UnusedRow]) -> Iterator[ProductRow | UnusedRow]:
    """Where no usable row is for validation, as happens with few rows, move the one whose id has the lowest hash there.

    A data set of a single row keeps it for training. Rows keep their order, but for those that are held back until the
    first row for validation comes.
    """
    kept: ProductRow | None = None  # the row with the lowest hash so far
    held_out = other = False
    for row in rows:
        if held_out or isinstance(row, UnusedRow) or row.split == "test":
            yield row
        elif row.split == "val":
            held_out = True
            if kept is not None:
                yield kept
            kept = None
            yield row
        elif kept is None:
            kept = row
        elif row.id == kept.id:
            yield duplicate(row)
        else:
            other = True
            if hash_fraction(row.id.encode()) < hash_fraction(kept.id.encode()):
                kept, row = row, kept
            yield row
    if kept is not None:
        yield kept._replace(split="val") if other else kept
