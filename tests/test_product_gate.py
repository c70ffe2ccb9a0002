"""The product gate of a finished bundle is fitted again; everything else it says stays."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_bundle import garments, make_tiny_bundle

from fashion.errors import BundleError
from fashion.gates import Gates
from fashion.model_card import CHECKPOINT_FILE, ModelCard
from fashion.predictor import Predictor
from training.data.backgrounds import place_in_front
from training.fitting.runs import TrainingRun, load_module, write_slim
from training.product_gate import fit_gate, main
from training.weights.head_rows import replace_head_row

SIZE = 32


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that show no product, in train/ and val/."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    for split, count in (("train", 60), ("val", 20)):
        (folder / split).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / split / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("before"), size=SIZE, gates=Gates(("sleeve",), True))


@pytest.fixture(scope="module")
def after(before: Path, labeled_data: Path, noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("after")
    flags = ["--data", str(labeled_data), "--negatives", str(noise), "--cache", str(folder / "cache")]
    main([str(before), *flags, "--out", str(folder / "bundle"), "--model-version", "1.1"])
    return folder / "bundle"


def test_only_the_product_gate_changes(before: Path, after: Path, labeled_data: Path, noise: Path) -> None:
    pixels = np.concatenate(
        [garments(8, SIZE), np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)]
    )
    for engine in ("int8", "onnx", "torch"):
        old, new = (Predictor.from_bundle(bundle, engine).engine.run(pixels) for bundle in (before, after))
        assert np.array_equal(old.logits[:, :-1], new.logits[:, :-1])
        assert not np.allclose(old.logits[:, -1], new.logits[:, -1])


def test_it_tells_products_from_the_pictures_given(before: Path, after: Path, noise: Path) -> None:
    card = ModelCard.load(after)
    scores = card.metrics["validation"]["gates"]["product"]
    assert card.version == "1.1"
    assert card.gate_thresholds["product"] == scores["threshold"] == 0.5
    assert scores["negatives"] == 20
    assert scores["recognized_negatives"] == 1
    assert scores["false_alarms"] <= 0.01
    found = Predictor.from_bundle(after).predict_each(sorted((noise / "val").iterdir()))
    assert max(outcome.get().product or 0 for outcome in found) < 0.5
    assert card.weights_id != ModelCard.load(before).weights_id


def test_the_checkpoint_gets_the_same_row(run: Path, tmp_path: Path) -> None:
    source = TrainingRun(run).checkpoint("best")
    write_slim(source, tmp_path / CHECKPOINT_FILE)
    old = load_module(source).network.get_head()
    weight = np.arange(old.in_features, dtype=np.float32)
    replace_head_row(tmp_path / CHECKPOINT_FILE, "resnet18", -1, weight, 0.25)
    new = load_module(tmp_path / CHECKPOINT_FILE).network.get_head()
    assert new.weight[-1].tolist() == weight.tolist()
    assert new.bias[-1] == 0.25
    assert new.weight[:-1].equal(old.weight[:-1])


def test_a_row_of_another_width_is_refused(before: Path, tmp_path: Path) -> None:
    for file in ("model.pth", "model.onnx", "model.int8.onnx"):
        shutil.copy(before / file, tmp_path)
        with pytest.raises(BundleError, match="has no last layer of 7 inputs"):
            replace_head_row(tmp_path / file, "resnet18", -1, np.zeros(7, np.float32), 0.0)
        assert (tmp_path / file).read_bytes() == (before / file).read_bytes()


def test_folders_weigh_the_same_whatever_their_size() -> None:
    rng = np.random.default_rng(0)
    products, others, none = (rng.normal(i, 1, (40, 4)).astype(np.float32) for i in range(3))
    once, _ = fit_gate([products, others, none], [True, True, False])
    thrice, _ = fit_gate([np.repeat(products, 3, axis=0), others, none], [True, True, False])
    assert once == pytest.approx(thrice, rel=0.05)  # embeddings are scaled by their mean square, which changes a little
    assert (once < 0).all()


@pytest.mark.parametrize(
    ("gates", "out", "message"),
    [
        (Gates(), "new", "has no product gate; train it with --data.negatives"),
        (Gates((), True), "old", "is the bundle"),
    ],
)
def test_what_cannot_be_refitted(
    gates: Gates, out: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tiny_bundle(tmp_path / "old", size=SIZE, gates=gates)
    with pytest.raises(SystemExit) as exit:
        main([str(tmp_path / "old"), "--data", "none", "--negatives", "none", "--out", str(tmp_path / out)])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_products_come_in_front_of_other_pictures() -> None:
    product = Image.new("RGB", (40, 60), "white")
    product.paste((200, 0, 0), (10, 15, 30, 45))
    scene = Image.fromarray(np.random.default_rng(0).integers(0, 100, (90, 200, 3), np.uint8))
    made = place_in_front(product, scene, torch.Generator().manual_seed(0))
    assert made is not None
    pixels = np.asarray(made).astype(int)
    assert (pixels[20:40, 15:25] == (200, 0, 0)).all()
    assert pixels[:10].max() < 130  # a resized part of the scene may overshoot a little
    assert pixels[:10].std() > 5
    again = place_in_front(product, scene, torch.Generator().manual_seed(0))
    assert again is not None
    assert again.tobytes() == made.tobytes()
    assert place_in_front(scene, product) is None  # it has no plain background
