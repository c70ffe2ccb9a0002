"""Search flags that the catalog commands share, and the output of matches."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog.filters.columns import Column
from catalog.similar.matches import Match, Product, cell_text
from catalog.similar.settings import LIMIT, SearchOptions
from catalog.similar.spaces import DEFAULT_SPACE, DETAIL_WEIGHT, SHARE, SPACES
from fashion.errors import SettingError
from fashion.spelling import did_you_mean
from fashion.text_tables import text_table

DIVERSITY = 0.5  # of --diverse without a number


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add --where, --exact and --duplicates, which choose the products to compare and show."""
    parser.add_argument("--where", metavar="FILTER", help="such as 'color=Black and sleeve!=Sleeveless and price<50'")
    parser.add_argument("--exact", action="store_true", help="compare with every product, in an approximate index too")
    parser.add_argument(
        "--duplicates", action="store_true", help="show every listing of products with near-identical photographs"
    )


def add_limit(parser: argparse.ArgumentParser) -> None:
    """Add --limit."""
    parser.add_argument("--limit", type=int, default=LIMIT, help="products to find (default: %(default)s)")


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add all search flags."""
    add_where(parser)
    parser.add_argument(
        "--space", choices=SPACES, default=DEFAULT_SPACE, help="what similarity compares (default: %(default)s)"
    )
    parser.add_argument(
        "--weight",
        action="append",
        default=[],
        metavar="GROUP=NUMBER",
        help="how much an attribute group counts (default: 1 for kind, color and gender, "
        f"{DETAIL_WEIGHT:g} for others); neckline=2 and color=0: same neckline, any color",
    )
    parser.add_argument(
        "--share", type=float, default=SHARE, help="weight of the embedding in the space both (default: %(default)s)"
    )
    parser.add_argument(
        "--diverse",
        nargs="?",
        type=float,
        const=DIVERSITY,
        default=0.0,
        metavar="0..1",
        help=f"how much the results differ from each other (without a number: {DIVERSITY})",
    )
    add_limit(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --show, --json and --sheet."""
    parser.add_argument("--show", metavar="COLUMNS", help="source columns to show in the table, such as price,brand")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also write a picture of the photographs")


def search_options(options: argparse.Namespace) -> SearchOptions:
    """The search settings from the flags of `add_search`.

    Raises:
        SettingError: a malformed weight, or a share in a space without one.
    """
    if options.share != SHARE and options.space != "both":
        raise SettingError(f"--share needs --space both: the space {options.space} does not join two similarities")
    return {
        "space": options.space,
        "weights": dict(map(_weight, options.weight)),
        "share": options.share,
        "where": options.where,
        "limit": options.limit,
        "diversity": options.diverse,
        "exact": options.exact,
        "duplicates": options.duplicates,
    }


def _weight(text: str) -> tuple[str, float]:
    group, _, number = text.rpartition("=")
    try:
        return group.strip(), float(number)
    except ValueError:
        raise SettingError(f"--weight {text!r} must be GROUP=NUMBER, such as neckline=2") from None


def print_matches(
    matches: Sequence[Match], options: argparse.Namespace, source: Sequence[Column], *queries: Product
) -> None:
    """Print matches as a table or as JSON, and write the picture for --sheet.

    Args:
        matches: the matches.
        options: with the flags of `add_output`.
        source: the source columns of the index.
        queries: products to which the matches were compared, for the picture.

    Raises:
        SettingError: --show names no source column.
    """
    columns = _shown([column.name for column in source], options.show)
    if options.sheet:
        from catalog.similar.sheet import photograph, write_sheet

        write_sheet(queries, matches, options.sheet, columns)
        if empty := sum(photograph(product) is None for product in (*queries, *(match.product for match in matches))):
            print(
                f"note   {empty} of the photographs are missing or unreadable at the paths in the scored catalog, "
                "so their tiles are empty",
                file=sys.stderr,
            )
    if options.json:
        for match in matches:
            print(json.dumps(match.to_json(), ensure_ascii=False))
    elif matches or options.where:
        print(table(matches, columns))
    else:  # such as if all others have near-identical photographs
        print("no product was found")


def _shown(there: Sequence[str], text: str | None) -> list[str]:
    """The columns of --show."""
    columns = [name.strip() for name in text.split(",")] if text else []
    for column in columns:
        if column not in there:
            have = f"it has: {', '.join(there)}" if there else "it has none"
            raise SettingError(
                f"--show: the index has no source column {column!r}{did_you_mean(column, there)}; {have}"
            )
    return columns


def table(matches: Sequence[Match], columns: Sequence[str] = ()) -> str:
    """Format matches as a table: similarity, id, shared attributes, and differing attributes.

    Args:
        matches: the matches.
        columns: source columns to show after the id.
    """
    if not matches:
        return "no product passes the filter"
    if matches[0].similarity is None:  # a list without a query: show the products' own attributes
        rows = [[*_own(match, columns), ", ".join(match.product.names)] for match in matches]
        return text_table(["id", *columns, "it has"] if columns else [], rows)
    rows = [
        [f"{match.similarity:5.2f}", *_own(match, columns), ", ".join(match.reasons), " ".join(match.differing_names)]
        for match in matches
    ]
    same, different = ("why", "instead") if any(match.why for match in matches) else ("both have", "one has")
    return text_table(["alike", "id", *columns, same, f"{different}: - what was asked for, + the product"], rows)


def _own(match: Match, columns: Sequence[str]) -> list[str]:
    return [match.product.id, *(cell_text(match.product.source.get(column)) for column in columns)]
