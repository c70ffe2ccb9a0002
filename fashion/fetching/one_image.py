"""Download one image from a URL, with retries and limits; give its bytes or the reason for the failure."""

import random
import threading
import time

import requests
import urllib3

from fashion.errors import InvalidImage, one_line
from fashion.fetching.public_addresses import PrivateAddress, PublicAdapter
from fashion.preprocess import decode

TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)  # worth a retry
MAX_BYTES = 20 * 2**20
MAX_REDIRECTS = 5
READ_BYTES = 64 * 2**10
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # s, before a retry
PATIENCE = 4  # a whole image may take this many timeouts: a server that sends a byte at a time never triggers one
# Images are decoded only to validate them: decoding a JPEG at 1/8 scale reads the whole file but is cheap.
CHECK_SIZE = 32  # px
USER_AGENT = "Mozilla/5.0 (compatible; fashion-attributes; photographs of products)"


class DownloadFailure(Exception):
    """A failed download; the message gives the reason in a few words."""


class TransientFailure(DownloadFailure):
    """A transient failure, worth a retry; `wait` is the delay that the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


class DownloadStopped(Exception):
    """The run is being stopped."""


def open_session(allow_private: bool = False) -> requests.Session:
    """A session for one thread; connections are reused between images.

    Args:
        allow_private: whether requests to this machine and its network are allowed.
    """
    session = requests.Session()
    if not allow_private:
        for scheme in ("http://", "https://"):
            session.mount(scheme, PublicAdapter())
    session.headers["User-Agent"] = USER_AGENT
    session.max_redirects = MAX_REDIRECTS
    return session


def fetch_image(url: str, session: requests.Session, timeout: float, retries: int, stop: threading.Event) -> bytes:
    """Download an image and validate it by decoding; retry after transient failures.

    The delay doubles with each retry, and half of it is random, so that threads do not retry all at once.

    Args:
        timeout: seconds to wait for the server to connect or to send more.
        retries: retries after a timeout, a broken connection or a busy server.
        stop: once set, `DownloadStopped` is raised at the next check.

    Raises:
        DownloadFailure: the reason for the last failure.
        DownloadStopped: see `stop`.
    """
    for attempt in range(retries + 1):
        try:
            data = fetch(url, session, timeout, stop)
            break
        except TransientFailure as failure:
            if attempt == retries:
                raise
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2**attempt) * random.uniform(0.5, 1)
            if stop.wait(max(delay, min(failure.wait, LONGEST_DELAY))):
                raise DownloadStopped from None
    try:
        decode(data, CHECK_SIZE)
    except InvalidImage as error:
        raise DownloadFailure(str(error)) from None
    return data


def fetch(url: str, session: requests.Session, timeout: float, stop: threading.Event) -> bytes:
    """The body of one response. Raises DownloadFailure, TransientFailure if a retry may help, or DownloadStopped."""
    try:
        with session.get(url, stream=True, timeout=timeout) as response:
            if response.status_code in TRANSIENT_STATUS:
                raise TransientFailure(f"HTTP {response.status_code}", _seconds(response.headers.get("Retry-After")))
            if response.status_code != 200:
                raise DownloadFailure(f"HTTP {response.status_code}")
            return _body(response, time.monotonic() + PATIENCE * timeout, stop)
    except PrivateAddress as error:
        raise DownloadFailure(f"private address {error}") from None
    except requests.TooManyRedirects:
        raise DownloadFailure(f"more than {MAX_REDIRECTS} redirects") from None
    except requests.exceptions.SSLError as error:
        raise DownloadFailure(f"TLS: {one_line(error)[:100]}") from None
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise TransientFailure("timeout") from None
    except requests.ConnectionError as error:
        if "NameResolutionError" in repr(error):  # common, as many hosts no longer exist: not worth a retry
            raise DownloadFailure("host not found") from None
        raise TransientFailure("connection failed") from None
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError):
        raise TransientFailure("connection lost") from None
    except (requests.RequestException, ValueError) as error:  # not a URL, or a redirect to an invalid one
        raise DownloadFailure(f"bad URL: {one_line(error)[:100]}") from None


def _body(response: requests.Response, deadline: float, stop: threading.Event) -> bytes:
    body = bytearray()
    while chunk := response.raw.read1(READ_BYTES, decode_content=True):  # returns as soon as some bytes have arrived
        body += chunk
        if len(body) > MAX_BYTES:
            raise DownloadFailure(f"larger than {MAX_BYTES // 2**20} MB")
        if time.monotonic() > deadline:
            raise TransientFailure("timeout")
        if stop.is_set():
            raise DownloadStopped
    return bytes(body)


def _seconds(retry_after: str | None) -> float:
    """Parse a Retry-After header in seconds; its date form is ignored and gets the ordinary delay."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0
