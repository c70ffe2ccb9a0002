"""Request parsing: any request is parsed, or refused with a message of one line."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import photo
from test_options import CARD

from fashion.errors import InvalidImage
from fashion.options import NAMES, InvalidOption
from fashion.taxonomy import Label
from serving.protocol import MAX_BODY, IncomingRequest, InvalidRequest, TooLarge, UnsupportedEncoding
from serving.request_parsing import MAX_IMAGES, ParsedRequest, Style, header_name, header_options, read_request

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


def parsed_or_refused(call: IncomingRequest) -> ParsedRequest | None:
    try:
        return read_request(call, CARD)
    except (InvalidImage, InvalidOption, InvalidRequest):
        return None


@settings(max_examples=400, deadline=None)
@given(VALUES)
def test_any_json(value: Any) -> None:
    request = parsed_or_refused(IncomingRequest({"body": json.dumps(value).encode()}, content_type="application/json"))
    if request is not None:
        assert 1 <= len(request.images) <= MAX_IMAGES
        assert (request.style is Style.ONE) <= (len(request.images) == 1)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "image/jpeg", "text/plain; charset=x"]))
def test_any_body(body: bytes, declared: str) -> None:
    request = parsed_or_refused(IncomingRequest({"body": bytearray(body)}, content_type=declared))
    if request is not None and request.style is Style.ONE and not body.lstrip().startswith(b"{"):
        assert request.images == (("", body),)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), st.binary(max_size=20) | st.text(), max_size=5),
    st.dictionaries(st.sampled_from([header_name(name) for name in NAMES]) | st.text(max_size=8), st.text(max_size=8)),
)
def test_any_form(fields: dict[str, Any], headers: dict[str, str]) -> None:
    request = parsed_or_refused(IncomingRequest(fields, headers))
    if request is not None:
        assert {name for name, _ in request.images} <= {"", *fields}


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_header_in_any_case(name: str) -> None:
    header = header_name(name)
    assert header.startswith("Fashion-")
    assert header_options({header.upper(): "x", "Accept": "*/*"}) == {name: "x"}


def test_explanations_are_the_routes_default_only() -> None:
    asked = [
        read_request(IncomingRequest({"image": b"x", **fields}, headers, explain=explain), CARD).options.explain
        for fields, headers, explain in [
            ({}, {}, False),
            ({}, {}, True),
            ({}, {"fashion-explain": "overlay"}, True),
            ({"explain": b"none"}, {"fashion-explain": "overlay"}, True),
        ]
    ]
    assert asked == ["none", "maps", "overlay", "none"]


# Forms


@pytest.mark.parametrize(
    "fields",
    [
        {"image": photo(), "image_id": b"1042"},
        {"image_front": photo(), "imageName": "Kleid grün.jpg".encode()},
        {"data": photo(), "image_url": b"https://shop.example/a.jpg", "image_alt": b""},
    ],
)
def test_a_short_text_beside_a_photograph_is_not_an_image(fields: dict[str, bytes]) -> None:
    texts = set(list(fields)[1:])
    assert read_request(IncomingRequest(fields, texts=texts), CARD).images == (("", photo()),)


def test_a_photograph_without_a_file_name_is_an_image() -> None:
    request = read_request(
        IncomingRequest({"image_1": photo(1), "image_2": photo(2)}, texts={"image_1", "image_2"}), CARD
    )
    assert request.images == (("image_1", photo(1)), ("image_2", photo(2)))


@pytest.mark.parametrize("name", ["image", "image2", "images[]", "data"])
def test_a_forgotten_at_sign_is_reported(name: str) -> None:
    request = read_request(IncomingRequest({name: b"photo.jpg", "image1": photo()}, texts={name}), CARD)
    told = dict(request.images)[name]
    assert isinstance(told, InvalidImage)
    assert f"the field '{name}' holds text; send a file: curl -F {name}=@photo.jpg" in str(told)


def test_a_repeated_part_is_named_as_it_was_sent() -> None:
    request = read_request(IncomingRequest({"image": photo(), "image#2": b"front.jpg"}, texts={"image#2"}), CARD)
    assert str(request.images[1][1]) == "the field 'image' holds text; send a file: curl -F image=@photo.jpg"


def test_a_file_is_an_image_whatever_it_holds_and_a_long_text_is_no_note() -> None:
    assert len(read_request(IncomingRequest({"image_a": b"text", "image_b": photo()}), CARD).images) == 2
    long = read_request(IncomingRequest({"image_a": b"x" * 2000, "image_b": photo()}, texts={"image_a"}), CARD)
    assert isinstance(long.images[0][1], InvalidImage)


def test_a_form_without_a_photograph_is_reported() -> None:
    with pytest.raises(InvalidImage, match=r"the request has only 'image_id' but no image; send one as the body"):
        read_request(IncomingRequest({"image_id": b"1042"}, texts={"image_id"}), CARD)


@pytest.mark.parametrize("body", [b"\xff\xd8\xff\xe0\0\x10JFIF=1&a=2", b"RIFF\0\0\0\0WEBPVP8 =&x"])
def test_a_photograph_parsed_as_a_form_is_explained(body: bytes) -> None:
    fields = {pair.partition(b"=")[0].decode("latin-1"): b"" for pair in body.split(b"&")}
    with pytest.raises(
        InvalidRequest, match=r"^the body is declared a form, but is not one; send a photograph with -T"
    ) as told:
        read_request(IncomingRequest(fields, content_type="application/x-www-form-urlencoded", texts=set(fields)), CARD)
    assert str(told.value).isprintable()


# Options in headers and in the query


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_headers_are_read_as_utf_8_and_else_as_latin_1(encoding: str) -> None:
    value = "color:\u00c9cru".encode(encoding).decode("latin-1")  # as both servers pass it on
    options = read_request(IncomingRequest({"body": b"x"}, {"Fashion-Labels": value}), CARD).options
    assert options.labels == (Label("color", "\u00c9cru"),)


def test_other_alphabets_arrive() -> None:
    assert header_options({"fashion-labels": "\u0141\u00f3d\u017a".encode().decode("latin-1")}) == {
        "labels": "\u0141\u00f3d\u017a"
    }


def test_the_query_gives_options_and_a_header_wins() -> None:
    query = {"top_k": "2", "all": "no"}
    assert read_request(IncomingRequest({"body": b"x"}, query=query), CARD).options.top_k == 2
    assert read_request(IncomingRequest({"body": b"x"}, {"Fashion-Top-K": "1"}, query=query), CARD).options.top_k == 1
    with pytest.raises(InvalidOption, match="option 'topk' is unknown"):
        read_request(IncomingRequest({"body": b"x"}, query={"topk": "2"}), CARD)


# Packed bodies


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a head": ("deflate", raw_deflate),
    "identity": ("identity", bytes),
    "nothing": ("", bytes),
}


@pytest.mark.parametrize("name", PACKERS)
def test_a_compressed_body_is_decompressed(name: str) -> None:
    encoding, pack = PACKERS[name]
    headers = {"Content-Encoding": encoding}
    assert read_request(IncomingRequest({"body": bytearray(pack(photo()))}, headers), CARD).images == (("", photo()),)
    text = b'{"image": "eA==", "top_k": 2}'
    assert read_request(IncomingRequest({"body": pack(text)}, headers, "application/json"), CARD).options.top_k == 2


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
def test_the_limit_is_that_of_the_decompressed_body(pack: Callable[[bytes], bytes]) -> None:
    headers = {"Content-Encoding": "gzip" if pack is gzip.compress else "deflate"}
    whole = read_request(IncomingRequest({"body": pack(bytes(MAX_BODY))}, headers), CARD)
    assert len(whole.images[0][1]) == MAX_BODY  # type: ignore[arg-type]
    with pytest.raises(TooLarge, match="the body is larger than 20 MiB"):
        read_request(IncomingRequest({"body": pack(bytes(MAX_BODY + 1))}, headers), CARD)


@pytest.mark.parametrize(
    ("encoding", "body", "kind", "message"),
    [
        ("br", b"x", UnsupportedEncoding, "Content-Encoding 'br' is not supported; send the body uncompressed"),
        ("gzip, gzip", b"x", UnsupportedEncoding, "Content-Encoding 'gzip, gzip'"),
        ("gzip", photo(), InvalidRequest, "declared Content-Encoding: gzip, but is not"),
        ("deflate", photo(), InvalidRequest, "declared Content-Encoding: deflate, but is not"),
        ("gzip", gzip.compress(photo())[:-20], InvalidRequest, "the compressed body ends early"),
        ("gzip", gzip.compress(b"a", mtime=0) + b"b", InvalidRequest, "data follows the end"),
        ("gzip", b"", None, ""),
    ],
)
def test_compressed_bodies_that_are_refused(encoding: str, body: bytes, kind: Any, message: str) -> None:
    call = IncomingRequest({"body": body}, {"content-encoding": encoding})
    if kind is None:
        assert read_request(call, CARD).images == (("", b""),)
        return
    with pytest.raises(kind, match=message) as told:
        read_request(call, CARD)
    assert type(told.value) is kind


# KServe v2


def binary(
    *images: bytes, size: Any = None, datatype: str = "BYTES", more: bytes = b""
) -> tuple[bytes, dict[str, str]]:
    """A binary request as sent by tritonclient, and its headers."""
    data = b"".join(struct.pack("<I", len(image)) + image for image in images)
    tensor = {"name": "image", "shape": [len(images)], "datatype": datatype}
    tensor |= {"parameters": {"binary_data_size": len(data) if size is None else size}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True, "top_k": 2}}).encode()
    return head + data + more, {"Inference-Header-Content-Length": str(len(head))}


def test_binary_tensors() -> None:
    body, headers = binary(photo(1), b"eA==", photo(2))
    request = read_request(IncomingRequest({"body": body}, headers, "application/octet-stream"), CARD)
    assert request.images == (("", photo(1)), ("", b"x"), ("", photo(2)))
    assert (request.style, request.options.top_k) == (Style.KSERVE_V2, 2)
    packed = IncomingRequest({"body": gzip.compress(body, mtime=0)}, headers | {"Content-Encoding": "gzip"})
    assert read_request(packed, CARD) == request


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (binary(b"x", size=4), "ends? within|longer than"),
        (binary(b"x", size=2), "within the length"),
        (binary(b"x", size=99), "binary_data_size 99 is more than the 5 bytes"),
        (binary(b"x", size="5"), "binary_data_size '5' must be a number"),
        (binary(b"x", size=-5), "binary_data_size '-5' must be a number"),
        (binary(b"x", size=True), "binary_data_size 'True' must be a number"),
        (binary(b"x", more=b"yy"), "2 bytes after the JSON are not covered"),
        (binary(b"x", datatype="FP32"), "send images as BYTES"),
        ((b"{}", {"inference-header-content-length": "3"}), "Inference-Header-Content-Length '3' must be"),
        ((b"{}", {"inference-header-content-length": "x"}), "Inference-Header-Content-Length 'x' must be"),
        ((b"{}", {"inference-header-content-length": "2"}), "an object with 'inputs'"),
        ((b"[]", {"inference-header-content-length": "2"}), "an object with 'inputs'"),
    ],
)
def test_binary_tensors_that_are_refused(request_: tuple[bytes, dict[str, str]], message: str) -> None:
    body, headers = request_
    with pytest.raises(InvalidRequest, match=message):
        read_request(IncomingRequest({"body": body}, headers), CARD)


@settings(max_examples=200, deadline=None)
@given(VALUES, st.binary(max_size=30), st.integers(-2, 2))
def test_any_binary_request(value: Any, data: bytes, off: int) -> None:
    head = json.dumps({"inputs": value}).encode()
    parsed_or_refused(IncomingRequest({"body": head + data}, {"inference-header-content-length": str(len(head) + off)}))


def test_an_id_with_half_a_character_is_refused() -> None:
    body = b'{"id": "\\ud800", "inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["eA=="]}]}'
    with pytest.raises(InvalidRequest, match=r"'id' '\\ud800' holds half of a surrogate pair"):
        read_request(IncomingRequest({"body": body}), CARD)


@pytest.mark.parametrize("name", ["binary_data_output", "timeout", "priority", "content_type", "headers"])
def test_parameters_of_the_protocol_itself_pass(name: str) -> None:
    tensor = {"name": "x", "shape": [1], "datatype": "BYTES", "data": ["eA=="]}
    body = json.dumps({"inputs": [tensor], "parameters": {name: True, "top_k": 1}}).encode()
    assert read_request(IncomingRequest({"body": body}), CARD).options.top_k == 1
