"""A local web server that answers correctly, wrongly, slowly or never."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from source_files import jpeg

from fashion.fetching.one_image import MAX_BYTES

PHOTO = jpeg(width=200, height=200)
DRIP = 0.2  # seconds between two bytes
DRIP_SECONDS = len(PHOTO) * DRIP


class PhotoServer(ThreadingHTTPServer):
    """Counts the requests for each path."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), PhotoAnswers)
        self.asked: Counter[str] = Counter()
        self.release = threading.Event()  # releases the answers to /hang

    def url(self, path: str) -> str:
        return f"http://{self.server_address[0]}:{self.server_port}/{path}"


class PhotoAnswers(BaseHTTPRequestHandler):
    """Answer as the first part of the path says."""

    server: PhotoServer

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        kind = self.path.split("/")[1]
        if kind == "good":
            self.answer(200, PHOTO)
        elif kind == "flaky":
            self.answer(200 if self.server.asked[self.path] > 1 else 500, PHOTO)
        elif kind == "busy":
            self.answer(429, b"", {"Retry-After": "1"})
        elif kind == "html":
            self.answer(200, b"<!DOCTYPE html><html>gone</html>")
        elif kind == "moved":
            self.answer(302, b"", {"Location": "/good/moved"})
        elif kind == "to":  # redirect to the rest of the path
            self.answer(302, b"", {"Location": "http://" + self.path.removeprefix("/to/")})
        elif kind == "circle":
            self.answer(302, b"", {"Location": self.path})
        elif kind == "elsewhere":
            self.answer(302, b"", {"Location": "file:///etc/passwd"})
        elif kind == "truncated":  # declares a longer body than it sends
            self.answer(200, PHOTO[:2000], {"Content-Length": str(len(PHOTO))})
        elif kind == "cut":  # the image file is truncated
            self.answer(200, PHOTO[:2000])
        elif kind == "large":
            self.answer(200, b"\xff\xd8" + bytes(MAX_BYTES))
        elif kind == "slow":
            self.server.release.wait(3)
        elif kind == "drip":
            self.drip()
        else:
            self.answer(404, b"not here")

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:  # the client has disconnected
            self.close_connection = True

    def drip(self) -> None:
        """Send single bytes, each before a read timeout would occur."""
        self.send_response(200)
        self.end_headers()
        try:
            for byte in PHOTO:
                if self.server.release.wait(DRIP):
                    return
                self.wfile.write(bytes([byte]))
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def running(host: str = "127.0.0.1", port: int = 0) -> Iterator[PhotoServer]:
    """A running server, in threads of this process."""
    with PhotoServer(host, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()
