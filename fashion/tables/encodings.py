"""Detect the encoding of text files from spreadsheets and shops: UTF-8, Windows-1252, UTF-16."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from fashion.errors import DataError

UTF8, UTF16 = "utf-8-sig", "utf-16"
START = 4096  # bytes, examined to tell text from binary files
CHUNK = 2**20  # bytes
SHOWN = 60  # characters of a line quoted in a note
# Control characters that mark a file as binary, unless it is UTF-16; the others below 32 occur in real tables.
_CONTROLS = bytes([*range(1, 8), *range(14, 26), *range(28, 32)])


@dataclass(frozen=True)
class TextEncoding:
    """The encoding to open a file with.

    Attributes:
        name: the argument `encoding` of `open`.
        errors: the argument `errors` of `open`.
        note: a line for the user if the encoding is a guess, else empty.
    """

    name: str
    errors: str = "strict"
    note: str = ""

    def open(self, path: Path) -> TextIO:
        """Open the file as text, with its line endings unchanged."""
        return path.open(newline="", encoding=self.name, errors=self.errors)


def text_encoding(path: Path) -> TextEncoding:
    """Detect the encoding of a file; the whole file is read once.

    Bytes that are not UTF-8 are decoded as Windows-1252, Excel's default for CSV files. This is decided byte by byte,
    so a file with both encodings can be read too.

    Raises:
        DataError: the file is not text.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(START)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return TextEncoding(UTF16)
    if name := _utf16_without_mark(start):
        return TextEncoding(name)
    line = _first_line_not_utf8(path)
    if line is None:
        return TextEncoding(UTF8)
    number, content = line
    if b"\0" in start or any(byte in start for byte in _CONTROLS):
        raise DataError(f"{path} is not text; expected text in UTF-8")
    codecs.register_error(_windows_1252.__name__, _windows_1252)
    text = content.decode("utf-8", errors=_windows_1252.__name__)
    note = (
        f"note   {path} is not UTF-8; its invalid bytes are read as Windows-1252: line {number:,} has "
        f"{_around_first_non_ascii(text)!r}; if letters are wrong, save it as UTF-8"
    )
    return TextEncoding(UTF8, _windows_1252.__name__, note)


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Decoding error handler for `codecs.register_error`."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


def _utf16_without_mark(start: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: in mostly Latin text, every other byte is zero."""
    for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        others = start[::2] if name == "utf-16-le" else start[1::2]
        if len(zeros) > 1 and zeros.count(0) > 0.9 * len(zeros) and others.count(0) == 0:
            return name
    return None


def _first_line_not_utf8(path: Path) -> tuple[int, bytes] | None:
    """Number and content of the first line that is not UTF-8; None if there is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            file.seek(0)
            return next((number, line) for number, line in enumerate(file, 1) if not _is_utf8(line))
    return None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _around_first_non_ascii(text: str) -> str:
    """The part of a line around its first non-ASCII character."""
    first = next((i for i, letter in enumerate(text) if not letter.isascii()), 0)
    begin = max(0, first - SHOWN // 2)
    return text[begin : begin + SHOWN].strip()
