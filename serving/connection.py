"""HTTP connections to a server that may be this machine's own, which no proxy can reach."""

import ipaddress
from urllib.parse import urlsplit

import requests


def open_session(url: str) -> requests.Session:
    """A session for `url`; for this machine itself it leaves the proxies of the environment alone."""
    session = requests.Session()
    # Elsewhere a proxy may be the only way out; here it would ask its own machine.
    session.trust_env = not is_this_machine(url)
    return session


def is_this_machine(url: str) -> bool:
    """Whether the host of a URL is a loopback address, or the `0.0.0.0` that a server listens on."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # no URL; whoever asks it will say so
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
