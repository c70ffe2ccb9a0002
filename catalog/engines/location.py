"""Which engine holds an index, by what the index is called."""

from pathlib import Path

from catalog.engines.store import Store
from fashion.errors import SettingError

URLS = ("http://", "https://")


def is_server(place: str) -> bool:
    """Whether it is the URL of a server, and no folder."""
    return place.startswith(URLS)


def store_at(place: str | Path) -> Store:
    """The store of a folder, or of `http://HOST:PORT/COLLECTION`.

    Raises:
        SettingError: a URL without a collection.
        DataError: no server answers there.
    """
    text = str(place)
    if not is_server(text):
        from catalog.engines.edge_store import EdgeStore

        return EdgeStore(place)
    url, _, collection = text.rstrip("/").rpartition("/")
    if not collection or url.endswith(("/", ":")):
        raise SettingError(f"{text} names no collection; expected http://HOST:PORT/COLLECTION")
    from catalog.engines.server_store import ServerStore

    return ServerStore.at(url, collection)
