"""Routes of the Try section: its page, which uses the server's endpoint, colors of photographs, and downloads."""

import asyncio
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from fashion.errors import InvalidImage, SettingError
from fashion.predictor import Predictor
from page.json_bodies import read_json, refused
from page.rendering import Renderer
from page.trying.card_facts import card_facts
from page.trying.colors import colors_answer
from page.trying.downloads import download
from page.trying.limits import MAX_FILES
from serving.http_requests import receive_body
from serving.protocol import JSON_TYPE, InvalidRequest, json_bytes


def add_try_routes(app: FastAPI, renderer: Renderer, predictor: Predictor, name: str) -> None:
    """Add the page at `/`, the colors at `/colors` and the downloads at `/try/download/KIND`."""
    facts = card_facts(predictor.card, name)

    @app.get("/", include_in_schema=False)
    def try_page() -> Response:
        return renderer.page("try.html.j2", section="Try", facts=facts, most=MAX_FILES, card=predictor.card)

    @app.put("/colors", include_in_schema=False)  # curl -T puts
    @app.post("/colors", include_in_schema=False)
    async def colors(request: Request) -> Response:
        try:
            answer = await asyncio.to_thread(colors_answer, await receive_body(request))
        except (InvalidImage, InvalidRequest) as error:
            return refused(error)
        return Response(json_bytes(answer), media_type=JSON_TYPE)

    @app.post("/try/download/{kind}", include_in_schema=False)
    async def try_download(kind: str, request: Request) -> Response:
        try:
            content, media_type = await asyncio.to_thread(download, kind, read_json(await receive_body(request)))
        except (SettingError, InvalidRequest) as error:
            return refused(error)
        headers = {"Content-Disposition": f'attachment; filename="attributes.{kind}"'}
        return Response(content, HTTPStatus.OK, headers, media_type)
