"""The responder on batches of requests, without a server."""

import gzip
import json
from pathlib import Path

import pytest
from photos import photo

from fashion.predictor import Predictor
from serving import responder
from serving.archive import SERVING
from serving.protocol import MAX_BODY, IncomingRequest, json_bytes
from serving.responder import MAX_ANSWER, BatchCounts, Responder


@pytest.fixture(scope="module")
def ready(bundle: Path) -> Responder:
    return Responder(Predictor.from_bundle(bundle, engine="int8"))


def test_a_batch_and_its_tally(ready: Responder) -> None:
    calls = [
        IncomingRequest({"body": photo(1)}),
        IncomingRequest({"body": b"x"}),
        IncomingRequest({"body": photo(2)}, {"fashion-all": "1"}),
        IncomingRequest({"image1": photo(3), "image2": b"x"}),
        IncomingRequest({"body": photo(1)}, {"fashion-all": "maybe"}),
    ]
    replies, tally = ready.respond(calls)
    assert [(reply.status, reply.outcome) for reply in replies] == [
        (200, "ok"),
        (400, "invalid_image"),
        (200, "ok"),
        (200, "invalid_image"),
        (400, "bad_request"),
    ]
    assert [reply.images for reply in replies] == [1, 1, 1, 2, 0]
    assert dict(tally.outcomes) == {"ok": 2, "invalid_image": 2, "bad_request": 1}
    assert tally.images == 3
    assert len(tally.request_seconds) == 5
    assert min(tally.decode_seconds, tally.inference_seconds, tally.postprocess_seconds) > 0
    answered = [
        json.loads(ready.respond([IncomingRequest({"body": photo(i)})])[0][0].body)["attributes"] for i in (1, 2, 3)
    ]
    # The tally counts labels that reach their threshold, not all answered ones.
    assert tally.attributes.total() == sum(map(len, answered))


def test_tallies_add_up(ready: Responder) -> None:
    whole = BatchCounts()
    for i in range(3):
        whole.add(ready.respond([IncomingRequest({"body": photo(i)})])[1])
    assert (whole.images, whole.outcomes["ok"], len(whole.request_seconds)) == (3, 3, 3)


def test_covered_maps_use_the_share_of_the_cores(bundle: Path) -> None:
    predictor = Predictor.from_bundle(bundle, engine="int8", threads=4)
    shares = set()

    class Noted(type(predictor.engine)):
        def run(self, pixels, features=False, concurrency=1):
            shares.add(concurrency)
            return super().run(pixels, features, concurrency)

    predictor.engine.__class__ = Noted
    (reply,), _ = Responder(predictor).respond([IncomingRequest({"body": photo(1)}, {"fashion-explain": "covered"})], 4)
    assert reply.status == 200
    assert shares == {4}


def test_no_requests(ready: Responder) -> None:
    assert ready.respond([])[0] == []


def test_an_answer_that_would_be_too_large_is_refused(ready: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responder, "MAX_ANSWER", 500)
    small, large = ready.respond(
        [
            IncomingRequest({"body": photo(1)}, {"fashion-labels": "color:Black"}),
            IncomingRequest({"body": photo(1)}, {"fashion-all": "1"}),
        ]
    )[0]
    assert small.status == 200
    assert (large.status, large.outcome) == (400, "bad_request")
    assert "ask for fewer" in large.body.decode()


@pytest.mark.parametrize("config", ["config.properties", "config.hardened.properties"])
def test_a_batch_of_the_largest_answers_is_one_response(config: str) -> None:
    lines = (SERVING / config).read_text().splitlines()
    (size,) = (int(line.split("=")[1]) for line in lines if line.startswith("max_response_size="))
    assert size > 8 * MAX_ANSWER


def test_undecompressible_bodies_have_their_own_status(ready: Responder) -> None:
    replies, _ = ready.respond(
        [
            IncomingRequest({"body": gzip.compress(photo(1))}, {"content-encoding": "gzip"}),
            IncomingRequest({"body": gzip.compress(bytes(MAX_BODY + 1))}, {"content-encoding": "gzip"}),
            IncomingRequest({"body": photo(1)}, {"content-encoding": "br"}),
        ]
    )
    assert [reply.status for reply in replies] == [200, 413, 415]
    assert [json.loads(reply.body)["error"]["type"] for reply in replies[1:]] == ["TooLarge", "UnsupportedEncoding"]
    assert {reply.outcome for reply in replies[1:]} == {"bad_request"}


def test_invalid_unicode_is_a_client_error(ready: Responder) -> None:
    values = ["\ud800", {"\ud800": 1}, {"b64": "\ud800"}]
    bodies = [{"image": value} for value in values] + [{"images": ["eA=="], name: "\ud800"} for name in ("x", "groups")]
    bodies += [{"inputs": [], "id": "\ud800"}, {"inputs": [{"name": "\ud800"}]}, {"instances": [1], "\ud800": 1}]
    replies, _ = ready.respond([IncomingRequest({"body": json.dumps(body).encode()}) for body in bodies])
    assert {reply.status for reply in replies} == {400}
    assert json.loads(json_bytes({"half": "\ud800"})) == {"half": "\ud800"}
