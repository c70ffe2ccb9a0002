"""Reads Qt resource files (.rcc): many files in one, for programs made with Qt.

The format is that of Qt's `rcc --binary`, versions 1 to 3: a header with the offsets of a tree, of the data and of the
names; all numbers are big-endian.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from fashion.errors import DataError

_MAGIC = b"qres"
_ZLIB, _FOLDER, _ZSTD = 1, 2, 4  # flags of a node
_NODE_SIZES = {1: 14, 2: 22, 3: 22}  # bytes; versions 2 and 3 end each node with a time


def read_resources(file: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file in a resource file, in its order; paths have no leading slash.

    Raises:
        DataError: it is no resource file, damaged, or of an unknown version.
    """
    try:
        yield from _Resources(file.read_bytes()).walk()
    except (ValueError, struct.error, zlib.error, OSError) as error:
        raise DataError(f"{file} is no Qt resource file that can be read: {error}") from error


class _Resources:
    def __init__(self, content: bytes) -> None:
        if not content.startswith(_MAGIC):
            raise ValueError(f"it does not begin with {_MAGIC.decode()}")
        self.content = content
        version, self.tree, self.data, self.names = self._unpack(">4I", len(_MAGIC))
        if version not in _NODE_SIZES:
            raise ValueError(
                f"its version is {version}, of which only {min(_NODE_SIZES)} to {max(_NODE_SIZES)} are known"
            )
        self.node_size = _NODE_SIZES[version]

    def walk(self, number: int = 0, path: str = "") -> Iterator[tuple[str, bytes]]:
        """The files below node `number`, whose path is `path`; node 0 is the nameless root."""
        offset = self.tree + number * self.node_size
        name, flags = self._unpack(">IH", offset)
        if number:
            path = f"{path}/{self._name(name)}".lstrip("/")
        if flags & _FOLDER:
            count, first = self._unpack(">2I", offset + 6)
            if first <= number:
                raise ValueError("a folder contains itself")
            for child in range(first, first + count):
                yield from self.walk(child, path)
        else:
            (place,) = self._unpack(">I", offset + 10)  # after country and language
            yield path, self._blob(self.data + place, flags)

    def _name(self, place: int) -> str:
        (length,) = self._unpack(">H", self.names + place)
        return self._bytes(self.names + place + 6, 2 * length).decode("utf-16-be")  # a hash of 4 bytes is in between

    def _blob(self, place: int, flags: int) -> bytes:
        (length,) = self._unpack(">I", place)
        blob = self._bytes(place + 4, length)
        if flags & _ZLIB:
            return zlib.decompress(blob[4:])  # the first 4 bytes are the size of the result
        if flags & _ZSTD:
            with pa.CompressedInputStream(pa.BufferReader(blob), "zstd") as stream:
                return bytes(stream.read())
        return blob

    def _unpack(self, form: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(form, self.content, place)

    def _bytes(self, place: int, length: int) -> bytes:
        if place + length > len(self.content):
            raise ValueError("it is cut off")
        return self.content[place : place + length]
