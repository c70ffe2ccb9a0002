"""Which images something is fitted on, and which it is judged on."""

from collections.abc import Iterator

import numpy as np

FOLDS = 5
SEED = 0


def split_folds(
    images: int, ids: np.ndarray | None = None, folds: int = FOLDS
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Parts of a data set, each once held out: what is fitted on the rest is judged on images it has not seen.

    Folds are of whole images, because the labels of one image depend on each other, and of whole products: several
    photographs of one are not seen on one side and judged on the other. They are always the same.

    Args:
        images: how many there are, N.
        ids: (N,), of their products; None where each is of its own.
        folds: how many parts; parts of fewer images than that are empty.

    Yields:
        Indices of the rest and of the part that is held out, both rising.
    """
    product = np.arange(images) if ids is None else np.unique(ids, return_inverse=True)[1]
    fold = (np.random.default_rng(SEED).permutation(product.max(initial=-1) + 1) % folds)[product]
    for held in range(folds):
        yield np.flatnonzero(fold != held), np.flatnonzero(fold == held)
