"""Templates and static files of the page."""

import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse

import fashion.pictures

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")
REPORT_STYLE = Path(fashion.pictures.__file__).with_name("page.css")  # shared with the reports, so that all look alike
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"  # a changed file has another address


class Renderer:
    """Pages as HTML.

    Args:
        sections: name and address of each section, for the navigation.
    """

    def __init__(self, sections: Mapping[str, str]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,  # names of labels, files and ids are whatever a catalog holds
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {"sections": dict(sections), "static": static_url}
        self._environment.filters |= {"percent": percent, "in_words": in_words}

    def page(self, template: str, status: int = HTTPStatus.OK, **contents: Any) -> HTMLResponse:
        """A page. What the template names and `contents` does not have is an error."""
        text = self._environment.get_template(template).render(contents)
        return HTMLResponse(text, status, {"Cache-Control": "no-store"})


def percent(probability: float) -> str:
    """A probability as people read it, as `percent` of static/elements.js: only what is certain is 0 or 100 %."""
    rounded = round(100 * probability)
    if rounded == 100 and probability < 1:
        return ">99 %"
    return "<1 %" if rounded == 0 and probability > 0 else f"{rounded} %"


def in_words(name: str) -> str:
    """What a group or a column is called to people: print type, not print_type."""
    return name.replace("_", " ")


@cache
def static_files() -> dict[str, Path]:
    """The files that browsers may load, by name."""
    files = [REPORT_STYLE, *(path for path in STATIC.iterdir() if path.suffix in TYPES)]
    return {path.name: path for path in files}


@cache
def static_version() -> str:
    """Changes with any static file: modules load each other by relative names, so all of them share one version."""
    digest = hashlib.sha256()
    for name, path in sorted(static_files().items()):
        digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """The address of a static file."""
    return f"/static/{static_version()}/{static_files()[name].name}"


def add_static_routes(app: FastAPI) -> None:
    """Add the static files."""

    @app.get("/static/{version}/{name}", include_in_schema=False)
    def static(version: str, name: str) -> FileResponse:
        path = static_files().get(name)
        if path is None or version != static_version():
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no file {name[:60]!r} of that version; reload the page")
        return FileResponse(path, media_type=TYPES[path.suffix], headers={"Cache-Control": FOR_EVER})
