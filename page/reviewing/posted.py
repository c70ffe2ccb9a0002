"""Parsing and validation of the requests that the review page posts."""

from collections.abc import Mapping
from typing import Any

from catalog.corrections.queues import BATCHES, KINDS
from catalog.scored.correction_store import Correction, login_name
from page.json_bodies import read_json
from serving.protocol import InvalidRequest

MAX_CORRECTIONS = 1_000  # maximum corrections per request
LONGEST_NAME = 80  # maximum length of a reviewer's name


def read_object(body: bytes) -> Mapping[str, Any]:
    """Parse a JSON object. Raises InvalidRequest for anything else."""
    content = read_json(body)
    if not isinstance(content, dict):
        raise InvalidRequest("the JSON is not an object")
    return content


def posted_corrections(content: Mapping[str, Any]) -> list[Correction]:
    """`{"corrections": [[product, verdict, group, label], ...]}`. Raises InvalidRequest for anything else."""
    rows = content.get("corrections")
    if not isinstance(rows, list) or not rows or len(rows) > MAX_CORRECTIONS:
        raise InvalidRequest(f"'corrections' must be a list of 1 to {MAX_CORRECTIONS:,}")
    if not all(isinstance(row, list) and len(row) == 4 and all(isinstance(cell, str) for cell in row) for row in rows):
        raise InvalidRequest("a correction is [product, verdict, group, label], all of them texts")
    return [Correction(*row) for row in rows]


def posted_states(content: Mapping[str, Any]) -> dict[str, int]:
    """`{"seen": {product: state}}`. Raises InvalidRequest for anything else."""
    seen = content.get("seen")
    if not isinstance(seen, dict) or not all(type(state) is int for state in seen.values()):
        raise InvalidRequest("'seen' must have the state of each product, a whole number")
    return seen


def posted_numbers(content: Mapping[str, Any]) -> list[int]:
    """`{"numbers": [...]}`, of entries. Raises InvalidRequest for anything else."""
    numbers = content.get("numbers")
    if (
        not isinstance(numbers, list)
        or not all(type(number) is int for number in numbers)
        or len(numbers) > MAX_CORRECTIONS
    ):
        raise InvalidRequest(f"'numbers' must be a list of at most {MAX_CORRECTIONS:,} whole numbers")
    return numbers


def posted_queue(content: Mapping[str, Any]) -> str:
    """`{"found_by": kind}`, the queue that led to corrections, "" for none. Raises InvalidRequest for others.

    With a filter the result is "": a filter may select by the true label, so the sample would be biased.
    """
    kind = content.get("found_by", "")
    if kind not in ("", *KINDS, BATCHES):
        raise InvalidRequest(f"'found_by' must be one of {', '.join((*KINDS, BATCHES))}, or empty")
    return "" if content.get("where") else kind


def posted_author(content: Mapping[str, Any]) -> str:
    """The reviewer: the posted name, or the login name of the user who started the page."""
    who = content.get("who")
    name = " ".join(who.split())[:LONGEST_NAME] if isinstance(who, str) else ""
    return name or login_name()
