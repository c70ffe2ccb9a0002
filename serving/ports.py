"""TCP ports of this machine: find free ones, and explain why a server cannot listen on one."""

import errno
import socket

import psutil

from fashion.errors import SettingError

LAST_PORT = 65_535


def free_ports(count: int) -> list[int]:
    """Distinct free ports of the loopback address."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def listen_problem(host: str, port: int) -> tuple[str, str] | None:
    """Why a server cannot listen there, and which of "host" and "port" to change; None if it can."""
    if not 1 <= port <= LAST_PORT:
        return f"port {port} is out of range; it must be from 1 to {LAST_PORT}", "port"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do, so that closed connections (TIME_WAIT) do not block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            owner = owner_of(port)
            return f"port {port} is in use{f' by {owner}' if owner else ''}", "port"
        if isinstance(error, PermissionError):
            return f"port {port} is reserved for the system; this user may use ports from 1024 up", "port"
        return f"{host[:100]!r} is not an address of this machine", "host"
    return None


def listening_port(host: str, text: str) -> int:
    """Parse a port given on the command line, and check that a server can listen on it.

    Raises:
        SettingError: it is not a number, or a server cannot listen on it.
    """
    if not text.isascii() or not text.isdigit():
        raise SettingError(f"--port is {text[:60]!r}; it must be a number, such as 8080")
    found = listen_problem(host, int(text))
    if found:
        raise SettingError("{}; choose another --{}".format(*found))
    return int(text)


def http_address(host: str, port: int) -> str:
    """The URL of a server, with brackets around an IPv6 address."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def owner_of(port: int) -> str | None:
    """The process listening on a port, as `process 123 (java)`; None if unknown, as for another user's process."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return None
