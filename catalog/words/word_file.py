"""SQLite file of an index with the data for text search.

texts       full-text index of the catalog's texts (FTS5, Porter stemming, accents removed)
known       words of the texts: most frequent spelling, and number of products
guesses     words that fit a product, with their probability, see `catalog.words.guessing`
state       version of the catalog from which the file was made
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from catalog.words.vocabulary import Phrase, searchable, words_of
from fashion.errors import DataError

FILE = "words.sqlite"  # see `catalog.engines.store.Store.file_path`
LAYOUT = 3  # of the tables


class KnownWord(NamedTuple):
    """A word of the catalog's texts: its most frequent spelling, and the number of products that have it."""

    shown: str
    products: int


def write_words(
    path: Path, state: str, products: Iterable[tuple[str, str]], guesses: Iterable[tuple[str, str, float]] = ()
) -> None:
    """Write the file atomically. Raises DataError if it cannot be written.

    Args:
        path: the file.
        state: version of the catalog: the time of the index's last change.
        products: the id and the joined texts of each product.
        guesses: word, product id and probability.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(temporary)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            tokens = "porter unicode61 remove_diacritics 2"
            database.execute(f"CREATE VIRTUAL TABLE texts USING fts5(id UNINDEXED, text, tokenize = '{tokens}')")
            database.execute("CREATE TABLE known (word TEXT PRIMARY KEY, shown TEXT, products INTEGER)")
            columns = "word TEXT, id TEXT, probability REAL, PRIMARY KEY (word, id)"
            database.execute(f"CREATE TABLE guesses ({columns}) WITHOUT ROWID")
            database.execute("CREATE TABLE state (state TEXT)")
            counts: Counter[str] = Counter()
            spellings: dict[str, Counter[str]] = {}
            texts = _counted(products, counts, spellings)
            database.executemany("INSERT INTO texts VALUES (?, ?)", texts)
            known = ((word, spellings[word].most_common(1)[0][0], count) for word, count in counts.items())
            database.executemany("INSERT INTO known VALUES (?, ?, ?)", known)
            database.executemany("INSERT INTO guesses VALUES (?, ?, ?)", guesses)
            database.execute("INSERT INTO state VALUES (?)", (f"{LAYOUT} {state}",))
            database.commit()
        os.replace(temporary, path)
    except (sqlite3.Error, OSError) as error:
        raise DataError(f"{path} cannot be written: {error}; free space, or make the folder writable") from None
    finally:
        temporary.unlink(missing_ok=True)


def is_current(path: Path, state: str) -> bool:
    """Whether the file exists and has this layout and this version of the catalog."""
    if not path.exists():
        return False
    try:
        with closing(_opened(path)) as database:
            return database.execute("SELECT state FROM state").fetchone() == (f"{LAYOUT} {state}",)
    except sqlite3.Error:
        return False


class WordFile:
    """Queries on the open file. Open one with `open_words`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def has(self, phrase: Phrase) -> bool:
        """Whether the texts of any product contain a phrase."""
        asked = "SELECT 1 FROM texts WHERE texts MATCH ? LIMIT 1"
        return self._database.execute(asked, (_any([phrase]),)).fetchone() is not None

    def with_phrases(self, phrases: Sequence[Phrase]) -> set[str]:
        """Ids of the products whose texts contain one of the phrases exactly."""
        return {id for (id,) in self._database.execute("SELECT id FROM texts WHERE texts MATCH ?", (_any(phrases),))}

    def best(self, phrases: Sequence[Phrase]) -> list[str]:
        """Ids of the products whose texts contain some of the phrases, the best by BM25 first."""
        asked = "SELECT id FROM texts WHERE texts MATCH ? ORDER BY bm25(texts), id"
        return [id for (id,) in self._database.execute(asked, (_any(phrases),))]

    def known_words(self, shortest: int, longest: int) -> Iterator[tuple[str, KnownWord]]:
        """The known words in a range of lengths, the most frequent first."""
        asked = (
            "SELECT word, shown, products FROM known WHERE length(word) BETWEEN ? AND ? ORDER BY products DESC, word"
        )
        for word, *found in self._database.execute(asked, (shortest, longest)):
            yield word, KnownWord(*found)

    def guesses(self, word: str) -> dict[str, float]:
        """The products that a word fits, and its probability for each, the most probable first."""
        asked = "SELECT id, probability FROM guesses WHERE word = ? ORDER BY probability DESC, id"
        return dict(self._database.execute(asked, (word,)).fetchall())


@contextmanager
def open_words(path: Path) -> Iterator[WordFile]:
    """Open a word file for queries. Raises DataError if it is broken."""
    try:
        with closing(_opened(path)) as database:
            yield WordFile(database)
    except sqlite3.Error as error:
        raise DataError(f"{path} cannot be read: {error}; remove it, and the next text search makes it") from None


def _counted(
    products: Iterable[tuple[str, str]], counts: Counter[str], spellings: dict[str, Counter[str]]
) -> Iterator[tuple[str, str]]:
    """Yield the products with normalized texts for FTS5, and count their words and spellings."""
    for id, text in products:
        words = searchable(text)
        counts.update(set(words))
        for written in text.lower().split():
            for word in words_of(written)[:1]:
                spellings.setdefault(word, Counter())[written.strip(",.;:!?()[]\"'")] += 1
        for word in words:
            spellings.setdefault(word, Counter({word: 1}))
        yield id, " ".join(words)


def _any(phrases: Sequence[Phrase]) -> str:
    """FTS5 query for any of these phrases, quoted so that they contain no operators."""
    return " OR ".join('"{}"'.format(" ".join(words)) for words in phrases)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
