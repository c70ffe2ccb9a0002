"""Columns of an index that filters can name: their kinds, and the layout of their values in a payload.

The payload of a product, in every engine:

    {"id": "1001", "image": "photos/1001.jpg", "hash": "...",
     "attribute": {"color": ["Black", "White"], "sleeve": []},       the model's answers, by group
     "source": {"price": 49.9, "brand": "Acme", "sale": "true"}}     source columns; keys without a value are omitted

If a product has several photographs, each has a point of its own as well: with the product's payload, the photograph's
place as `image`, and its number, from 0, as `photograph`.
"""

import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from fashion.errors import DataError
from fashion.spelling import did_you_mean

if TYPE_CHECKING:
    import pyarrow

ID, IMAGE, HASH, ATTRIBUTE, SOURCE = "id", "image", "hash", "attribute", "source"
TRUE, FALSE = "true", "false"  # flags are stored as text, because engines differ in filtering booleans

PHOTOGRAPH = "photograph"

POINTS = uuid.UUID("6d3f4a3e-6f0a-4c1e-9a55-5a9d1c1f7b52")  # namespace of point ids; an arbitrary constant

Kind = Literal["label", "text", "number", "date", "flag"]


@dataclass(frozen=True)
class Column:
    """A column that filters can name.

    Attributes:
        name: in filters and answers.
        kind: "label" (of a group), "text" (one or several), "number", "date" (or date and time) or "flag".
        place: path of keys to its values in a payload.
        choices: all possible values, if known: a group's labels, or true and false.
    """

    name: str
    kind: Kind
    place: tuple[str, ...]
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The place in Qdrant's syntax, such as `source."sale price"`."""
        return ".".join([self.place[0], *(f'"{part}"' for part in self.place[1:])])

    def values(self, payload: dict[str, Any]) -> list[Any]:
        """The column's values in a payload: none, one, or several."""
        found: Any = payload
        for part in self.place:
            found = found.get(part) if isinstance(found, dict) else None
        return found if isinstance(found, list) else [] if found is None else [found]


def key_parts(key: str) -> tuple[str, ...]:
    """The inverse of `Column.key`: the place of a key."""
    first, dot, rest = key.partition('."')
    return (first, *(rest.removesuffix('"').split('"."') if dot else ()))


def group_column(group: str, labels: Iterable[str]) -> Column:
    """The column of an attribute group."""
    return Column(group, "label", (ATTRIBUTE, payload_name(group)), tuple(labels))


def source_column(name: str, kind: Kind) -> Column:
    """A column of the source."""
    return Column(name, kind, (SOURCE, payload_name(name)), (TRUE, FALSE) if kind == "flag" else ())


def point_id(product: str) -> str:
    """The point id of a product: engines take numbers and UUIDs only."""
    return str(uuid.uuid5(POINTS, product.encode(errors="replace").decode()))  # no id has lone surrogates


def photograph_id(product: str, number: int) -> str:
    """The point id of one of a product's photographs, from 0."""
    return str(uuid.uuid5(uuid.UUID(point_id(product)), str(number)))


def payload_name(name: str) -> str:
    """A column's name as a key of payloads: Qdrant's paths cannot hold a quotation mark."""
    return name.replace('"', "″")


def kind_of(kind: "pyarrow.DataType") -> Kind | None:
    """The kind of a column of the scored table; None for types that filters cannot compare, such as bytes."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return "text" if kind_of(kind.value_type) == "text" else None
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    if types.is_boolean(kind):
        return "flag"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    return "date" if types.is_date(kind) or types.is_timestamp(kind) else None


def payload_value(value: Any) -> Any:
    """Convert a cell of the table to a payload value; None for missing values, empty text and NaN."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, list):
        return [item for item in value if item] or None
    if isinstance(value, (float, Decimal)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, date):  # a datetime is one too
        return timestamp(value)
    return None if value == "" else value


def timestamp(value: date) -> str:
    """A date or datetime as RFC 3339 in UTC. A time without a zone is taken as UTC, a date as midnight."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat().replace("+00:00", "Z")


ID_COLUMN = Column(ID, "text", (ID,))
PHOTOGRAPH_COLUMN = Column(PHOTOGRAPH, "number", (PHOTOGRAPH,))  # internal: marks points of single photographs


class Columns:
    """The columns of an index by name. A group hides the source column of the same name.

    `attribute.NAME` and `source.NAME` are unambiguous.

    Attributes:
        columns: all columns, groups first.
        names: their distinct names.
        all_names: all names that can be looked up, including the qualified ones.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(columns)
        named = {column.name: column for column in reversed(self.columns)}  # groups come first, so they win
        exact = {f"{column.place[0]}.{column.name}": column for column in self.columns if len(column.place) > 1}
        self._named = {**exact, **named}
        self.names = list(dict.fromkeys(column.name for column in self.columns))
        self.all_names = list(self._named)

    @property
    def groups(self) -> list[Column]:
        """The attribute groups."""
        return [column for column in self.columns if column.place[0] == ATTRIBUTE]

    @property
    def source(self) -> list[Column]:
        """The source columns."""
        return [column for column in self.columns if column.place[0] == SOURCE]

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def __getitem__(self, name: str) -> Column:
        """The column of this name. Raises DataError that lists the columns and suggests the nearest."""
        if name not in self._named:
            hint = did_you_mean(name, self._named)
            raise DataError(f"unknown column {name!r}{hint}; there are: {', '.join(self.names)}")
        return self._named[name]

    def to_json(self) -> list[dict[str, Any]]:
        """The columns as stored in an index's manifest."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_json(cls, columns: Iterable[Mapping[str, Any]]) -> "Columns":
        """The inverse of `to_json`."""
        return cls(Column(c["name"], c["kind"], tuple(c["place"]), tuple(c["choices"])) for c in columns)
