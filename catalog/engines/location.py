"""Choose the engine of an index by its folder or URL, and define the command-line flags that name an index."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from catalog.engines.store import Store
from fashion.errors import SettingError

QDRANT_URLS = ("http://", "https://")
POSTGRES_URLS = ("postgresql://", "postgres://")
COLLECTION = "fashion"
PLACES = "folder of the index, http://HOST:PORT/COLLECTION or postgresql://USER@HOST/DATABASE/COLLECTION"


def is_server(place: str | Path) -> bool:
    """Whether `place` is the URL of a server rather than a folder."""
    return str(place).startswith(QDRANT_URLS + POSTGRES_URLS)


def store_at(place: str | Path) -> Store:
    """The store of a folder, of `http://HOST:PORT/COLLECTION`, or of `postgresql://USER@HOST:PORT/DATABASE/COLLECTION`.

    Raises:
        SettingError: the URL names no collection, or the PostgreSQL client library is not installed.
        DataError: no server answers at the URL.
    """
    text = str(place)
    if text.startswith(POSTGRES_URLS):
        try:
            from catalog.engines.postgres_store import PostgresStore
        except ImportError as error:
            raise SettingError(
                f"PostgreSQL needs the extra postgres, which is not installed ({error}): pip install '.[postgres]' in "
                "the project's folder"
            ) from None
        return PostgresStore.at(text)
    if not is_server(text):
        from catalog.engines.folder_store import FolderStore

        return FolderStore(place)
    url, _, collection = text.rstrip("/").rpartition("/")
    if not collection or url.endswith(("/", ":")):
        raise SettingError(f"{text} names no collection; expected http://HOST:PORT/COLLECTION")
    from catalog.engines.server_store import ServerStore

    return ServerStore.at(url, collection)


def add_servers(parser: argparse.ArgumentParser) -> None:
    """Add --qdrant, --postgres and --collection, which name an index on a server instead of a folder."""
    servers = parser.add_mutually_exclusive_group()
    servers.add_argument(
        "--postgres",
        metavar="URL",
        help="a PostgreSQL database with pgvector that holds the index, such as postgresql://USER@HOST/DATABASE; the "
        "password best in PGPASSWORD or ~/.pgpass",
    )
    servers.add_argument(
        "--qdrant", metavar="URL", help="experimental, not tested with a server: a Qdrant server that holds the index"
    )
    parser.add_argument("--collection", help=f"name of the index on the server (default: {COLLECTION})")


def add_index(parser: argparse.ArgumentParser) -> None:
    """Add INDEX, and the flags that name a server instead; read them with `parse_index` and `index_place`."""
    parser.add_argument("index", nargs="?", help=PLACES)
    add_servers(parser)


def parse_index(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line whose optional INDEX may stand before flags, after them, or before another argument.

    `parse_args` would not do: it assigns optional positionals before it has seen those after the first flag.
    """
    return parser.parse_intermixed_args(arguments)


def server_place(options: argparse.Namespace) -> str | None:
    """The server's place that the flags of `add_servers` name, or None.

    Raises:
        SettingError: the URL has the wrong scheme, or --collection is given without a server.
    """
    if options.collection is not None and options.qdrant is None and options.postgres is None:
        raise SettingError("--collection needs --postgres: it names an index on a server")
    collection = options.collection or COLLECTION
    if options.qdrant is not None:
        if not options.qdrant.startswith(QDRANT_URLS):
            raise SettingError(
                f"--qdrant takes the URL of a server, such as http://localhost:6333, not {options.qdrant!r}"
            )
        return f"{options.qdrant.rstrip('/')}/{collection}"
    if options.postgres is None:
        return None
    if not options.postgres.startswith(POSTGRES_URLS):  # the message omits the URL, which may contain a password
        raise SettingError("--postgres takes a URL, such as postgresql://USER@HOST:5432/DATABASE")
    scheme, _, rest = options.postgres.partition("://")
    path, question, parameters = rest.partition("?")
    host, _, database = path.rstrip("/").partition("/")
    return f"{scheme}://{host}/{database}/{collection}{question}{parameters}"


def index_place(options: argparse.Namespace) -> str:
    """The index that the arguments of `add_index` name. Raises SettingError if they name none or two."""
    server = server_place(options)
    if (options.index is None) == (server is None):
        what = "two are named" if server else "none is named"
        raise SettingError(f"name exactly one index, {what}; give its folder, or --postgres URL --collection NAME")
    return server or options.index
