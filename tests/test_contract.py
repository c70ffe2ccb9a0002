"""The request and response contract: the same tests against TorchServe and the FastAPI server."""

import base64
import gzip
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from image_files import encoded
from photos import photo
from PIL import Image

from fashion.options import AnswerOptions
from fashion.predictor import Predictor
from fashion.taxonomy import Label
from fashion.views import combine_predictions
from serving.protocol import MAX_BODY
from serving.request_parsing import MAX_COVERED, MAX_IMAGES

JSON = {"Content-Type": "application/json"}
TEXT = base64.b64encode(b"some text").decode()


def b64(seed: int) -> str:
    return base64.b64encode(photo(seed)).decode()


@dataclass
class Server:
    """A server and the URLs it answers at."""

    url: str
    description: str

    def ask(self, path: str = "/predictions/fashion", **request: Any) -> requests.Response:
        response = requests.post(self.url + path, timeout=60, **request)
        assert response.headers["content-type"] == "application/json", response.text
        return response

    def json(self, content: Any, path: str = "/predictions/fashion", **headers: str) -> requests.Response:
        return self.ask(path, data=json.dumps(content), headers=JSON | headers)


@pytest.fixture(scope="module", params=["torchserve", "fastapi"])
def server(request: pytest.FixtureRequest) -> Server:
    if request.param == "fastapi":
        url = request.getfixturevalue("app_url")
        return Server(url, f"{url}/models/fashion")
    endpoint = request.getfixturevalue("endpoint")
    return Server(endpoint.inference_url, f"{endpoint.management_url}/models/fashion?customized=true")


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.from_bundle(bundle, engine="int8")


@pytest.fixture(scope="module")
def expected(predictor: Predictor) -> Any:
    """The expected answer for the photograph of a seed."""

    def answer(seed: int, options: AnswerOptions | None = None) -> dict[str, Any]:
        outcome = predictor.predict_each([photo(seed)], features=True)[0].get()
        return predictor.answer(outcome, options, photo(seed))

    return answer


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [None, "image/png", "application/octet-stream", "text/plain", "video/mp4", "x"])
def test_a_raw_body_with_any_content_type(server: Server, expected: Any, declared: str | None) -> None:
    headers = {} if declared is None else {"Content-Type": declared}
    response = server.ask(data=photo(1), headers=headers)
    assert (response.status_code, response.json()) == (200, expected(1))


@pytest.mark.parametrize("field", ["image", "data", "body", "image_front"])
def test_a_form_with_one_image(server: Server, expected: Any, field: str) -> None:
    response = server.ask(files={field: ("photo.png", photo(2), "image/png")})
    assert response.json() == expected(2)


def test_a_form_with_several_images_and_options(server: Server, expected: Any) -> None:
    files = {"image1": photo(1), "image2": b"no image", "image3": photo(3)}
    response = server.ask(files=files, data={"top_k": "1", "groups": "color"})
    one, two, three = response.json()["predictions"]
    options = AnswerOptions(top_k=1, groups=("color",))
    assert response.status_code == 200
    assert (one, three) == ({"image": "image1"} | expected(1, options), {"image": "image3"} | expected(3, options))
    assert (two["image"], two["error"]["code"], two["error"]["type"]) == ("image2", 400, "InvalidImage")


@pytest.mark.parametrize("field", ["image_id", "imageName", "image-url"])
def test_a_short_text_beside_a_photograph_is_ignored(server: Server, expected: Any, field: str) -> None:
    response = server.ask(files={"image": photo(2)}, data={field: "https://shop.example/Größe 38.jpg"})
    assert (response.status_code, response.json()) == (200, expected(2))


def test_a_part_without_a_file_name_may_be_a_photograph(server: Server, expected: Any) -> None:
    assert server.ask(files={"image": (None, photo(2))}).json() == expected(2)
    large = encoded(Image.effect_noise((1200, 1200), 100), "PNG")  # over 1 MB
    assert "attributes" in server.ask(files={"image": (None, large), "image_id": (None, "7")}).json()


def test_a_text_instead_of_a_photograph_is_reported(server: Server) -> None:
    response = server.ask(files={"image": (None, "photo.jpg"), "top_k": (None, "1")})
    assert response.status_code == 400
    message = "the field 'image' holds text; send a file: curl -F image=@photo.jpg"
    assert response.json()["error"] == {"code": 400, "type": "InvalidImage", "message": message}


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies(server: Server, expected: Any, encoding: str, pack: Any) -> None:
    packed = {"Content-Encoding": encoding}
    assert server.ask(data=pack(photo(1)), headers=packed).json() == expected(1)
    assert server.ask(data=pack(json.dumps({"image": b64(1)}).encode()), headers=JSON | packed).json() == expected(1)
    bomb = server.ask(data=pack(bytes(MAX_BODY + 1)), headers=packed)
    assert (bomb.status_code, bomb.json()["error"]["type"]) == (413, "TooLarge")


def test_bodies_that_cannot_be_decompressed(server: Server) -> None:
    other = server.ask(data=photo(1), headers={"Content-Encoding": "br"})
    assert (other.status_code, other.json()["error"]["type"]) == (415, "UnsupportedEncoding")
    assert "Content-Encoding 'br'" in other.json()["error"]["message"]
    none = server.ask(data=photo(1), headers={"Content-Encoding": "gzip"})
    assert (none.status_code, none.json()["error"]["type"]) == (400, "InvalidRequest")


def test_json_with_one_image(server: Server, expected: Any) -> None:
    assert server.json({"image": b64(1)}).json() == expected(1)
    assert server.json({"image": "data:image/png;base64," + b64(1)}).json() == expected(1)
    assert server.ask(data=f'  {{"image": "{b64(1)}"}}', headers={"Content-Type": "text/plain"}).json() == expected(1)


def test_json_with_several_images(server: Server, expected: Any) -> None:
    response = server.json({"images": [b64(1), TEXT, b64(2)], "profile": 0.9})
    one, bad, two = response.json()["predictions"]
    assert response.status_code == 200
    assert [one, two] == [expected(seed, AnswerOptions(profile="0.9")) for seed in (1, 2)]
    assert bad["error"]["type"] == "InvalidImage"


def test_a_request_of_only_bad_images_is_refused(server: Server) -> None:
    response = server.json({"images": [TEXT, TEXT]})
    assert response.status_code == 400
    assert [answer["error"]["code"] for answer in response.json()["predictions"]] == [400, 400]


@pytest.mark.parametrize(
    "instance",
    [{"b64": b64(1)}, {"image_bytes": {"b64": b64(1)}}, {"image": {"b64": b64(1)}}, {"data": b64(1)}, b64(1)],
)
def test_kserve_v1(server: Server, expected: Any, instance: Any) -> None:
    response = server.json({"instances": [instance], "parameters": {"top_k": 2}}, "/v1/models/fashion:predict")
    assert (response.status_code, response.json()) == (200, {"predictions": [expected(1, AnswerOptions(top_k=2))]})


def test_kserve_v1_explain(server: Server, expected: Any) -> None:
    response = server.json({"instances": [{"b64": b64(1)}]}, "/v1/models/fashion:explain")
    assert response.json() == {"predictions": [expected(1, AnswerOptions(explain="maps"))]}


def v2(*images: str, **more: Any) -> dict[str, Any]:
    tensor = {"name": "image", "shape": [len(images)], "datatype": "BYTES", "data": list(images)}
    return {"id": "7", "inputs": [tensor]} | more


@pytest.mark.parametrize(("route", "explain"), [("infer", "none"), ("explain", "maps")])
def test_kserve_v2(server: Server, expected: Any, route: str, explain: str) -> None:
    body = v2(b64(1), b64(2), parameters={"groups": ["color"]})
    answer = server.json(body, f"/v2/models/fashion/{route}").json()
    (tensor,) = answer.pop("outputs")
    assert answer == {"model_name": "fashion", "model_version": "1.0", "id": "7"}
    assert (tensor["name"], tensor["shape"], tensor["datatype"]) == ("answers", [2], "BYTES")
    options = AnswerOptions(groups=("color",), explain=explain)
    assert [json.loads(text) for text in tensor["data"]] == [expected(1, options), expected(2, options)]


def test_kserve_v2_binary(server: Server, expected: Any) -> None:
    data = b"".join(struct.pack("<I", len(photo(i))) + photo(i) for i in (1, 2))
    tensor = {"name": "image", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True, "timeout": 5}}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    response = server.ask("/v2/models/fashion/infer", data=head + data, headers=headers)
    assert response.status_code == 200
    assert [json.loads(text) for text in response.json()["outputs"][0]["data"]] == [expected(1), expected(2)]


@pytest.fixture(scope="module")
def together(predictor: Predictor) -> Any:
    """The expected answer for the photographs of some seeds as one product."""

    def answer(*seeds: int, options: AnswerOptions | None = None) -> dict[str, Any]:
        each = [predictor.predict_each([photo(seed)])[0].get() for seed in seeds]
        counted = {"photographs": {"used": len(seeds), "left_out": []}}
        return predictor.answer(combine_predictions(each, predictor.card), options) | counted

    return answer


def test_several_photographs_of_one_product_have_one_answer(server: Server, together: Any) -> None:
    files = [("image", ("a.png", photo(1))), ("image", ("b.png", photo(2))), ("image", ("c.png", photo(3)))]
    options = AnswerOptions(top_k=2)
    wanted = together(1, 2, 3, options=options)
    assert wanted["attributes"] not in [together(seed, options=options)["attributes"] for seed in (1, 2, 3)]
    response = server.ask(files=files, data={"product": "1", "top_k": "2"})
    assert (response.status_code, response.json()) == (200, wanted)
    named = {"image1": photo(1), "image2": photo(2), "data": photo(3)}
    assert server.ask(files=named, data={"top_k": "2"}, headers={"Fashion-Product": "1"}).json() == wanted
    body = {"images": [b64(1), b64(2), b64(3)], "product": True, "top_k": 2}
    assert server.json(body).json() == wanted
    assert server.ask(files={"image": photo(1)}, data={"product": "1"}).json() == together(1)


def test_several_photographs_of_one_product_by_kserve(server: Server, together: Any) -> None:
    parameters = {"product": True, "embedding": True}
    wanted = together(1, 2, options=AnswerOptions(embedding=True))
    body = {"instances": [{"b64": b64(1)}, {"b64": b64(2)}], "parameters": parameters}
    assert server.json(body, "/v1/models/fashion:predict").json() == {"predictions": [wanted]}
    answer = server.json(v2(b64(1), b64(2), parameters=parameters), "/v2/models/fashion/infer").json()
    (tensor,) = answer["outputs"]
    assert (tensor["shape"], [json.loads(text) for text in tensor["data"]]) == ([1], [wanted])


def test_a_bad_photograph_of_a_product_is_named(server: Server, together: Any) -> None:
    files = [("image", photo(1)), ("image", b"no image"), ("image", photo(3))]
    answer = server.ask(files=files, data={"product": "true"}).json()
    counted = answer.pop("photographs")
    assert answer == {name: value for name, value in together(1, 3).items() if name != "photographs"}
    (left_out,) = counted["left_out"]
    assert (counted["used"], left_out["number"], left_out["image"]) == (2, 2, "image")
    assert left_out["error"]["type"] == "InvalidImage"
    response = server.json({"images": [TEXT, TEXT], "product": True})
    assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidImage")


def test_parts_of_one_name(server: Server, expected: Any) -> None:
    answers = server.ask(files=[("image", photo(1)), ("image", photo(2))]).json()["predictions"]
    assert answers == [{"image": "image"} | expected(1), {"image": "image"} | expected(2)]
    response = server.ask(files={"image": photo(1)}, data=[("top_k", "1"), ("top_k", "2")])
    assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidRequest")
    assert "the form has 'top_k' twice" in response.json()["error"]["message"]


def test_maps_need_a_single_photograph(server: Server) -> None:
    files = [("image", photo(1)), ("image", photo(2))]
    response = server.ask("/explanations/fashion", files=files, data={"product": "1"})
    assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidOption")
    assert "a map shows only one of them" in response.json()["error"]["message"]
    one = server.ask("/explanations/fashion", files={"image": photo(1)}, data={"product": "1"})
    assert all("map" in attribute for attribute in one.json()["attributes"])


# --- options ----------------------------------------------------------------------------------------------------------

OPTIONS = {
    "profile": ("0.5", AnswerOptions(profile="0.5")),
    "caution": ("2.5", AnswerOptions(caution=2.5)),
    "top_k": ("2", AnswerOptions(top_k=2)),
    "groups": ("sleeve,color", AnswerOptions(groups=("color", "sleeve"))),
    "all": ("true", AnswerOptions(all=True)),
    "embedding": ("1", AnswerOptions(embedding=True)),
    "explain": ("overlay", AnswerOptions(explain="overlay")),
    "labels": ("color:Black;color:Red", AnswerOptions(labels=(Label("color", "Black"), Label("color", "Red")))),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_in_each_place(server: Server, expected: Any, name: str) -> None:
    value, options = OPTIONS[name]
    header = f"Fashion-{name.replace('_', '-')}"
    wanted = expected(4, options)
    assert server.ask(data=photo(4), headers={header: value}).json() == wanted
    assert server.ask(files={"image": photo(4)}, data={name: value}).json() == wanted
    assert server.json({"image": b64(4), name: value}).json() == wanted


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_header_that_is_not_ascii(server: Server, expected: Any, encoding: str) -> None:
    answer = server.ask(data=photo(1), headers={"Fashion-Labels": "color:\u00c9cru".encode(encoding)}).json()
    assert answer == expected(1, AnswerOptions(labels=(Label("color", "\u00c9cru"),)))


def test_the_top_k_profile(server: Server, expected: Any) -> None:
    wanted = expected(4, AnswerOptions(profile="top-k"))
    assert [attribute["group"] for attribute in wanted["attributes"]] == ["category", "color", "color", "sleeve"]
    assert server.ask(data=photo(4), headers={"Fashion-Profile": "top-k"}).json() == wanted
    assert server.json({"image": b64(4), "profile": "top-k"}).json() == wanted


def test_a_field_wins_over_a_header(server: Server, expected: Any) -> None:
    response = server.json({"image": b64(1), "top_k": 1}, **{"Fashion-Top-K": "2"})
    assert response.json() == expected(1, AnswerOptions(top_k=1))


@pytest.mark.parametrize("explain", [None, "maps", "overlay", "covered", "none"])
def test_explanations(server: Server, expected: Any, explain: str | None) -> None:
    headers = {} if explain is None else {"Fashion-Explain": explain}
    answer = server.ask("/explanations/fashion", data=photo(1), headers=headers).json()
    assert answer == expected(1, AnswerOptions(explain=explain or "maps"))
    assert all(("map" in attribute) == (explain != "none") for attribute in answer["attributes"])


def test_an_explanation_of_labels_that_were_not_answered(server: Server, predictor: Predictor) -> None:
    headers = {"Fashion-Labels": "color:Black;sleeve:Sleeveless"}
    answer = server.ask("/explanations/fashion", data=photo(1), headers=headers).json()
    found = predictor.predict_each([photo(1)], features=True)[0].get()
    for attribute in answer["attributes"]:
        index = predictor.taxonomy.index[Label(attribute["group"], attribute["name"])]
        # The mean of the map is the logit without its bias.
        without_bias = found.embedding @ predictor.engine.head[index]
        mean = sum(map(sum, attribute["map"])) / sum(map(len, attribute["map"]))
        assert mean == pytest.approx(without_bias, abs=2e-3)
    assert len(answer["attributes"]) == 2


def test_unknown_groups_in_headers_are_ignored(server: Server, expected: Any) -> None:
    assert server.ask(data=photo(1), headers={"X-Top-K": "1", "Profile": "0.5"}).json() == expected(1)


# --- refused requests -------------------------------------------------------------------------------------------------

BAD_JSON: dict[str, tuple[Any, str, str]] = {
    "a list": ([1], "InvalidRequest", "the JSON is a list"),
    "a number": (3, "InvalidRequest", "the JSON is a number"),
    "nothing in it": ({}, "InvalidRequest", "neither 'image' nor 'images'"),
    "both": ({"image": TEXT, "images": [TEXT]}, "InvalidRequest", "both 'image' and 'images'"),
    "no text": ({"image": 3}, "InvalidImage", "not a number"),
    "no base64": ({"image": "%%%"}, "InvalidImage", "not base64"),
    "cut base64": ({"image": "abc"}, "InvalidImage", "not base64"),
    "empty": ({"image": ""}, "InvalidImage", "the image is empty"),
    "a URL": ({"image": "http://127.0.0.1/x.jpg"}, "InvalidImage", "URLs are not fetched"),
    "no image": ({"image": TEXT}, "InvalidImage", "not an image: 9 bytes"),
    "no images": ({"images": []}, "InvalidRequest", "at least one image"),
    "images as text": ({"images": TEXT}, "InvalidRequest", "must be a list"),
    "too many": ({"images": [TEXT] * (MAX_IMAGES + 1)}, "InvalidRequest", f"more than the {MAX_IMAGES}"),
    "unknown option": ({"image": TEXT, "topk": 1}, "InvalidOption", "choose among: profile, caution, top_k"),
    "bad value": (
        {"image": TEXT, "top_k": "many"},
        "InvalidOption",
        "top_k 'many' must be a whole number from 1 to 10",
    ),
    "covered maps of many images": (
        {"images": [TEXT] * (MAX_COVERED + 1), "explain": "covered"},
        "InvalidOption",
        "at most 8 images per request, not 9",
    ),
    "bad profile": ({"image": TEXT, "profile": "best"}, "InvalidOption", "choose among: default, 0.5, micro-f1"),
    "bad group": ({"image": TEXT, "groups": ["size"]}, "InvalidOption", "the model has: category, color, sleeve"),
    "v1 options": ({"instances": [TEXT], "top_k": 1}, "InvalidRequest", "options in 'parameters'"),
    "v1 parameters": ({"instances": [TEXT], "parameters": [1]}, "InvalidRequest", "'parameters' is a list"),
    "v1 instance": ({"instances": [{"b64": TEXT, "x": 1}]}, "InvalidImage", "text in base64"),
    "v2 datatype": (
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]},
        "InvalidRequest",
        "send images as BYTES",
    ),
    "v2 shape": (v2(TEXT) | {"inputs": [v2(TEXT)["inputs"][0] | {"shape": [2]}]}, "InvalidRequest", "'shape' must be"),
    "v2 inputs": ({"inputs": {}}, "InvalidRequest", "must be a list of tensors"),
    "v2 nothing": ({"inputs": []}, "InvalidRequest", "at least one image"),
    "v2 id": (v2(TEXT, id=7), "InvalidRequest", "'id' must be text"),
    "v2 half an id": (v2(TEXT, id="\ud800"), "InvalidRequest", "half of a surrogate pair"),
    "half a character": ({"image": "\ud800"}, "InvalidImage", "not base64"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_json_that_is_refused(server: Server, name: str) -> None:
    body, kind, message = BAD_JSON[name]
    response = server.json(body)
    answer = response.json()
    error = answer["error"] if "error" in answer else answer["predictions"][0]["error"]
    assert (response.status_code, error["type"]) == (400, kind)
    assert message in error["message"]
    assert "\n" not in error["message"]


BAD_V2 = {
    "id": (v2(TEXT, id=7), "'id' must be text"),
    "option": (v2(TEXT, parameters={"topk": 1}), "option 'topk' is unknown"),
    "image": (v2(TEXT), "not an image: 9 bytes"),
    "images": (v2(TEXT, TEXT), "not an image: 9 bytes"),
}


@pytest.mark.parametrize("name", BAD_V2)
@pytest.mark.parametrize("route", ["infer", "explain"])
def test_errors_of_kserve_v2_are_texts_as_its_clients_expect(server: Server, name: str, route: str) -> None:
    body, message = BAD_V2[name]
    response = server.json(body, f"/v2/models/fashion/{route}")
    assert (response.status_code, list(response.json())) == (400, ["error"])
    assert message in response.json()["error"]
    elsewhere = server.json(body).json()
    assert "error" not in elsewhere or isinstance(elsewhere["error"], dict)


def test_errors_of_kserve_v2_binary_are_texts(server: Server) -> None:
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": "2"}
    response = server.ask("/v2/models/fashion/infer", data=b'{"inputs": 1}', headers=headers)
    assert response.status_code == 400
    assert "error" in response.json()
    head = json.dumps({"inputs": [{"name": "image", "shape": [1], "datatype": "FP32"}]}).encode()
    headers["Inference-Header-Content-Length"] = str(len(head))
    response = server.ask("/v2/models/fashion/infer", data=head, headers=headers)
    assert (response.status_code, type(response.json()["error"])) == (400, str)


BROKEN_JSON = {
    "cut": '{"image": "',
    "deep": '{"image":' + "[" * 200_000,
    "deep and whole": '{"image":' + "[" * 100_000 + "]" * 100_000 + "}",
    "no JSON": "image=1",
    "not UTF-8": b'{"image": "\xff\xfe"}',
    "long number": '{"image": 1' + "0" * 50_000 + "}",
    "only NUL": b"\0" * 100,
}


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_invalid_json(server: Server, name: str) -> None:
    response = server.ask(data=BROKEN_JSON[name], headers=JSON)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "InvalidRequest"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Fashion-Topk": "1"}, "choose among: Fashion-Profile, Fashion-Caution, Fashion-Top-K"),
        ({"Fashion-Top-K": "0"}, "top_k 0 must be"),
        ({"Fashion-Profile": "2"}, "profile '2' is unknown"),
        ({"Fashion-Explain": "why"}, "choose among: none, maps, overlay"),
        ({"Fashion-Top-K": "1", "Fashion-All": "1"}, "contradict each other"),
    ],
)
def test_headers_that_are_refused(server: Server, headers: dict[str, str], message: str) -> None:
    response = server.ask(data=photo(1), headers=headers)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidOption")
    assert message in response.json()["error"]["message"]


def test_forms_that_are_refused(server: Server) -> None:
    for request, kind in (
        ({"files": {"note": ("a.txt", b"text")}}, "InvalidImage"),
        ({"data": {"note": "x"}}, "InvalidImage"),
        ({"files": {"image": photo()}, "data": {"note": "x"}}, "InvalidOption"),
    ):
        response = server.ask(**request)
        assert (response.status_code, response.json()["error"]["type"]) == (400, kind), request
    assert server.ask(data=photo()).status_code == 200


# --- description ------------------------------------------------------------------------------------------------------


def test_the_description_is_the_model_card(server: Server, predictor: Predictor) -> None:
    described = requests.get(server.description, timeout=30).json()
    if isinstance(described, list):  # TorchServe's description, which contains ours
        described = described[0]["customizedMetadata"]
    card = json.loads(json.dumps(predictor.card.to_json()))
    del card["share_corrections"]  # pages of numbers for whole catalogs
    assert described == {"weights": predictor.card.weights_id} | card
