"""Middleware against cross-site requests and DNS rebinding; it also sets the security headers.

Any web page that the user opens can send requests to a server on this machine. Such a page must not post to it (so the
Origin header must match the host), nor read from it through a domain name of its own that resolves to this machine (DNS
rebinding; so the Host header must be an IP address, this machine's name, or a configured name).
"""

import ipaddress
import socket
from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.protocol import JSON_TYPE, error_object, json_bytes

# Scripts, styles and data only from this server, nothing inline, no eval; blob: is for the user's own photographs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """Middleware that refuses foreign hosts and origins, and adds `HEADERS` to responses that do not set them.

    Args:
        app: the application to guard.
        hosts: allowed host names besides IP addresses, `localhost` and this machine's name.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = {"localhost", socket.gethostname().lower(), *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, see https://asgi.readthedocs.io/en/latest/specs/www.html."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        host = headers.get("host", "").lower()
        if not self._is_own(host):
            message = f"host {host[:100]!r} is not allowed; to allow it, start the page with --allow-host and this name"
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, "WrongHost", message)
        origin = headers.get("origin")
        foreign = origin is not None and _split(origin).netloc.lower() != host
        if method not in SAFE_METHODS and (foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            message = f"pages of {(origin or 'another site')[:100]} are not allowed to send requests to this server"
            return _refused(HTTPStatus.FORBIDDEN, "ForeignOrigin", message)
        return None

    def _is_own(self, host: str) -> bool:
        name = _split(f"//{host}").hostname or ""
        return name in self._hosts or is_ip_address(name)


def _split(address: str) -> SplitResult:
    """Split an address; an invalid one has no parts."""
    try:
        return urlsplit(address)
    except ValueError:  # such as "//[::1" without the second bracket
        return urlsplit("")


def is_ip_address(name: str) -> bool:
    """Whether a host is an IP address: DNS rebinding needs a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refused(status: HTTPStatus, kind: str, message: str) -> Response:
    return Response(json_bytes(error_object(status, kind, message)[1]), status, media_type=JSON_TYPE)
