"""A plain Python implementation of filters: the reference for engines and tables."""

import operator
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from catalog.filters.columns import ID, Column, point_id
from catalog.filters.conditions import And, Between, Condition, Missing, Not, OneOf, Or, Points

COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def matches(condition: Condition, payload: Mapping[str, Any]) -> bool:
    """Whether a product with this payload passes the filter."""
    match condition:
        case OneOf(column, values):
            return any(value in values for value in column.values(payload))
        case Between(column, bounds):
            found = [_comparable(value, column) for value in column.values(payload)]
            return any(all(COMPARE[name](value, bound) for name, bound in bounds.items()) for value in found)
        case Missing(column):
            return not column.values(payload)
        case Points(ids):
            return point_id(payload[ID]) in ids
        case Not(inner):
            return not matches(inner, payload)
        case And(parts):
            return all(matches(part, payload) for part in parts)
        case Or(parts):
            return any(matches(part, payload) for part in parts)
    raise AssertionError(condition)


def _comparable(value: Any, column: Column) -> Any:
    return datetime.fromisoformat(value) if column.kind == "date" else value
