"""Requests are understood or refused with one line, whatever they hold."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_options import CARD

from fashion.errors import InvalidImage
from fashion.options import NAMES, InvalidOption
from serving.protocol import Call, InvalidRequest
from serving.reading import MAX_IMAGES, Request, Style, header_name, header_options, read_request

WORDS = [
    "image",
    "images",
    "instances",
    "inputs",
    "parameters",
    "b64",
    "data",
    "shape",
    "datatype",
    "name",
    "id",
    *NAMES,
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["BYTES", "eA=="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


def understood(call: Call) -> Request | None:
    try:
        return read_request(call, CARD)
    except (InvalidImage, InvalidOption, InvalidRequest):
        return None


@settings(max_examples=400, deadline=None)
@given(VALUES)
def test_any_json(value: Any) -> None:
    request = understood(Call({"body": json.dumps(value).encode()}, content_type="application/json"))
    if request is not None:
        assert 1 <= len(request.images) <= MAX_IMAGES
        assert (request.style is Style.ONE) <= (len(request.images) == 1)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "image/jpeg", "text/plain; charset=x"]))
def test_any_body(body: bytes, declared: str) -> None:
    request = understood(Call({"body": bytearray(body)}, content_type=declared))
    if request is not None and request.style is Style.ONE and not body.lstrip().startswith(b"{"):
        assert request.images == (("", body),)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), st.binary(max_size=20) | st.text(), max_size=5),
    st.dictionaries(st.sampled_from([header_name(name) for name in NAMES]) | st.text(max_size=8), st.text(max_size=8)),
)
def test_any_form(fields: dict[str, Any], headers: dict[str, str]) -> None:
    request = understood(Call(fields, headers))
    if request is not None:
        assert {name for name, _ in request.images} <= {"", *fields}


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_header_in_any_case(name: str) -> None:
    header = header_name(name)
    assert header.startswith("Fashion-")
    assert header_options({header.upper(): "x", "Accept": "*/*"}) == {name: "x"}


def test_explanations_are_the_routes_default_only() -> None:
    asked = [
        read_request(Call({"image": b"x", **fields}, headers, explain=explain), CARD).options.explain
        for fields, headers, explain in [
            ({}, {}, False),
            ({}, {}, True),
            ({}, {"fashion-explain": "overlay"}, True),
            ({"explain": b"none"}, {"fashion-explain": "overlay"}, True),
        ]
    ]
    assert asked == ["none", "maps", "overlay", "none"]
