"""Filters as a tree of conditions, from which engines build their own filters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from catalog.filters.columns import ID, Column, timestamp

Bound = float | datetime


class Builder(Protocol):
    """Builds an engine's own filters. The results of `all_of`, `any_of` and `none_of` can be nested."""

    def all_of(self, conditions: Sequence[Any]) -> Any:
        """All of the conditions hold."""

    def any_of(self, conditions: Sequence[Any]) -> Any:
        """At least one holds."""

    def none_of(self, conditions: Sequence[Any]) -> Any:
        """None holds."""

    def has_value(self, key: str, values: Sequence[str]) -> Any:
        """A value at `key` is among `values`."""

    def between(self, key: str, bounds: Mapping[str, float]) -> Any:
        """The number at `key` lies within all of `bounds`, by "gt", "gte", "lt" and "lte"."""

    def between_times(self, key: str, bounds: Mapping[str, str]) -> Any:
        """The time at `key` lies within all of `bounds`, in RFC 3339."""

    def missing(self, key: str) -> Any:
        """There is no value at `key`."""

    def with_ids(self, ids: Sequence[str]) -> Any:
        """The point is one of these."""


class Condition(Protocol):
    """One node of the tree."""

    def columns(self) -> Iterator[Column]:
        """The columns that the condition compares."""

    def build(self, builder: Builder) -> Any:
        """Build the engine's filter."""


@dataclass(frozen=True)
class OneOf:
    """A value of the column is among these."""

    column: Column
    values: tuple[str, ...]

    def columns(self) -> Iterator[Column]:
        yield self.column

    def build(self, builder: Builder) -> Any:
        return builder.has_value(self.column.key, self.values)


@dataclass(frozen=True)
class Between:
    """The column's number or time lies within bounds, by "gt", "gte", "lt" and "lte"."""

    column: Column
    bounds: Mapping[str, Bound]

    def columns(self) -> Iterator[Column]:
        yield self.column

    def build(self, builder: Builder) -> Any:
        numbers = {name: bound for name, bound in self.bounds.items() if not isinstance(bound, datetime)}
        times = {name: timestamp(bound) for name, bound in self.bounds.items() if isinstance(bound, datetime)}
        return builder.between_times(self.column.key, times) if times else builder.between(self.column.key, numbers)


@dataclass(frozen=True)
class Missing:
    """The column has no value."""

    column: Column

    def columns(self) -> Iterator[Column]:
        yield self.column

    def build(self, builder: Builder) -> Any:
        return builder.missing(self.column.key)


@dataclass(frozen=True)
class Points:
    """The point is one of these; for internal use, such as excluding a product's duplicates."""

    ids: tuple[str, ...]

    def columns(self) -> Iterator[Column]:
        yield Column(ID, "text", (ID,))

    def build(self, builder: Builder) -> Any:
        return builder.with_ids(self.ids)


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    condition: Condition

    def columns(self) -> Iterator[Column]:
        yield from self.condition.columns()

    def build(self, builder: Builder) -> Any:
        return builder.none_of([self.condition.build(builder)])


@dataclass(frozen=True)
class And:
    """All conditions hold; true for an empty tuple."""

    conditions: tuple[Condition, ...]

    def columns(self) -> Iterator[Column]:
        for condition in self.conditions:
            yield from condition.columns()

    def build(self, builder: Builder) -> Any:
        return builder.all_of([condition.build(builder) for condition in self.conditions])


@dataclass(frozen=True)
class Or:
    """At least one condition holds."""

    conditions: tuple[Condition, ...]

    def columns(self) -> Iterator[Column]:
        for condition in self.conditions:
            yield from condition.columns()

    def build(self, builder: Builder) -> Any:
        return builder.any_of([condition.build(builder) for condition in self.conditions])
