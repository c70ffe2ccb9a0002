"""Request options: valid values, and error messages for invalid ones."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundle import LABELS

from fashion.model_card import ModelCard
from fashion.options import NAMES, AnswerOptions, InvalidOption, cautious, parse_options
from fashion.preprocess import InputSpec
from fashion.taxonomy import Label

CARD = ModelCard(
    name="fashion",
    version="1.0",
    created="",
    arch="resnet18",
    input=InputSpec(size=64),
    labels=LABELS,
    thresholds={"0.5": [0.5] * len(LABELS), "micro-f1": [0.3] * len(LABELS)},
    default_profile="micro-f1",
    files={},
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, AnswerOptions()),
        ({"profile": "default"}, AnswerOptions()),
        ({"profile": " micro-f1 "}, AnswerOptions(profile="micro-f1")),
        ({"profile": 0.25}, AnswerOptions(profile="0.25")),
        ({"profile": "1"}, AnswerOptions(profile="1")),
        ({"caution": "0.5"}, AnswerOptions(caution=0.5)),
        ({"caution": b"1e1"}, AnswerOptions(caution=10)),
        ({"top_k": "3"}, AnswerOptions(top_k=3)),
        ({"top_k": 10}, AnswerOptions(top_k=10)),
        ({"groups": "sleeve,color"}, AnswerOptions(groups=("color", "sleeve"))),
        ({"groups": ["color"]}, AnswerOptions(groups=("color",))),
        ({"groups": '["color"]'}, AnswerOptions(groups=("color",))),
        ({"all": True, "embedding": "TRUE"}, AnswerOptions(all=True, embedding=True)),
        ({"all": "0", "embedding": b"no"}, AnswerOptions()),
        ({"explain": True}, AnswerOptions(explain="maps")),
        ({"explain": "overlay"}, AnswerOptions(explain="overlay")),
        ({"explain": "false"}, AnswerOptions()),
        (
            {"labels": "color:Black; category:Hosiery, Stockings, Tights"},
            AnswerOptions(labels=(Label("color", "Black"), Label("category", "Hosiery, Stockings, Tights"))),
        ),
        ({"labels": ["color:\u00c9cru"]}, AnswerOptions(labels=(Label("color", "\u00c9cru"),))),
    ],
)
def test_valid_options(values: dict[str, Any], expected: AnswerOptions) -> None:
    assert parse_options(values, CARD) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"topk": 1}, f"option 'topk' is unknown; choose among: {', '.join(NAMES)}"),
        (
            {"profile": "best"},
            "profile 'best' is unknown; choose among: default, 0.5, micro-f1, or a number from 0 to 1",
        ),
        ({"profile": 1.5}, "profile '1.5' is unknown"),
        ({"profile": "nan"}, "profile 'nan' is unknown"),
        ({"profile": None}, "profile None is neither a name nor a number"),
        ({"profile": b"\xff"}, "profile is not text in UTF-8"),
        ({"caution": 0}, "caution 0 must be a number from 0.001 to 1000; 1 leaves the thresholds as they are"),
        ({"caution": True}, "caution True must be"),
        ({"caution": "nan"}, "caution 'nan' must be"),
        ({"caution": 10**400}, "must be a number"),
        ({"top_k": 0}, "top_k 0 must be a whole number from 1 to 10"),
        ({"top_k": 11}, "must be a whole number from 1 to 10"),
        ({"top_k": True}, "top_k True must be"),
        ({"top_k": 1.0}, "top_k 1.0 must be"),
        ({"top_k": "1_0"}, "top_k '1_0' must be"),
        ({"top_k": "9" * 6000}, "must be a whole number"),
        ({"all": "maybe"}, "all 'maybe' must be true or false"),
        ({"embedding": [1]}, "embedding [1] must be true or false"),
        ({"explain": "why"}, "explain 'why' is unknown; choose among: none, maps, overlay, covered"),
        ({"groups": "size"}, "group 'size' is unknown; the model has: category, color, sleeve"),
        ({"groups": ""}, "groups '' must be a list of names, or text with ',' between them"),
        ({"groups": [1]}, "must be a list of names"),
        ({"groups": "[" * 100_000}, "is not a JSON list"),
        ({"labels": "color:Blue"}, "label 'color:Blue' is unknown; choose among: color:Black"),
        ({"labels": "Black"}, "label 'Black' is unknown; choose among: category:Dresses"),
        ({"all": True, "top_k": 1}, "all and top_k contradict each other"),
        ({"groups": "color", "labels": "color:Red"}, "groups and labels contradict each other"),
    ],
)
def test_invalid_options_and_their_messages(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        parse_options(values, CARD)
    assert message in str(error.value)
    assert len(str(error.value)) < 400


def test_caution_is_refused_where_there_are_no_thresholds() -> None:
    card = replace(CARD, top_k=dict.fromkeys(CARD.taxonomy.groups, 1))
    for values, chosen in (({"profile": "top-k"}, card), ({}, replace(card, default_profile="top-k"))):
        with pytest.raises(InvalidOption, match="caution 4 has no effect with the profile top-k, which has no thresh"):
            parse_options(values | {"caution": 4}, chosen)
        assert parse_options(values | {"caution": 1}, chosen).caution == 1
    assert parse_options({"profile": "0.5", "caution": 4}, replace(card, default_profile="top-k")).caution == 4


def test_caution_multiplies_the_odds_of_thresholds() -> None:
    thresholds = np.array([0, 0.2, 0.5, 0.9, 1], np.float32)
    found = cautious(thresholds, 4)
    assert np.allclose(found, [0, 0.5, 0.8, 36 / 37, 1])
    assert found.dtype == np.float32
    assert np.array_equal(cautious(thresholds, 1), thresholds)
    assert np.allclose(cautious(found, 1 / 4), thresholds)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), JSON_VALUES, max_size=4))
def test_anything_else_is_options_or_one_clear_line(values: dict[str, Any]) -> None:
    try:
        options = parse_options(values, CARD)
    except InvalidOption:
        return
    assert options.top_k is None or 1 <= options.top_k <= len(LABELS)
    assert CARD.threshold_row(options.profile).shape == (len(LABELS),)
    assert set(values) <= set(NAMES)


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "profile": st.sampled_from(["0.5", "micro-f1"]) | st.floats(0, 1).map(repr),
            "groups": st.lists(st.sampled_from(["category", "color", "sleeve"]), min_size=1),
            "embedding": st.booleans(),
            "explain": st.sampled_from(["none", "maps", "overlay", "covered"]),
            "top_k": st.integers(1, len(LABELS)),
        },
    )
)
def test_text_and_json_options_are_equivalent(values: dict[str, Any]) -> None:
    as_text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    assert parse_options(as_text, CARD) == parse_options(values, CARD)
