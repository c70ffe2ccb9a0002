"""training.data.data_module, training.data.images, training.data.loading and training.data.augment."""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from colored_shapes import block, write_shapes

from fashion.errors import DataError, SettingError
from fashion.preprocess import InputSpec, load_pixels
from fashion.taxonomy import NOT_ANNOTATED, Label, Taxonomy, imaterialist
from training.data.augment import Augment
from training.data.data_module import FashionData
from training.data.draws import TrainingDraw
from training.data.images import open_split
from training.data.input_settings import InputSettings
from training.data.loading import FILLER, EpochSampler, WholeSampler
from training.sources.writer import ProductRow, write_dataset

SPEC = InputSpec(size=32)
INPUT = InputSettings.from_spec(SPEC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=50, val=21, only_in_val="Pink")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


def open_data(folder: Path, cache: str, rank: int = 0, ranks: int = 1, **settings: Any) -> FashionData:
    """Open the data as the trainer of this rank does."""
    data = FashionData(str(folder), **{"input": INPUT, "batch_size": 8, "workers": 0, "cache": cache} | settings)
    data.trainer = SimpleNamespace(global_rank=rank, world_size=ranks, num_devices=ranks, current_epoch=0)
    data.prepare_data()
    data.setup()
    return data


def fingerprints(loader: Any) -> list[int]:
    """A fingerprint for each image of an epoch; the gray of the background makes all images differ."""
    return [int(image.long().sum()) for batch in loader for image in batch["pixels"]]


def test_batches_are_pixels_and_targets(folder: Path, cache: str) -> None:
    data = open_data(folder, cache)
    batch = next(iter(data.val_dataloader()))
    assert (batch["pixels"].dtype, batch["pixels"].shape) == (torch.uint8, (8, 32, 32, 3))
    assert (batch["targets"].dtype, batch["targets"].shape) == (torch.int8, (8, 5))
    assert np.array_equal(batch["pixels"][1], load_pixels(block((30, 200, 30), wide=False, gray=254), SPEC))
    assert [label.name for label in data.taxonomy.labels] == ["Blue", "Green", "Red", "Tall", "Wide"]
    assert batch["targets"][0].tolist() == [1, 0, 0, -1, -1]  # its shape is not annotated
    assert batch["targets"][1].tolist() == [0, 1, 0, 1, 0]


def test_labels_of_val_alone_are_reported_and_not_fatal(
    folder: Path, cache: str, capsys: pytest.CaptureFixture
) -> None:
    data = open_data(folder, cache)
    said = capsys.readouterr().out
    assert "50 training and 21 validation images; 5 labels: color 3, shape 2" in said
    assert "1 labels outside the training split cannot be learned and are left out: 'Pink' of color" in said
    assert data.val[20]["targets"].tolist()[:3] == [0, 0, 0]


def test_groups_choose_the_labels(folder: Path, cache: str) -> None:
    assert open_data(folder, cache, groups=["shape"]).taxonomy.groups == ("shape",)
    with pytest.raises(DataError, match=r"no attribute group 'colour' .*did you mean 'color'"):
        open_data(folder, cache, groups=["colour"])


def test_imaterialist_fixes_the_taxonomy(tmp_path: Path, cache: str, folder: Path) -> None:
    rows = [
        ProductRow(s, f"{s}{i}", block((9, 9, 9), i > 1), {"color": ["Black", "Mauve"]}, "")
        for s in ("train", "val")
        for i in range(3)
    ]
    write_dataset(rows, tmp_path / "data", ["color"], "test")
    data = open_data(tmp_path / "data", cache, taxonomy="imaterialist")
    assert data.taxonomy == imaterialist()
    targets = data.train[0]["targets"].numpy()
    assert data.taxonomy.decode(targets)["color"] == ["Black"]
    assert data.taxonomy.decode(targets)["sleeve"] is None
    with pytest.raises(DataError, match="none of the groups"):
        open_data(folder, cache, taxonomy="imaterialist", groups=["shape"])


def test_folder_without_val_is_one_error(tmp_path: Path, cache: str) -> None:
    write_dataset(
        [ProductRow("train", "a", block((9, 9, 9), True), {"color": ["Black"]}, "")],
        tmp_path / "data",
        ["color"],
        "test",
    )
    with pytest.raises(DataError, match=r"has no val split, it has: train; give its source a val.csv or more rows"):
        open_data(tmp_path / "data", cache)


def test_an_epoch_has_every_image_once_in_a_new_order(folder: Path, cache: str) -> None:
    data = open_data(folder, cache, batch_size=5)
    loader = data.train_dataloader()
    first = fingerprints(loader)
    loader.sampler.set_epoch(1)
    second = fingerprints(loader)
    assert first != second != sorted(second)
    assert sorted(first) == sorted(second)
    assert len(set(first)) == 50


def test_the_last_batch_is_dropped_unless_it_is_the_only_one(folder: Path, cache: str) -> None:
    assert len(fingerprints(open_data(folder, cache, batch_size=8).train_dataloader())) == 48
    assert len(fingerprints(open_data(folder, cache, batch_size=64).train_dataloader())) == 50


def test_ranks_share_an_epoch(folder: Path, cache: str) -> None:
    parts = [fingerprints(open_data(folder, cache, rank, 3, batch_size=4).train_dataloader()) for rank in range(3)]
    assert [len(part) for part in parts] == [16, 16, 16]
    assert len({image for part in parts for image in part}) == 48


def test_ranks_validate_every_image_once(folder: Path, cache: str) -> None:
    whole = open_data(folder, cache).val_dataloader()
    alone = [tuple(target) for batch in whole for target in batch["targets"].tolist()]
    together, batches = [], []
    for rank in range(4):
        loader = open_data(folder, cache, rank, 4, batch_size=2).val_dataloader()
        targets = [batch["targets"] for batch in loader]
        batches.append(len(targets))
        together += [tuple(target) for target in torch.cat(targets).tolist()]
    assert batches == [3, 3, 3, 3]  # 21 images on 4 ranks: 3 fillers, which are not counted
    assert together.count((-1,) * 5) == 3
    assert sorted(t for t in together if t != (-1,) * 5) == sorted(alone)


@pytest.mark.parametrize(("rows", "ranks"), [(1, 3), (10, 3), (12, 4)])
def test_samplers_give_ranks_equal_numbers(rows: int, ranks: int) -> None:
    for sampler in (EpochSampler, WholeSampler):
        extra = {"seed": 1} if sampler is EpochSampler else {}
        parts = [list(sampler(rows, rank, ranks, **extra)) for rank in range(ranks)]
        assert {len(part) for part in parts} == {len(sampler(rows, 0, ranks, **extra))}
        seen = [index for part in parts for index in part if index != FILLER]
        assert len(set(seen)) == len(seen)
    assert sorted(i for rank in range(ranks) for i in WholeSampler(rows, rank, ranks) if i != FILLER) == list(
        range(rows)
    )


def test_an_epoch_continues_where_it_stopped(folder: Path, cache: str) -> None:
    data = open_data(folder, cache)
    whole = fingerprints(data.train_dataloader())
    begun = iter(data.train_dataloader())
    for _ in range(2):
        next(begun)
    state = data.state_dict()
    resumed = open_data(folder, cache)
    resumed.load_state_dict(state)
    loader = resumed.train_dataloader()
    assert fingerprints(loader) == whole[16:]
    assert fingerprints(loader) == whole  # the next epoch is complete again


def test_augmentations_reach_the_loader_and_flip_at_the_stated_rate(folder: Path, cache: str) -> None:
    data = open_data(folder, cache, augment=Augment(flip=0.3))
    plain = [item["pixels"] for item in open_data(folder, cache).train]
    torch.manual_seed(0)
    flipped = total = 0
    for _ in range(10):
        for image, original in zip((item["pixels"] for item in data.train), plain, strict=True):
            same, mirrored = torch.equal(image, original), torch.equal(image, original.flip(1))
            assert same != mirrored
            flipped += mirrored
            total += 1
    assert flipped / total == pytest.approx(0.3, abs=0.06)  # 500 draws: three standard deviations


def test_every_image_and_epoch_draws_its_own_colors_and_crop(folder: Path, cache: str) -> None:
    augment = Augment(brightness=0.4, contrast=0.2, saturation=0.2, hue=0.05, crop_scale=0.5)
    data = open_data(folder, cache, augment=augment, batch_size=50)
    loader = data.train_dataloader()
    first, again = next(iter(loader))["pixels"], next(iter(loader))["pixels"]
    assert first.shape == (50, 32, 32, 3)
    assert torch.equal(first, again), "the same epoch"
    plain = next(iter(open_data(folder, cache, batch_size=50).train_dataloader()))["pixels"]
    for which in (TrainingDraw(0, 3, 1), TrainingDraw(0, 4, 0)):
        assert not torch.equal(data.train[which]["pixels"], data.train[TrainingDraw(0, 3, 0)]["pixels"])
    changes = (first.float().mean((1, 2, 3)) / plain.float().mean((1, 2, 3))).tolist()
    assert len({round(change, 2) for change in changes}) > 10


def test_a_wall_has_none_of_the_labels(folder: Path, cache: str) -> None:
    plain = open_data(folder, cache)
    data = open_data(folder, cache, augment=Augment(blank=1.0))
    for item, original in zip(data.train, plain.train, strict=True):
        assert not (item["targets"] == 1).any()
        assert torch.equal(item["targets"] == NOT_ANNOTATED, original["targets"] == NOT_ANNOTATED)


def test_a_recolored_image_has_no_color_targets(folder: Path, cache: str) -> None:
    plain = open_data(folder, cache)
    data = open_data(folder, cache, augment=Augment(recolor=0.5))
    torch.manual_seed(0)
    colors = plain.taxonomy.indices("color")
    others = plain.taxonomy.indices("shape")
    recolored = 0
    for item, original in zip(data.train, plain.train, strict=True):
        assert torch.equal(item["targets"][others], original["targets"][others])
        if torch.equal(item["pixels"], original["pixels"]):
            assert torch.equal(item["targets"], original["targets"])
        else:
            assert (item["targets"][colors] == NOT_ANNOTATED).all()
            recolored += 1
    assert 15 <= recolored <= 35  # of 50


def test_augmentations_leave_validation_alone(folder: Path, cache: str) -> None:
    strong = Augment(flip=1, brightness=0.9, crop_scale=0.1)
    assert fingerprints(open_data(folder, cache, augment=strong).val_dataloader()) == fingerprints(
        open_data(folder, cache).val_dataloader()
    )


EVERY_CHANGE = Augment(
    flip=0.5,
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    hue=0.05,
    crop_scale=0.5,
    border=0.2,
    recolor=0.3,
    rotate=20,
    blank=0.2,
    ground=0.5,
)


def epoch(loader: Any) -> list[torch.Tensor]:
    """Pixels and targets of an epoch, in one tensor for each batch."""
    batches = islice(loader, len(loader))  # a stream is endless
    return [torch.cat([batch["pixels"].flatten(1), batch["targets"].to(torch.uint8)], dim=1) for batch in batches]


def test_augmentations_depend_on_seed_epoch_and_image_only(folder: Path, cache: str) -> None:
    alone = open_data(folder, cache, augment=EVERY_CHANGE).train_dataloader()
    first = epoch(alone)
    alone.sampler.set_epoch(1)
    second = epoch(alone)
    assert not any(map(torch.equal, second, first))
    torch.manual_seed(1234)
    loader = open_data(folder, cache, augment=EVERY_CHANGE, workers=2).train_dataloader()
    assert all(map(torch.equal, epoch(loader), first))
    loader.sampler.set_epoch(1)  # persistent workers must get the new epoch
    assert all(map(torch.equal, epoch(loader), second))


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_continues_where_it_stopped(workers: int, folder: Path, cache: str) -> None:
    settings: dict[str, Any] = {"augment": EVERY_CHANGE, "streaming": True, "batch_size": 5, "workers": workers}
    whole = epoch(open_data(folder, cache, **settings).train_dataloader())
    left = open_data(folder, cache, **settings)
    begun = iter(left.train_dataloader())
    for _ in range(3):
        next(begun)
    resumed = open_data(folder, cache, **settings)
    resumed.load_state_dict(left.state_dict())
    loader = resumed.train_dataloader()
    assert all(map(torch.equal, epoch(loader), whole[3:]))
    assert all(map(torch.equal, epoch(loader), whole)), "the next epoch is complete again"


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pause of 5 s that `datasets` makes after each pass over a stream, for the sake of many threads."""
    import datasets

    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0.2)


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("ranks", [1, 2])
def test_streaming_has_as_many_images_as_there_are(ranks: int, folder: Path, cache: str) -> None:
    parts = []
    for rank in range(ranks):
        data = open_data(folder, cache, rank, ranks, streaming=True, batch_size=5)
        loader = data.train_dataloader()
        batches = iter(loader)
        parts.append([int(i.long().sum()) for _ in range(len(loader)) for i in next(batches)["pixels"]])
    assert [len(part) for part in parts] == [50 // ranks] * ranks
    assert len({image for part in parts for image in part}) == 50
    assert (
        fingerprints(data.val_dataloader())[:5]
        == fingerprints(open_data(folder, cache, rank, ranks).val_dataloader())[:5]
    )


@pytest.mark.usefixtures("no_pause")
def test_streaming_shuffles_each_epoch_anew(folder: Path, cache: str) -> None:
    data = open_data(folder, cache, streaming=True, batch_size=50)
    loader = data.train_dataloader()
    first = fingerprints([next(iter(loader))])
    data.trainer.current_epoch = 1
    second = fingerprints([next(iter(loader))])
    assert first != second
    assert sorted(first) == sorted(second)


def test_limits_draw_the_same_images_each_time(folder: Path, cache: str) -> None:
    small = [open_data(folder, cache, limit_train=9, limit_val=4) for _ in range(2)]
    assert (len(small[0].train), len(small[0].val)) == (9, 4)
    assert [int(i["pixels"].sum()) for i in small[0].train] == [int(i["pixels"].sum()) for i in small[1].train]
    images = small[0].train
    assert (len(images.sample(3)), len(images)) == (3, 9), "a sample is another object"


def test_open_split_takes_the_labels_of_a_model(folder: Path, cache: str) -> None:
    model = Taxonomy((Label("shape", "Wide"), Label("season", "Winter"), Label("color", "Red")))
    images = open_split(folder, "val", model, SPEC, cache=cache)
    assert len(images) == 21
    assert images[1]["targets"].tolist() == [0, -1, 0]
    assert images[2]["targets"].tolist() == [1, -1, 1]
    with pytest.raises(DataError, match=r"has no test split, it has: train, val; give its source a test.csv"):
        open_split(folder, "test", model, SPEC, cache=cache)


def test_a_catalog_folder_is_imported_once(tmp_path: Path, cache: str) -> None:
    (tmp_path / "shop" / "images").mkdir(parents=True)
    for split in ("train", "val"):
        lines = [f"{split}{i}.png,{color}" for i, color in enumerate(["Red", "Blue"] * 2)]
        (tmp_path / "shop" / f"{split}.csv").write_text("\n".join(["image,color", *lines]) + "\n")
        for i in range(4):
            (tmp_path / "shop" / "images" / f"{split}{i}.png").write_bytes(block((i, 9, len(split)), i > 1))
    data = open_data(tmp_path / "shop", cache, groups=["color"])
    assert (len(data.train), len(data.val)) == (4, 4)
    assert [label.name for label in data.taxonomy.labels] == ["Blue", "Red"]


def test_broken_image_is_a_one_line_error(folder: Path, cache: str) -> None:
    data = open_data(folder, cache)
    with pytest.raises(DataError, match=r"broken: .*import the data again"):
        data.train.reader({"image": {"bytes": b"no image", "path": None}, "color": None, "shape": None})


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"batch_size": 0}, "--data.batch_size is 0"), ({"workers": -1}, "--data.workers is -1")],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        FashionData("x", **settings)


def test_bad_augmentation_is_named() -> None:
    with pytest.raises(SettingError, match=r"augment.hue is 0.7; it must lie between 0 and 0.5"):
        Augment(hue=0.7)
