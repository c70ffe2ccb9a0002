"""Folds for cross-validation."""

from collections.abc import Iterator

import numpy as np

FOLDS = 5
SEED = 0


def split_folds(images: int, ids: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split a data set into `FOLDS` folds for cross-validation; the split is deterministic.

    Folds consist of whole images, because the labels of one image are dependent, and of whole products: photographs of
    one product are never on both sides of a split. With fewer products than folds, some folds are empty.

    Args:
        images: number of images, N.
        ids: (N,), product ids; None if each image is a separate product.

    Yields:
        Indices of the remaining images and of the held-out fold, both ascending.
    """
    product = np.arange(images) if ids is None else np.unique(ids, return_inverse=True)[1]
    fold = (np.random.default_rng(SEED).permutation(product.max(initial=-1) + 1) % FOLDS)[product]
    for held in range(FOLDS):
        yield np.flatnonzero(fold != held), np.flatnonzero(fold == held)
