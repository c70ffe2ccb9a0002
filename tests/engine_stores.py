"""The index stores that every engine test runs on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import QdrantClient

from catalog.engines.folder_store import FolderStore
from catalog.engines.postgres_store import PostgresStore
from catalog.engines.server_store import ServerStore
from catalog.engines.store import Store

ENGINES = ("folder", "client", "postgres")

MakeStore = Callable[[], Store]


@contextmanager
def new_store(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[MakeStore]:
    """Yield a function that reopens the store of one index, as consecutive commands do.

    Args:
        engine: one of `ENGINES`.
        request: of the fixture; the database server is started when first needed.
        folder: of an index in a folder; it need not exist yet.
    """
    made: list[Store] = []
    if engine == "folder":
        make: MakeStore = lambda: FolderStore(folder)  # noqa: E731
    elif engine == "client":
        client = QdrantClient(":memory:")
        client.close = lambda **_: None  # closing would lose the data in memory
        make = lambda: ServerStore(client, "fashion", "memory/fashion")  # noqa: E731
    else:
        url, collection = request.getfixturevalue("postgres"), f"t{uuid4().hex}"
        make = lambda: PostgresStore(url, collection)  # noqa: E731

    def open_store() -> Store:
        made.append(make())
        return made[-1]

    yield open_store
    for store in made:
        store.close()
