"""TorchServe under load: mixed batches, a killed worker, a full queue, a restart. Never a wrong answer."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from photos import bad_photos, photo

from fashion.predictor import Predictor
from serving.torchserve import TorchServe

GOOD = 40  # different photographs
MIXED = 2_000
# TorchServe's own errors for requests lost with a worker, and for those that come before it is back. The proxy of
# deploy/ turns all of them into 503 with Retry-After: tests/test_proxy.py.
UNAVAILABLE = (500, 503, 507)


@pytest.fixture(scope="module")
def expected(bundle: Path) -> list[bytes]:
    predictor = Predictor.from_bundle(bundle, engine="int8")
    return [predictor.answer(predictor.predict(photo(seed))) for seed in range(GOOD)]


@pytest.fixture(scope="module")
def server(model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    """A separate server, because workers are killed."""
    folder = tmp_path_factory.mktemp("load")
    with TorchServe.temporary(model_store, folder, load_models="fashion.mar", job_queue_size=20) as running:
        yield running


def test_two_thousand_good_and_bad_images_interleaved(endpoint: TorchServe, expected: list[Any]) -> None:
    bad = list(bad_photos().values())
    local = threading.local()

    def ask(i: int) -> requests.Response:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        body = photo(i // 2 % GOOD) if i % 2 == 0 else bad[i // 2 % len(bad)]
        return local.session.post(endpoint.url(), data=body, timeout=120)

    with ThreadPoolExecutor(32) as pool:
        responses = list(pool.map(ask, range(MIXED)))
    for i, response in enumerate(responses):
        if i % 2 == 0:
            assert (response.status_code, response.json()) == (200, expected[i // 2 % GOOD])
        else:
            assert (response.status_code, response.json()["error"]["type"]) == (400, "InvalidImage")


class Load:
    """Clients that send requests without pause until the block ends, and the outcomes."""

    def __init__(self, server: TorchServe, expected: list[Any], clients: int = 6) -> None:
        self.server, self.expected = server, expected
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(i,)) for i in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _work(self, seed: int) -> None:
        while not self._end.is_set():
            seed = (seed + 7) % GOOD
            try:
                response = requests.post(self.server.url(), data=photo(seed), timeout=60)
            except requests.RequestException:
                self.outcomes["dropped"] += 1
                time.sleep(0.05)
                continue
            self.outcomes[str(response.status_code)] += 1
            if response.status_code == 200:
                if response.json() != self.expected[seed]:
                    self.wrong.append(response.text)
            elif response.status_code not in UNAVAILABLE or "attributes" in response.text:
                self.wrong.append(f"{response.status_code} {response.text}")
            else:
                time.sleep(0.05)

    def wait_for_answers(self, number: int = 1) -> None:
        """Wait at most a minute for answers with status 200 after this moment."""
        before, end = self.outcomes["200"], time.monotonic() + 60
        while self.outcomes["200"] < before + number:
            assert time.monotonic() < end, (dict(self.outcomes), self.server.log.last_error())
            time.sleep(0.05)


def worker(server: TorchServe) -> int:
    return server.models()[0]["workers"][0]["pid"]


def test_a_killed_worker_is_restarted_and_answers_correctly(server: TorchServe, expected: list[Any]) -> None:
    with Load(server, expected) as load:
        load.wait_for_answers()
        for _ in range(2):
            killed = worker(server)
            os.kill(killed, signal.SIGKILL)
            time.sleep(0.5)
            load.wait_for_answers()
            assert worker(server) != killed
        load.wait_for_answers(20)
    assert not load.wrong


def test_a_full_queue_is_503(server: TorchServe, expected: list[Any]) -> None:
    os.kill(worker(server), signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(60) as pool:
            asked = [pool.submit(requests.post, server.url(), data=photo(1), timeout=60) for _ in range(60)]
            end = time.monotonic() + 30
            while sum(one.done() for one in asked) < 60 - 20 - 8 and time.monotonic() < end:
                time.sleep(0.05)
            refused = [one.result() for one in asked if one.done()]
            os.kill(worker(server), signal.SIGCONT)
            answered = [one.result() for one in asked]
    finally:
        os.kill(worker(server), signal.SIGCONT)
    assert len(refused) >= 60 - 20 - 8  # all but the queue and the current batch
    assert {response.status_code for response in refused} == {503}
    assert all(json.loads(response.text)["code"] == 503 for response in refused)
    good = [response for response in answered if response.status_code == 200]
    assert len(good) >= 20  # the queue and the current batch
    assert all(response.json() == expected[1] for response in good)
    assert {response.status_code for response in answered} == {200, 503}


def test_a_restart_under_load(server: TorchServe, expected: list[Any]) -> None:
    with Load(server, expected) as load:
        load.wait_for_answers()
        server.stop()
        server.wait(server.start())
        load.wait_for_answers()
    assert not load.wrong
    assert load.outcomes["dropped"] > 0
