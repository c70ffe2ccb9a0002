"""HTTP sessions that connect to public addresses only, also after redirects (protection against SSRF).

The URLs in a table of products are untrusted. Requested from inside a network, they could reach internal machines or
the credentials that clouds serve at 169.254.169.254. So each connection resolves its host once, checks the addresses
and connects to one of those.
"""

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # the last 32 bits are an IPv4 address: RFC 6052


class PrivateAddress(urllib3.exceptions.HTTPError):
    """The host of a URL does not have a public address."""


def is_public(address: str) -> bool:
    """Whether an IP address is public; for an IPv6 address that wraps an IPv4 address, whether that one is."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in TRANSLATED:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def public_addresses(host: str, port: int) -> list[str]:
    """Resolve a host to its IP addresses, all of which must be public.

    Raises:
        PrivateAddress: an address is not public.
        OSError, UnicodeError: the host cannot be resolved.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    private = [address for address in addresses if not is_public(address)]
    if private:
        raise PrivateAddress(private[0])
    return addresses


class _PublicConnection(HTTPConnection):
    """Connects to the addresses it has checked, without a second lookup (protection against DNS rebinding)."""

    def _new_conn(self) -> socket.socket:
        try:
            addresses = public_addresses(self.host, self.port)
        except (OSError, UnicodeError) as error:
            fault = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise urllib3.exceptions.NameResolutionError(self.host, self, fault) from error
        for address in addresses:
            try:
                return create_connection((address, self.port), self.timeout, socket_options=self.socket_options)
            except TimeoutError as error:
                raise urllib3.exceptions.ConnectTimeoutError(self, "timeout") from error
            except OSError as error:
                last = error
        raise urllib3.exceptions.NewConnectionError(self, str(last)) from last


class _PublicTlsConnection(_PublicConnection, HTTPSConnection):
    """The same with TLS; the certificate is verified for the host name, not the address."""


class _PublicPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicTlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PublicTlsConnection


class PublicAdapter(HTTPAdapter):
    """Transport adapter of requests that checks each request and each redirect."""

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicPool, "https": _PublicTlsPool}

    def send(self, request: requests.PreparedRequest, *arguments: Any, **settings: Any) -> requests.Response:
        """Send a request. Raises PrivateAddress, directly or wrapped by requests, for a host that is not public."""
        proxies = settings.get("proxies")
        if proxies and requests.utils.select_proxy(str(request.url), proxies):
            _check_before_proxy(str(request.url))
        return super().send(request, *arguments, **settings)


def _check_before_proxy(url: str) -> None:
    """Check a host that a proxy will connect to: if it resolves here, it must be public; the proxy may know others."""
    parts = urlsplit(url)
    try:
        public_addresses(parts.hostname or "", parts.port or 80)
    except (OSError, UnicodeError):
        return
