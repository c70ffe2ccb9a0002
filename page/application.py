"""The page's application: the server's own endpoint, and beside it the pages that ask it."""

from collections.abc import Collection

from fastapi import FastAPI

from fashion.predictor import Predictor
from page.guarding import Guard
from page.rendering import Renderer, add_static_routes
from page.trying.routes import add_try_routes
from serving.app import create_app


def create_page(predictor: Predictor, name: str = "fashion", hosts: Collection[str] = ()) -> FastAPI:
    """The application.

    Args:
        predictor: what answers.
        name: of the model, as in `/predictions/NAME`.
        hosts: see `page.guarding.Guard`.
    """
    app = create_app(predictor, name, viewer=False)
    app.add_middleware(Guard, hosts=hosts)
    renderer = Renderer({"Try": "/"})
    add_static_routes(app)
    add_try_routes(app, renderer, predictor, name)
    return app
