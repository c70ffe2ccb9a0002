"""Journal of scored rows that are not in a part yet, so that a killed run loses none of them.

Parts are large, to keep their number small, so a row waits minutes for its part. Until then it is in an Arrow stream
beside the parts, written after each step. The next run turns journals that it finds into parts.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from catalog.scored.score_manifest import Origin
from catalog.scored.table import ORIGIN_KEY
from catalog.scoring.parts import write_part

ENDING = ".arrows"  # Arrow's file extension for a stream of batches


class PartJournal:
    """Journal of the rows of one future part.

    Args:
        part: path of the future part.
        origin: of the scoring.
    """

    def __init__(self, part: Path, origin: Origin) -> None:
        self._path = part.with_name(f".{part.stem}{ENDING}")
        self._metadata = {ORIGIN_KEY: json.dumps(asdict(origin)).encode()}
        self._file: BinaryIO | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None

    def append(self, rows: pa.Table) -> None:
        """Write rows, always with the same columns; they survive the end of this process."""
        if self._file is None or self._stream is None:
            self._file = self._path.open("wb")
            self._stream = pa.ipc.new_stream(self._file, rows.schema.with_metadata(self._metadata))
        self._stream.write_table(rows.replace_schema_metadata(self._metadata))
        self._file.flush()

    def close(self) -> None:
        """Close the file; it stays for the next run."""
        if self._file is not None:
            self._file.close()
            self._file = self._stream = None

    def remove(self) -> None:
        """Delete the journal, once its rows are in a part."""
        self.close()
        self._path.unlink(missing_ok=True)


def recover_parts(folder: Path) -> int:
    """Turn the journals in a folder into parts; return their number of rows."""
    recovered = 0
    for path in sorted(Path(folder).glob(f".part-*{ENDING}")):
        part = path.with_name(f"{path.stem.removeprefix('.')}.parquet")
        rows = None if part.exists() else _read(path)  # an existing part already has all the rows
        if rows is not None and len(rows):
            write_part(part, rows, Origin(**json.loads(rows.schema.metadata[ORIGIN_KEY])))
            recovered += len(rows)
        path.unlink()
    return recovered


def _read(path: Path) -> pa.Table | None:
    """The complete batches of a stream that may be truncated; None if even the schema is incomplete."""
    with path.open("rb") as file:
        try:
            stream = pa.ipc.open_stream(file)
        except (pa.ArrowInvalid, OSError):
            return None
        batches = []
        while True:
            try:
                batches.append(stream.read_next_batch())
            except (StopIteration, pa.ArrowInvalid, OSError):
                return pa.Table.from_batches(batches, stream.schema)
