"""Run the reverse proxy of deploy/: the shipped files, with the test's ports, folders and certificate."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import geteuid
from pathlib import Path

import pytest
import requests
from photos import photo

from serving.keys import update_proxy_key
from serving.ports import free_ports

DEPLOY = Path(__file__).parent.parent / "deploy"
START_TIMEOUT = 20  # s

needs_nginx = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")),
    reason="nginx or openssl is not installed: apt-get install --no-install-recommends nginx-light openssl",
)


@dataclass(frozen=True)
class Proxy:
    """A running nginx.

    Attributes:
        url: URL of its TLS port.
        plain_url: URL of its HTTP port.
        certificate: its self-signed certificate.
        key: the included file with TorchServe's key.
        access_log, error_log: its log files.
        reload: the command that reloads its configuration.
    """

    url: str
    plain_url: str
    certificate: Path
    key: Path
    access_log: Path
    error_log: Path
    reload: str


@contextmanager
def proxy_of(address: str, folder: Path, key_file: Path | None, changes: Mapping[str, str]) -> Iterator[Proxy]:
    """Run nginx in front of a server.

    Args:
        address: the server's host:port.
        folder: for all files that nginx writes.
        key_file: TorchServe's key file, if the server needs a key.
        changes: further replacements in `nginx.conf`: old text to new text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("logs", "temporary", "fashion"):
        (folder / name).mkdir()
    port, plain_port = free_ports(2)
    config = _adapt(folder, address, port, plain_port, changes)
    _make_certificate(folder / "fashion")
    if key_file:
        update_proxy_key(key_file, folder / "fashion" / "key.conf")
    else:
        (folder / "fashion" / "key.conf").write_text("# none is needed\n")
    nginx = ["nginx", "-p", str(folder), "-c", str(config), "-e", str(folder / "logs" / "error.log")]
    proxy = Proxy(
        url=f"https://127.0.0.1:{port}",
        plain_url=f"http://127.0.0.1:{plain_port}",
        certificate=folder / "fashion" / "tls.crt",
        key=folder / "fashion" / "key.conf",
        access_log=folder / "logs" / "access.log",
        error_log=folder / "logs" / "error.log",
        reload=" ".join([*nginx, "-s", "reload"]),
    )
    process = subprocess.Popen([*nginx, "-g", "daemon off;"], stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(process, port)
        yield proxy
    finally:
        process.terminate()
        process.communicate(timeout=START_TIMEOUT)


def _adapt(folder: Path, address: str, port: int, plain_port: int, changes: Mapping[str, str]) -> Path:
    """Copy the shipped configuration with the test's paths and ports; each replaced text must occur in it."""
    own = {
        "user www-data;": "user root;" if geteuid() == 0 else "",
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/var/log/nginx": f"{folder}/logs",
        "/var/lib/nginx": f"{folder}/temporary",
        "/etc/nginx/fashion": f"{folder}/fashion",
        "server 127.0.0.1:8080;": f"server {address};",
        "listen 443 ssl ": f"listen 127.0.0.1:{port} ssl ",
        "listen 80 ": f"listen 127.0.0.1:{plain_port} ",
        **changes,
    }
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for before, after in own.items():
        assert before in text, before
        text = text.replace(before, after)
    for name in ("errors.conf", "inference.conf"):
        include = (DEPLOY / name).read_text(encoding="utf-8")
        (folder / "fashion" / name).write_text(include.replace("/etc/nginx/fashion", f"{folder}/fashion"))
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    return folder / "nginx.conf"


def _make_certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run(command, check=True, capture_output=True)


def _wait_for(process: subprocess.Popen[str], port: int) -> None:
    end = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, f"nginx ended: {process.stderr.read() if process.stderr else ''}"
            assert time.monotonic() < end, "nginx does not listen"
            time.sleep(0.05)


def ask(outside: requests.Session, proxy: Proxy, body: bytes = b"", **options: object) -> requests.Response:
    return outside.post(f"{proxy.url}/predictions/fashion", data=body or photo(), timeout=60, **options)  # type: ignore[arg-type]


def refusal(response: requests.Response, status: int, kind: str) -> requests.Response:
    """Check that the response is a refusal in the project's error format."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
    error = response.json()["error"]
    assert (list(response.json()), list(error)) == (["error"], ["code", "type", "message"])
    assert (error["code"], error["type"]) == (status, kind)
    assert ("retry-after" in response.headers) == (status in (429, 503))
    return response
