"""Quality of text search: learn words from some products, search others, and score the results.

    python -m benchmarks.text_search BUNDLE --learn TABLE --search TABLE --source "NAME OF THE DATA"

Both tables are scored; the words are learned from the titles of the first, the products of the second are indexed with
only their titles as text. Queries come from the second table's columns: every sub-category, every color, color and
article, and title words that are hidden from the texts. The method of joining the evidence is chosen on one half of
the products, the other half is reported. It writes the section `words` of docs/search.md.
"""

import argparse
import hashlib
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.hidden_titles import HiddenTitles
from benchmarks.machine import describe
from benchmarks.matching_quality import text_cells
from benchmarks.text_joins import JOINS, TextCandidates, geometric
from catalog.engines.folder_store import FolderStore
from catalog.engines.store import Tuning
from catalog.filters.columns import point_id
from catalog.filters.conditions import Points
from catalog.index import build
from catalog.score import score
from catalog.scored.columns import ID
from catalog.scored.table import Scored
from catalog.similar.matching import Index
from catalog.similar.spaces import scores, unit_vectors
from catalog.words.guessing import guesses
from catalog.words.learning import learn
from catalog.words.query_parser import STOP_WORDS, parse_query
from catalog.words.searching import query_parts, search_words
from catalog.words.vocabulary import Vocabulary, searchable, words_of
from catalog.words.word_file import FILE, open_words, write_words
from fashion.errors import SettingError, one_line_errors

PAGE = Path("docs/search.md")
FOUND = 10
COLUMNS = "subcategory,colour,article"
SAMPLED = 10  # every tenth question is run through catalog.search too
WAYS = ("full text alone", "labels and learned words alone", "all joined")
LEAST = 5  # minimum right products of a question about color and article, and of a hidden word
KINDS = {
    "subcategory": "a sub-category",
    "colour": "a color",
    "colour and article": "color and article",
    "half hidden": "a title word, hidden in every second title that has it",
    "all hidden": "a title word, hidden in all titles",
    "colour and hidden": "a color and a title word, the word hidden in all titles",
}


@dataclass(frozen=True)
class TextQuestion:
    """A text query, and its right products.

    Attributes:
        kind: of question, see `KINDS`.
        text: the query.
        right: ids of the right products.
        hidden: a word, and the ids of the products from whose texts it is removed for this query.
    """

    kind: str
    text: str
    right: frozenset[str]
    hidden: tuple[str, frozenset[str]] | None = None


@dataclass(frozen=True)
class Shelf:
    """One half of the products of the searched table.

    Attributes:
        ids, titles: in order.
        cells: by column.
    """

    ids: list[str]
    titles: list[str]
    cells: dict[str, list[str]]

    def having(self, column: str, value: str) -> frozenset[str]:
        """The products with that cell."""
        return frozenset(id for id, cell in zip(self.ids, self.cells[column], strict=True) if cell == value)


def questions(
    shelf: Shelf, learned: Sequence[str], vocabulary: Vocabulary, columns: Sequence[str]
) -> list[TextQuestion]:
    """All questions for a shelf.

    Args:
        shelf: the products.
        learned: words, from which hidden words are chosen.
        vocabulary: of labels, which hidden words must not name.
        columns: of sub-category, color and article.
    """
    found: list[TextQuestion] = []
    subcategory, colour, article = columns
    for kind, column in (("subcategory", subcategory), ("colour", colour)):
        for value in sorted({*shelf.cells[column]} - {""}):
            found.append(TextQuestion(kind, value, shelf.having(column, value)))
    pairs = Counter(zip(shelf.cells[colour], shelf.cells[article], strict=True))
    for (one, other), count in sorted(pairs.items()):
        if count >= LEAST and one and other:
            right = shelf.having(colour, one) & shelf.having(article, other)
            found.append(TextQuestion("colour and article", f"{one} {other}", right))
    return [*found, *_hidden(shelf, learned, vocabulary, colour)]


def _hidden(shelf: Shelf, learned: Sequence[str], vocabulary: Vocabulary, colour: str) -> Iterator[TextQuestion]:
    """Questions for title words that are neither labels nor numbers."""
    having: dict[str, set[str]] = {}
    for id, title in zip(shelf.ids, shelf.titles, strict=True):
        for word in searchable(title):
            having.setdefault(word, set()).add(id)
    colours = dict(zip(shelf.ids, shelf.cells[colour], strict=True))
    for word in sorted(learned):
        right = frozenset(having.get(word, ()))
        if len(right) < LEAST or len(word) < 2 or not word.isalpha() or word in STOP_WORDS or vocabulary.at([word])[1]:
            continue
        half = frozenset(id for id in right if _hashed_bit(f"{word} {id}"))
        yield TextQuestion("half hidden", word, right, (word, half))
        yield TextQuestion("all hidden", word, right, (word, right))
        for name, count in Counter(colours[id] for id in sorted(right)).most_common(2):
            if count >= LEAST and name and word not in words_of(name):
                both = right & shelf.having(colour, name)
                yield TextQuestion("colour and hidden", f"{name} {word}", both, (word, right))


def _hashed_bit(text: str) -> bool:
    """Yes or no by a cryptographic hash; a CRC is linear, so its bits for a word and an id depend on the id alone."""
    return bool(hashlib.blake2b(text.encode()).digest()[0] % 2)


def precision(found: Sequence[str], right: frozenset[str]) -> tuple[float, float]:
    """Precision@1 and precision@10 of the products found; missing results count as wrong."""
    hits = [id in right for id in found[:FOUND]]
    return float(bool(hits) and hits[0]), sum(hits) / FOUND


class TextBench:
    """One half of the searched products, ready for queries."""

    def __init__(self, index: Index, hidden: HiddenTitles, shelf: Shelf, scored: Scored) -> None:
        self.index, self.hidden, self.shelf = index, hidden, shelf
        self.where = Points(tuple(map(point_id, shelf.ids)))
        self.vocabulary = Vocabulary(index.manifest.taxonomy)
        chosen = {id: place for place, id in enumerate(text_cells(scored, ID))}
        rows = [chosen[id] for id in shelf.ids]
        self.scores = scores(scored.vectors("probabilities"), scored.manifest.taxonomy)[rows]

    def searched(self, question: TextQuestion) -> list[str]:
        """The results of catalog.search; none if it knows none of the words."""
        try:
            found = search_words(self.index, question.text, self.where, FOUND, duplicates=True)
            return [m.product.id for m in found.matches]
        except SettingError:
            return []

    def full_text(self, question: TextQuestion) -> list[str]:
        """The results of SQLite's FTS5 alone: products with any of the words, by BM25."""
        words = [(word,) for word in words_of(question.text) if word not in STOP_WORDS]
        with open_words(self.hidden.path) as file:
            own = set(self.shelf.ids)
            return [id for id in file.best(words) if id in own][:FOUND]

    def seen(self, question: TextQuestion) -> TextCandidates:
        """The evidence for every product of the shelf."""
        with open_words(self.hidden.path) as file:
            parts = query_parts(parse_query(question.text, self.vocabulary), self.vocabulary, file)
            order = file.best([(word,) for word in words_of(question.text) if word not in STOP_WORDS])
        return TextCandidates.collect(parts, order, self.shelf.ids, self.scores, self.index.manifest.taxonomy)

    def reported(self, asked: Sequence[TextQuestion]) -> tuple[dict[str, np.ndarray], float]:
        """The precisions of each method of `WAYS` for each question, (Q, 2), and the agreement with catalog.search.

        Here every product of the shelf is ranked, catalog.search ranks candidates only. The second value is the share
        of its first ten that are the same, on one in `SAMPLED` questions.
        """
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        same: list[float] = []
        for number, question in enumerate(tqdm(asked, "asking", disable=None)):
            with self._hiding(question):
                seen, listed = self.seen(question), self.full_text(question)
                ways = [listed, self._best(geometric(seen.untitled())), self._best(geometric(seen))]
                if number % SAMPLED == 0:
                    same.append(len({*self.searched(question)} & {*ways[2]}) / max(len(ways[2]), 1))
            for name, ids in zip(WAYS, ways, strict=True):
                found[name].append(precision(ids, question.right))
        return {name: np.array(values) for name, values in found.items()}, float(np.mean(same))

    def _best(self, fits: np.ndarray) -> list[str]:
        """The first products by their scores; none if no part of the text is known."""
        return [self.shelf.ids[i] for i in np.argsort(-fits, kind="stable")[:FOUND]] if fits.any() else []

    def joins(self, asked: Sequence[TextQuestion]) -> dict[str, tuple[float, float]]:
        """The precisions of each method of joining the evidence: means over the kinds of questions."""
        found: dict[str, dict[str, list[tuple[float, float]]]] = {name: {} for name in JOINS}
        for question in tqdm(asked, "joining", disable=None):
            with self._hiding(question):
                seen = self.seen(question)
            for name, join in JOINS.items():
                found[name].setdefault(question.kind, []).append(precision(self._best(join(seen)), question.right))
        kinds = [np.mean([np.mean(values, 0) for values in each.values()], 0) for each in found.values()]
        return {name: (float(one), float(ten)) for name, (one, ten) in zip(found, kinds, strict=True)}

    def _hiding(self, question: TextQuestion) -> AbstractContextManager[None]:
        return self.hidden.without(*question.hidden) if question.hidden else nullcontext()


def section(
    halves: Sequence[TextBench], asked: Sequence[Sequence[TextQuestion]], learned: str, options: argparse.Namespace
) -> str:
    """Run all questions and return the Markdown for the page.

    Args:
        halves: one for choosing how the evidence is joined, and one that is reported.
        asked: the questions to each.
        learned: a sentence about the learned words.
        options: of the command line.
    """
    results, same = halves[1].reported(asked[1])
    model = halves[0].index.manifest.model
    return (
        f"### How good they are: {options.source}\n\n"
        f"{learned} The table is of searches among {len(halves[1].shelf.ids):,} other products, whose texts in the "
        f"index are their titles alone: precision@1 / precision@{FOUND}; missing results count as wrong.\n\n"
        f"{_reported(results, asked[1])}\n\n{_wrong_first(results[WAYS[-1]], asked[1])}"
        "The ground truth is the shop's own columns, or its titles for hidden words. Model and words were trained "
        "on other products of the same shop: this is not zero-shot. Hidden words are all learned words that occur in "
        f"{LEAST} of these titles or more and name no label, brands too. All products are ranked here; "
        f"{same:.1%} of the first {FOUND} of catalog.search, which ranks candidates, are the same; others have "
        "the same probability in float16.\n\n"
        f"{'' if options.kinds else _compared(halves[0], asked[0])}"
        f"Model: {model['name']} {model['version']}, {model['weights'][:19]}. Machine: {describe()}. Measured by\n\n"
        f"    python -m benchmarks.text_search BUNDLE --learn TABLE --search TABLE --source '{options.source}'"
        f"{f' --kinds {chr(39)}{options.kinds}{chr(39)}' if options.kinds else ''}\n"
    )


def _wrong_first(found: np.ndarray, asked: Sequence[TextQuestion]) -> str:
    """The sub-categories whose first product is not of it; empty if none was asked for."""
    own = [(question, hit) for question, (hit, _) in zip(asked, found, strict=True) if question.kind == "subcategory"]
    wrong = [f"{question.text} ({len(question.right)})" for question, hit in own if not hit]
    listed = ", ".join(wrong) or "none"
    return f"Sub-categories with another first product, and how many right ones there are: {listed}.\n\n" if own else ""


def _compared(half: TextBench, asked: Sequence[TextQuestion]) -> str:
    """The table of methods of joining the evidence."""
    rows = [[name, f"{one:.3f}", f"{ten:.3f}"] for name, (one, ten) in half.joins(asked).items()]
    return (
        f"The method of joining was chosen on the other {len(half.shelf.ids):,} products; means over the kinds of "
        f"questions:\n\n{table(['way', 'precision@1', f'precision@{FOUND}'], rows)}\n\n"
    )


def _reported(found: Mapping[str, np.ndarray], asked: Sequence[TextQuestion]) -> str:
    """The table of the kinds of questions, from `TextBench.reported`."""
    rows = []
    for kind, words in KINDS.items():
        own = np.array([question.kind == kind for question in asked])
        right = np.array([len(question.right) for question in asked])
        common = own & (right >= LEAST)
        some = [(words, own), (f"{words}, with {LEAST} right products or more", common)]
        for name, chosen in some[: bool(own.any()) + bool(0 < common.sum() < own.sum())]:
            most = np.mean(
                [min(len(q.right), FOUND) / FOUND for q, is_one in zip(asked, chosen, strict=True) if is_one]
            )
            cells = [found[way][chosen].mean(0) for way in WAYS]
            rows.append([name, int(chosen.sum()), *(f"{one:.3f} / {ten:.3f}" for one, ten in cells), f"{most:.3f}"])
    return table(["asked for", "questions", *WAYS, f"precision@{FOUND} at most"], rows)


def measured(others: Scored, own: Scored, options: argparse.Namespace) -> str:
    """Learn from some products, index and search others; returns the section of the page."""
    embeddings, titles = unit_vectors(others.vectors("embedding")), text_cells(others, options.title)
    start = time.process_time()
    model = learn(embeddings, titles)
    if model is None:
        raise SettingError(f"{options.learn} has no titles in the column {options.title!r}; --title names another")
    learned = (
        f"{int(model.learned.sum()):,} words were learned from the titles of {len(titles):,} products in "
        f"{time.process_time() - start:.0f} s of processor time."
    )
    store = FolderStore(options.out / "index")
    build(own, store, Tuning(asked=True))  # compares with every product
    columns = options.columns.split(",")
    known = dict(zip(text_cells(own, ID), text_cells(own, options.title), strict=True))
    with Index(store) as index:
        products = [(list(known), unit_vectors(own.vectors("embedding")), list(known.values()))]
        write_words(store.folder / FILE, index.manifest.created, known.items(), guesses(model, products))
        hidden = HiddenTitles(store.folder / FILE, known)
        halves = [TextBench(index, hidden, _shelf(own, half, options.title, columns), own) for half in (0, 1)]
        asked = [questions(half.shelf, model.words, half.vocabulary, columns) for half in halves]
        if options.kinds:
            asked = [[each for each in some if each.kind in options.kinds.split(",")] for some in asked]
        return section(halves, asked, learned, options)


def _shelf(scored: Scored, half: int, title: str, columns: Sequence[str]) -> Shelf:
    """One half of the products, by a hash of the id."""
    ids = text_cells(scored, ID)
    rows = [row for row, id in enumerate(ids) if zlib.crc32(id.encode()) % 2 == half]

    def chosen(cells: Sequence[str]) -> list[str]:
        return [cells[row] for row in rows]

    cells = {column: chosen(text_cells(scored, column)) for column in columns}
    return Shelf(chosen(ids), chosen(text_cells(scored, title)), cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, learn, index, search and write the section; existing scores are reused. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text_search", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument("--learn", type=Path, required=True, metavar="TABLE", help="products that words are learned of")
    parser.add_argument("--search", type=Path, required=True, metavar="TABLE", help="other products, that are searched")
    parser.add_argument("--source", required=True, help="public name of the data set, for the page")
    parser.add_argument("--title", default="name", help="column of titles (default: %(default)s)")
    parser.add_argument("--columns", default=COLUMNS, help="sub-category, color, article (default: %(default)s)")
    parser.add_argument("--kinds", help="of questions, separated by commas, into a section of their own (default: all)")
    parser.add_argument("--out", type=Path, default=Path("runs/text_search"), help="(default: %(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        for path in (options.learn, options.search):
            score(options.bundle, [str(path)], options.out / path.stem)
        others, own = (Scored.open(options.out / path.stem) for path in (options.learn, options.search))
        if unknown := {*(options.kinds or "").split(",")} - {*KINDS, ""}:
            raise SettingError(f"--kinds: unknown {', '.join(sorted(unknown))}; there are: {', '.join(KINDS)}")
        write_section("words-some" if options.kinds else "words", measured(others, own, options), options.page)
    print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
