"""Gates: answers of a model for groups that do not apply and for images without a product."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photos import photo
from tiny_bundle import GATE_THRESHOLDS, GATES, LABELS, TOP_K

from fashion.answers import answered_mask, chosen_labels, make_answer, remarks
from fashion.calibration import calibrated
from fashion.engines import open_engine
from fashion.errors import BundleError
from fashion.gates import NO_GATES, Gates
from fashion.model_card import CARD_FILE, ModelCard
from fashion.options import AnswerOptions, InvalidOption, parse_options
from fashion.prediction import Prediction
from fashion.predictor import Predictor, main
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label

CARD = ModelCard(
    name="fashion",
    version="1.0",
    created="",
    arch="resnet18",
    input=InputSpec(size=64),
    labels=LABELS,
    thresholds={"0.5": [0.5] * len(LABELS)},
    default_profile="0.5",
    files={},
    calibration={"color": {"method": "platt", "scale": 2.0, "offset": -0.5}},
    top_k=TOP_K,
    gates=GATES,
    gate_thresholds=GATE_THRESHOLDS,
)
GROUPS = ("category", "color", "sleeve")


def seen(sleeve: float = 0.9, category: float = 0.9, product: float = 0.99, label: float = 0.9) -> Prediction:
    """A prediction whose labels all have the same probability before gating."""
    gates = np.array([sleeve, category, product], np.float32)
    logits = np.full(len(LABELS), np.log(label / (1 - label)), np.float32)
    joint = np.float32(label) * GATES.factors(gates, CARD.taxonomy)
    return Prediction(logits, joint, np.ones(4, np.float32), None, gates[:2], float(gates[2]))


def groups_of(answer: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(attribute["group"] for attribute in answer["attributes"]))


# --- the card ---------------------------------------------------------------------------------------------------------


def test_the_card_is_read_back(tmp_path: Path) -> None:
    CARD.save(tmp_path)
    assert ModelCard.load(tmp_path) == CARD
    content = json.loads((tmp_path / CARD_FILE).read_text(encoding="utf-8"))
    assert content["gates"] == {"applies": ["sleeve", "category"], "product": True}
    assert content["schema"] == 6
    assert CARD.num_outputs == 13


def test_a_card_of_schema_4_has_none(tmp_path: Path) -> None:
    before = replace(CARD, gates=NO_GATES, gate_thresholds={})
    content = {k: v for k, v in before.to_json().items() if k not in ("gates", "gate_thresholds")} | {"schema": 4}
    (tmp_path / CARD_FILE).write_text(json.dumps(content), encoding="utf-8")
    assert ModelCard.load(tmp_path) == before
    assert before.num_outputs == 10


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gates": {"applies": ["neck"], "product": True}}, "do not fit the groups category, color, sleeve"),
        ({"gates": {"applies": ["sleeve", "sleeve"], "product": True}}, "do not fit"),
        ({"gates": {"applies": ["sleeve"], "product": 1}}, "do not fit"),
        ({"gates": ["sleeve"]}, "expected {'applies'"),
        ({"gate_thresholds": {"applies": {"color": 0.5}}}, "names 'color', for which the model has no gate"),
        ({"gate_thresholds": {"sleeve": 0.5}}, "names 'sleeve', for which"),
        ({"gate_thresholds": {"product": 1.5}}, "expected {'applies'"),
        ({"gate_thresholds": {"product": True}}, "expected {'applies'"),
        ({"gate_thresholds": {"applies": {"sleeve": "0.5"}}}, "expected {'applies'"),
        ({"gate_thresholds": [0.5]}, "expected {'applies'"),
        ({"gate_thresholds": {"applies": [0.5]}}, "expected {'applies'"),
    ],
)
def test_gates_that_do_not_fit_are_one_line_errors(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    content = CARD.to_json() | values
    (tmp_path / CARD_FILE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BundleError) as error:
        ModelCard.load(tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_probability_is_the_labels_times_its_groups_times_the_products() -> None:
    outputs = np.random.default_rng(0).normal(0, 2, (5, 13)).astype(np.float32)
    sleeve, category, product = (1 / (1 + np.exp(-outputs[:, i])) for i in (10, 11, 12))
    own = calibrated(outputs[:, :10], CARD.taxonomy, CARD.calibration)
    found = CARD.probabilities(outputs)
    assert found.shape == own.shape
    assert found.dtype == np.float32
    for i, label in enumerate(LABELS):
        applies = {"sleeve": sleeve, "category": category}.get(label.group, 1)
        np.testing.assert_allclose(found[:, i], own[:, i] * applies * product, atol=1e-6)
    np.testing.assert_array_equal(CARD.probabilities(outputs[0]), found[0])


@pytest.mark.parametrize("outputs", [10, 12, 14])
def test_other_numbers_of_outputs_are_refused(outputs: int) -> None:
    with pytest.raises(ValueError, match=f"{outputs} outputs; expected 13, of labels and gates"):
        CARD.probabilities(np.zeros((2, outputs), np.float32))


def test_missing_gates_are_an_error() -> None:
    for choose in (answered_mask, lambda card, rows: chosen_labels(card, rows[0], card.threshold_row())):
        with pytest.raises(ValueError, match="probabilities of 0 gates; the model has 3"):
            choose(CARD, np.ones((1, 10), np.float32))


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [AnswerOptions(), AnswerOptions(top_k=2), AnswerOptions(profile="top-k"), AnswerOptions(profile="0")],
    ids=["thresholds", "top_k", "top-k", "0"],
)
def test_a_group_that_does_not_apply_is_not_answered(options: AnswerOptions) -> None:
    assert groups_of(make_answer(CARD, seen(), options)) == list(GROUPS)
    assert groups_of(make_answer(CARD, seen(sleeve=0.49), options)) == ["category", "color"]
    assert groups_of(make_answer(CARD, seen(category=0.39), options)) == ["color", "sleeve"]


def test_a_group_has_a_threshold_of_its_own() -> None:
    assert groups_of(make_answer(CARD, seen(category=0.41), AnswerOptions(top_k=1))) == list(GROUPS)
    assert groups_of(make_answer(CARD, seen(category=0.41))) == ["color", "sleeve"]  # its labels have 0.9 * 0.41


@pytest.mark.parametrize(
    "options", [AnswerOptions(), AnswerOptions(top_k=2), AnswerOptions(profile="top-k"), AnswerOptions(profile="0")]
)
def test_without_a_product_nothing_is_answered(options: AnswerOptions) -> None:
    answer = make_answer(CARD, seen(product=0.29), options)
    assert answer["attributes"] == []
    assert answer["product"] == {"recognized": False, "probability": 0.29}
    answer = make_answer(CARD, seen(product=0.31), AnswerOptions(top_k=1))
    assert groups_of(answer) == list(GROUPS)
    assert answer["product"] == {"recognized": True, "probability": 0.31}


def test_all_and_labels_bypass_gates() -> None:
    nothing = seen(sleeve=0.01, category=0.01, product=0.02)
    everything = make_answer(CARD, nothing, AnswerOptions(all=True))["attributes"]
    assert len(everything) == len(LABELS)
    by_group = {attribute["group"]: attribute["probability"] for attribute in everything}
    assert by_group == {"category": 0.0002, "color": 0.018, "sleeve": 0.0002}
    asked = AnswerOptions(labels=(Label("sleeve", "Sleeveless"),))
    assert [attribute["name"] for attribute in make_answer(CARD, nothing, asked)["attributes"]] == ["Sleeveless"]


def test_applies_is_answered_on_request() -> None:
    assert "applies" not in make_answer(CARD, seen())
    answer = make_answer(CARD, seen(sleeve=0.02, product=0.31), AnswerOptions(applies=True))
    assert answer["applies"] == {
        "sleeve": 0.02,
        "category": 0.9,
    }  # conditional on a product: not multiplied by its probability
    assert list(answer) == ["attributes", "product", "applies", "model"]
    some = AnswerOptions(applies=True, groups=("color", "sleeve"))
    assert make_answer(CARD, seen(), some)["applies"] == {"sleeve": 0.9}


def test_a_model_without_gates_answers_as_before() -> None:
    card = replace(CARD, gates=NO_GATES, gate_thresholds={})
    prediction = Prediction(np.zeros(10, np.float32), np.full(10, 0.9, np.float32), np.ones(4, np.float32))
    answer = make_answer(card, prediction)
    assert list(answer) == ["attributes", "model"]
    assert len(answer["attributes"]) == 10
    assert parse_options({"applies": False}, card) == AnswerOptions()
    with pytest.raises(InvalidOption, match="applies is not available: this model does not predict which groups"):
        parse_options({"applies": "true"}, card)
    assert parse_options({"applies": "true"}, CARD) == AnswerOptions(applies=True)


def test_a_model_may_have_one_kind_of_gates_alone() -> None:
    groups = replace(CARD, gates=Gates(("sleeve",)), gate_thresholds={})
    prediction = replace(seen(), applies=np.array([0.1], np.float32), product=None)
    answer = make_answer(groups, prediction, AnswerOptions(applies=True))
    assert list(answer) == ["attributes", "applies", "model"]
    assert groups_of(answer) == ["category", "color"]
    product = replace(CARD, gates=Gates(product=True), gate_thresholds={})
    prediction = replace(seen(), applies=np.empty(0, np.float32), product=0.4)
    assert make_answer(product, prediction)["attributes"] == []


def test_remarks_in_words() -> None:
    asked = AnswerOptions(applies=True)
    assert remarks(make_answer(CARD, seen(), asked)) == []
    assert remarks(make_answer(CARD, seen(sleeve=0.02), asked)) == ["sleeve: does not apply"]
    assert remarks(make_answer(CARD, seen(product=0.02))) == ["no product recognized (0.02)"]


# --- a bundle ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def predictions(gated_bundle: Path) -> list[Prediction]:
    return Predictor.from_bundle(gated_bundle, "int8").predict([photo(seed) for seed in range(24)])


def test_answers_of_the_photographs_differ(predictions: list[Prediction], gated_bundle: Path) -> None:
    """Otherwise the tests of servers and catalogs would prove nothing."""
    card = ModelCard.load(gated_bundle)
    said = np.stack([prediction.gates for prediction in predictions]) >= card.gate_row
    assert 0 < said.mean() < 1
    assert len({tuple(row) for row in said}) > 2


def test_the_files_of_a_bundle_have_the_gates_outputs(gated_bundle: Path, predictions: list[Prediction]) -> None:
    card = ModelCard.load(gated_bundle)
    onnx, torch = (
        Predictor.from_bundle(gated_bundle, engine, device="cpu").predict([photo(seed) for seed in range(4)])
        for engine in ("onnx", "torch")
    )
    for one, other, int8 in zip(onnx, torch, predictions[:4], strict=True):
        assert (one.logits.shape, one.gates.shape) == (int8.logits.shape, int8.gates.shape) == ((10,), (3,))
        np.testing.assert_allclose(one.gates, other.gates, atol=1e-4)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
    assert open_engine(gated_bundle, card, "int8").head.shape[0] == 13
    with pytest.raises(BundleError, match="has 13 outputs, but its model card has 10 labels; export again"):
        open_engine(gated_bundle, replace(card, gates=NO_GATES, gate_thresholds={}), "onnx")
    with pytest.raises(BundleError, match="has 13 outputs, but its model card has 10 labels and 2 gates; export"):
        open_engine(gated_bundle, replace(card, gates=Gates(("sleeve",), True), gate_thresholds={}), "torch")


@pytest.mark.parametrize("profile", [None, "0.5", "0", "top-k"])
def test_batch_answers_equal_single_answers(
    predictions: list[Prediction], gated_bundle: Path, profile: str | None
) -> None:
    card = ModelCard.load(gated_bundle)
    probabilities, gates = (np.stack([getattr(p, name) for p in predictions]) for name in ("probabilities", "gates"))
    for row, prediction in zip(answered_mask(card, probabilities, profile, gates), predictions, strict=True):
        answer = make_answer(card, prediction, AnswerOptions(profile=profile))["attributes"]
        assert {(a["group"], a["name"]) for a in answer} == {LABELS[i] for i in np.flatnonzero(row)}


def test_the_command_line(gated_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{seed}.png" for seed in range(8)]
    for seed, path in enumerate(paths):
        path.write_bytes(photo(seed))
    assert main([str(gated_bundle), *map(str, paths), "--applies", "--engine", "int8"]) == 0
    printed = capsys.readouterr()
    answers = [json.loads(line) for line in printed.out.splitlines()]
    assert all(list(answer["applies"]) == ["sleeve", "category"] for answer in answers)
    said = [f"note: {answer['image']}: {line}" for answer in answers for line in remarks(answer)]
    assert said
    assert printed.err.splitlines() == said
