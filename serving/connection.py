"""HTTP sessions that bypass the proxy for servers on this machine."""

import ipaddress
from urllib.parse import urlsplit

import requests


def open_session(url: str) -> requests.Session:
    """A session for `url`; for a loopback address it ignores the proxies of the environment."""
    session = requests.Session()
    # Other hosts may be reachable only by a proxy, but a proxy's loopback address is the proxy's own machine.
    session.trust_env = not is_this_machine(url)
    return session


def is_this_machine(url: str) -> bool:
    """Whether the host of a URL is a loopback address, or the `0.0.0.0` that a server listens on."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # invalid URL; the request will report it
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
