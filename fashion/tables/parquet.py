"""Read Parquet files written by pandas, Polars, the library `datasets` and others."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fashion.errors import DataError, one_line
from fashion.tables.cells import PLACES
from fashion.tables.class_labels import class_names, to_class_names

BATCH_ROWS = 100


class ParquetTable:
    """A Parquet table. Cells keep their types, except for class labels of `datasets`, which become their names.

    Attributes:
        file: the open file.
        schema: its columns, with their types converted by `plain_type`.
        misfits: row number -> reason, for the rows that `rows` skipped; complete when its iteration has ended.
    """

    misfit_reason = "broken row group"
    notes: tuple[str, ...] = ()
    number_columns: frozenset[str] = frozenset()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.misfits: dict[int, str] = {}
        try:
            self.file = pq.ParquetFile(path)
        except pa.ArrowInvalid:
            raise DataError(f"{path} is not a Parquet file, or a broken one") from None
        except pa.ArrowException as error:
            raise unreadable(path, error) from None
        stored = self.file.schema_arrow
        if twice := next((name for name, count in Counter(stored.names).items() if count > 1), None):
            raise DataError(f"{path} has two columns {twice!r}; give each a different name")
        self.schema = pa.schema([pa.field(field.name, plain_type(field.type)) for field in stored], stored.metadata)
        self.columns = tuple(self.schema.names)
        self.class_names = class_names(self.schema)
        self.label_columns = tuple(
            field.name for field in self.schema if field.name in self.class_names or _holds_labels(field.type)
        )

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield rows with their numbers, from 1; rows of a broken row group are skipped, see `misfits`.

        Raises:
            DataError: all row groups are broken, or pyarrow does not support their type.
        """
        self.misfits = {}
        end, broken = 0, 0
        for group in range(self.file.num_row_groups):
            number, end = end, end + self.file.metadata.row_group(group).num_rows
            try:
                for batch in self.file.iter_batches(BATCH_ROWS, [group], list(columns)):
                    for row in batch.to_pylist():
                        number += 1
                        for name in self.class_names.keys() & row.keys():
                            row[name] = to_class_names(row[name], self.class_names[name])
                        yield number, row
            except (pa.ArrowException, OSError) as error:
                fault = f"row group {group} is broken: {read_fault(self.path, error)}"
                broken += 1
                if broken == self.file.num_row_groups:
                    raise DataError(f"{self.path} is broken in all row groups; the first: {fault}") from None
                self.misfits |= dict.fromkeys(range(number + 1, end + 1), fault)

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.file.metadata.num_rows


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The logical type without its storage layout: `string_view` (Polars) and dictionary-encoded text become text."""
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if is_list(kind):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, plain_type(field.type)) for field in kind])
    return kind


def plain_array(array: pa.Array) -> pa.Array:
    """Cast an array to its `plain_type`; pyarrow cannot take, filter or sort other layouts."""
    if pa.types.is_dictionary(array.type):
        values = plain_array(array.dictionary)
        array = pa.DictionaryArray.from_arrays(array.indices, values)
    return array.cast(plain_type(array.type))


def first_of_lists(array: pa.Array) -> pa.Array:
    """The first value of each list in an array; null for an empty list."""
    starts = array.offsets[: len(array)]
    there = pc.greater(pc.list_value_length(array), 0)
    return array.values.take(pc.if_else(there, starts, pa.scalar(None, starts.type)))


def is_text(kind: pa.DataType) -> bool:
    """Whether a plain type is text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is any list type."""
    return (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    )


def check_photographs(path: Path, column: str, kind: pa.DataType) -> str:
    """Check that a column of this plain type can name or contain photographs.

    Returns:
        A note for the user, or an empty string.

    Raises:
        DataError: its cells contain pixels.
    """
    inner = kind.value_type if is_list(kind) else kind
    if is_list(inner) or (is_list(kind) and _is_number(inner)):
        raise DataError(
            f"column {column!r} of {path} holds pixels ({kind}); expected paths or the bytes of image files, such as "
            "PNG; store encoded files, or choose another column"
        )
    if is_list(kind):
        return f"note   column {column!r} of {path} contains lists; the first photograph of each is used"
    return ""


def read_fault(path: Path, error: Exception) -> str:
    """The error message for a broken file. Raises DataError if the file is intact but pyarrow does not support it."""
    if isinstance(error, (pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowKeyError, pa.ArrowMemoryError)):
        raise unreadable(path, error) from None
    return one_line(error)


def unreadable(path: Path, error: Exception) -> DataError:
    """The error for a possibly intact file that pyarrow does not support."""
    return DataError(
        f"pyarrow {pa.__version__} cannot read {path}: {one_line(error)}; write it with plain types, such as string, "
        "binary and numbers"
    )


def _holds_labels(kind: pa.DataType) -> bool:
    if is_list(kind):
        return is_text(kind.value_type)
    return is_text(kind) or _is_number(kind) or pa.types.is_boolean(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def names_photographs(kind: pa.DataType) -> bool:
    """Whether cells of this type are paths or URLs: alone, in structs such as {src: ...}, or in lists of either."""
    inner = kind.value_type if is_list(kind) else kind
    if not pa.types.is_struct(inner):
        return is_text(inner)
    named = [field.type for field in inner if field.name in PLACES]
    return bool(named) and all(map(is_text, named))
