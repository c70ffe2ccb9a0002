"""The filters and search of a list, converted from and to query parameters and to the filter language."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from catalog.filters.columns import ATTRIBUTE, Column, Columns
from fashion.errors import SettingError

IS, LEAST, MOST = "is.", "least.", "most."  # prefixes of query parameters, before a column's name
PLAIN = re.compile(r"[\w.][\w.-]*")
WORDS = {"and", "or", "not", "in"}  # keywords of the filter language


@dataclass(frozen=True)
class ListSelection:
    """The current choices of a list.

    Attributes:
        chosen: values by column; a product must have at least one of each column.
        least, most: limits by column of numbers or dates.
        where: a filter written by the user.
        words: a text search.
        page: of the list, from 1.
    """

    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    least: Mapping[str, str] = field(default_factory=dict)
    most: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    words: str = ""
    page: int = 1

    @classmethod
    def read(cls, parameters: Iterable[tuple[str, str]]) -> "ListSelection":
        """Create a selection from query parameters; empty ones are ignored."""
        chosen: dict[str, list[str]] = {}
        limits: dict[str, dict[str, str]] = {LEAST: {}, MOST: {}}
        texts = {"where": "", "words": "", "page": "1"}
        for name, value in parameters:
            if not value.strip():
                continue
            if name.startswith(IS):
                chosen.setdefault(name.removeprefix(IS), []).append(value)
            elif name.startswith((LEAST, MOST)):
                prefix, _, column = name.partition(".")
                limits[f"{prefix}."][column] = value.strip()
            elif name in texts:
                texts[name] = value.strip()
        page = int(texts["page"]) if re.fullmatch(r"[0-9]{1,9}", texts["page"]) else 1
        return cls(chosen, limits[LEAST], limits[MOST], texts["where"], texts["words"], max(1, page))

    def filter(self, without: str | None = None) -> str:
        """The selection in the filter language.

        Args:
            without: a column whose chosen values are ignored, to count the alternatives in it.

        Raises:
            SettingError: a value with both kinds of quotation marks, which no filter can name.
        """
        parts = [
            f"{_quoted(column)}={_quoted(values[0])}"
            if len(values) == 1
            else f"{_quoted(column)} in ({', '.join(map(_quoted, values))})"
            for column, values in self.chosen.items()
            if column != without
        ]
        parts += [f"{_quoted(column)}>={_quoted(value)}" for column, value in self.least.items()]
        parts += [f"{_quoted(column)}<={_quoted(value)}" for column, value in self.most.items()]
        if self.where:
            parts.append(f"({self.where})" if parts else self.where)
        return " and ".join(parts)

    def address(self, page: int) -> str:
        """The query parameters of another page of the same list."""
        pairs = [(IS + column, value) for column, values in self.chosen.items() for value in values]
        pairs += [(LEAST + column, value) for column, value in self.least.items()]
        pairs += [(MOST + column, value) for column, value in self.most.items()]
        pairs += [("where", self.where)] * bool(self.where) + [("words", self.words)] * bool(self.words)
        return urlencode([*pairs, ("page", page)])


def filter_name(column: Column, columns: Columns) -> str:
    """The name of a column in filters: its full name if a source column has the name of a group."""
    return column.name if columns[column.name] is column else f"{column.place[0]}.{column.name}"


def is_group(column: Column) -> bool:
    """Whether a column is a group answered by the model."""
    return column.place[0] == ATTRIBUTE


def can_name(value: str) -> bool:
    """Whether a value can be quoted in a filter."""
    return not ("'" in value and '"' in value)


def _quoted(text: str) -> str:
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    if not can_name(text):
        raise SettingError(f"a filter cannot contain {text[:60]!r}, which has both kinds of quotation marks")
    return f'"{text}"' if "'" in text else f"'{text}'"
