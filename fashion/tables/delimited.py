"""Read CSV files and feeds as written by spreadsheets, databases and shops, and repair common errors in them."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.tables.encodings import text_encoding
from fashion.tables.header import Header, check_misfits, count_usual_names, filled_length, find_header, header_name

SEPARATORS = ",;\t|"  # spreadsheets use a semicolon in locales with a decimal comma
QUOTES = "\"'"  # the usual one first
SAMPLE_LINES = 100  # read to detect separator, quotes and header
SAMPLE_LETTERS = 2**22
RECORD_LINES = 10_000  # most lines of one row, to limit the damage of an unclosed quote
LONGEST_CELL = 2**31 - 1  # descriptions with embedded pictures exceed the csv module's default
END_OF_FILE = "\x1a"  # written by old systems

_BACKSLASHED = re.compile(r"\\([\"\\])")


class CsvTable:
    """A text table with a header, separated by commas, semicolons, tabs or bars; for its encoding see `encodings`.

    All cells are text. Lines above the header are skipped; cells missing at the end of a line are empty.

    Attributes:
        notes: notes for the user about the encoding.
        misfits: line number -> reason, for the lines that `rows` skipped; complete when its iteration has ended.
    """

    misfit_reason = "bad line"
    number_columns: frozenset[str] = frozenset()

    def __init__(self, path: Path) -> None:
        csv.field_size_limit(LONGEST_CELL)
        self.path = path
        self.misfits: dict[int, str] = {}
        self._encoding = text_encoding(path)
        self.notes = tuple(filter(None, [self._encoding.note]))
        sample = self._sample()
        if not all(_split(sample, separator, quote) for separator in SEPARATORS for quote in QUOTES):
            raise DataError(f"{path} is empty; its first line must name the columns")
        self._separator = max(SEPARATORS, key=lambda separator: _likelihood(_split(sample, separator)))
        self._quote = QUOTES[0]
        end, cells = _header(sample, self._separator, self._quote)
        if all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in map(header_name, cells)):
            self._quote = QUOTES[1]
            end, cells = _header(sample, self._separator, self._quote)
        self._header_end = end
        self._header = Header(tuple(cells))
        self.columns = self._header.names
        self.label_columns = self.columns
        if not self.columns:
            raise DataError(f"{path} names no column in line {end}; its first line must name the columns")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield rows with the number of their first line; invalid lines are skipped, see `misfits`.

        Raises:
            DataError: a character is invalid in the file's encoding, or more than half of the lines are invalid.
        """
        good = 0
        self.misfits = {}
        for number, values in self._records():
            if isinstance(values, str):
                self.misfits[number] = values
            else:
                good += 1
                yield number, self._header.row([*map(_without_formula, values)], columns)
        hint = 'enclose a value that contains the separator or a quote in "quotes", and double the quotes inside it'
        check_misfits(self.path, self.misfits, good, "line", hint)

    def _records(self) -> Iterator[tuple[int, list[str] | str]]:
        """Yield, for each row below the header, the number of its first line, and its values or an error text."""
        lines = _Lines(self._lines(), self._header_end)
        while True:
            reader = self._reader(lines)
            while True:
                lines.taken.clear()
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    values = None
                number = lines.taken[0][0]
                if values is not None and tuple(values) == self._header.cells:
                    yield number, "repeats the header"
                    continue
                if values is not None and not self._header.misfit(values):
                    if filled_length(values) and values != [END_OF_FILE]:
                        yield number, values
                    continue
                yield number, self._repaired(lines) or self._fault(values)
                break  # start a new reader on the lines that were given back

    def _repaired(self, lines: "_Lines") -> list[str] | None:
        """Try to repair a row of invalid CSV, and give back unused lines; None if that fails."""
        first = lines.taken[0][1]
        backslashes = any('\\"' in line for _, line in lines.taken)
        lines.give_back()
        values = self._backslashed(lines) if backslashes else None
        if values is not None:
            return values
        next(lines)
        return self._single_line(first)

    def _backslashed(self, lines: "_Lines") -> list[str] | None:
        """The values of the next row if it is valid with backslash-escaped quotes, as written by MySQL; else None."""
        reader = self._reader(_BACKSLASHED.sub(lambda found: '""' if found[1] == '"' else "\\", it) for it in lines)
        try:
            values: list[str] = next(reader, [])
        except csv.Error:
            values = []
        if values and not self._header.misfit(values):
            return values
        lines.give_back()
        return None

    def _single_line(self, line: str) -> list[str] | None:
        """The values of a single line, with stray quotes as plain characters, if there is one for each column."""
        plainly = next(csv.reader([line.rstrip("\r\n")], delimiter=self._separator, quoting=csv.QUOTE_NONE), [])
        closed = all(cell.count(self._quote) != 1 for cell in map(str.strip, plainly) if cell[:1] == self._quote)
        if closed and len(plainly) == len(self._header.cells):
            return [_without_quotes(cell.strip(), self._quote) for cell in plainly]
        try:  # assume that an open quote ends with this line
            ended = list(csv.reader([line, self._separator], **self._dialect(strict=False)))
        except csv.Error:
            return None
        return ended[0] if len(ended) == 2 and len(ended[0]) == len(self._header.cells) else None

    def _fault(self, values: list[str] | None) -> str:
        fault = None if values is None else self._header.misfit(values)
        return fault or "has a quote that is not closed, or not doubled"

    def _reader(self, lines: Iterator[str]) -> Any:
        return csv.reader(lines, **self._dialect(strict=True))

    def _dialect(self, strict: bool) -> dict[str, Any]:
        return {"delimiter": self._separator, "quotechar": self._quote, "skipinitialspace": True, "strict": strict}

    def _sample(self) -> list[str]:
        sample: list[str] = []
        letters = 0
        for line in self._lines():
            sample.append(line)
            letters += len(line)
            if len(sample) == SAMPLE_LINES or letters > SAMPLE_LETTERS:
                break
        return sample

    def _lines(self) -> Iterator[str]:
        number = 0
        with self._encoding.open(self.path) as file:
            try:
                for line in file:
                    number += 1
                    yield line
            except UnicodeError as error:
                what = f"byte 0x{error.object[error.start]:02x}, " if isinstance(error, UnicodeDecodeError) else ""
                raise DataError(
                    f"{self.path} is not UTF-16 text ({what}in line {number + 1} or after it); save it as UTF-8"
                ) from None


class _Lines:
    """The lines of a file below its header, with the option to give lines back.

    Attributes:
        taken: number and text of the lines read since it was last cleared.
    """

    def __init__(self, lines: Iterator[str], passed_over: int) -> None:
        self._lines = ((number, line) for number, line in enumerate(lines, 1) if number > passed_over)
        self._given_back: deque[tuple[int, str]] = deque()
        self.taken: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= RECORD_LINES:
            raise StopIteration
        numbered = self._given_back.popleft() if self._given_back else next(self._lines)
        self.taken.append(numbered)
        return numbered[1]

    def give_back(self) -> None:
        """Give back all lines in `taken`."""
        self._given_back.extendleft(reversed(self.taken))
        self.taken.clear()


def _split(sample: Sequence[str], separator: str, quote: str = QUOTES[0]) -> list[tuple[int, list[str]]]:
    """The non-blank rows, each with the number of its last line."""
    reader = csv.reader(sample, delimiter=separator, quotechar=quote, skipinitialspace=True)
    return [(reader.line_num, values) for values in reader if filled_length(values)]


def _header(sample: Sequence[str], separator: str, quote: str) -> tuple[int, list[str]]:
    """The number of the header's last line, and its cells."""
    lines = _split(sample, separator, quote)
    end, cells = lines[find_header([values for _, values in lines])]
    first = cells[0].lstrip()
    return end, [first[1:] if first.startswith("#") else first, *cells[1:]]


def _likelihood(lines: Sequence[tuple[int, Sequence[str]]]) -> tuple[bool, bool, int, float, int]:
    """A sort key for the plausibility of the separator by which these lines were split; higher is better."""
    values = [each for _, each in lines]
    place = find_header(values)
    width = filled_length(values[place])
    below = [filled_length(line) for line in values[place + 1 :]]
    fit = sum(1.0 if count == width else 0.5 * (2 <= count < width) for count in below) / max(1, len(below))
    return count_usual_names(values[place]) > 0, width > 1, -place, round(fit, 1), width


def _without_formula(cell: str) -> str:
    """Unwrap a formula such as ="0012", used to keep Excel from converting 0012 to a number."""
    return cell[2:-1].replace('""', '"') if cell[:2] == '="' and cell[-1] == '"' and len(cell) > 2 else cell


def _without_quotes(cell: str, quote: str) -> str:
    inner = cell[1:-1]
    if len(cell) > 1 and cell[0] == cell[-1] == quote and quote not in inner.replace(quote * 2, ""):
        return inner.replace(quote * 2, quote)
    return cell
