"""Full text of the catalog's own columns, as SQLite's FTS5 finds it (BM25, words by their stems)."""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from fashion.errors import DataError

FILE = "words.sqlite"  # beside an index in a folder


def write_texts(path: Path, stamp: str, products: Iterable[tuple[str, str]]) -> None:
    """Write the index of texts, whole or not at all.

    Args:
        path: the file.
        stamp: of the catalog's state, see `stamp_of`.
        products: the id and all texts of each product.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(temporary)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            tokens = "porter unicode61 remove_diacritics 2"
            database.execute(f"CREATE VIRTUAL TABLE texts USING fts5(id UNINDEXED, text, tokenize = '{tokens}')")
            database.executemany("INSERT INTO texts VALUES (?, ?)", products)
            database.execute("CREATE TABLE stamp (stamp TEXT)")
            database.execute("INSERT INTO stamp VALUES (?)", (stamp,))
            database.commit()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def stamp_of(path: Path) -> str | None:
    """The stamp that a file was written with; None where there is none, or none that can be read."""
    if not path.exists():
        return None
    try:
        with closing(_opened(path)) as database:
            return str(database.execute("SELECT stamp FROM stamp").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return None


def find_texts(path: Path, words: Sequence[str], limit: int) -> dict[str, float]:
    """Products whose texts have some of the words: BM25 by id, higher is better; the best first.

    Raises:
        DataError: the file is broken.
    """
    query = " OR ".join(f'"{word}"' for word in words)
    try:
        with closing(_opened(path)) as database:
            found = database.execute(
                "SELECT id, -bm25(texts) FROM texts WHERE texts MATCH ? ORDER BY 2 DESC LIMIT ?", (query, limit)
            )
            return dict(found.fetchall())
    except sqlite3.Error as error:
        raise DataError(f"{path} cannot be read: {error}; remove it, and the next search in words makes it") from None


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
