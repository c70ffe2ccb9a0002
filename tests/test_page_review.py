"""Requests of the review page: queues, corrections, conflicts, undo, kill -9."""

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from page_server import PRODUCTS, STARTER, garments_with_corrections, page, scored_garments

from benchmarks.drawn_shop import is_ready
from catalog.scored.correction_store import CorrectionStore
from catalog.scored.table import Scored
from serving.ports import free_ports


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_garments(tmp_path_factory.mktemp("review"))


@pytest.fixture(scope="module")
def url(scored: Path) -> Iterator[str]:
    with page(STARTER, scored) as address:
        yield address


def ask(url: str, path: str, **parameters: str) -> Any:
    answer = requests.get(f"{url}/review/{path}", parameters, timeout=60)
    assert answer.ok, answer.text
    return answer.json()


def correct(url: str, *rows: list[str], seen: dict[str, int], who: str = "ana") -> requests.Response:
    content = {"corrections": list(rows), "seen": seen, "who": who}
    return requests.post(f"{url}/review/corrections", json=content, timeout=60)


def test_a_queue_lists_its_questions(url: str) -> None:
    items = ask(url, "queue", kind="uncertain", group="colour")["items"]
    assert {item["group"] for item in items} == {"colour"}
    first = items[0]
    probabilities = [choice["probability"] for choice in first["choices"] if not choice["answered"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(first["choices"]) == 39
    assert {"product", "title", "photographs", "reason", "state"} <= first.keys()
    assert len(ask(url, "queue", kind="new")["items"]) > len(items) / 22
    batch = ask(url, "queue", kind="batches", group="colour", label="Black")["batches"][0]
    assert (batch["group"], batch["name"]) == ("colour", "Black")
    assert 1 <= len(batch["products"]) <= 24


def test_corrections_are_searchable_at_once_and_can_be_undone(url: str, scored: Path) -> None:
    before = requests.get(f"{url}/browse", {"is.colour": "Turquoise Blue"}, timeout=60).text
    assert 'href="/browse/product/g/5"' not in before
    written = correct(url, ["g/5", "only", "colour", "Turquoise Blue"], seen={"g/5": 0}).json()
    found = requests.get(f"{url}/browse", {"is.colour": "Turquoise Blue"}, timeout=60).text
    assert 'href="/browse/product/g/5"' in found
    searched = requests.get(f"{url}/browse", {"words": "turquoise blue"}, timeout=60).text
    assert searched.index("/browse/product/g/5") == searched.index("/browse/product/")  # the index is updated too
    assert "g/5" not in [item["product"] for item in ask(url, "queue", kind="uncertain", group="colour")["items"]]
    content = {"numbers": written["numbers"], "seen": written["states"], "who": "ana"}
    assert requests.post(f"{url}/review/undo", json=content, timeout=60).ok
    after = requests.get(f"{url}/browse", {"is.colour": "Turquoise Blue"}, timeout=60).text
    assert 'href="/browse/product/g/5"' not in after
    assert [entry.who for entry in CorrectionStore(scored).history("g/5")] == ["ana", "ana"]


def test_an_item_of_an_unknown_product_or_group_is_refused(url: str) -> None:
    for product, group, message in (("x", "colour", "no product 'x'"), ("g/6", "size", "no group 'size'")):
        refused = requests.get(f"{url}/review/item", {"product": product, "group": group}, timeout=60)
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "DataError")
        assert message in refused.json()["error"]["message"]


def test_a_conflicting_correction_is_reported(url: str) -> None:
    state = ask(url, "item", product="g/6", group="colour")["state"]
    assert correct(url, ["g/6", "is", "colour", "Red"], seen={"g/6": state}).ok
    refused = correct(url, ["g/6", "is not", "colour", "Red"], seen={"g/6": state}, who="bob")
    assert (refused.status_code, refused.json()["error"]["type"]) == (409, "ChangedMeanwhile")
    assert "by ana" in refused.json()["error"]["message"]
    now = ask(url, "item", product="g/6", group="colour")
    assert now["state"] > state
    assert now["choices"][0] == {"name": "Red", "probability": 1.0, "answered": True}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"corrections": []},
        {"corrections": [["g/1", "is", "colour"]], "seen": {}},
        {"corrections": [["g/1", "is", "colour", 1]], "seen": {"g/1": 0}},
        {"corrections": [["g/1", "is", "colour", "Blak"]], "seen": {"g/1": 0}},
        {"corrections": [["g/1", "maybe", "colour", "Black"]], "seen": {"g/1": 0}},
        {"corrections": [["g/1", "is", "colour", "Black"]], "seen": {"g/1": True}},
        {"corrections": [["g/1", "is", "colour", "Black"]] * 1001, "seen": {"g/1": 0}},
        {"corrections": [["g/1", "is", "colour", "Black"]], "seen": {"g/1": 0}, "found_by": "luck"},
    ],
)
def test_invalid_requests_write_nothing(url: str, scored: Path, content: Any) -> None:
    refused = requests.post(f"{url}/review/corrections", json=content, timeout=60)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])
    assert CorrectionStore(scored).history("g/1") == []


@pytest.mark.parametrize(("where", "led"), [("", "uncertain"), ("price>1", "")])
def test_a_correction_records_its_queue(url: str, scored: Path, where: str, led: str) -> None:
    state = ask(url, "item", product="g/7", group="season")["state"]
    row = ["g/7", "is", "season", "Summer"]
    content = {"corrections": [row], "seen": {"g/7": state}, "found_by": "uncertain", "where": where}
    assert requests.post(f"{url}/review/corrections", json=content, timeout=60).ok
    assert CorrectionStore(scored).history("g/7")[-1].found_by == led


def test_a_refit_needs_enough_corrections(url: str) -> None:
    refused = requests.post(f"{url}/review/refit", timeout=60)
    assert (refused.status_code, "a refit needs 30" in refused.text) == (400, True)
    assert requests.post(f"{url}/review/refit/apply/1", json={}, timeout=60).status_code == 400


def test_only_the_latest_proposed_refit_can_be_applied(tmp_path: Path) -> None:
    with page(STARTER, garments_with_corrections(tmp_path)) as url:

        def refit(step: str = "") -> requests.Response:
            return requests.post(f"{url}/review/refit{step}", json={"who": "ana"}, timeout=60)

        earlier, later = refit().json()["number"], refit().json()["number"]
        assert refit(f"/apply/{later}").ok
        latest = refit().json()["number"]
        assert len({earlier, later, latest}) == 3
        refused = refit(f"/apply/{earlier}")  # as by a tab that still shows it
        assert (refused.status_code, "requested another refit" in refused.text) == (400, True)
        assert refit("/undo").ok
        for _ in range(2):  # both attempts get the true reason
            refused = refit(f"/apply/{latest}")
            assert (refused.status_code, refused.json()["error"]["type"]) == (409, "ChangedMeanwhile")


@pytest.mark.parametrize("kills", [int(os.environ.get("FASHION_KILLS", "2"))])
def test_a_killed_server_has_kept_what_it_acknowledged(tmp_path: Path, kills: int) -> None:
    """The server is killed at random moments while corrections are posted, FASHION_KILLS times."""
    folder = scored_garments(tmp_path / "killed")
    store, moments = CorrectionStore(folder), random.Random(0)
    acknowledged: list[int] = []
    for _ in range(kills):
        with running_page(folder) as (url, process):
            first = threading.Event()
            posting = threading.Thread(target=post_until_it_ends, args=(url, store, acknowledged, first))
            posting.start()
            assert first.wait(120)
            threading.Event().wait(moments.uniform(0, 0.2))  # a random moment during several corrections
            process.send_signal(signal.SIGKILL)
            posting.join(120)
    kept = {entry.number for entry in store.entries()}
    assert set(acknowledged) <= kept
    assert len(acknowledged) >= kills
    assert len(kept) - len(acknowledged) <= kills  # at most the one in progress
    overlay = Scored.open(folder).overlay()
    assert overlay is not None
    assert set(overlay.known) <= {f"g/{number}" for number in range(PRODUCTS)}


@contextmanager
def running_page(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "page", STARTER, folder, "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 120
        while not is_ready(url):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.1)
        yield url, process
    finally:
        process.kill()
        process.wait(30)


def post_until_it_ends(url: str, store: CorrectionStore, acknowledged: list[int], first: threading.Event) -> None:
    with requests.Session() as session:
        for number in itertools.count():
            product, verdict = f"g/{number % PRODUCTS}", ("is", "is not")[number // PRODUCTS % 2]
            row = [product, verdict, "colour", "Red"]
            content = {"corrections": [row], "seen": store.states([product]), "who": "ana"}
            try:
                answer = session.post(f"{url}/review/corrections", json=content, timeout=60).json()
            except (requests.RequestException, ValueError):
                return
            acknowledged += answer["numbers"]
            first.set()
