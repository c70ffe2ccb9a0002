"""The page's application: the server's endpoint, and the pages that use it."""

from collections.abc import Collection, Mapping
from pathlib import Path

from fastapi import FastAPI

from fashion.predictor import Predictor
from page.browsing.routes import add_browse_routes
from page.error_pages import add_error_pages
from page.rendering import Renderer, add_static_routes
from page.reviewing.routes import add_review_routes
from page.security import Guard
from page.shop import Shop
from page.trying.routes import add_try_routes
from serving.app import create_app

NAME = "fashion"  # of the model, as in `/predictions/NAME`


def create_page(
    predictor: Predictor,
    hosts: Collection[str] = (),
    shop: Shop | None = None,
    reports: Mapping[str, Path] | None = None,
) -> FastAPI:
    """Create the application.

    Args:
        predictor: of the model.
        hosts: see `page.security.Guard`.
        shop: a scored catalog to review and browse, if any.
        reports: of that catalog, see `page.browsing.reports.find_reports`.
    """
    app = create_app(predictor, NAME, viewer=False)
    app.add_middleware(Guard, hosts=hosts)
    renderer = Renderer({"Try": "/"} | ({"Review": "/review", "Browse": "/browse"} if shop else {}))
    add_error_pages(app, renderer)
    add_static_routes(app)
    add_try_routes(app, renderer, predictor, NAME)
    if shop:
        add_review_routes(app, renderer, shop, predictor.card)
        add_browse_routes(app, renderer, shop, predictor, reports or {})
    return app
