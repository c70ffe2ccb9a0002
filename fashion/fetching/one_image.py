"""One URL of unknown health -> the bytes of an image, or the reason why not."""

import random
import threading
import time

import requests
import urllib3

from fashion.errors import InvalidImage, one_line
from fashion.fetching.public_addresses import PrivateAddress, PublicAdapter
from fashion.preprocess import decode

TRANSIENT_STATUS = (408, 425, 429, 500, 502, 503, 504)  # the server may answer otherwise in a moment
MAX_BYTES = 20 * 2**20
MAX_REDIRECTS = 5
READ_BYTES = 64 * 2**10
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # s, before another try
PATIENCE = 4  # a whole image may take this many timeouts: a server that drips would never run into one
# Decoded only to see that it can be: a JPEG at 1/8 scale reads the whole file but costs little.
CHECK_SIZE = 32  # px
USER_AGENT = "Mozilla/5.0 (compatible; fashion-attributes; photographs of products)"


class Failure(Exception):
    """An image that cannot be had; the message says why, in a few words."""


class PassingFailure(Failure):
    """One that may be had in a moment; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


class DownloadStopped(Exception):
    """The download is to end now."""


def open_session(allow_private: bool = False) -> requests.Session:
    """A session for one thread; it keeps connections open from image to image.

    Args:
        allow_private: whether it may ask this machine and its network.
    """
    session = requests.Session()
    if not allow_private:
        for scheme in ("http://", "https://"):
            session.mount(scheme, PublicAdapter())
    session.headers["User-Agent"] = USER_AGENT
    session.max_redirects = MAX_REDIRECTS
    return session


def fetch_image(url: str, session: requests.Session, timeout: float, retries: int, stop: threading.Event) -> bytes:
    """Fetch an image and see that it can be decoded; after a fault that may pass, wait and try again.

    The delay doubles from try to try, and half of it is random, so that many threads do not come back at once.

    Args:
        timeout: seconds to wait for the server to connect or to go on.
        retries: further tries after a timeout, a broken connection or a busy server.
        stop: once set, `DownloadStopped` is raised at the next chance.

    Raises:
        Failure: the last try's reason.
        Stopped: see `stop`.
    """
    for attempt in range(retries + 1):
        try:
            data = fetch(url, session, timeout, stop)
            break
        except PassingFailure as failure:
            if attempt == retries:
                raise
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2**attempt) * random.uniform(0.5, 1)
            if stop.wait(max(delay, min(failure.wait, LONGEST_DELAY))):
                raise DownloadStopped from None
    try:
        decode(data, CHECK_SIZE)
    except InvalidImage as error:
        raise Failure(str(error)) from None
    return data


def fetch(url: str, session: requests.Session, timeout: float, stop: threading.Event) -> bytes:
    """The body of one answer. Raises Failure, or PassingFailure where another try may help, or Stopped."""
    try:
        with session.get(url, stream=True, timeout=timeout) as response:
            if response.status_code in TRANSIENT_STATUS:
                raise PassingFailure(f"HTTP {response.status_code}", _seconds(response.headers.get("Retry-After")))
            if response.status_code != 200:
                raise Failure(f"HTTP {response.status_code}")
            return _body(response, time.monotonic() + PATIENCE * timeout, stop)
    except PrivateAddress as error:
        raise Failure(f"private address {error}") from None
    except requests.TooManyRedirects:
        raise Failure(f"more than {MAX_REDIRECTS} redirects") from None
    except requests.exceptions.SSLError as error:
        raise Failure(f"TLS: {one_line(error)[:100]}") from None
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise PassingFailure("timeout") from None
    except requests.ConnectionError as error:
        if "NameResolutionError" in repr(error):  # masses of the URLs are on hosts that are gone: not worth a wait
            raise Failure("host not found") from None
        raise PassingFailure("connection failed") from None
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError):
        raise PassingFailure("connection broken off") from None
    except (requests.RequestException, ValueError) as error:  # not a URL; a redirect to something that is none
        raise Failure(f"bad URL: {one_line(error)[:100]}") from None


def _body(response: requests.Response, deadline: float, stop: threading.Event) -> bytes:
    body = bytearray()
    while chunk := response.raw.read1(READ_BYTES, decode_content=True):  # what has come, without waiting for all
        body += chunk
        if len(body) > MAX_BYTES:
            raise Failure(f"larger than {MAX_BYTES // 2**20} MB")
        if time.monotonic() > deadline:
            raise PassingFailure("timeout")
        if stop.is_set():
            raise DownloadStopped
    return bytes(body)


def _seconds(retry_after: str | None) -> float:
    """Of the header's two forms only the number is read; a date gets the ordinary delay."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0
