"""Remove words temporarily from the products' texts in the word file of an index."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from catalog.words.vocabulary import searchable


class HiddenTitles:
    """The word file of an index, whose texts can be changed temporarily.

    Args:
        path: the file that `catalog.words.word_file.write_words` wrote.
        titles: of each product, by id.
    """

    def __init__(self, path: Path, titles: Mapping[str, str]) -> None:
        self.path, self.titles = path, titles
        with closing(sqlite3.connect(path)) as database:
            self._rows = {id: row for row, id in database.execute("SELECT rowid, id FROM texts")}

    @contextmanager
    def without(self, word: str, ids: frozenset[str]) -> Iterator[None]:
        """Remove a word from the texts of some products, and restore it on exit."""
        self._write({id: [other for other in searchable(self.titles[id]) if other != word] for id in ids})
        try:
            yield
        finally:
            self._write({id: searchable(self.titles[id]) for id in ids})

    def _write(self, texts: Mapping[str, list[str]]) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            rows = ((" ".join(words), self._rows[id]) for id, words in texts.items())
            database.executemany("UPDATE texts SET text = ? WHERE rowid = ?", rows)
