"""training.fitting.growing."""

import pytest
import torch

from fashion.errors import SettingError
from training.fitting.growing import ImageGrowth, shrink


def test_sizes_grow_to_the_input_size_and_stay() -> None:
    growth = ImageGrowth(start=0.5, until=0.8)
    sizes = [growth.size(i / 20, 128) for i in range(21)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 64
    assert sizes[16:] == [128] * 5
    assert {size % 16 for size in sizes} == {0}
    assert len(set(sizes)) == 5  # 64, 80, 96, 112, 128


def test_images_may_stay_small_at_first() -> None:
    growth = ImageGrowth(start=0.6, since=0.7, until=0.9)
    assert [growth.size(p, 80) for p in (0, 0.3, 0.7, 0.8, 0.9, 1)] == [48, 48, 48, 64, 80, 80]


def test_the_default_changes_nothing() -> None:
    assert {ImageGrowth().size(i / 10, 100) for i in range(11)} == {100}
    pixels = torch.zeros(2, 40, 40, 3, dtype=torch.uint8)
    assert shrink(pixels, 40) is pixels


def test_sizes_respect_the_networks_minimum() -> None:
    assert ImageGrowth(start=0.1).size(0, 64) == 32
    assert ImageGrowth(start=0.1).size(0, 32) == 32


def test_an_odd_input_size_is_reached_exactly() -> None:
    assert [ImageGrowth(start=0.9, until=1.0).size(p, 70) for p in (0, 0.9, 1)] == [64, 64, 70]


def test_shrunk_images_are_the_same_images() -> None:
    pixels = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    pixels[:, :, 32:, 0] = 200
    small = shrink(pixels, 32)
    assert (small.shape, small.dtype) == ((1, 32, 32, 3), torch.uint8)
    assert small[0, 10, :, 0].tolist()[:14] == [0] * 14
    assert small[0, 10, :, 0].tolist()[18:] == [200] * 14


@pytest.mark.parametrize("settings", [{"start": 0.0}, {"start": 1.5}, {"until": 0.0}, {"until": 1.2}, {"since": 0.8}])
def test_values_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=f"growth.{next(iter(settings))} is"):
        ImageGrowth(**settings)
