"""Time of learning the words of a catalog's titles.

    python -m benchmarks.word_learning SCORED [--title name] [--products 40000]

A smaller catalog is repeated to the given number of products, so that more of its words are frequent enough to be
learned. It writes the section `word-learning` of docs/search.md.
"""

import argparse
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.document import write_section
from benchmarks.machine import describe
from catalog.scored.table import Scored
from catalog.similar.spaces import unit_vectors
from catalog.words.learning import learn
from fashion.errors import one_line_errors

PAGE = Path("docs/search.md")
PRODUCTS = 40_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn once and write the section; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.word_learning", description=__doc__.split("\n")[0])
    parser.add_argument("scored", type=Path, help="scored catalog, written by python -m catalog.score")
    parser.add_argument("--title", default="name", help="column of titles (default: %(default)s)")
    parser.add_argument("--products", type=int, default=PRODUCTS, help="(default: %(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        scored = Scored.open(options.scored)
        titles = [cell or "" for batch in scored.batches([options.title]) for cell in batch.column(0).to_pylist()]
        places = np.arange(options.products) % len(titles)
        embeddings = unit_vectors(scored.vectors("embedding"))[places]
        start, busy = time.perf_counter(), time.process_time()
        model = learn(embeddings, [titles[place] for place in places])
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        text = (
            f"Learning {len(model.words) if model else 0:,} words from the titles of {options.products:,} products "
            f"took {busy:.0f} s of processor time ({seconds:.0f} s by the clock) and {memory:.1f} GiB at most; the "
            f"products are {min(len(titles), options.products):,} that were repeated. Machine: {describe()}. Measured "
            "by\n\n    python -m benchmarks.word_learning SCORED\n"
        )
        write_section("word-learning", text, options.page)
    print(f"wrote  {options.page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
