"""HTTP sessions that reach public addresses only: not this machine, its network, or what a name or redirect leads to.

A table of products names addresses that somebody else wrote. Asked for from within a network they would reach what is
not for everybody: machines beside this one, or the credentials that clouds hand out at 169.254.169.254. So each
connection resolves its host once, looks at what it found, and connects to just that.
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

TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses in their last 32 bits: RFC 6052


class PrivateAddress(urllib3.exceptions.HTTPError):
    """The host of a URL is no public one."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, also where IPv6 wraps one of IPv4."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in TRANSLATED:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def public_addresses(host: str, port: int) -> list[str]:
    """The IP addresses of a host, all of them public.

    Raises:
        PrivateAddress: one is not.
        OSError, UnicodeError: there is none.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    private = [address for address in addresses if not is_public(address)]
    if private:
        raise PrivateAddress(private[0])
    return addresses


class _PublicConnection(HTTPConnection):
    """Connects to what it has checked, so that a name cannot mean something else a moment later."""

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
    """The same with TLS, whose certificate is checked for the name and not for the address."""


class _PublicPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicTlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PublicTlsConnection


class PublicAdapter(HTTPAdapter):
    """What a session of requests sends by, each redirect anew."""

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicPool, "https": _PublicTlsPool}

    def send(self, request: requests.PreparedRequest, *arguments: Any, **settings: Any) -> requests.Response:
        """Raises PrivateAddress, alone or within an error of requests, for a host that is not public."""
        proxies = settings.get("proxies")
        if proxies and requests.utils.select_proxy(str(request.url), proxies):
            _check_before_proxy(str(request.url))
        return super().send(request, *arguments, **settings)


def _check_before_proxy(url: str) -> None:
    """A proxy connects itself, and may be the only one who knows the host: what is known here must be public."""
    parts = urlsplit(url)
    try:
        public_addresses(parts.hostname or "", parts.port or 80)
    except (OSError, UnicodeError):
        return
