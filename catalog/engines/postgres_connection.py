"""Connect to a PostgreSQL server with pgvector, and turn its errors into messages for the user.

Passwords belong in PGPASSWORD or ~/.pgpass. A password in the URL is used but never shown.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

import psycopg
from pgvector.psycopg import register_vector
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fashion.errors import DataError, SettingError

EXAMPLE = "postgresql://USER@HOST:5432/DATABASE"
PORTS = re.compile(r"[0-9,]*")  # one port per host
LEAST_PGVECTOR = (0, 8)  # the first version with iterative scans
TIMEOUT = 10  # s to connect, unless the URL or PGCONNECT_TIMEOUT sets another


def split_place(place: str) -> tuple[str, str]:
    """Split `postgresql://USER@HOST:PORT/DATABASE/COLLECTION?...` into the database's URL and the collection.

    Raises:
        SettingError: the database or the collection is missing.
    """
    try:
        parts = urlsplit(place)
        _, database, collection = parts.path.split("/")
    except ValueError:
        raise SettingError(
            f"{without_secrets(place)} names no collection; expected {EXAMPLE}/COLLECTION, its parts percent-encoded"
        ) from None
    return urlunsplit(parts._replace(path=f"/{database}")), unquote(collection)


def without_secrets(url: str) -> str:
    """A URL reduced to user, hosts, ports and database, for messages; other parts may be secret."""
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "postgresql://..."
    host, port, user, database = (str(known.get(name) or "") for name in ("host", "port", "user", "dbname"))
    if "@" in database or not PORTS.fullmatch(port):  # an unescaped / in the password is parsed into these fields
        return "postgresql://..."
    authority = f"{quote(user)}@" if user else ""
    by_socket = host.startswith("/")
    host_part = f"[{host}]" if host.count(":") > 1 and "," not in host else host
    authority += "" if by_socket else host_part + (f":{port}" if port.strip(",") else "")
    shown = {"host": host, **({"port": port} if port else {})} if by_socket else {}
    query = f"?{urlencode(shown, safe='/')}" if shown else ""
    return f"postgresql://{authority}/{quote(database)}{query}"


def connect(url: str, settings: Mapping[str, str]) -> psycopg.Connection[tuple]:
    """Connect to a database, which need not have pgvector yet, and apply session settings.

    Raises:
        SettingError: the URL is malformed.
        DataError: the server refuses the connection or does not answer.
    """
    try:
        timeout = {} if "PGCONNECT_TIMEOUT" in os.environ else {"connect_timeout": TIMEOUT}
        known = conninfo_to_dict(url)
        if not PORTS.fullmatch(str(known.get("port") or "")):
            raise ValueError("port")
        url = make_conninfo(url, **{**timeout, **known})
        found = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        for name, value in settings.items():
            found.execute("SELECT set_config(%s, %s, false)", (name, value))
        return found
    except (psycopg.ProgrammingError, ValueError):  # a malformed URL; psycopg's message may quote its password
        raise SettingError(f"--postgres takes {EXAMPLE}, not {without_secrets(url)!r}") from None
    except psycopg.Error as error:
        message = _server_message(error, url)
        raise DataError(f"no PostgreSQL database answers at {without_secrets(url)}: {message}") from None


def require_pgvector(connection: psycopg.Connection[tuple], place: str, create: bool = False) -> None:
    """Check that the database has pgvector, and register its types on the connection.

    Args:
        connection: to the database.
        place: name of the index in messages.
        create: add the extension if it is missing.

    Raises:
        DataError: pgvector is missing or too old.
    """
    asked = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    if create and connection.execute(asked).fetchone() is None:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except (errors.FeatureNotSupported, errors.UndefinedFile):
            raise DataError(
                f"the PostgreSQL server of {place} does not have pgvector; install it there, such as the package "
                "postgresql-18-pgvector or the image pgvector/pgvector:pg18"
            ) from None
        except errors.InsufficientPrivilege:
            raise DataError(
                f"the database of {place} has no extension vector, and this user may not add it; let its owner run "
                "CREATE EXTENSION vector there once"
            ) from None
    found = connection.execute(asked).fetchone()
    if found is None:
        raise DataError(
            f"the database of {place} has no extension vector, so it holds no index; python -m catalog.index makes one"
        )
    if tuple(map(int, found[0].split(".")[:2])) < LEAST_PGVECTOR:
        least = ".".join(map(str, LEAST_PGVECTOR))
        raise DataError(
            f"the database of {place} has pgvector {found[0]}; {least} or later is needed: ALTER EXTENSION "
            "vector UPDATE"
        )
    register_vector(connection)


@contextmanager
def translated_errors(place: str, url: str) -> Iterator[None]:
    """Turn psycopg errors into a one-line DataError, since the database is the user's to repair."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise DataError(
            f"PostgreSQL does not allow this user to do that with {place}: {_server_message(error, url)}; grant the "
            "right, or connect as the user that made the index"
        ) from None
    except errors.DiskFull as error:
        raise DataError(
            f"the PostgreSQL server of {place} has no space left: {_server_message(error, url)}; free some, or where "
            "it is shared memory in Docker give it more (docker run --shm-size 1g), and run the same command again"
        ) from None
    except (errors.UndefinedTable, errors.UndefinedColumn) as error:
        raise DataError(
            f"the index {place} was deleted or changed by another process: {_server_message(error, url)}; index the "
            "catalog again with --replace"
        ) from None
    except psycopg.Error as error:
        raise DataError(f"PostgreSQL failed with {place}: {_server_message(error, url)}") from None


def _server_message(error: psycopg.Error, url: str) -> str:
    """The server's message on one line, with the URL's password masked."""
    text = " ".join((error.diag.message_primary or str(error)).split())
    for name, secret in conninfo_to_dict(url).items():
        if secret and ("pass" in name or "secret" in name):
            text = text.replace(str(secret), "***")
    return text
