"""Several photographs of one product in one request, parsed as by each server, without starting one."""

import asyncio
import base64
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import requests
from several_photographs import STARTER, views

from fashion.predictor import Predictor, main
from fashion.views import combine_predictions
from serving.decompression import BODY
from serving.forms import parse_form
from serving.handler import FashionHandler
from serving.protocol import IncomingRequest
from serving.repeated_parts import keep_repeated_parts
from serving.responder import Responder

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # the package leaves its version.txt open
    from ts.context import Context
    from ts.service import Service

Parts = list[tuple[str, bytes, bool]]  # name, content, whether it is a file


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_bundle(STARTER)


@pytest.fixture(scope="module")
def handler(predictor: Predictor) -> FashionHandler:
    ready = FashionHandler()
    ready.responder = Responder(predictor)
    ready.meter = type("Meter", (), {"add": lambda self, tally: None})()
    keep_repeated_parts()
    keep_repeated_parts()  # repeated calls change nothing
    return ready


def by_fastapi(responder: Responder, parts: Parts) -> tuple[int, Any]:
    files = [(name, (name, content) if is_file else (None, content)) for name, content, is_file in parts]
    request = requests.Request("POST", "http://x", files=files).prepare()
    call = IncomingRequest({BODY: request.body}, content_type=request.headers["Content-Type"])
    ((reply,), _) = responder.respond([asyncio.run(parse_form(call))])
    return reply.status, json.loads(reply.body)


def by_torchserve(handler: FashionHandler, parts: Parts) -> tuple[int, Any]:
    """As in TorchServe's worker: its own code converts the frontend's message to the handler's input."""
    parameters = [
        {"name": name, "contentType": "image/png" if is_file else "", "value": bytearray(content)}
        for name, content, is_file in parts
    ]
    headers, batch, ids = Service.retrieve_data_for_inference([{"requestId": b"1", "parameters": parameters}])
    context = Context("fashion", str(STARTER), {}, 1, None, "0.12.0")
    context.request_processor, context.request_ids = headers, ids
    (answer,) = handler.handle(batch, context)
    return context.get_response_status(0)[0], json.loads(answer)


@pytest.fixture(params=["fastapi", "torchserve"])
def ask(request: pytest.FixtureRequest, handler: FashionHandler) -> Any:
    if request.param == "fastapi":
        return lambda parts: by_fastapi(handler.responder, parts)
    return lambda parts: by_torchserve(handler, parts)


def test_parts_with_one_name_are_one_product(ask: Any, predictor: Predictor) -> None:
    parts = [("image", content, True) for content in views(0)]
    status, answer = ask([*parts, ("product", b"1", False)])
    together = combine_predictions(predictor.predict(list(views(0))), predictor.card)
    assert status == 200
    assert answer == predictor.answer(together) | {"photographs": {"used": 3, "left_out": []}}
    status, answers = ask(parts)
    assert (status, [each["image"] for each in answers["predictions"]]) == (200, ["image"] * 3)
    status, alone = ask([parts[1], ("product", b"true", False)])
    expected = predictor.answer(predictor.predict(views(0)[1]))
    assert (status, alone) == (200, expected | {"photographs": {"used": 1, "left_out": []}})


def test_unusable_requests_are_refused(ask: Any) -> None:
    one, two, _ = views(1)
    flag = ("product", b"1", False)
    status, answer = ask([("image", one, True), ("image", b"no image", True), ("image", two, True), flag])
    (left_out,) = answer["photographs"]["left_out"]
    assert (status, answer["photographs"]["used"], left_out["number"], left_out["image"]) == (200, 2, 2, "image")
    status, answer = ask([("image", b"none", True), ("image", b"nor this", True), flag])
    assert (status, answer["error"]["type"]) == (400, "InvalidImage")
    status, answer = ask([("image", one, True), ("image", two, True), flag, ("explain", b"maps", False)])
    assert (status, answer["error"]["type"]) == (400, "InvalidOption")
    status, answer = ask([("image", one, True), ("top_k", b"1", False), ("top_k", b"2", False)])
    assert (status, answer["error"]["type"]) == (400, "InvalidRequest")
    assert "the form has 'top_k' twice" in answer["error"]["message"]
    status, answer = ask([("image", one, True), ("product", b"maybe", False)])
    assert (status, answer["error"]["message"]) == (400, "product 'maybe' must be true or false")


@pytest.mark.parametrize(
    ("body", "unwrap"),
    [
        (lambda images: {"images": images, "product": True}, lambda answer: answer),
        (
            lambda images: {"instances": [{"b64": image} for image in images], "parameters": {"product": True}},
            lambda answer: answer["predictions"][0],
        ),
    ],
    ids=["json", "kserve v1"],
)
def test_json_has_the_flag_too(handler: FashionHandler, predictor: Predictor, body: Any, unwrap: Any) -> None:
    content = json.dumps(body([base64.b64encode(content).decode() for content in views(2)])).encode()
    ((reply,), counts) = handler.responder.respond([IncomingRequest({BODY: content}, content_type="application/json")])
    together = combine_predictions(predictor.predict(list(views(2))), predictor.card)
    assert unwrap(json.loads(reply.body)) == predictor.answer(together) | {"photographs": {"used": 3, "left_out": []}}
    assert counts.images == 3


def test_the_command_line_joins_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], predictor: Predictor) -> None:
    paths = []
    for number, content in enumerate(views(3)):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(content)
    assert main([str(STARTER), *map(str, paths), "--product"]) == 0
    answer = json.loads(capsys.readouterr().out)
    together = combine_predictions(predictor.predict(list(views(3))), predictor.card)
    assert answer.pop("image") == ", ".join(map(str, paths))
    assert answer == predictor.answer(together) | {"photographs": {"used": 3, "left_out": []}}


def test_the_command_line_names_what_is_left_out_as_the_servers_do(
    ask: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(views(0)[0])
    bad.write_bytes(b"no image")
    assert main([str(STARTER), str(good), str(bad), "--product"]) == 2
    found = json.loads(capsys.readouterr().out)["photographs"]
    parts = [("image", path.read_bytes(), True) for path in (good, bad)]
    _, answer = ask([*parts, ("product", b"1", False)])
    assert found["left_out"][0].pop("image") == str(bad)
    assert answer["photographs"]["left_out"][0].pop("image") == "image"
    assert found == answer["photographs"]
