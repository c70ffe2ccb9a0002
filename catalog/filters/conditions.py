"""Filters as a tree of conditions, from which engines build their own filters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from catalog.filters.columns import Column

Bound = float | datetime


class Builder(Protocol):
    """Builds an engine's own filters. The results of `all_of`, `any_of` and `none_of` can be nested."""

    def all_of(self, conditions: Sequence[Any]) -> Any:
        """All of the conditions hold."""

    def any_of(self, conditions: Sequence[Any]) -> Any:
        """At least one holds."""

    def none_of(self, conditions: Sequence[Any]) -> Any:
        """None holds."""

    def has_value(self, column: Column, values: Sequence[str]) -> Any:
        """A value of the column is among `values`."""

    def between(self, column: Column, bounds: Mapping[str, Bound]) -> Any:
        """The number or time of the column lies within all of `bounds`, by "gt", "gte", "lt" and "lte"."""

    def missing(self, column: Column) -> Any:
        """The column has no value."""

    def with_ids(self, ids: Sequence[str]) -> Any:
        """The point is one of these."""


class Condition(Protocol):
    """One node of the tree."""

    def build(self, builder: Builder) -> Any:
        """Build the engine's filter."""


@dataclass(frozen=True)
class OneOf:
    """A value of the column is among these."""

    column: Column
    values: tuple[str, ...]

    def build(self, builder: Builder) -> Any:
        return builder.has_value(self.column, self.values)


@dataclass(frozen=True)
class Between:
    """The column's number or time lies within bounds, by "gt", "gte", "lt" and "lte"; times have a zone."""

    column: Column
    bounds: Mapping[str, Bound]

    def build(self, builder: Builder) -> Any:
        return builder.between(self.column, self.bounds)


@dataclass(frozen=True)
class Missing:
    """The column has no value."""

    column: Column

    def build(self, builder: Builder) -> Any:
        return builder.missing(self.column)


@dataclass(frozen=True)
class Points:
    """The point is one of these; for internal use, such as excluding a product's duplicates."""

    ids: tuple[str, ...]

    def build(self, builder: Builder) -> Any:
        return builder.with_ids(self.ids)


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    condition: Condition

    def build(self, builder: Builder) -> Any:
        return builder.none_of([self.condition.build(builder)])


@dataclass(frozen=True)
class And:
    """All conditions hold; true for an empty tuple."""

    conditions: tuple[Condition, ...]

    def build(self, builder: Builder) -> Any:
        return builder.all_of([condition.build(builder) for condition in self.conditions])


@dataclass(frozen=True)
class Or:
    """At least one condition holds."""

    conditions: tuple[Condition, ...]

    def build(self, builder: Builder) -> Any:
        return builder.any_of([condition.build(builder) for condition in self.conditions])


def all_of(*conditions: Condition | None) -> Condition | None:
    """The condition that all hold; None stands for no condition."""
    given = tuple(condition for condition in conditions if condition)
    return And(given) if given else None
