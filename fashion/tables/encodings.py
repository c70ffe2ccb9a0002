"""Text files in the encodings that spreadsheets and shops write: UTF-8, Windows-1252, UTF-16."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from fashion.errors import DataError

UTF8, UTF16 = "utf-8-sig", "utf-16"
START = 4096  # bytes, by which text is told from what is none
CHUNK = 2**20  # bytes
SHOWN = 60  # letters of a line in a note
# No text holds them, unless it is UTF-16; of the others below 32 some stand in real tables.
_CONTROLS = bytes([*range(1, 8), *range(14, 26), *range(28, 32)])


@dataclass(frozen=True)
class TextEncoding:
    """How a file is to be opened.

    Attributes:
        name: as `open` takes it.
        errors: what becomes of bytes that are not of this encoding, as `open` takes it.
        note: a line for the user where that is a guess, or nothing.
    """

    name: str
    errors: str = "strict"
    note: str = ""

    def open(self, path: Path) -> TextIO:
        """The file as text, with the ends of its lines as they stand there."""
        return path.open(newline="", encoding=self.name, errors=self.errors)


def text_encoding(path: Path) -> TextEncoding:
    """Tell the encoding of a file; all of it is read once.

    What is not UTF-8 is Windows-1252, in which Excel saves a CSV file where it is not asked for UTF-8: byte by byte, so
    that a file put together from both is read too.

    Raises:
        DataError: it is no text.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(START)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return TextEncoding(UTF16)
    if name := _utf16_without_mark(start):
        return TextEncoding(name)
    line = _first_line_of_others(path)
    if line is None:
        return TextEncoding(UTF8)
    number, content = line
    if b"\0" in start or any(byte in start for byte in _CONTROLS):
        raise DataError(f"{path} is no text; expected text in UTF-8")
    codecs.register_error(_windows_1252.__name__, _windows_1252)
    text = content.decode("utf-8", errors=_windows_1252.__name__)
    note = (
        f"note   {path} is not UTF-8, and what is not is read as Windows-1252: its line {number:,} has "
        f"{_around_first_of_others(text)!r}; if letters are wrong, save it as UTF-8"
    )
    return TextEncoding(UTF8, _windows_1252.__name__, note)


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """A handler of decoding errors, see `codecs.register_error`."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


def _utf16_without_mark(start: bytes) -> str | None:
    """UTF-16 of mostly western letters has a zero in every other byte."""
    for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        others = start[::2] if name == "utf-16-le" else start[1::2]
        if len(zeros) > 1 and zeros.count(0) > 0.9 * len(zeros) and others.count(0) == 0:
            return name
    return None


def _first_line_of_others(path: Path) -> tuple[int, bytes] | None:
    """Number and content of the first line that is not UTF-8; None where all are."""
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


def _around_first_of_others(text: str) -> str:
    """The part of a line around its first letter that is not ASCII."""
    first = next((i for i, letter in enumerate(text) if not letter.isascii()), 0)
    begin = max(0, first - SHOWN // 2)
    return text[begin : begin + SHOWN].strip()
