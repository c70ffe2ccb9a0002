"""nginx protects TorchServe's old Netty from chunked bodies and odd header names, as docs/deployment.md says."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from proxy import Proxy, needs_nginx, proxy_of

pytestmark = needs_nginx
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{}"


class Listener:
    """Replace TorchServe and record the bytes it is sent."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection:
                connection.settimeout(2)
                received = b""
                while b"\r\n\r\n" not in received or not received.endswith(b"end"):
                    part = connection.recv(10_000)
                    if not part:
                        break
                    received += part
                self.requests.append(received)
                connection.sendall(ANSWER)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@pytest.fixture(scope="module")
def before_netty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Listener]]:
    listener = Listener()
    try:
        with proxy_of(listener.address, tmp_path_factory.mktemp("nginx"), None, {}) as proxy:
            yield proxy, listener
    finally:
        listener.close()


def sent(proxy: Proxy, request: bytes) -> int:
    """The response status of a request sent as raw bytes."""
    host, port = urlsplit(proxy.url).netloc.split(":")
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    with (
        socket.create_connection((host, int(port)), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status


def test_chunked_bodies_never_reach_torchserve(before_netty: tuple[Proxy, Listener]) -> None:
    proxy, listener = before_netty
    head = b"POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert sent(proxy, head + b'4;a="b"\r\nthe \r\n3\r\nend\r\n0\r\n\r\n') == 200
    received = listener.requests[-1]
    assert b"content-length: 7\r\n" in received.lower()
    assert b"transfer-encoding" not in received.lower()
    assert received.endswith(b"\r\n\r\nthe end")


@pytest.mark.parametrize("line", [b"X\x01-Odd: 1", b"\x00Content-Length: 5", b"Bad Name: 1"])
def test_odd_names_of_headers_are_refused(before_netty: tuple[Proxy, Listener], line: bytes) -> None:
    proxy, listener = before_netty
    before = len(listener.requests)
    head = b"POST /predictions/fashion HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + line + b"\r\n\r\nend"
    assert sent(proxy, head) == 400
    assert len(listener.requests) == before
