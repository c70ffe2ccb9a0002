"""The stores of an index that every test of engines runs on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from catalog.engines.edge_store import EdgeStore
from catalog.engines.postgres_store import PostgresStore
from catalog.engines.server_store import ServerStore
from catalog.engines.store import Store

ENGINES = ("edge", "client", "postgres")

MakeStore = Callable[[], Store]


@contextmanager
def new_store(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[MakeStore]:
    """Makes the store of one and the same index again and again, as one command after the other does.

    Args:
        engine: one of `ENGINES`.
        request: of the fixture; the server is started when it is needed first.
        folder: of an index in a folder; it may not be there yet.
    """
    made: list[Store] = []
    if engine == "edge":
        make: MakeStore = lambda: EdgeStore(folder)  # noqa: E731
    elif engine == "client":
        client = QdrantClient(":memory:")
        client.close = lambda **_: None  # what is in memory would be gone
        make = lambda: ServerStore(client, "fashion", "memory/fashion")  # noqa: E731
    else:
        url, collection = request.getfixturevalue("postgres"), f"t{uuid4().hex}"
        make = lambda: PostgresStore(url, collection)  # noqa: E731

    def kept() -> Store:
        made.append(make())
        return made[-1]

    yield kept
    for store in made:
        store.close()
