"""A LitServe server as in its documentation: an API of a few hooks, the image as base64 in JSON.

python -m benchmarks.servers.litserve_plain BUNDLE --port 8000
"""

import argparse
import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litserve
from fastapi import Request

from benchmarks.servers.plain import PlainModel


class FashionAPI(litserve.LitAPI):
    """Setup, decode, predict; LitServe runs it in its own worker process."""

    model: PlainModel

    def __init__(self, bundle: Path) -> None:
        super().__init__()
        self.bundle = bundle

    def setup(self, device: str) -> None:
        self.model = PlainModel(self.bundle)

    # The annotation tells LitServe's route what to parse; the argument is the parsed JSON.
    def decode_request(self, request: Request) -> bytes:
        return base64.b64decode(request["image"])

    def predict(self, image: bytes) -> dict[str, Any]:
        return self.model.answer(image)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers.litserve_plain")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    server = litserve.LitServer(FashionAPI(options.bundle), accelerator="cpu")
    server.run(host="127.0.0.1", port=options.port, generate_client_file=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
