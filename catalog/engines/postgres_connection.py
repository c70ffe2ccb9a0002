"""A connection to a PostgreSQL server with pgvector, and what is said where there is none.

Passwords belong into PGPASSWORD or ~/.pgpass; one that stands in a URL is used, and shown nowhere.
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
PORTS = re.compile(r"[0-9,]*")  # one for each host
LEAST_PGVECTOR = (0, 8)  # the first with iterative scans
TIMEOUT = 10  # s, to connect, unless the URL or PGCONNECT_TIMEOUT says otherwise


def split_place(place: str) -> tuple[str, str]:
    """The URL of the database and the collection of `postgresql://USER@HOST:PORT/DATABASE/COLLECTION?...`.

    Raises:
        SettingError: there are not both.
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
    """A URL as messages show it: its user, hosts, port and database, and nothing else, which might be secret."""
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "postgresql://..."
    host, port, user, database = (str(known.get(name) or "") for name in ("host", "port", "user", "dbname"))
    if "@" in database or not PORTS.fullmatch(port):  # a password with a / is read as these
        return "postgresql://..."
    authority = f"{quote(user)}@" if user else ""
    by_socket = host.startswith("/")
    host_part = f"[{host}]" if host.count(":") > 1 and "," not in host else host
    authority += "" if by_socket else host_part + (f":{port}" if port.strip(",") else "")
    shown = {"host": host, **({"port": port} if port else {})} if by_socket else {}
    query = f"?{urlencode(shown, safe='/')}" if shown else ""
    return f"postgresql://{authority}/{quote(database)}{query}"


def connect(url: str, settings: Mapping[str, str]) -> psycopg.Connection[tuple]:
    """Connect to a database, which need not have pgvector yet, with some settings of the session.

    Raises:
        DataError: it refuses, or nothing answers there.
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
    except (psycopg.ProgrammingError, ValueError):  # the URL itself, which the message may quote
        raise SettingError(f"--postgres takes {EXAMPLE}, not {without_secrets(url)!r}") from None
    except psycopg.Error as error:
        raise DataError(f"no PostgreSQL database answers at {without_secrets(url)}: {_said(error, url)}") from None


def require_pgvector(connection: psycopg.Connection[tuple], place: str, create: bool = False) -> None:
    """See that the database has pgvector, and prepare the connection for its types.

    Args:
        connection: to the database.
        place: how messages name it.
        create: add the extension where it is missing.

    Raises:
        DataError: it is missing or too old.
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
        raise DataError(f"the database of {place} has no extension vector, and so no index; python -m catalog.index")
    if tuple(map(int, found[0].split(".")[:2])) < LEAST_PGVECTOR:
        least = ".".join(map(str, LEAST_PGVECTOR))
        raise DataError(
            f"the database of {place} has pgvector {found[0]}; {least} or later is needed: ALTER EXTENSION "
            "vector UPDATE"
        )
    register_vector(connection)


@contextmanager
def told(place: str, url: str) -> Iterator[None]:
    """Turn what goes wrong in a database into one line: it is the user's to look after."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise DataError(
            f"PostgreSQL lets this user not do that with {place}: {_said(error, url)}; grant the right, or take the "
            "user that made the index"
        ) from None
    except errors.DiskFull as error:
        raise DataError(
            f"the PostgreSQL server of {place} has no space left: {_said(error, url)}; free some, or where it is "
            "shared memory in Docker give it more (docker run --shm-size 1g), and run the same command again"
        ) from None
    except (errors.UndefinedTable, errors.UndefinedColumn) as error:
        raise DataError(
            f"the index {place} has gone or was changed by others: {_said(error, url)}; index the catalog again with "
            "--replace"
        ) from None
    except psycopg.Error as error:
        raise DataError(f"PostgreSQL failed with {place}: {_said(error, url)}") from None


def _said(error: psycopg.Error, url: str) -> str:
    """What the server said, without what it quotes of the URL's password."""
    text = " ".join((error.diag.message_primary or str(error)).split())
    for name, secret in conninfo_to_dict(url).items():
        if secret and ("pass" in name or "secret" in name):
            text = text.replace(str(secret), "***")
    return text
