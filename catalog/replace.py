"""Products that may take the place of one that cannot be sold.

From the command line:  python -m catalog.replace INDEX ID
"""

import argparse
from collections.abc import Sequence

from catalog import open_index
from catalog.columns import Column, Columns
from catalog.conditions import Between, Condition, OneOf
from catalog.matches import Product
from catalog.output import add_output, add_search, how, show
from fashion.errors import DataError, SettingError, one_line_errors

SAME = ("category", "gender")
STOCK = ("stock", "in_stock")


def conditions(
    product: Product, columns: Columns, same: Sequence[str] | None = None, stock: str | None = None
) -> list[Condition]:
    """What a replacement for a product must fulfill.

    Args:
        product: what is replaced.
        columns: of the index.
        same: groups or columns of which a replacement must share a value; by default category and gender, as far as
            the index has them. One of which the product itself has no value does not count.
        stock: the column that says what is in stock: a number above 0, or true. By default stock or in_stock, where
            there is one, and "" for none.

    Raises:
        SettingError: an unknown column, none that must be the same, or one whose values do not say so.
    """
    if same is None:
        same = [name for name in SAME if name in columns]
        if not same:
            raise SettingError(
                f"the index has neither {' nor '.join(SAME)}; say with --same what a replacement must share: "
                + ", ".join(columns.names)
            )
    if stock is None:
        stock = next((name for name in STOCK if name in columns), "")
    wanted = [_shared(product, _column(name, columns)) for name in same]
    available = [_in_stock(_column(stock, columns))] if stock else []
    return [condition for condition in (*wanted, *available) if condition]


def _column(name: str, columns: Columns) -> Column:
    try:
        return columns[name]
    except DataError as error:
        raise SettingError(str(error)) from None


def _shared(product: Product, column: Column) -> Condition | None:
    if column.kind in ("number", "date"):
        raise SettingError(f"{column.name!r} holds {column.kind}s; a replacement shares names, for these use --where")
    values = column.values(product.payload)
    return OneOf(column, tuple(values)) if values else None


def _in_stock(column: Column) -> Condition:
    if column.kind == "number":
        return Between(column, {"gt": 0.0})
    if column.kind == "flag":
        return OneOf(column, ("true",))
    raise SettingError(
        f"the column {column.name!r} holds {column.kind}, not numbers or true and false that say what is in stock; "
        "name another with --stock, or none with --stock '' and use --where"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the replacements for a product; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.replace",
        description="Find products that may take the place of one: alike, in stock, and no duplicates of it.",
    )
    parser.add_argument("index", help="folder, or http://HOST:PORT/COLLECTION")
    parser.add_argument("id", help="of the product that is replaced")
    parser.add_argument("--same", metavar="A,B", help=f"what a replacement must share (default: {' and '.join(SAME)})")
    parser.add_argument(
        "--stock", metavar="COLUMN", help=f"what says that a product is in stock (default: {' or '.join(STOCK)})"
    )
    add_search(parser)
    add_output(parser)
    options = parser.parse_args(arguments)
    with one_line_errors(), open_index(options.index) as index:
        same = None if options.same is None else [name.strip() for name in options.same.split(",") if name.strip()]
        matches = index.replace(options.id, same=same, stock=options.stock, **how(options))
        show(matches, options, index.product(options.id))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
