"""Export a scored catalog for a shop system.

From the command line:

    python -m catalog.export SCORED --bundle BUNDLE --format google --out feed.tsv
    python -m catalog.export SCORED --bundle BUNDLE --format csv --profile precision --out attributes.csv
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from catalog.analysis.opening import open_scored
from catalog.exporting.fields import Translator
from catalog.exporting.formats import FORMATS, Task
from catalog.exporting.mapping import SHIPPED, Mapping
from catalog.exporting.merging import Merger
from catalog.exporting.products import read_products, shown_columns
from catalog.exporting.taxonomy_facts import LANGUAGES
from catalog.exporting.writing import write, write_differences
from fashion.errors import SettingError, one_line_errors
from fashion.model_card import ModelCard

SHOWN = 5  # labels without a counterpart that the note names


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file and report cells filled in, kept and contradicted; returns the exit status."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        scored = open_scored(options.catalog)
        card = ModelCard.load(options.bundle)
        translator = Translator(Mapping.load(options.mapping), options.language)
        shape = FORMATS[options.format]
        texts = dict(
            _template(each, [*card.taxonomy.groups, *shown_columns(scored)], shape.key) for each in options.text
        )
        if options.overwrite and options.format == "jsonl" and not texts:
            raise SettingError(
                "--overwrite has no effect with jsonl, which keeps the source's cells beside the answers"
            )
        task = Task(card.taxonomy.groups, tuple(shown_columns(scored)), translator, Merger(options.overwrite), texts)
        found = read_products(scored, card, options.profile or scored.manifest.profile, options.where)
        counted = tqdm(found, total=scored.rows, desc="exporting", unit="product", disable=None)
        write(options.out, options.format, shape.columns(task), shape.rows(task, counted))
        _report(task, options.out, options.format)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m catalog.export", description="Export a scored catalog for a shop system."
    )
    parser.add_argument("catalog", help="scored catalog, or an index of it")
    parser.add_argument("--bundle", type=Path, required=True, help="the model that scored it")
    parser.add_argument("--format", choices=FORMATS, required=True, help="format to write")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--profile", help="thresholds of the answers (default: as it was scored)")
    parser.add_argument("--where", metavar="FILTER", help="export only these products, such as 'category=Dresses'")
    parser.add_argument("--overwrite", action="store_true", help="answers replace cells that the source has filled")
    parser.add_argument(
        "--mapping", type=Path, default=SHIPPED, metavar="CSV", help="mapping of labels to Shopify's taxonomy"
    )
    parser.add_argument(
        "--language", choices=LANGUAGES, default="en", help="language of the values' names (default: %(default)s)"
    )
    parser.add_argument(
        "--text",
        action="append",
        default=[],
        metavar="COLUMN=TEMPLATE",
        help="a column such as title='{colour} {article}'",
    )
    return parser


def _template(text: str, names: Sequence[str], key: str) -> tuple[str, str]:
    column, _, template = text.partition("=")
    if column.strip().lower() == key.lower():
        raise SettingError(f"--text {text!r} would replace the products' ids, the column {key!r}")
    try:
        template.format_map(dict.fromkeys(names, ""))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise SettingError(f"--text {text!r}: {{{error}}} is unknown; choose among: {', '.join(names)}") from None
    if not column or not template:
        raise SettingError(f"--text {text!r} is not COLUMN=TEMPLATE, such as title='{{{names[0]}}}'")
    return column.strip(), template


def _report(task: Task, out: Path, kind: str) -> None:
    merger = task.merger
    merges = kind != "jsonl" or task.texts  # objects have the answers beside the source's cells
    counts = f"; {merger.filled:,} cells filled in, {merger.kept:,} of the source kept" if merges else ""
    print(f"{out}: {kind}{counts}")
    beside = out.with_name(f"{out.name}.differences.csv")
    if not merger.differences:
        beside.unlink(missing_ok=True)  # of a previous export
    else:
        write_differences(beside, merger.differences)
        surest = max(merger.differences, key=lambda each: each.probability)
        print(
            f"{beside}: {len(merger.differences):,} cells differ; the table says {surest.table} for {surest.id}, "
            f"the photograph shows {surest.photograph} {surest.probability:.2f}"
        )
    unknown = task.translator.unknown.most_common()
    if unknown and kind != "akeneo":
        named = ", ".join(f"{group} {name} ({count:,})" for (group, name), count in unknown[:SHOWN])
        print(f"note   {len(unknown)} labels have no counterpart in the mapping: {named}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
