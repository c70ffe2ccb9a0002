"""The rules and the dashboard of deploy/monitoring, with a real Prometheus that scrapes a real TorchServe."""

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from photos import bad_photos, photo

from fashion.predictor import Predictor
from serving.metrics import dimension
from serving.ports import free_ports
from serving.torchserve import METRICS_CONFIG, TorchServe

MONITORING = Path(__file__).parent.parent / "deploy" / "monitoring"
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
RULES = [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
# Grafana's variables, as Grafana replaces them.
VARIABLES = {"$__rate_interval": "15s", "$__range": "5m", "$instance": ".*", "$group": ".*"}
# May have no data: no 5xx from TorchServe itself, and no data a day old.
MAY_BE_EMPTY = ("Requests5XX", "fashion:attribute_drift")
METRIC = re.compile(r"\b(?:fashion|ts)_\w+|\bRequests\dXX|\bWorkerLoadTime|\bfashion:\w+(?::\w+)?")
TIMEOUT = 60  # s

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus is not installed: apt-get install --no-install-recommends prometheus",
)


@needs_prometheus
@pytest.mark.parametrize(
    "check",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("test", "rules", "drift_test.yml"),
    ],
    ids=lambda check: check[-1],
)
def test_promtool_accepts_the_files(check: tuple[str, ...]) -> None:
    result = subprocess.run(["promtool", *check], cwd=MONITORING, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_a_test_that_it_fires() -> None:
    tests = [yaml.safe_load((MONITORING / name).read_text())["tests"] for name in ("alerts_test.yml", "drift_test.yml")]
    cases = [case for file in tests for test in file for case in test["alert_rule_test"]]
    alerts = {rule["alert"] for rule in RULES if "alert" in rule}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == alerts


def listed_metrics() -> dict[str, list[str]]:
    """Exported Prometheus names by the names in metrics.yaml."""
    names = {}
    for section in ("ts_metrics", "model_metrics"):
        for kind, metrics in yaml.safe_load(METRICS_CONFIG.read_text())[section].items():
            for metric in metrics:
                name = metric["name"]
                names[name] = (
                    [f"{name}_{part}" for part in ("bucket", "sum", "count")] if kind == "histogram" else [name]
                )
    return names


def test_queried_metrics_exist_and_all_metrics_are_shown() -> None:
    known = {name for names in listed_metrics().values() for name in names}
    known |= {rule["record"] for rule in RULES if "record" in rule}
    asked = {name for expression in EXPRESSIONS for name in METRIC.findall(expression)}
    asked_by_rules = {name for rule in RULES for name in METRIC.findall(rule["expr"])}
    assert asked | asked_by_rules <= known
    assert all(asked & set(names) for names in listed_metrics().values())


def test_the_dashboard_can_be_imported() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) - {"__rate_interval", "__range"}
    assert used == variables == {"datasource", "instance", "group"}
    rows = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(x, y) for p in rows for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24
    assert all(panel["description"] for panel in DASHBOARD["panels"])


class Prometheus:
    """A running Prometheus; `ask` evaluates an expression now."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=TIMEOUT).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        return self.get("query", query=expression)["result"]


@pytest.fixture(scope="module")
def prometheus(endpoint: TorchServe, app_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with the shipped configuration, but scraping both servers of this test each second."""
    folder = tmp_path_factory.mktemp("prometheus")
    (port,) = free_ports(1)
    for name, changes in {
        "prometheus.yml": {
            "127.0.0.1:8082": urlsplit(endpoint.metrics_url).netloc,
            '# - targets: ["127.0.0.1:8080"]': f'- targets: ["{urlsplit(app_url).netloc}"]',
            "#   labels: {server: fastapi}": "  labels: {server: fastapi}",
            "15s": "1s",
        },
        "alerts.yml": {"interval: 5m": "interval: 1s"},
    }.items():
        text = (MONITORING / name).read_text()
        for shipped, own in changes.items():
            assert shipped in text
            text = text.replace(shipped, own)
        (folder / name).write_text(text)
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        running = Prometheus(port)
        end = time.monotonic() + TIMEOUT
        while not is_up(running):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.2)
        yield running
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def is_up(prometheus: Prometheus) -> bool:
    """Whether it answers and has scraped both servers."""
    try:
        return [sample["value"][1] for sample in prometheus.ask('up{job="fashion"}')] == ["1", "1"]
    except requests.RequestException:
        return False


def counts_of(endpoint: TorchServe) -> Counter[str]:
    """All samples at the metrics address, by name and labels."""
    lines = requests.get(f"{endpoint.metrics_url}/metrics", timeout=TIMEOUT).text.splitlines()
    return Counter({line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"})


def grown(endpoint: TorchServe, before: Counter[str], key: str) -> float:
    """The growth of the samples whose names and labels contain `key`."""
    after = counts_of(endpoint)
    return sum(value - before[sample] for sample, value in after.items() if sample.startswith(key))


@needs_prometheus
def test_every_expression_answers_after_some_photographs(
    prometheus: Prometheus, endpoint: TorchServe, app_url: str, bundle: Path
) -> None:
    before = counts_of(endpoint)
    assert requests.post(f"{app_url}/predictions/fashion", photo(), timeout=TIMEOUT).status_code == 200
    bodies = [photo(seed) for seed in range(6)]
    for i in range(3):  # a rate needs several scrapes
        for body in bodies[2 * i : 2 * i + 2]:
            assert requests.post(endpoint.url(), body, timeout=TIMEOUT).status_code == 200
        assert requests.post(endpoint.url(), bad_photos()["HTML"], timeout=TIMEOUT).status_code == 400
        time.sleep(2)  # the handler's counts are written, and scraped, each second
    assert requests.post(endpoint.url(), b"", headers={"Fashion-Top-K": "x"}, timeout=TIMEOUT).status_code == 400

    end = time.monotonic() + TIMEOUT
    while grown(endpoint, before, 'fashion_requests_total{outcome="bad_request"') < 1:
        assert time.monotonic() < end
        time.sleep(0.2)
    time.sleep(2)
    assert grown(endpoint, before, 'fashion_requests_total{outcome="ok"') == 6
    assert grown(endpoint, before, 'fashion_requests_total{outcome="invalid_image"') == 3
    assert grown(endpoint, before, "fashion_images_total") == 6
    assert grown(endpoint, before, "fashion_request_seconds_count") == 10
    predictor = Predictor.from_bundle(bundle)
    predicted = Counter(
        (row["group"], row["name"])
        for body in bodies
        for row in predictor.answer(predictor.predict(body))["attributes"]
    )
    for (group, name), count in predicted.items():
        labels = f'group="{dimension(group)}",name="{dimension(name)}"'
        assert grown(endpoint, before, f"fashion_attributes_total{{{labels}") == count

    (other,) = prometheus.ask('sum by (server) (fashion_requests_total{outcome="ok",server="fastapi"})')
    assert float(other["value"][1]) >= 1
    for expression in EXPRESSIONS:
        samples = prometheus.ask(expression)
        if not any(name in expression for name in MAY_BE_EMPTY):
            assert samples, expression
        assert all(0 <= float(sample["value"][1]) < 1e6 for sample in samples), (expression, samples)


@needs_prometheus
def test_the_rules_are_evaluated(prometheus: Prometheus) -> None:
    end = time.monotonic() + TIMEOUT
    while True:
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        if all(rule["health"] != "unknown" for rule in rules):
            break
        assert time.monotonic() < end
        time.sleep(0.2)
    assert {rule["name"] for rule in rules} == {rule.get("record") or rule["alert"] for rule in RULES}
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]
    assert prometheus.ask("fashion:attribute_share:1d")
