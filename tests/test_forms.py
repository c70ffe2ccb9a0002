"""Both servers parse forms alike: the same parts, and the same of them as text."""

import asyncio
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import requests
from image_files import encoded
from image_files import photo as picture
from photos import photo

from serving.decompression import BODY
from serving.forms import parse_form
from serving.handler import FashionHandler
from serving.protocol import MAX_BODY, IncomingRequest, InvalidRequest
from serving.repeated_parts import number_repeated, without_number

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # the package leaves its version.txt open
    from ts.context import Context, RequestProcessor

URLENCODED = "application/x-www-form-urlencoded"


def parsed_form(**request: Any) -> IncomingRequest:
    """Parse a form as `requests` sends it."""
    prepared = requests.Request("POST", "http://x", **request).prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return asyncio.run(parse_form(IncomingRequest({BODY: body}, content_type=prepared.headers["Content-Type"])))


def test_files_and_texts() -> None:
    call = parsed_form(files={"image": photo(), "empty": b""}, data={"image_id": "1042", "note": "Gr\u00fcn"})
    assert call.fields == {"image": photo(), "empty": b"", "image_id": b"1042", "note": "Gr\u00fcn".encode()}
    assert call.texts == {"image_id", "note"}


def test_a_part_without_a_file_name_keeps_its_bytes() -> None:
    large = photo() + bytes(range(256)) * 8_000  # larger than Starlette's default limit for a text
    call = parsed_form(files={"image": (None, large)})
    assert (call.fields, call.texts) == ({"image": large}, {"image"})


def test_no_part_is_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: object) -> None:
        raise AssertionError("a part is written to disk")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", fail)
    large = bytes(MAX_BODY - 1000)
    assert parsed_form(files={"image": ("a.jpg", large)}).fields == {"image": large}


def test_names_are_read_as_utf_8() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="Gr\xc3\xb6\xc3\x9fe"\r\n\r\n38\r\n--x--\r\n'
    call = IncomingRequest({BODY: body}, content_type="multipart/form-data; boundary=x")
    assert asyncio.run(parse_form(call)).fields == {"Gr\u00f6\u00dfe": b"38"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_photograph_declared_as_a_form_is_a_raw_body(kind: str) -> None:
    call = IncomingRequest({BODY: encoded(picture(), kind)}, content_type=URLENCODED)
    assert asyncio.run(parse_form(call)) is call


def test_fields_of_a_urlencoded_form_are_texts() -> None:
    call = parsed_form(data={"image_id": "1042", "note": "Gr\u00fcn &c"})
    assert call.fields == {"image_id": b"1042", "note": "Gr\u00fcn &c".encode()}
    assert call.texts == {"image_id", "note"}


def test_parts_of_one_name_are_numbered() -> None:
    call = parsed_form(files=[("image", b"1"), ("image", b"2"), ("note", (None, "x")), ("note", (None, "y"))])
    assert call.fields == {"image": b"1", "image#2": b"2", "note": b"x", "note#2": b"y"}
    assert call.texts == {"note", "note#2"}
    assert [without_number(name) for name in call.fields] == ["image", "image", "note", "note"]
    assert number_repeated(["a", "b", "a", "a"]) == ["a", "b", "a#2", "a#3"]


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("multipart/form-data", b"x", "the form cannot be read: Missing boundary in multipart"),
        ("multipart/form-data; boundary=x", b"none", "the form cannot be read"),
    ],
)
def test_forms_that_are_refused(content_type: str, body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        asyncio.run(parse_form(IncomingRequest({BODY: body}, content_type=content_type)))


def test_torchserve_distinguishes_texts_from_files(bundle: Path) -> None:
    handler = FashionHandler()
    handler.initialize(Context("fashion", str(bundle), {}, 2, None, "0.12.0", model_yaml_config={}))
    context = Context("fashion", "", {}, 2, None, "0.12.0")
    # As in TorchServe's worker: a part without a file has no type.
    parts = {"image": {"content-type": "image/png"}, "image_id": {"content-type": ""}}
    files = {name: {"content-type": "image/png"} for name in parts}
    form = {"Content-Type": "multipart/form-data"}
    context.request_processor = [RequestProcessor(parts | form), RequestProcessor(files | form)]
    fields = {"image": bytearray(photo()), "image_id": bytearray(b"1042")}
    one, two = map(json.loads, handler.handle([fields, fields], context))
    assert "attributes" in one
    assert [answer["image"] for answer in two["predictions"]] == ["image", "image_id"]
