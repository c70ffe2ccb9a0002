"""Imports the public Parquet mirror of iMaterialist, `Marqo/iMaterialist` on the Hugging Face hub.

Its 153 shards (71.5 GB, 721,065 rows) have the columns image, gender, color, material, sleeve, pattern, neckline,
style, category and item_ID. A cell is text and may hold several labels, separated by commas.
"""

import errno
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fashion.errors import DataError, SettingError, one_line
from fashion.spelling import closest
from fashion.tables.parquet import ParquetTable
from fashion.tables.reading import Table
from fashion.taxonomy import imaterialist
from training.sources.catalog import find_tables, read_candidates, splits_by_hash
from training.sources.columns import find_layout
from training.sources.imaterialist import challenge_groups
from training.sources.photographs import write_checked
from training.sources.writer import ImportSummary

REPOSITORY = "Marqo/iMaterialist"


def import_mirror(
    sources: Sequence[Path],
    out: Path,
    groups: Sequence[str] | None = None,
    workers: int | None = None,
    name: str | None = None,
) -> ImportSummary:
    """Import shards of the mirror into a new folder in the training format, with the challenge's 228 label names.

    An empty cell is an empty list (none apply), as in the challenge, which scores every label of every image. The
    mirror has no splits: every tenth row, chosen by a hash of its item_ID, is for validation. Shards named `train-...`
    and `val-...` keep their split.

    Args:
        sources: shards, or folders of shards.
        out: the folder to create.
        groups: the groups to take; None takes all eight.
        workers: threads that check photographs; None takes one per core.
        name: name of the source in dataset.json; None takes the paths.

    Raises:
        DataError: no shard, a broken one, one with other columns, an unknown group, no usable row.
    """
    groups = challenge_groups(groups)
    tables = [table for source in sources for table in find_tables(source)]
    for table in tables:
        if not is_mirror(table.table):
            raise DataError(
                f"{table.table.path} is not a shard of {REPOSITORY}: it lacks {', '.join(_missing(table.table))}; "
                "import Parquet files with other attribute groups as a catalog"
            )
    layout = find_layout(tables, groups)
    total = sum(table.table.count for table in tables if isinstance(table.table, ParquetTable))
    name = name or ", ".join(map(str, sources))
    hold_out = splits_by_hash(tables, layout)
    return write_checked(read_candidates(tables, layout, read_cell), total, out, groups, name, workers, hold_out)


def is_mirror(table: Table) -> bool:
    """Whether a table is a Parquet file with the challenge's eight groups as columns."""
    return isinstance(table, ParquetTable) and not _missing(table)


def read_cell(group: str, cell: Any) -> list[str]:
    """Parse a cell of the mirror to labels in the challenge's spelling. Raises DataError for an unknown one.

    Labels are separated by commas, but "Hosiery, Stockings, Tights" is one label: at each position the longest known
    label is taken. Letter case and white space are ignored.
    """
    known = _known_names(group)
    labels = []
    for text in cell if isinstance(cell, list) else [cell or ""]:
        parts = [part for part in map(_plain, str(text).split(",")) if part]
        start = 0
        while start < len(parts):
            for end in range(len(parts), start, -1):
                name = known.get(" ".join(parts[start:end]))
                if name is not None:
                    labels.append(name)
                    start = end
                    break
            else:
                close = closest(parts[start], list(known.values()))
                hint = f"; the nearest known one is {close!r}" if close else ""
                raise DataError(f"{parts[start]!r} in column {group!r}{hint}")
    return labels


def fetch_shards(count: int) -> list[Path]:
    """Download the first shards of the mirror to the Hugging Face cache unless cached; return their paths.

    A shard has about 470 MB. An interrupted download is resumed.

    Raises:
        SettingError: the number of shards is out of range.
        DataError: the hub cannot be reached.
        OSError: the disk is full.
    """
    from huggingface_hub import HfApi, hf_hub_download  # slow to import; needed only here

    if count < 1:
        raise SettingError(f"--shards {count} is out of range; choose at least 1")
    try:
        files = HfApi().dataset_info(REPOSITORY, timeout=30).siblings or []
        names = sorted(file.rfilename for file in files if file.rfilename.endswith(".parquet"))
        if count > len(names):
            raise SettingError(f"--shards {count} is out of range; {REPOSITORY} has {len(names)}")
        return [Path(hf_hub_download(REPOSITORY, name, repo_type="dataset")) for name in names[:count]]
    except SettingError:
        raise
    except Exception as error:  # the hub's client raises its own errors and those of its HTTP library
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataError(
            f"cannot download {REPOSITORY} from the Hugging Face hub ({one_line(error)[:200]}); check the network, or "
            "give a folder of its Parquet shards instead"
        ) from None


def _missing(table: Table) -> list[str]:
    return [group for group in imaterialist().groups if group not in table.columns]


@cache
def _known_names(group: str) -> dict[str, str]:
    """The challenge's label names by their normalized spelling without commas."""
    return {_plain(name.replace(",", " ")): name for name in imaterialist().names(group)}


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
