"""Conditions on a replacement for a product that cannot be sold."""

from collections.abc import Sequence

from catalog.filters.columns import Column, Columns
from catalog.filters.conditions import Between, Condition, OneOf
from catalog.similar.matches import Product
from catalog.similar.spaces import GENDER, KIND
from fashion.errors import DataError, SettingError
from fashion.tables.columns import STOCK_COLUMNS, usual_name
from fashion.tables.stock_texts import IN_STOCK, NOT_IN_STOCK, spellings

SAME = (KIND, GENDER)  # the first of each, as similarity takes it


def conditions(
    product: Product, columns: Columns, same: Sequence[str] | None = None, stock: str | None = None
) -> list[Condition]:
    """Conditions that a replacement for a product must meet.

    Args:
        product: the product to replace.
        columns: of the index.
        same: groups or columns in which a replacement must share a value; by default article, or else category, and
            gender, as far as the index has them. Those in which the product itself has no value are ignored.
        stock: the column of availability: a number above 0, true, or a text such as `in stock` or `yes` means in stock.
            None takes the one that `stock_column` finds; "" takes none.

    Raises:
        SettingError: an unknown column, no column to share, or a stock column with unsuitable values.
    """
    if same is None:
        same = _default_same(product, columns)
    if stock is None:
        stock = stock_column(columns) or ""
    wanted = [_shared(product, _column(name, columns)) for name in same]
    available = []
    if stock:
        column = _column(stock, columns)
        available = [in_stock(column, column.values(product.payload))]
    return [condition for condition in (*wanted, *available) if condition]


def _default_same(product: Product, columns: Columns) -> list[str]:
    """What the product is and whom it is for: of each, the finest group that says so about this product."""
    groups = {column.name for column in columns.groups}
    # A column of the source counts only by the last name: the "article" of a shop's table is often a number.
    known = [[name for name in names if name in groups or (name == names[-1] and name in columns)] for names in SAME]
    if not any(known):
        missing, there = " nor ".join(name for names in SAME for name in names), ", ".join(columns.names)
        raise SettingError(f"the index has neither {missing}; say with --same what a replacement must share: {there}")
    return [name for names in known for name in [n for n in names if columns[n].values(product.payload)][:1]]


def stock_column(columns: Columns) -> str | None:
    """The source column with a usual name for availability, or None."""
    return usual_name([column.name for column in columns.source], STOCK_COLUMNS)


def _column(name: str, columns: Columns) -> Column:
    try:
        return columns[name]
    except DataError as error:
        raise SettingError(str(error)) from None


def _shared(product: Product, column: Column) -> Condition | None:
    if column.kind in ("number", "date"):
        raise SettingError(
            f"{column.name!r} holds {column.kind}s; a replacement can share names only; use --where for other columns"
        )
    values = column.values(product.payload)
    return OneOf(column, tuple(values)) if values else None


def in_stock(column: Column, values: Sequence[str] = ()) -> Condition:
    """The condition that a column says that a product is in stock.

    Args:
        column: of availability.
        values: some of the column, to be checked. Without any, a text column with a usual name is accepted.

    Raises:
        SettingError: the column has unsuitable values.
    """
    if column.kind == "number":
        return Between(column, {"gt": 0.0})
    if column.kind == "flag":
        return OneOf(column, ("true",))
    held = f"{column.kind}s" if column.kind == "date" else column.kind
    if column.kind == "text":
        unknown = [value for value in values if value not in spellings(IN_STOCK + NOT_IN_STOCK)]
        if not unknown and (values or usual_name([column.name], STOCK_COLUMNS)):
            return OneOf(column, spellings(IN_STOCK))
        held = f"text such as {unknown[0]!r}" if unknown else held
    raise SettingError(
        f"the column {column.name!r} holds {held}, not numbers, true and false or texts such as 'in stock' that say "
        "whether a product is in stock; name another with --stock, or none with --stock '' and use --where"
    )
