"""Cross-validation folds: every image is held out exactly once."""

import numpy as np
import pytest

from fashion.profiles.folds import FOLDS, split_folds


@pytest.mark.parametrize("images", [1, 4, 7, 103])
def test_every_image_is_held_out_once(images: int) -> None:
    parts = list(split_folds(images))
    assert len(parts) == FOLDS
    np.testing.assert_array_equal(np.sort(np.concatenate([held for _, held in parts])), np.arange(images))
    for rest, held in parts:
        np.testing.assert_array_equal(np.union1d(rest, held), np.arange(images))
        assert not np.intersect1d(rest, held).size
        assert len(held) in (images // FOLDS, -(-images // FOLDS))


def test_photographs_of_one_product_stay_together() -> None:
    ids = np.array([f"product {i % 40}" for i in range(100)])
    held = [part for _, part in split_folds(100, ids)]
    np.testing.assert_array_equal(np.sort(np.concatenate(held)), np.arange(100))
    products = [set(ids[part]) for part in held]
    assert sum(len(part) for part in products) == 40
    assert {len(part) for part in products} == {8}


def test_folds_are_drawn_and_always_the_same() -> None:
    first, second = ([held.tolist() for _, held in split_folds(50)] for _ in range(2))
    assert first == second
    assert first[0] != list(range(10))
