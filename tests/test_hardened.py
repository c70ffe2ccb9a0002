"""TorchServe with the hardened config: forbidden requests, and answers to callers when something fails."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from photos import photo
from proxy import DEPLOY, Proxy, ask, needs_nginx, refusal

from serving import client, server
from serving.keys import authorization, main, read_key, update_proxy_key, write_include
from serving.protocol import error_answer, error_bytes
from serving.torchserve import HARDENED_CONFIG, TorchServe, read_properties

QUEUE = 4  # requests in TorchServe's queue


# What TorchServe itself forbids to clients that get past the proxy


def test_torchserve_listens_on_localhost_only(hardened: TorchServe) -> None:
    java = hardened.find()
    assert java
    family = [java, *java.children(recursive=True)]
    listening = [c.laddr for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listening) == 5
    assert {address.ip.removeprefix("::ffff:") for address in listening} <= {"127.0.0.1", "::1"}


def test_the_shipped_config_is_the_one_that_is_tested() -> None:
    shipped = read_properties(HARDENED_CONFIG)
    addresses = [value for name, value in shipped.items() if name.endswith("_address")]
    assert len(addresses) == 5
    assert all((urlsplit(value).hostname or value) == "127.0.0.1" for value in addresses)
    assert int(shipped["max_request_size"]) == 20 * 2**20
    assert "client_max_body_size 20m;" in (DEPLOY / "nginx.conf").read_text()


def test_the_proxys_error_message_equals_the_handlers() -> None:
    text = (DEPLOY / "errors.conf").read_text()
    (said,) = re.findall(r'\$fashion_internal_error_said \{\s+default "(.+)";', text)
    texts = re.findall(r"\$fashion_internal_error \{\s+1 '(.+)';\s+default '(.+)';", text)
    answer = error_answer(RuntimeError("of any kind"))[1]
    expected = tuple(error_bytes(answer, kserve_v2).decode() for kserve_v2 in (True, False))
    assert [tuple(each.replace("$fashion_internal_error_said", said) for each in forms) for forms in texts] == [
        expected
    ]


@pytest.mark.parametrize("token", [None, "wrong", "management"])
def test_photographs_need_the_inference_key(hardened: TorchServe, token: str | None) -> None:
    key = read_key(hardened.key_file, "management") if token == "management" else token
    headers = authorization(key) if key else {}
    for response in (
        requests.post(hardened.url(), photo(), headers=headers, timeout=60),
        requests.get(f"{hardened.inference_url}/ping", headers=headers, timeout=60),
    ):
        assert (response.status_code, response.json()["type"]) == (400, "InvalidKeyException")


CHANGES = [
    ("POST", "/models?url={url}", 405),
    ("POST", "/models?url=fashion.mar&model_name=second", 405),
    ("DELETE", "/models/fashion", 405),
    ("POST", "/workflows?url={url}&workflow_name=other", 404),
    ("POST", "/workflows?url=fashion.mar", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), CHANGES)
def test_models_cannot_be_loaded_or_removed_with_any_key(
    hardened: TorchServe, method: str, path: str, status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        url = hardened.management_url + path.format(url=f"http://127.0.0.1:{elsewhere.getsockname()[1]}/other.mar")
        for role, wanted in (("inference", 400), ("management", status)):
            headers = authorization(read_key(hardened.key_file, role))
            assert requests.request(method, url, headers=headers, timeout=60).status_code == wanted
        elsewhere.settimeout(0.2)
        with pytest.raises(TimeoutError):
            elsewhere.accept()
    assert len(hardened.models()) == 1


def test_scaling_needs_the_management_key(hardened: TorchServe) -> None:
    headers = authorization(read_key(hardened.key_file))
    for url in (hardened.management_url, hardened.inference_url, hardened.metrics_url):
        response = requests.put(f"{url}/models/fashion?min_worker=0", headers=headers, timeout=60)
        assert response.status_code in (400, 404), url
    assert len(hardened.models()[0]["workers"]) == 1


def test_the_commands_find_and_use_the_keys(
    hardened: TorchServe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert server.main(["wait", "--config", str(hardened.config), "--logs", str(hardened.logs)]) == 0
    hint = f'curl -H "Authorization: Bearer $(python -m serving.keys --file {hardened.key_file})" {hardened.url()}'
    assert hint in capsys.readouterr().out
    (tmp_path / "photo.png").write_bytes(photo())
    command = [str(tmp_path / "photo.png"), "--url", hardened.url()]
    assert client.main([*command, "--token", f"@{hardened.key_file}"]) == 0
    with pytest.raises(SystemExit) as stop:
        client.main(command)
    assert stop.value.code == 2
    assert "give it with: --token @key_file.json" in capsys.readouterr().err


# Failures


def worker_of(hardened: TorchServe) -> psutil.Process:
    java = hardened.find()
    assert java
    return next(
        process for process in java.children(recursive=True) if "model_service_worker" in str(process.cmdline())
    )


@contextmanager
def suspended_worker(hardened: TorchServe) -> Iterator[psutil.Process]:
    """Suspend the worker within the block."""
    worker = worker_of(hardened)
    worker.suspend()
    try:
        yield worker
    finally:
        if worker.is_running():
            worker.resume()


def wait_until_ready(outside: requests.Session, proxy: Proxy) -> None:
    end = time.monotonic() + 120
    while outside.get(f"{proxy.url}/readyz", timeout=60).status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.5)


def counted(hardened: TorchServe, name: str) -> float:
    """The value of a counter at the metrics address, summed over its labels."""
    lines = requests.get(f"{hardened.metrics_url}/metrics", timeout=60).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


@needs_nginx
def test_health_needs_no_key(outside: requests.Session, proxy: Proxy) -> None:
    for path, answer in {
        "/v2/health/live": {"live": True},
        "/v2/health/ready": {"ready": True},
        "/v1/models/fashion": {"name": "fashion", "ready": True},
        "/v2/models/fashion/ready": {"name": "fashion", "ready": True},
    }.items():
        response = outside.get(f"{proxy.url}{path}", timeout=60)
        assert (response.status_code, response.json()) == (200, answer), path
    for path, status in (("/livez", "live"), ("/readyz", "ready")):
        response = outside.get(proxy.url + path, timeout=60)
        assert (response.status_code, response.json()) == (200, {"status": status})


@needs_nginx
def test_a_wrong_key_is_not_ready(outside: requests.Session, proxy: Proxy, hardened: TorchServe) -> None:
    write_include("wrong", proxy.key)
    keys = ["--file", str(hardened.key_file), "--nginx", str(proxy.key), "--reload", proxy.reload]
    try:
        update_proxy_key(hardened.key_file, proxy.key.with_name("elsewhere"), proxy.reload)
        end = time.monotonic() + 60  # nginx starts new processes and lets the old ones finish
        while (response := outside.get(f"{proxy.url}/readyz", timeout=60)).status_code == 200:
            assert time.monotonic() < end
            outside.close()
            time.sleep(0.1)
        refusal(response, 503, "Unavailable")  # this response: another request may reach an old process again
        assert outside.get(f"{proxy.url}/livez", timeout=60).status_code == 200
    finally:
        assert main(keys) == 0
    outside.close()
    wait_until_ready(outside, proxy)
    assert ask(outside, proxy).status_code == 200


@needs_nginx
def test_a_full_queue_refuses_and_queued_requests_are_answered(
    outside: requests.Session, proxy: Proxy, hardened: TorchServe
) -> None:
    with ThreadPoolExecutor(2 * QUEUE + 1) as pool:
        with suspended_worker(hardened):
            waiting = [pool.submit(ask, outside, proxy)]
            time.sleep(1)  # the worker has taken it, so the queue is empty
            waiting += [pool.submit(ask, outside, proxy) for _ in range(2 * QUEUE)]
            while sum(future.done() for future in waiting) < QUEUE:
                time.sleep(0.05)
            for future in waiting:
                if future.done():
                    refusal(future.result(), 503, "Unavailable")
            refusal(outside.get(f"{proxy.url}/readyz", timeout=60), 503, "Unavailable")
            assert outside.get(f"{proxy.url}/livez", timeout=60).status_code == 200
        answers = [future.result().status_code for future in waiting]
    assert sorted(answers) == [200] * (QUEUE + 1) + [503] * QUEUE


@needs_nginx
def test_a_killed_worker_is_reported_and_restarted(
    outside: requests.Session, proxy: Proxy, hardened: TorchServe
) -> None:
    assert ask(outside, proxy).status_code == 200
    time.sleep(2)  # counts are written once a second
    names = (
        "fashion_requests_total",
        "fashion_images_total",
        "fashion_attributes_total",
        "ts_inference_requests_total",
    )
    before = {name: counted(hardened, name) for name in names}
    assert all(before.values())
    with ThreadPoolExecutor(1) as pool, suspended_worker(hardened) as worker:
        waiting = pool.submit(ask, outside, proxy)
        time.sleep(1)
        worker.send_signal(signal.SIGKILL)
        refusal(waiting.result(), 503, "Unavailable")
    wait_until_ready(outside, proxy)
    assert ask(outside, proxy).status_code == 200
    time.sleep(2)
    after = {name: counted(hardened, name) for name in names}
    assert all(after[name] > before[name] for name in names), (before, after)
