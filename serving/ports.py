"""TCP ports of this machine: which are free, and why a server could not listen on one."""

import errno
import socket

import psutil

from fashion.errors import SettingError

LAST_PORT = 65_535


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nothing listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def obstacle(host: str, port: int) -> tuple[str, str] | None:
    """Why a server could not listen there now, and which of `host` and `port` is to be changed; None where it could."""
    if not 1 <= port <= LAST_PORT:
        return f"port {port} is none; they go from 1 to {LAST_PORT}", "port"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # as servers do: closed connections do not count
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            owner = owner_of(port)
            return f"port {port} is taken{f' by {owner}' if owner else ''}", "port"
        if isinstance(error, PermissionError):
            return f"port {port} is the system's; this user may listen on those from 1024 on", "port"
        return f"{host[:100]!r} is no address of this machine", "host"
    return None


def listening_port(host: str, text: str) -> int:
    """The number of a port, as a command line gives it, on which a server can listen now.

    Raises:
        SettingError: it is no number, or a server cannot listen there.
    """
    if not text.isascii() or not text.isdigit():
        raise SettingError(f"--port is {text[:60]!r}; it must be a number, such as 8080")
    found = obstacle(host, int(text))
    if found:
        raise SettingError("{}; choose another --{}".format(*found))
    return int(text)


def http_address(host: str, port: int) -> str:
    """What a browser opens: an IPv6 address stands in brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def owner_of(port: int) -> str | None:
    """`process 123 (java)`, or None where it cannot be told, as for another user's process."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return None
