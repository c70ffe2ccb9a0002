"""Export a scored catalog for a shop system.

From the command line:

    python -m catalog.export SCORED --bundle BUNDLE --format google --out feed.tsv
    python -m catalog.export SCORED --bundle BUNDLE --format csv --profile precision --out attributes.csv
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from catalog.analysis.opening import open_scored
from catalog.exporting.fields import Translator
from catalog.exporting.formats import FORMATS, Format, Task
from catalog.exporting.mapping import SHIPPED, Mapping
from catalog.exporting.merging import Merger
from catalog.exporting.products import ExportedProduct, image_column, read_products, shown_columns
from catalog.exporting.taxonomy_facts import LANGUAGES
from catalog.exporting.writing import write, write_differences
from catalog.scored.table import Scored
from fashion.errors import DataError, SettingError, one_line_errors
from fashion.model_card import ModelCard
from fashion.taxonomy import Taxonomy

SHOWN = 5  # labels without a counterpart that the note names


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file and report cells filled in, kept and contradicted; returns the exit status."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        scored = open_scored(options.catalog)
        _check(options, scored)
        card = ModelCard.load(options.bundle)
        translator = Translator(_mapping(options.mapping, card.taxonomy), options.language)
        shape = FORMATS[options.format]
        texts = dict(_template(each, [*card.taxonomy.groups, *shown_columns(scored)], shape) for each in options.text)
        if options.overwrite and options.format == "jsonl" and not texts:
            raise SettingError(
                "--overwrite has no effect with jsonl, which keeps the source's cells beside the answers"
            )
        columns, merger = tuple(shown_columns(scored)), Merger(options.overwrite)
        task = Task(card.taxonomy.groups, columns, translator, merger, texts, image_column(scored) is not None)
        found = read_products(scored, card, options.profile or scored.manifest.profile, options.where)
        products = tqdm(found, total=scored.rows, desc="exporting", unit="product", disable=None)
        some = _some(products, scored, options.where)
        count = write(options.out, options.format, shape.columns(task), shape.rows(task, some))
        _report(task, options.out, options.format, count)
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
    parser.add_argument("--where", metavar="FILTER", help="export only these products, such as 'article=Dresses'")
    parser.add_argument("--overwrite", action="store_true", help="answers replace cells that the source has filled")
    parser.add_argument(
        "--mapping", type=Path, default=SHIPPED, metavar="CSV", help="mapping of labels to Shopify's taxonomy"
    )
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        default="en",
        help="with google, language of the values' names (default: %(default)s)",
    )
    parser.add_argument(
        "--text",
        action="append",
        default=[],
        metavar="COLUMN=TEMPLATE",
        help="a column such as title='{colour} {article}'",
    )
    return parser


def _check(options: argparse.Namespace, scored: Scored) -> None:
    if options.language != "en" and options.format != "google":
        raise SettingError(
            f"--language has no effect with {options.format}, which has the names of the model's labels, or keys; "
            "only google has names in other languages"
        )
    source = scored.manifest.source
    for path in map(Path, (source, *source.split(", "))):  # of several files; a name may also have a comma
        if path.is_file() and options.out.exists() and options.out.samefile(path):
            raise SettingError(f"{options.out} is the table that was scored; write the export to another file")


def _mapping(path: Path, taxonomy: Taxonomy) -> Mapping:
    """The mapping. A user's own must be of the model's labels; the shipped one is of several models."""
    mapping = Mapping.load(path)
    foreign = mapping.foreign(taxonomy) if path != SHIPPED else []
    example = f", such as {foreign[0].group} {foreign[0].name}" if foreign else ""
    if path != SHIPPED and len(foreign) == len(mapping.targets):
        groups = ", ".join(taxonomy.groups)
        raise DataError(f"the mapping {path} has no label of the model{example}; the model's groups are: {groups}")
    if foreign:
        print(f"note   the model lacks {len(foreign):,} labels of {path}{example}", file=sys.stderr)
    return mapping


def _some(products: Iterable[ExportedProduct], scored: Scored, where: str | None) -> Iterator[ExportedProduct]:
    """The products. Raises DataError if there are none, before an empty file replaces the previous one."""
    empty = True
    for product in products:
        empty = False
        yield product
    if empty and where:
        raise DataError(f"no product of {scored.folder} passes the filter {where!r}")


def _template(text: str, names: Sequence[str], shape: Format) -> tuple[str, str]:
    column, _, template = text.partition("=")
    if not column or not template:
        raise SettingError(f"--text {text!r} is not COLUMN=TEMPLATE, such as title='{{{names[0]}}}'")
    if column.strip().lower() == shape.key.lower():
        raise SettingError(f"--text {text!r} would replace the products' ids, the column {shape.key!r}")
    if column.strip().lower() in shape.fixed:
        raise SettingError(f"--text {text!r} would replace a field of the format; choose another column")
    try:
        template.format_map(dict.fromkeys(names, ""))
    except KeyError as error:
        raise SettingError(f"--text {text!r}: {{{error}}} is unknown; choose among: {', '.join(names)}") from None
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        raise SettingError(
            f"--text {text!r} is no template: {error}; cells are texts in braces, such as {{{names[0]}}}, and a brace "
            "itself is written twice"
        ) from None
    return column.strip(), template


def _report(task: Task, out: Path, kind: str, products: int) -> None:
    merger = task.merger
    merges = kind != "jsonl" or task.texts  # objects have the answers beside the source's cells
    counts = f"; {merger.filled:,} cells filled in, {merger.kept:,} of the source kept" if merges else ""
    if merger.corrected:
        counts += f", {merger.corrected:,} replaced by people's corrections"
    print(f"{out}: {kind}; {products:,} product{'s' * (products != 1)}{counts}")
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
