"""Command-line flags that trends and comparisons share."""

import argparse
from pathlib import Path


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add --group, --where, --answers and --uncorrected."""
    parser.add_argument("--group", metavar="A,B", help="attribute groups to analyze (default: all)")
    parser.add_argument("--where", metavar="FILTER", help="analyze only these products, such as 'article=Dresses'")
    parser.add_argument(
        "--answers", action="store_true", help="count answered attributes instead of calibrated probabilities"
    )
    parser.add_argument(
        "--uncorrected",
        dest="correct",
        action="store_false",
        help="do not correct shares for the model's errors, even if the catalog has the corrections",
    )


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add --json, --csv and --report."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write a CSV table")
    parser.add_argument("--report", type=Path, metavar="DIR", help="also write a page with plots, tables and JSON")


def split_names(text: str | None) -> list[str] | None:
    """`A,B` as a list; None stays None."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
