"""Write the trials of a model card's share corrections as a table of docs/trends.md.

    python -m benchmarks.trend_trials BUNDLE

The export ran the trials: a correction from half of the validation products, intervals of catalogs of the other half,
20 times, see `training.profiles.share_corrections`. Writes the section `trends trials`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.document import table, write_section
from fashion.errors import one_line_errors
from fashion.model_card import CARD_FILE, ModelCard
from fashion.share_correction import read_corrections

PAGE = Path("docs/trends.md")
HEADER = ("group", "validation photographs", "labels", "of them corrected", "intervals that hold the truth")


def trial_rows(card: ModelCard) -> list[list[str]]:
    """Rows of the table: each group; unreliable ones have a star."""
    corrections, rows = read_corrections(card.share_corrections, card.taxonomy, CARD_FILE), []
    for group in card.taxonomy.groups:
        labels, correction = len(card.taxonomy.indices(group)), corrections.get(group)
        if correction is None:
            rows.append([f"{group} \\*", "-", str(labels), "0", "-"])
            continue
        covered = "-" if correction.coverage is None else f"{correction.coverage:.1%}"
        name = group if correction.trusted else f"{group} \\*"
        rows.append([name, f"{sum(correction.photographs):,}", str(labels), str(len(correction.labels)), covered])
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and write the section."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trend_trials", description="Table a card's corrections."
    )
    parser.add_argument("bundle", type=Path, help="the model")
    options = parser.parse_args(arguments)
    with one_line_errors():
        card = ModelCard.load(options.bundle)
        text = table(HEADER, trial_rows(card))
        print(text)
        about = f"{card.name} {card.version}, by its card (`python -m benchmarks.trend_trials {options.bundle}`):"
        write_section("trends trials", f"{about}\n\n{text}", PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
