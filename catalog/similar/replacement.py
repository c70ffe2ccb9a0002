"""What a product must fulfill to take the place of one that cannot be sold."""

from collections.abc import Sequence

from catalog.filters.columns import Column, Columns
from catalog.filters.conditions import Between, Condition, OneOf
from catalog.similar.matches import Product
from fashion.errors import DataError, SettingError

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
