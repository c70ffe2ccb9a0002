"""JSON in requests, and errors as JSON."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import Response

from catalog.scored.correction_store import ChangedMeanwhile
from fashion.errors import DataError, FashionError, one_line
from serving.protocol import JSON_TYPE, InvalidRequest, error_answer, error_object, json_bytes


def read_json(body: bytes) -> Any:
    """Parse a body. Raises InvalidRequest if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {one_line(error)[:100]}") from None


def refused(error: FashionError) -> Response:
    """The response for an error."""
    if isinstance(error, ChangedMeanwhile):
        status, answer = error_object(HTTPStatus.CONFLICT, "ChangedMeanwhile", one_line(error))
    elif isinstance(error, DataError):
        status, answer = error_object(HTTPStatus.BAD_REQUEST, "DataError", one_line(error))
    else:
        status, answer = error_answer(error)
    return Response(json_bytes(answer), status, media_type=JSON_TYPE)
