"""What is scored and no part yet: an Arrow stream beside the parts, so that a run that is killed loses none of it.

Parts are large, so that a catalog has few; a row therefore waits for minutes. Here it is on the disk as soon as its
step is scored. The next run makes a part of what it finds.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from catalog.scored.score_manifest import Origin
from catalog.scored.table import ORIGIN_KEY
from catalog.scoring.parts import write_part

ENDING = ".arrows"  # Arrow's own for a stream of batches


class PartJournal:
    """The rows that wait to become one part.

    Args:
        part: the file that they are to become.
        origin: of the scoring.
    """

    def __init__(self, part: Path, origin: Origin) -> None:
        self._path = part.with_name(f".{part.stem}{ENDING}")
        self._metadata = {ORIGIN_KEY: json.dumps(asdict(origin)).encode()}
        self._file: BinaryIO | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None

    def append(self, rows: pa.Table) -> None:
        """Write rows, of the same columns every time; they are there whatever becomes of this process."""
        if self._file is None or self._stream is None:
            self._file = self._path.open("wb")
            self._stream = pa.ipc.new_stream(self._file, rows.schema.with_metadata(self._metadata))
        self._stream.write_table(rows.replace_schema_metadata(self._metadata))
        self._file.flush()

    def close(self) -> None:
        """Write no more; what was written stays, for the next run."""
        if self._file is not None:
            self._file.close()
            self._file = self._stream = None

    def remove(self) -> None:
        """The rows are a part now."""
        self.close()
        self._path.unlink(missing_ok=True)


def recover_parts(folder: Path) -> int:
    """Make parts of the journals in a folder; returns how many rows they had."""
    recovered = 0
    for path in sorted(Path(folder).glob(f".part-*{ENDING}")):
        part = path.with_name(f"{path.stem.removeprefix('.')}.parquet")
        rows = None if part.exists() else _read(path)  # a part that is there has all of them
        if rows is not None and len(rows):
            write_part(part, rows, Origin(**json.loads(rows.schema.metadata[ORIGIN_KEY])))
            recovered += len(rows)
        path.unlink()
    return recovered


def _read(path: Path) -> pa.Table | None:
    """The rows of a stream that may end in the middle of a batch; None where not even its columns are there."""
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
