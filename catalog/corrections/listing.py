"""List the entries of a correction store, as text or as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from catalog.scored.correction_store import Entry, describe, in_force
from catalog.scored.table import Scored
from fashion.text_tables import text_table


def entries_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The entries as `--json` prints them; `holds` tells whether an entry is in force."""
    standing = {entry.number for entry in in_force(entries, undoes=True)}
    hidden = ("content",)  # of a refit: long lists of thresholds
    return [
        {name: value for name, value in vars(entry).items() if name not in hidden} | {"holds": entry.number in standing}
        for entry in entries
    ]


def entries_text(scored: Scored, entries: Sequence[Entry]) -> str:
    """The entries as text: one line each, and the number of entries per author."""
    if not entries:
        return f"{scored.folder}: no corrections yet"
    standing = {entry.number for entry in in_force(entries, undoes=True)}
    rows = [
        [
            str(entry.number),
            entry.at[:19],
            entry.who,
            entry.product or "the catalog",
            describe(entry) + ("" if entry.number in standing else "  (undone)"),
        ]
        for entry in entries
    ]
    lines = [text_table(["entry", "time", "by", "product", "what"], rows, [0])]
    authors = ", ".join(f"{who} {count:,}" for who, count in Counter(e.who for e in entries).most_common())
    overlay = scored.overlay()
    known = overlay.known if overlay else {}
    lines.append(f"{len(known):,} products corrected; entries: {authors}")
    if unused := Counter(label for verdict in known.values() for label in verdict.left_out):
        named = ", ".join(f"{label.group} {label.name} ({count:,})" for label, count in unused.most_common())
        lines.append(f"ignored, because the model does not have these labels: {named}")
    gone = set(known) - set(scored.rows_of(known, ["id"])["id"].to_pylist()) if known else set()
    if gone:
        lines.append(f"{len(gone):,} of the products are not in the catalog any more, such as {min(gone)!r}")
    return "\n".join(lines)
