"""Read TorchServe's config.properties, and check that its ports are free."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from fashion.errors import FashionError
from serving.ports import listen_problem

PORTS = {"inference_address": 8080, "management_address": 8081, "metrics_address": 8082}
GRPC_PORTS = {"grpc_inference_port": 7070, "grpc_management_port": 7071}


class ServerError(FashionError):
    """TorchServe cannot be started, or does not become ready."""


def read_properties(path: Path) -> dict[str, str]:
    """Read the lines `name=value` of a config.properties.

    Raises:
        ServerError: the file cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ServerError(f"cannot read {str(path)!r}: {error.strerror}; give a config.properties") from None
    except UnicodeDecodeError:
        raise ServerError(f"{str(path)!r} is not UTF-8 text; save it as UTF-8") from None
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def check_ports(properties: Mapping[str, str], config: Path) -> None:
    """Check that a server can listen on all addresses of its config.

    Args:
        properties: the contents of the config.
        config: the file, for the message.

    Raises:
        ServerError: a port is taken, or an address is invalid.
    """
    wanted = {name: properties.get(name, f"http://127.0.0.1:{port}") for name, port in PORTS.items()}
    for name, port in GRPC_PORTS.items():
        host = properties.get(name.replace("port", "address"), "127.0.0.1")
        wanted[name] = f"http://{host}:{properties.get(name, port)}"
    for name, address in wanted.items():
        try:
            parts = urlsplit(address)
            number = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:  # the port is not a number, or too large
            raise ServerError(f"{name} is {address[:100]!r} in {config}: {error}; set another") from None
        found = listen_problem(parts.hostname or "127.0.0.1", number)
        if found:
            raise ServerError(f"{found[0]}; set another {name} in {config}, or end the process that uses it")
