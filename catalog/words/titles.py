"""Find the title columns of a catalog, and learn their words for an index."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from catalog.engines.store import Store
from catalog.filters.filtering import kinds
from catalog.scored.columns import EMBEDDING, ID, vector_rows
from catalog.scored.table import Scored
from catalog.similar.matching import Index
from catalog.similar.spaces import unit_vectors
from catalog.words.guessing import guesses
from catalog.words.learning import learn
from catalog.words.searching import texts_of
from catalog.words.word_file import FILE, write_words
from fashion.errors import SettingError
from fashion.tables.columns import TITLE_COLUMNS, usual_name

MOST_PRODUCTS = 40_000  # to learn from; a larger catalog is sampled
NONE = "none"


def title_columns(scored: Scored, asked: str | None = None) -> list[str]:
    """The columns of a catalog's titles.

    Args:
        scored: the catalog.
        asked: names, separated by commas, or "none"; None takes the column with a usual name, if any.

    Raises:
        SettingError: there is no text column of that name.
    """
    texts = [name for name, kind in kinds(scored).items() if kind == "text"]
    if asked is None:
        usual = usual_name(texts, TITLE_COLUMNS)
        return [usual] if usual else []
    if asked == NONE:
        return []
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in texts:
            raise SettingError(
                f"--titles: the catalog has no column of texts called {name!r}; it has {', '.join(texts) or NONE}"
            )
    return names


def learn_titles(scored: Scored, store: Store, columns: Sequence[str]) -> int:
    """Learn the words of titles, and store which products they fit, and all texts, with the catalog's index.

    Args:
        scored: the catalog.
        store: of the index, closed and up to date, see `catalog.index.build`.
        columns: of the titles, at least one.

    Returns:
        The number of words that were learned; 0 if the engine stores no files.
    """
    drawn = scored.sample([EMBEDDING, *columns], MOST_PRODUCTS)
    model = learn(_embeddings(drawn.column(EMBEDDING).combine_chunks()), _titles(drawn, columns))
    with Index(store) as index:
        path = store.file_path(FILE)
        if path is None or model is None:
            return 0
        products = (
            (batch.column(ID).to_pylist(), _embeddings(batch.column(EMBEDDING)), _titles(batch, columns))
            for batch in scored.batches([ID, EMBEDDING, *columns])
        )
        write_words(path, index.manifest.created, texts_of(index), guesses(model, products))
        store.save_file(FILE)
    return int(model.learned.sum())


def _embeddings(column: pa.Array) -> np.ndarray:
    return unit_vectors(vector_rows(column).astype(np.float32))


def _titles(rows: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> list[str]:
    cells = zip(*(rows.column(column).to_pylist() for column in columns), strict=True)
    return [" ".join(map(_text, row)) for row in cells]


def _text(cell: object) -> str:
    return " ".join(map(str, cell)) if isinstance(cell, list) else "" if cell is None else str(cell)
