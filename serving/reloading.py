"""Make a running server reload its bundle: by a signal, or by a request from the same machine."""

import asyncio
import ipaddress
import logging
import signal
import threading
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from fashion.answers import identity
from fashion.errors import one_line
from serving.live import Traffic
from serving.protocol import JSON_TYPE, error_object, json_bytes

PATH = "/-/reload"
# Headers that show that a request comes through a proxy or from a web page.
PROXY_OR_BROWSER_HEADERS = ("forwarded", "x-forwarded-for", "via", "origin")

logger = logging.getLogger(__name__)


def reload(traffic: Traffic) -> str | None:
    """Reload the bundles and log the result; return None, or the error in one line."""
    before = _models_in_use(traffic)
    try:
        traffic.reload()
    except Exception as error:  # with any error in a new bundle, the old one stays in use
        logger.error("not reloaded, %s stays in use: %s", before, one_line(error))
        return one_line(error)
    logger.info("reloaded: %s instead of %s", _models_in_use(traffic), before)
    return None


def reload_on_hangup(traffic: Traffic) -> None:
    """Reload in the background whenever this process receives SIGHUP. Must be called in the main thread."""

    def begin(*_: object) -> None:
        threading.Thread(target=reload, args=(traffic,), name="reload", daemon=True).start()

    signal.signal(signal.SIGHUP, begin)


def add_reload_route(app: FastAPI, traffic: Traffic) -> None:
    """Add `POST /-/reload`, which only programs on this machine may use."""

    @app.post(PATH, include_in_schema=False)  # for operators, not for users of the API
    async def reload_bundles(request: Request) -> Response:
        """Reload the bundles; status 409 if one cannot be opened, and the old ones stay in use."""
        if not _is_own(request):
            message = (
                f"{PATH} accepts requests from the server's own machine only, not through a proxy or from a web page"
            )
            return _response(*error_object(HTTPStatus.FORBIDDEN, "Forbidden", message))
        fault = await asyncio.to_thread(reload, traffic)
        if fault:
            return _response(*error_object(HTTPStatus.CONFLICT, "NotReloaded", fault))
        return _response(HTTPStatus.OK, {"models": [identity(model.predictor.card) for model in traffic.models]})


def _is_own(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in PROXY_OR_BROWSER_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:  # not an IP address, as with a test client
        return False


def _response(status: int, content: object) -> Response:
    return Response(json_bytes(content), status, media_type=JSON_TYPE)


def _models_in_use(traffic: Traffic) -> str:
    """The models in use, for the log."""
    cards = [model.predictor.card for model in traffic.models]
    return " and ".join(f"{card.name} {card.version} ({card.weights_id[:19]})" for card in cards)
