"""Routes of the Review section: queues and batches, corrections and undo, refits of thresholds."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response

from catalog.corrections.label_batches import label_batches
from catalog.corrections.queues import BATCHES, CONTRADICTIONS, KINDS, NEW, RANDOM, UNCERTAIN, queue
from catalog.corrections.refitting import Proposal, apply, propose, undo_refit
from catalog.scored.correction_store import login_name
from fashion.errors import DataError, FashionError
from fashion.model_card import ModelCard
from fashion.taxonomy import Label
from page.json_bodies import refused
from page.rendering import Renderer
from page.reviewing.posted import (
    posted_author,
    posted_corrections,
    posted_numbers,
    posted_queue,
    posted_states,
    read_object,
)
from page.reviewing.refits import proposal_json, refit_in_words
from page.reviewing.review_items import batch_items, review_item, review_items
from page.shop import Shop
from serving.http_requests import receive_body
from serving.protocol import JSON_TYPE, json_bytes

ITEMS_PER_RESPONSE = 40  # products of a queue per response
BATCHES_PER_RESPONSE = 6
QUEUE_TITLES = {
    UNCERTAIN: "least certain first",
    CONTRADICTIONS: "likely wrong labels of the source's table first",
    NEW: "new arrivals first",
    RANDOM: "in random order",
    BATCHES: "batches of one label",
}


def add_review_routes(app: FastAPI, renderer: Renderer, shop: Shop, card: ModelCard) -> None:
    """Add the page `/review` and the endpoints below it."""
    _add_reading(app, renderer, shop, card)
    _add_writing(app, shop)
    _add_refitting(app, shop, card)


def _add_reading(app: FastAPI, renderer: Renderer, shop: Shop, card: ModelCard) -> None:
    labels = {group: list(card.taxonomy.names(group)) for group in card.taxonomy.groups}

    @app.get("/review", include_in_schema=False)
    def review() -> Response:
        kinds = {kind: QUEUE_TITLES[kind] for kind in (*KINDS, BATCHES)}
        return renderer.page(
            "review.html.j2",
            section="Review",
            kinds=kinds,
            labels=labels,
            who=login_name(),
            in_force=refit_in_words(shop.store),
            folder=shop.scored.folder,
        )

    @app.get("/review/queue", include_in_schema=False)
    async def queued(
        kind: str = UNCERTAIN, group: str = "", label: str = "", where: str = "", skip: Annotated[int, Query(ge=0)] = 0
    ) -> Response:
        """A queue, longer by `skip`: the number of items that the reviewer skipped, which the page leaves out."""

        def find() -> Any:
            shop.refresh()
            groups, wanted = [group] if group and not label else [], Label(group, label) if label else None
            if kind == BATCHES:
                found = label_batches(shop.scored, groups, wanted, where or None, BATCHES_PER_RESPONSE + skip)
                return {"batches": batch_items(shop, found)}
            items = queue(shop.scored, kind, groups, wanted, where or None, ITEMS_PER_RESPONSE + skip)
            return {"items": review_items(shop, items)}

        return await _answer(find)

    @app.get("/review/item", include_in_schema=False)
    async def item(product: str, group: str) -> Response:
        return await _answer(lambda: review_item(shop, product, group))


def _add_writing(app: FastAPI, shop: Shop) -> None:
    @app.post("/review/corrections", include_in_schema=False)
    async def correct(request: Request) -> Response:
        async def write() -> Any:
            content = read_object(await receive_body(request))
            corrections, seen, who = posted_corrections(content), posted_states(content), posted_author(content)
            entries = await asyncio.to_thread(shop.store.write, corrections, seen, who, posted_queue(content))
            return _written(shop, {entry.product for entry in entries}, [entry.number for entry in entries])

        return await _posted(write)

    @app.post("/review/undo", include_in_schema=False)
    async def undo(request: Request) -> Response:
        async def write() -> Any:
            content = read_object(await receive_body(request))
            numbers, seen, who = posted_numbers(content), posted_states(content), posted_author(content)
            entries = await asyncio.to_thread(shop.store.undo, numbers, seen, who)
            return _written(shop, {entry.product for entry in entries}, [entry.number for entry in entries])

        return await _posted(write)


def _add_refitting(app: FastAPI, shop: Shop, card: ModelCard) -> None:
    proposed: dict[int, Proposal] = {}  # only the latest, by the number that the page sends back to apply it
    numbers = itertools.count(1)  # never reused: another tab may still show an earlier proposal
    lock = threading.Lock()

    @app.post("/review/refit", include_in_schema=False)
    async def refit() -> Response:
        def find() -> Any:
            proposal = propose(shop.scored, card)
            with lock:
                number = next(numbers)
                proposed.clear()
                proposed[number] = proposal
            return proposal_json(proposal) | {"number": number}

        return await _answer(find)

    @app.post("/review/refit/apply/{number}", include_in_schema=False)
    async def apply_refit(number: int, request: Request) -> Response:
        async def write() -> Any:
            who = posted_author(read_object(await receive_body(request)))
            proposal = proposed.get(number)
            if proposal is None:
                raise DataError("someone has requested another refit in the meantime; look at that one first")
            await asyncio.to_thread(apply, shop.scored, proposal, who)
            proposed.pop(number, None)  # after an error the next attempt must get the same answer
            return {"in_force": refit_in_words(shop.store)}

        return await _posted(write)

    @app.post("/review/refit/undo", include_in_schema=False)
    async def undo(request: Request) -> Response:
        async def write() -> Any:
            who = posted_author(read_object(await receive_body(request)))
            await asyncio.to_thread(undo_refit, shop.scored, who)
            return {"in_force": refit_in_words(shop.store)}

        return await _posted(write)


def _written(shop: Shop, products: set[str], numbers: list[int]) -> Mapping[str, Any]:
    return {"numbers": numbers, "states": shop.store.states(products)}


async def _answer(find: Callable[[], Any]) -> Response:
    """Call `find` in a thread and respond with its result as JSON."""

    async def found() -> Any:
        return await asyncio.to_thread(find)

    return await _posted(found)


async def _posted(write: Callable[[], Any]) -> Response:
    try:
        return Response(json_bytes(await write()), media_type=JSON_TYPE)
    except FashionError as error:
        return refused(error)
