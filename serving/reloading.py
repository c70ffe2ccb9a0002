"""How a running server is told to open its bundle anew: a signal, or a call from its own machine."""

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
# Whoever sends one of these is a proxy, which speaks for others, or a web page.
OTHERS = ("forwarded", "x-forwarded-for", "via", "origin")

logger = logging.getLogger(__name__)


def reload(traffic: Traffic) -> str | None:
    """Open the bundles anew; why that failed, in one line, or None. Either way the log says what answers now."""
    before = _told(traffic)
    try:
        traffic.reload()
    except Exception as error:  # whatever is wrong with a new bundle, the old one goes on
        logger.error("not reloaded, %s goes on: %s", before, one_line(error))
        return one_line(error)
    logger.info("reloaded: %s instead of %s", _told(traffic), before)
    return None


def reload_on_hangup(traffic: Traffic) -> None:
    """Reload in the background whenever this process gets SIGHUP. To be called in the main thread."""

    def begin(*_: object) -> None:
        threading.Thread(target=reload, args=(traffic,), name="reload", daemon=True).start()

    signal.signal(signal.SIGHUP, begin)


def add_reload_route(app: FastAPI, traffic: Traffic) -> None:
    """`POST /-/reload`, for programs of this machine alone."""

    @app.post(PATH, include_in_schema=False)  # it is the operator's, not the callers'
    async def reload_bundles(request: Request) -> Response:
        """Open the bundles anew; 409 where one cannot be, and the old ones go on."""
        if not _is_own(request):
            message = f"{PATH} is asked on the server's own machine, not through a proxy and not by a web page"
            return _response(*error_object(HTTPStatus.FORBIDDEN, "Forbidden", message))
        fault = await asyncio.to_thread(reload, traffic)
        if fault:
            return _response(*error_object(HTTPStatus.CONFLICT, "NotReloaded", fault))
        return _response(HTTPStatus.OK, {"models": [identity(model.predictor.card) for model in traffic.models]})


def _is_own(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in OTHERS):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:  # no address, such as that of a test's client
        return False


def _response(status: int, content: object) -> Response:
    return Response(json_bytes(content), status, media_type=JSON_TYPE)


def _told(traffic: Traffic) -> str:
    """The models that answer, for the log."""
    cards = [model.predictor.card for model in traffic.models]
    return " and ".join(f"{card.name} {card.version} ({card.weights_id[:19]})" for card in cards)
