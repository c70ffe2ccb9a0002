"""The images, Compose and Kubernetes files of deploy/, checked against their schemas and the real server.

tests/test_installed.py runs the image's command and health check in an environment made by the image's steps.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from starter import STARTER

from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from serving.app import create_app
from serving.counters import WAITING, Counters

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = "1.33"  # version of the schemas; all used features are older
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
PLAIN = {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes" / "deployment.yaml").read_text())}
KSERVE = yaml.safe_load((DEPLOY / "kubernetes" / "inference-service.yaml").read_text())
# The used fields of a predictor in KServe's v1beta1 that are not fields of a pod: from the models of the package
# kserve 0.21.
KSERVE_FIELDS = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "containerConcurrency"}


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: keyword and arguments."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", dockerfile.read_text()))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def test_image_tags_are_the_version_of_the_included_model() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))]
    tags = [tag for text in texts for tag in re.findall(r"image: \S+/fashion-attributes:(\S+)", text)]
    assert tags == [ModelCard.load(STARTER).version] * 2


# Compose


def check_compose(path: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_compose_matches_its_schema(tmp_path: Path) -> None:
    checked = check_compose(DEPLOY / "compose.yaml")
    assert checked.returncode == 0, checked.stdout
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("depends_on:", "depend_on:"))
    assert check_compose(wrong).returncode == 1


def test_every_file_that_compose_mounts_is_there() -> None:
    mounted = [volume.split(":")[0] for each in COMPOSE["services"].values() for volume in each.get("volumes", [])]
    files = [name for name in mounted if name.startswith("./")]
    assert len(files) == 9
    assert all((DEPLOY / name).is_file() for name in files)
    build = COMPOSE["services"]["server"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_read_only_services_use_no_config_with_content() -> None:
    """Compose would write it into the container, and refuses that for a read-only one (docker/compose#12031)."""
    configs = COMPOSE.get("configs", {})
    used = [each["source"] for service in COMPOSE["services"].values() for each in service.get("configs", [])]
    assert not [name for name in used if "file" not in configs[name]]


def test_only_nginx_and_grafana_publish_ports() -> None:
    published = {port for each in COMPOSE["services"].values() for port in each.get("ports", [])}
    assert published == {"443:443", "80:80", "127.0.0.1:3000:3000"}
    assert COMPOSE["services"]["server"]["command"][-2:] == ["--host", "127.0.0.1"]
    others = [each for name, each in COMPOSE["services"].items() if name != "server"]
    assert all(each["network_mode"] == "service:server" for each in others)
    assert all(each["read_only"] for each in COMPOSE["services"].values())


def test_nginx_is_changed_as_documented(tmp_path: Path) -> None:
    """Compose's changes to nginx.conf; tests/test_proxy.py runs nginx with the same changes."""
    *_, script = COMPOSE["services"]["nginx"]["command"]
    script = script.split("&&")[0].replace("/etc/nginx/fashion/nginx.conf", shlex.quote(str(DEPLOY / "nginx.conf")))
    changed = tmp_path / "nginx.conf"
    subprocess.run(["sh", "-c", script.replace("/tmp/nginx.conf", shlex.quote(str(changed)))], check=True)
    before, after = ((path).read_text().splitlines() for path in (DEPLOY / "nginx.conf", changed))
    lines = [line.strip() for line, was in zip(after, before, strict=True) if line != was]
    assert lines == ["proxy_pass http://torchserve/readyz;", "proxy_method GET;"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="prometheus is not installed")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    for volume in COMPOSE["services"]["prometheus"]["volumes"]:
        source, target = volume.split(":")[:2]
        if source.startswith("./"):
            shutil.copy(DEPLOY / source, tmp_path / Path(target).name)
    checked = subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True)
    assert checked.returncode == 0, checked.stdout


# Kubernetes


@pytest.mark.parametrize("kind", PLAIN)
def test_kubernetes_matches_its_schemas(kind: str) -> None:
    kubernetes_validate.validate(PLAIN[kind], KUBERNETES, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(PLAIN[kind] | {"specs": {}}, KUBERNETES, strict=True)


def kserve_pod() -> dict[str, Any]:
    """The predictor of the InferenceService without KServe's own fields; the rest must be a pod."""
    spec = {name: value for name, value in KSERVE["spec"]["predictor"].items() if name not in KSERVE_FIELDS}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": KSERVE["metadata"], "spec": spec}


def test_the_inference_service_is_a_pod_with_fields_of_kserve() -> None:
    assert (KSERVE["apiVersion"], KSERVE["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert KSERVE["spec"]["predictor"].keys() >= KSERVE_FIELDS
    kubernetes_validate.validate(kserve_pod(), KUBERNETES, strict=True)
    # The container's name marks a custom predictor.
    assert [each["name"] for each in kserve_pod()["spec"]["containers"]] == ["kserve-container"]


@pytest.mark.parametrize("spec", [PLAIN["Deployment"]["spec"]["template"]["spec"], kserve_pod()["spec"]])
def test_probes_use_existing_routes(spec: dict[str, Any]) -> None:
    (container,) = spec["containers"]
    (port,) = container["ports"]
    assert ("EXPOSE", str(port["containerPort"])) in instructions(DEPLOY / "Dockerfile")
    probes = [value["httpGet"] for name, value in container.items() if name.endswith("Probe")]
    paths = {route.path for route in create_app(Predictor.from_bundle(STARTER)).routes}  # type: ignore[attr-defined]
    assert {probe["path"] for probe in probes} == {"/livez", "/readyz"} <= paths
    assert all(probe["port"] in (port.get("name"), port["containerPort"]) for probe in probes)
    assert ("USER", f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}") in instructions(
        DEPLOY / "Dockerfile"
    )


def test_autoscaling_uses_an_exported_metric() -> None:
    scaler = PLAIN["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == PLAIN["Deployment"]["metadata"]["name"]
    (metric,) = scaler["metrics"]
    assert metric["pods"]["metric"]["name"] == WAITING
    waiting = [3]
    assert f"\n{WAITING} 3.0\n".encode() in Counters(lambda: waiting[0]).text()
    labels = PLAIN["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert PLAIN["Service"]["spec"]["selector"].items() <= labels.items()


# Images


@pytest.mark.parametrize("name", ["Dockerfile", "torchserve.Dockerfile"])
def test_an_image_uses_existing_files_and_an_unprivileged_user(name: str) -> None:
    steps = instructions(DEPLOY / name)
    copied = [source for word, rest in steps if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]]
    sources = [source for source in copied if not source.startswith("--")]
    assert all((ROOT / source).exists() for source in sources)
    sent = (DEPLOY / f"{name}.dockerignore").read_text().splitlines()
    for source in sources:
        assert any(f"!{source}".startswith(line) for line in sent if line.startswith("!")), f"{source} is not sent"
    words = [word for word, _ in steps]
    assert words.count("FROM") == 2
    assert ("USER", "10001:10001") in steps[words.index("FROM", 1) :]
    assert {"HEALTHCHECK", "ENTRYPOINT"} <= set(words)
