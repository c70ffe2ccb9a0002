"""Routes of the Browse section: lists with filters and searches, product pages, photographs and reports."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from fashion.errors import DataError, FashionError, InvalidImage, SettingError, one_line
from fashion.predictor import Predictor
from page.browsing.photographs import SIDES, EvidenceMaps, modified_at, thumbnail
from page.browsing.product_list import MAX_RESULTS, ProductList, failed_list, like_photograph, list_products
from page.browsing.product_page import answered_attributes, measured_colors, photograph_faults
from page.browsing.relations import recommended, relations
from page.browsing.reports import report_policy
from page.browsing.selection import ListSelection
from page.rendering import Renderer
from page.shop import Shop
from serving.decompression import BODY
from serving.forms import parse_form
from serving.http_requests import receive_body
from serving.protocol import IncomingRequest

JPEG_TYPE = "image/jpeg"


def add_browse_routes(
    app: FastAPI, renderer: Renderer, shop: Shop, predictor: Predictor, reports: Mapping[str, Path]
) -> None:
    """Add the pages below `/browse`.

    Args:
        app, renderer, predictor: of the page.
        shop: the catalog.
        reports: their pages by link name.
    """
    _add_lists(app, renderer, shop, predictor, list(reports))
    _add_products(app, renderer, shop, predictor)
    _add_pictures(app, shop, predictor)
    _add_reports(app, list(reports.values()))


def _add_lists(app: FastAPI, renderer: Renderer, shop: Shop, predictor: Predictor, reports: Sequence[str]) -> None:
    def show(selection: ListSelection, products: ProductList, by_photograph: bool = False) -> Response:
        return renderer.page(
            "browse.html.j2",
            HTTPStatus.BAD_REQUEST if products.error else HTTPStatus.OK,
            section="Browse",
            shop=shop,
            selection=selection,
            listing=products,
            by_photograph=by_photograph,
            most=MAX_RESULTS,
            reports=reports,
        )

    @app.get("/browse", include_in_schema=False)
    def browse(request: Request) -> Response:
        selection = ListSelection.read(request.query_params.multi_items())
        return show(selection, list_products(shop, selection))

    @app.post("/browse", include_in_schema=False)
    async def by_photograph(request: Request) -> Response:
        selection = ListSelection.read(request.query_params.multi_items())
        try:
            body = await receive_body(request)
            call = await parse_form(
                IncomingRequest({BODY: body}, request.headers, request.headers.get("content-type", ""))
            )
            photo = call.fields.get("photograph", b"")
            products = await asyncio.to_thread(like_photograph, shop, predictor, selection, bytes(photo))
        except FashionError as error:
            products = await asyncio.to_thread(failed_list, shop, selection, error)
        return show(selection, products, by_photograph=True)


def _add_products(app: FastAPI, renderer: Renderer, shop: Shop, predictor: Predictor) -> None:
    @app.get("/browse/product/{id:path}", include_in_schema=False)
    def product(id: str) -> Response:
        shop.refresh()
        row = _or_404(shop.row, id)
        answered, silent = answered_attributes(shop, predictor.card, row)
        return renderer.page(
            "product.html.j2",
            section="Browse",
            shop=shop,
            id=id,
            row=row,
            answered=answered,
            silent=silent,
            colors=measured_colors(shop, id),
            faults=photograph_faults(shop, id),
            relations=relations(shop, id),
        )

    @app.get("/browse/recommend", include_in_schema=False)
    def recommend(request: Request) -> Response:
        like, unlike = (list(dict.fromkeys(request.query_params.getlist(name))) for name in ("like", "unlike"))
        like = [id for id in like if id not in unlike]
        shop.refresh()
        for id in (*like, *unlike):
            _or_404(shop.row, id)
        relation = recommended(shop, like, unlike)
        return renderer.page(
            "recommend.html.j2", section="Browse", shop=shop, like=like, unlike=unlike, relation=relation
        )


def _add_pictures(app: FastAPI, shop: Shop, predictor: Predictor) -> None:
    maps, weights = EvidenceMaps(predictor), predictor.card.weights_id

    def name_of(id: str, number: int) -> str:
        names = _or_404(shop.photographs, id)
        if not 1 <= number <= len(names):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"photograph {number} of the product is not available")
        return names[number - 1]

    @app.get("/browse/photograph/{side}/{id:path}", include_in_schema=False)
    def photograph(request: Request, side: int, id: str, number: int = 1) -> Response:
        if side not in SIDES:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"the side of a photograph must be {' or '.join(map(str, SIDES))} px"
            )
        name = name_of(id, number)
        changed = _or_404(modified_at, name)
        return _unless_cached(request, (name, changed), lambda: thumbnail(name, side, changed))

    @app.get("/browse/evidence/{id:path}", include_in_schema=False)
    def evidence(request: Request, id: str, label: str, number: int = 1) -> Response:
        name = name_of(id, number)
        version = (name, _or_404(modified_at, name), weights)
        return _unless_cached(request, version, lambda: maps.picture(name, label))


def _unless_cached(request: Request, version: tuple[object, ...], picture: Callable[[], bytes]) -> Response:
    """A JPEG picture, or status 304 if the browser has this version of it; browsers ask each time."""
    tag = f'"{hashlib.sha256(repr(version).encode()).hexdigest()[:16]}"'
    headers = {"Cache-Control": "private, no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(_or_404(picture), media_type=JPEG_TYPE, headers=headers)


def _add_reports(app: FastAPI, places: Sequence[Path]) -> None:
    headers = {"Content-Security-Policy": report_policy()}

    @app.get("/browse/report/{number}", include_in_schema=False)
    def report(number: int) -> Response:
        if not 0 <= number < len(places) or not places[number].is_file():
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such report; restart the page to see new ones")
        return Response(places[number].read_bytes(), media_type="text/html", headers=headers)


def _or_404(find: Callable[..., Any], *arguments: Any) -> Any:
    """Call `find`; turn its errors into status 404."""
    try:
        return find(*arguments)
    except (DataError, InvalidImage, SettingError) as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, one_line(error)) from None
