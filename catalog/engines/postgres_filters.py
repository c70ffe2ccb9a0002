"""Translate filters into SQL conditions on a product's JSON payload; every value and name is a query parameter."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from psycopg import sql

from catalog.filters.columns import Column, Kind, key_parts

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

    def has_value(self, key: str, values: Sequence[str]) -> Clause:
        # ?| matches any element of a list, or the text itself
        return Clause(sql.SQL("(") + _at(VALUES, 1) + sql.SQL(" ?| %s::text[])"), (_path(key), list(values)))

    def between(self, key: str, bounds: Mapping[str, float]) -> Clause:
        limits = {name: float(bound) for name, bound in bounds.items()}
        return self.all_of([_compared(_at(NUMBER, 2), name, (_path(key),) * 2, limits[name]) for name in limits])

    def between_times(self, key: str, bounds: Mapping[str, str]) -> Clause:
        limits = {name: bound.rstrip("Z") for name, bound in bounds.items()}
        return self.all_of([_compared(_at(TIME, 1), name, (_path(key),), limits[name]) for name in limits])

    def missing(self, key: str) -> Clause:
        nothing = sql.SQL("(coalesce({}, '[]') = '[]')").format(_at(VALUES, 1))
        return Clause(nothing, (_path(key),))

    def with_ids(self, ids: Sequence[str]) -> Clause:
        return Clause(sql.SQL("(id = ANY(%s::uuid[]))"), (list(ids),))


def indexed(column: Column) -> tuple[sql.SQL, Sql]:
    """Method and expression of the database index that a column's filters use."""
    method, expression, times = INDEXES[column.kind]
    path = sql.SQL("{}::text[]").format(sql.Literal(_path(column.key)))
    return sql.SQL(method), sql.SQL("({})").format(expression.format(*[path] * times))


def _at(expression: sql.SQL, times: int) -> Sql:
    """An expression whose path is a query parameter, used `times` times."""
    return expression.format(*[sql.SQL("%s::text[]")] * times)


def _compared(value: Sql, name: str, path: tuple[object, ...], bound: object) -> Clause:
    return Clause(sql.SQL("({} {} %s)").format(value, COMPARE[name]), (*path, bound))


def _path(key: str) -> list[str]:
    return list(key_parts(key))


def _joined(word: str, clauses: Sequence[Clause]) -> Clause:
    text = sql.SQL("({})").format(sql.SQL(word).join([clause.text for clause in clauses]))
    return Clause(text, tuple(value for clause in clauses for value in clause.parameters))
