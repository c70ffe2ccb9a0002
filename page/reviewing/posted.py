"""What the review page posts, read."""

import json
from collections.abc import Mapping
from typing import Any

from catalog.corrections.queues import BATCHES, KINDS
from catalog.scored.correction_store import Correction, login_name
from fashion.errors import one_line
from serving.protocol import InvalidRequest

MOST = 1_000  # corrections of one request
LONGEST_NAME = 80  # letters of who reviews


def read_json(body: bytes) -> Mapping[str, Any]:
    """An object. Raises InvalidRequest for anything else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is no JSON: {one_line(error)[:100]}") from None
    if not isinstance(content, dict):
        raise InvalidRequest("the JSON is no object")
    return content


def corrections_of(content: Mapping[str, Any]) -> list[Correction]:
    """`{"corrections": [[product, verdict, group, label], ...]}`. Raises InvalidRequest for anything else."""
    rows = content.get("corrections")
    if not isinstance(rows, list) or not rows or len(rows) > MOST:
        raise InvalidRequest(f"'corrections' must be a list of 1 to {MOST:,}")
    if not all(isinstance(row, list) and len(row) == 4 and all(isinstance(cell, str) for cell in row) for row in rows):
        raise InvalidRequest("a correction is [product, verdict, group, label], all of them texts")
    return [Correction(*row) for row in rows]


def seen_of(content: Mapping[str, Any]) -> dict[str, int]:
    """`{"seen": {product: state}}`. Raises InvalidRequest for anything else."""
    seen = content.get("seen")
    if not isinstance(seen, dict) or not all(type(state) is int for state in seen.values()):
        raise InvalidRequest("'seen' must have the state of each product, a whole number")
    return seen


def numbers_of(content: Mapping[str, Any]) -> list[int]:
    """`{"numbers": [...]}`, of entries. Raises InvalidRequest for anything else."""
    numbers = content.get("numbers")
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers) or len(numbers) > MOST:
        raise InvalidRequest(f"'numbers' must be a list of at most {MOST:,} whole numbers")
    return numbers


def queue_of(content: Mapping[str, Any]) -> str:
    """`{"found_by": kind}`, the queue that led to corrections, empty for none. Raises InvalidRequest for others.

    A filter may choose by what is true, so what a queue behind a filter led to counts as come across.
    """
    kind = content.get("found_by", "")
    if kind not in ("", *KINDS, BATCHES):
        raise InvalidRequest(f"'found_by' must be one of {', '.join((*KINDS, BATCHES))}, or empty")
    return "" if content.get("where") else kind


def author_of(content: Mapping[str, Any]) -> str:
    """Who reviews: the name that was given, or the login name of who started the page."""
    who = content.get("who")
    name = " ".join(who.split())[:LONGEST_NAME] if isinstance(who, str) else ""
    return name or login_name()
