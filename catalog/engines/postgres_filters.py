"""Translate filters into SQL conditions on a product's JSON payload; every value and name is a query parameter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg import sql

from catalog.filters.columns import Column, Kind, timestamp
from catalog.filters.conditions import Bound

COMPARE = {"gt": sql.SQL(">"), "gte": sql.SQL(">="), "lt": sql.SQL("<"), "lte": sql.SQL("<=")}

# SQL expressions that extract a payload value; {} is the path to it. An index on an expression serves the filters that
# use it, and gives PostgreSQL statistics. NUMBER checks the JSON type because a column's type may change over time.
# Times are RFC 3339 in UTC (catalog.filters.columns.timestamp); without the Z they sort correctly as bytes, including
# fractions of a second. A cast to a timestamp would depend on session settings, so it could not be indexed.
VALUES = sql.SQL("payload #> {}")
NUMBER = sql.SQL("CASE jsonb_typeof(payload #> {}) WHEN 'number' THEN (payload #> {})::float8 END")
TIME = sql.SQL("rtrim(payload #>> {}, 'Z') COLLATE \"C\"")
INDEXES: Mapping[Kind, tuple[str, sql.SQL, int]] = {  # method, expression, how often it names the path
    "label": ("gin", VALUES, 1),
    "text": ("gin", VALUES, 1),
    "flag": ("gin", VALUES, 1),
    "number": ("btree", NUMBER, 2),
    "date": ("btree", TIME, 1),
}


Sql = sql.SQL | sql.Composed


class Clause(NamedTuple):
    """An SQL condition and the parameters of its placeholders, in order."""

    text: Sql
    parameters: tuple[object, ...] = ()


EVERYTHING = Clause(sql.SQL("TRUE"))


class PostgresBuilder:
    """Build filters for PostgreSQL. A comparison with a missing value is null, which counts as false."""

    def all_of(self, conditions: Sequence[Clause]) -> Clause:
        return _joined(" AND ", conditions) if conditions else EVERYTHING

    def any_of(self, conditions: Sequence[Clause]) -> Clause:
        return _joined(" OR ", conditions) if conditions else Clause(sql.SQL("FALSE"))

    def none_of(self, conditions: Sequence[Clause]) -> Clause:
        found = self.any_of(conditions)
        return Clause(sql.SQL("({} IS NOT TRUE)").format(found.text), found.parameters)

    def has_value(self, column: Column, values: Sequence[str]) -> Clause:
        # ?| matches any element of a list, or the text itself
        text = sql.SQL("({} ?| %s::text[])").format(_at(VALUES, 1))
        return Clause(text, (list(column.place), list(values)))

    def between(self, column: Column, bounds: Mapping[str, Bound]) -> Clause:
        _, expression, times = INDEXES[column.kind]
        value, path = _at(expression, times), (list(column.place),) * times
        within = sql.SQL("({} {} %s)")
        return self.all_of(
            [Clause(within.format(value, COMPARE[name]), (*path, _limit(bound))) for name, bound in bounds.items()]
        )

    def missing(self, column: Column) -> Clause:
        nothing = sql.SQL("(coalesce({}, '[]') = '[]')").format(_at(VALUES, 1))
        return Clause(nothing, (list(column.place),))

    def with_ids(self, ids: Sequence[str]) -> Clause:
        return Clause(sql.SQL("(id = ANY(%s::uuid[]))"), (list(ids),))


def indexed(column: Column) -> tuple[sql.SQL, Sql]:
    """Method and expression of the database index that a column's filters use."""
    method, expression, times = INDEXES[column.kind]
    path = sql.SQL("{}::text[]").format(sql.Literal(list(column.place)))
    return sql.SQL(method), sql.SQL("({})").format(expression.format(*[path] * times))


def _at(expression: sql.SQL, times: int) -> Sql:
    """An expression whose path is a query parameter, used `times` times."""
    return expression.format(*[sql.SQL("%s::text[]")] * times)


def _limit(bound: Bound) -> str | float:
    """A bound as TIME or NUMBER has it."""
    return timestamp(bound).rstrip("Z") if isinstance(bound, datetime) else float(bound)


def _joined(word: str, clauses: Sequence[Clause]) -> Clause:
    text = sql.SQL("({})").format(sql.SQL(word).join([clause.text for clause in clauses]))
    return Clause(text, tuple(value for clause in clauses for value in clause.parameters))
