"""Find the title columns of a catalog, and learn their words for an index."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from catalog.engines.store import Store
from catalog.filters.filtering import kinds
from catalog.scored.columns import EMBEDDING, ID, vector_rows
from catalog.scored.table import Scored
from catalog.similar.manifest import IndexManifest
from catalog.similar.spaces import unit_vectors
from catalog.words.guessing import guesses
from catalog.words.learning import WordModel, learn
from catalog.words.searching import text_columns, texts_of
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


def learn_titles(scored: Scored, columns: Sequence[str]) -> WordModel | None:
    """Learn the words of titles; None if there are none.

    Args:
        scored: the catalog.
        columns: of the titles.
    """
    if not columns or not scored.rows:
        return None
    drawn = scored.sample([EMBEDDING, *columns], MOST_PRODUCTS)
    return learn(_embeddings(drawn.column(EMBEDDING).combine_chunks()), _titles(drawn, columns))


def store_words(
    scored: Scored, store: Store, manifest: IndexManifest, model: WordModel | None = None, columns: Sequence[str] = ()
) -> None:
    """Store the texts of a catalog with its index, and which products the learned words fit.

    Args:
        scored: the catalog.
        store: of the index, open, with all points. An engine that stores no files is left as it is.
        manifest: of the index.
        model: of the words; None if none were learned.
        columns: from which they were learned.
    """
    path = store.file_path(FILE) if text_columns(manifest.columns) and manifest.rows else None
    if path is None:
        return
    products = (
        (batch.column(ID).to_pylist(), _embeddings(batch.column(EMBEDDING)), _titles(batch, columns))
        for batch in scored.batches([ID, EMBEDDING, *columns])
    )
    fitting = guesses(model, products) if model else ()
    write_words(path, manifest.created, texts_of(store, manifest), fitting)
    store.save_file(FILE)


def _embeddings(column: pa.Array) -> np.ndarray:
    return unit_vectors(vector_rows(column).astype(np.float32))


def _titles(rows: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> list[str]:
    cells = zip(*(rows.column(column).to_pylist() for column in columns), strict=True)
    return [" ".join(map(_text, row)) for row in cells]


def _text(cell: object) -> str:
    return " ".join(map(str, cell)) if isinstance(cell, list) else "" if cell is None else str(cell)
