"""A typical FastAPI and uvicorn server: a `def` endpoint, which runs in FastAPI's thread pool.

python -m benchmarks.servers.fastapi_plain BUNDLE --port 8000
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Body, FastAPI

from benchmarks.servers.plain import PlainModel


def create_app(bundle: Path) -> FastAPI:
    """The server; the photograph is the body of the request."""
    model = PlainModel(bundle)
    app = FastAPI()

    @app.post("/predict")
    def predict(image: Annotated[bytes, Body(media_type="application/octet-stream")]) -> dict[str, Any]:
        return model.answer(image)

    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers.fastapi_plain")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    uvicorn.run(create_app(options.bundle), host="127.0.0.1", port=options.port)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
