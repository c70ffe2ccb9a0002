"""Store corrections of a scored catalog in an append-only SQLite file in its folder, corrections.sqlite.

Entries are never changed: an undo is an entry of its own. The file is in WAL mode and each transaction is synced
before it is acknowledged, so neither a killed process nor a power failure loses one.

store = CorrectionStore("scored")
seen = store.states(["1001", "1002"])                       # the state that the author sees
store.write([Correction("1001", IS, "pattern", "Striped")], seen, who="ana")
"""

import getpass
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from catalog.scored.score_manifest import Manifest
from fashion.errors import DataError, SettingError
from fashion.taxonomy import Label

CORRECTIONS_FILE = "corrections.sqlite"
IS, IS_NOT, ONLY, NOT_A_PRODUCT = "is", "is not", "only", "not a product"
VERDICTS = (IS, IS_NOT, ONLY, NOT_A_PRODUCT)
UNDO, REFIT = "undo", "refit"  # verdicts that the store itself writes
REFITS = ""  # in place of the product id in entries for the whole catalog

WAIT = 30.0  # seconds to wait for another writer
LAYOUT = 1
SHOWN = 3  # products named in a message
_AT_ONCE = 500  # products per query

_TABLES = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    batch INTEGER NOT NULL,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    product TEXT NOT NULL,
    verdict TEXT NOT NULL,
    label_group TEXT NOT NULL,
    label TEXT NOT NULL,
    undoes INTEGER REFERENCES entries (number),
    content TEXT NOT NULL,
    found_by TEXT NOT NULL
);
CREATE INDEX entries_of_product ON entries (product, number);
CREATE TRIGGER no_change BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER no_removal BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
"""


class Correction(NamedTuple):
    """A correction of a product.

    Attributes:
        product: its id.
        verdict: `is` or `is not` (for the label alone), `only` (the label and no other of its group applies; with an
            empty label, none of the group), or `not a product`.
        group, label: of the model; both are empty for `not a product`.
    """

    product: str
    verdict: str
    group: str = ""
    label: str = ""


@dataclass(frozen=True)
class Entry:
    """One entry of the store.

    Attributes:
        number: consecutive, from 1.
        batch: number of the first entry of its transaction.
        at: time, ISO 8601, UTC.
        who: the author.
        product: the id; empty if the entry is for the whole catalog.
        verdict, group, label: see `Correction`; further verdicts are `undo` and `refit`.
        undoes: number of the entry that this one undoes.
        content: of a refit, JSON.
        found_by: the review queue that led to it, see `catalog.corrections.queues`; empty if it was found by chance.
    """

    number: int
    batch: int
    at: str
    who: str
    product: str
    verdict: str
    group: str
    label: str
    undoes: int | None = None
    content: str = ""
    found_by: str = ""


class ChangedMeanwhile(DataError):
    """A product was changed after the author of a correction saw it; nothing of the batch was written.

    Attributes:
        entries: the last entry of each product that was changed and has entries.
        without: changed products that have no entry, because the file was removed or replaced meanwhile.
    """

    def __init__(self, entries: Sequence[Entry], without: Sequence[str] = ()) -> None:
        self.entries, self.without = list(entries), list(without)
        changes = [f"{e.product!r} by {e.who}, {describe(e)}, {e.at}" for e in self.entries]
        changes += [f"{product!r}, whose corrections are gone" for product in without]
        more = f" and {len(changes) - SHOWN:,} more" if len(changes) > SHOWN else ""
        named = "; ".join(changes[:SHOWN])
        super().__init__(f"nothing was written: changed since you saw it: {named}{more}; look again and repeat")


class CorrectionStore:
    """The corrections of a scored catalog. The first entry creates the file.

    Every call opens and closes the file, so any number of threads and processes may use it at the same time.
    """

    def __init__(self, folder: str | Path) -> None:
        """Open the corrections of the scored catalog in `folder`. Raises DataError if there is no catalog."""
        self.folder = Path(folder)
        self.path = self.folder / CORRECTIONS_FILE
        self.taxonomy = Manifest.load(self.folder).taxonomy

    def write(
        self, corrections: Sequence[Correction], seen: Mapping[str, int], who: str | None = None, found_by: str = ""
    ) -> list[Entry]:
        """Write corrections in one transaction. They are on disk when this returns.

        Args:
            corrections: in order; a later one of the same cell wins.
            seen: for each product the state that the author saw, from `states`; 0 for one without corrections.
            who: the author; None takes the login name.
            found_by: the review queue that led to them, such as `uncertain`. Corrections found by chance are biased
                toward errors, so a refit uses only those from a queue.

        Raises:
            ChangedMeanwhile: one of the products was changed since `seen`.
            SettingError: an unknown verdict or label, or a product that `seen` does not name.
            DataError: the file is broken or cannot be written.
        """
        for correction in corrections:
            self._check(correction)
        return self._append([(*correction, None, "", found_by) for correction in corrections], seen, who)

    def undo(self, numbers: Iterable[int], seen: Mapping[str, int], who: str | None = None) -> list[Entry]:
        """Undo entries, by new entries, in one transaction; an undo can itself be undone.

        Args:
            numbers: of the entries.
            seen: for each of their products the state that the author saw.
            who: the author; None takes the login name.

        Raises:
            DataError: there is no such entry, or it is already undone.
            ChangedMeanwhile, SettingError: see `write`.
        """
        wanted = list(dict.fromkeys(numbers))
        known = {entry.number: entry for entry in self.entries()}
        standing = {entry.number for entry in in_force(list(known.values()), undoes=True)}
        for number in wanted:
            if number not in known:
                raise DataError(f"{self.path} has no entry {number}; python -m catalog.corrections lists them")
            if number not in standing:
                raise DataError(f"entry {number} of {self.path} is undone already")
        return self._append(
            [(known[number].product, UNDO, "", "", number, "", "") for number in sorted(wanted, reverse=True)],
            seen,
            who,
        )

    def write_refit(self, content: str, seen: int, who: str | None = None) -> Entry:
        """Write a refit, see `catalog.scored.refit.Refit`. `seen` is the state of the product `REFITS`."""
        return self._append([(REFITS, REFIT, "", "", None, content, "")], {REFITS: seen}, who)[0]

    def states(self, products: Iterable[str]) -> dict[str, int]:
        """For each product, the number of its last entry, 0 if it has none."""
        wanted = list(dict.fromkeys(products))
        with self._open() as database:
            return _states(database, wanted) if database else dict.fromkeys(wanted, 0)

    def entries(self, after: int = 0) -> list[Entry]:
        """All entries with a higher number than `after`, in order."""
        with self._open() as database:
            if not database:
                return []
            return [
                Entry(*row) for row in database.execute("SELECT * FROM entries WHERE number > ? ORDER BY 1", (after,))
            ]

    def history(self, product: str) -> list[Entry]:
        """All entries of a product, in order."""
        with self._open() as database:
            if not database:
                return []
            found = database.execute("SELECT * FROM entries WHERE product = ? ORDER BY number", (product,))
            return [Entry(*row) for row in found]

    def last(self) -> int:
        """The number of the last entry, 0 if there is none; readers of the catalog use it to detect changes."""
        with self._open() as database:
            return _last(database) if database else 0

    def _check(self, correction: Correction) -> None:
        product, verdict, group, label = correction
        if verdict not in VERDICTS:
            raise SettingError(f"unknown verdict {verdict!r}; choose among: {', '.join(VERDICTS)}")
        if not product:
            raise SettingError("a correction names no product")
        if verdict == NOT_A_PRODUCT:
            if group or label:
                raise SettingError(f"{NOT_A_PRODUCT!r} takes neither group nor label, not {group!r} and {label!r}")
            return
        self.taxonomy.check_groups([group])
        if (label or verdict != ONLY) and Label(group, label) not in self.taxonomy.index:
            raise SettingError(self.taxonomy.unknown_label(group, label))

    def _append(self, rows: Sequence[tuple], seen: Mapping[str, int], who: str | None) -> list[Entry]:
        products = list(dict.fromkeys(row[0] for row in rows))
        if unseen := [product for product in products if product not in seen]:
            raise SettingError(f"the state of product {unseen[0]!r} is not given; take it from CorrectionStore.states")
        who = who or login_name()
        if not rows:
            return []
        if not self.path.exists():
            self._make()
        with self._open() as database:
            assert database is not None
            with _transaction(database, self.path):
                now = _states(database, products)
                if changed := [product for product in products if now[product] != seen[product]]:
                    entries = [_entry(database, now[product]) for product in changed if now[product]]
                    raise ChangedMeanwhile(entries, [product for product in changed if not now[product]])
                first = _last(database) + 1
                at = datetime.now(UTC).isoformat(timespec="milliseconds")
                added = [Entry(first + i, first, at, who, *row) for i, row in enumerate(rows)]
                database.executemany(
                    "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [tuple(vars(entry).values()) for entry in added],
                )
        return added

    def _make(self) -> None:
        """Create the file atomically; the first process wins."""
        temporary = self.folder / f".{CORRECTIONS_FILE}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
        try:
            with closing(sqlite3.connect(temporary)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(f"{_TABLES} PRAGMA user_version = {LAYOUT};")
            try:
                os.link(temporary, self.path)
                _sync_folder(self.folder)
            except FileExistsError:
                return  # another process was quicker
        except sqlite3.Error as error:
            raise DataError(f"{self.path} cannot be created: {error}; check that the folder is writable") from None
        finally:
            for ending in ("", "-wal", "-shm"):
                temporary.with_name(temporary.name + ending).unlink(missing_ok=True)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """Open the database; None if there is no file yet. Errors of SQLite become a one-line DataError."""
        if not self.path.exists():
            yield None
            return
        try:
            with closing(self._connect()) as database:
                found = database.execute("PRAGMA user_version").fetchone()[0]
                if found != LAYOUT:
                    raise DataError(f"{self.path} has layout {found}; this version of the project reads {LAYOUT}")
                yield database
        except sqlite3.Error as error:
            raise DataError(f"{self.path} cannot be used: {error}; move it away and restore a backup") from None

    def _connect(self) -> sqlite3.Connection:
        """Connect to the file, read-only if the folder or file is not writable."""
        place = self.path.absolute().as_uri()
        mode = "mode=rw"
        if not os.access(self.folder, os.W_OK) or not os.access(self.path, os.W_OK):
            wal = self.path.with_name(f"{self.path.name}-wal")
            mode = "mode=ro" if wal.exists() else "immutable=1"
        database = sqlite3.connect(f"{place}?{mode}", uri=True, timeout=WAIT, isolation_level=None)
        database.execute("PRAGMA synchronous = FULL")
        return database


def in_force(entries: Sequence[Entry], undoes: bool = False) -> list[Entry]:
    """The entries that are not undone, in order.

    Args:
        entries: all of the store, or all of some products, in order.
        undoes: include the undo entries that are not themselves undone.
    """
    undone: set[int] = set()
    for entry in reversed(entries):  # an undo follows the entry that it undoes
        if entry.undoes is not None and entry.number not in undone:
            undone.add(entry.undoes)
    return [entry for entry in entries if entry.number not in undone and (undoes or entry.undoes is None)]


def describe(entry: Entry) -> str:
    """Describe an entry in words."""
    if entry.verdict == UNDO:
        return f"undo of {entry.undoes}"
    if entry.verdict in (NOT_A_PRODUCT, REFIT):
        return entry.verdict
    return f"{entry.group}: {entry.verdict} {entry.label}" if entry.label else f"{entry.group}: none"


def login_name() -> str:
    """The login name, or `unknown` if the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user has no passwd entry, as in containers
        return "unknown"


def _sync_folder(folder: Path) -> None:
    """Sync a folder's entries, so that a new file's name is on disk as well as its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _transaction(database: sqlite3.Connection, path: Path) -> Iterator[None]:
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise DataError(f"{path} cannot be written: {error}; try again") from None
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _states(database: sqlite3.Connection, products: Sequence[str]) -> dict[str, int]:
    found = dict.fromkeys(products, 0)
    for start in range(0, len(products), _AT_ONCE):
        part = products[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        question = f"SELECT product, MAX(number) FROM entries WHERE product IN ({marks}) GROUP BY product"
        found.update(database.execute(question, part))
    return found


def _last(database: sqlite3.Connection) -> int:
    return database.execute("SELECT MAX(number) FROM entries").fetchone()[0] or 0


def _entry(database: sqlite3.Connection, number: int) -> Entry:
    return Entry(*database.execute("SELECT * FROM entries WHERE number = ?", (number,)).fetchone())
