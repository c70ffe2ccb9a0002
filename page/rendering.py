"""Templates and static files of the page."""

import hashlib
import shlex
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse

import fashion.pictures
from fashion.pictures.pages import template_environment

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")
REPORT_STYLE = Path(fashion.pictures.__file__).with_name("page.css")  # shared with the reports
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CACHE_FOREVER = "public, max-age=31536000, immutable"  # a changed file has another URL


class Renderer:
    """Renders the HTML pages.

    Args:
        sections: name and URL of each section, for the navigation.
    """

    def __init__(self, sections: Mapping[str, str]) -> None:
        self._environment = template_environment(TEMPLATES)
        self._environment.globals |= {"sections": dict(sections), "static": static_url}
        self._environment.filters |= {
            "percent": percent,
            "readable_name": readable_name,
            "shell_quoted": shlex.quote,
        }

    def page(self, template: str, status: int = HTTPStatus.OK, **contents: Any) -> HTMLResponse:
        """Render a page. A variable of the template that is missing in `contents` is an error."""
        text = self._environment.get_template(template).render(contents)
        return HTMLResponse(text, status, {"Cache-Control": "no-store"})


def percent(probability: float) -> str:
    """Format a probability, as `percent` in static/elements.js does: only exact 0 and 1 give 0 % and 100 %."""
    rounded = round(100 * probability)
    if rounded == 100 and probability < 1:
        return ">99 %"
    return "<1 %" if rounded == 0 and probability > 0 else f"{rounded} %"


def readable_name(name: str) -> str:
    """Display name of a group or a column: print type, not print_type."""
    return name.replace("_", " ")


@cache
def static_files() -> dict[str, Path]:
    """The static files by name."""
    files = [REPORT_STYLE, *(path for path in STATIC.iterdir() if path.suffix in TYPES)]
    return {path.name: path for path in files}


@cache
def static_version() -> str:
    """Hash of all static files: modules import each other by relative names, so all share one version."""
    digest = hashlib.sha256()
    for name, path in sorted(static_files().items()):
        digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """The URL of a static file."""
    return f"/static/{static_version()}/{static_files()[name].name}"


def add_static_routes(app: FastAPI) -> None:
    """Add the route of the static files."""

    @app.get("/static/{version}/{name}", include_in_schema=False)
    def static(version: str, name: str) -> FileResponse:
        path = static_files().get(name)
        if path is None or version != static_version():
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no file {name[:60]!r} of that version; reload the page")
        return FileResponse(path, media_type=TYPES[path.suffix], headers={"Cache-Control": CACHE_FOREVER})
