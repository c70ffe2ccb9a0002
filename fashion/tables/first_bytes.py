"""Detect a file's type by its first bytes, whatever its name: spreadsheet, compressed file, web page."""

from pathlib import Path

from fashion.errors import DataError

READ = 256  # bytes
SPREADSHEET = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # .xlsx and .ods are ZIP archives, .xls is OLE
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
_PAGE = (b"<!doctype", b"<html", b"<table", b"<?xml", b"<rss")
_POINTER = b"version https://git-lfs"


def is_spreadsheet(path: Path) -> bool:
    """Whether a file is a spreadsheet, by its first bytes. Raises OSError if it cannot be read."""
    return _start(path).startswith(SPREADSHEET)


def check_first_bytes(path: Path) -> None:
    """Raise DataError for a file that is not a table, whatever its ending, and OSError if it cannot be read."""
    start = _start(path)
    if packed := next((name for magic, name in _PACKED.items() if start.startswith(magic)), None):
        raise DataError(f"{path} is compressed ({packed}); decompress it first")
    if start.startswith(_POINTER):
        raise DataError(f"{path} is a Git LFS pointer, not the file itself; download it with: git lfs pull")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE):
        raise DataError(f"{path} is HTML or XML, not a supported table; save it as .csv or .xlsx")


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(READ)
