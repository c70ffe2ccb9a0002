"""Normal form of labels, and notes on labels that differ only in letter case or look like several joined labels."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

JOINTS = (",", "/")  # characters that shops use between labels of a cell besides the format's separator
# Fewer joined labels in a column are not reported: "Hosiery, Stockings, Tights" is one label.
FEWEST_JOINED = 3
LEAST_JOINED = 0.1  # fraction of the different labels of a column
EXAMPLES = 5


def label_name(text: str) -> str:
    """The normal form of a label: Unicode NFC, runs of white space as one blank, none at the ends."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def case_note(labels: Mapping[str, Iterable[str]]) -> str:
    """A note on labels of one group that differ only in letter case, and how to merge them; empty if there are none.

    Args:
        labels: different labels by group.
    """
    alike = [names for group in labels.values() for names in _alike(group)]
    if not alike:
        return ""
    count = sum(map(len, alike))
    return (
        f"{count} labels differ from another only in letter case: {_some([' / '.join(names) for names in alike])}; to "
        "learn them as one, give them one name in a file for --data.names, see docs/labels.md"
    )


def joined_note(labels: Mapping[str, Collection[str]], separators: Sequence[str], source: str) -> str:
    """A note on groups with many labels composed of others, and how to split them; empty if there are none.

    Args:
        labels: different labels by group.
        separators: those given by the user; the labels contain none of them.
        source: the imported source, for the command in the note.
    """
    found = {group: _joined(names, separators) for group, names in labels.items()}
    joints = dict.fromkeys(joint for joint, names in found.values() if names)
    if not joints:
        return ""
    each = ", ".join(
        f"{group} ({len(names):,} of {len(labels[group]):,} with {joint!r}, such as {names[0]!r})"
        for group, (joint, names) in found.items()
        if names
    )
    flags = " ".join(f"--separator {separator!r}" for separator in (*separators, *joints))
    return (
        f"many labels are combinations of others: {each}; to split them: python -m training.sources catalog {source} "
        f"--out FOLDER {flags}, and train on FOLDER"
    )


def _alike(names: Iterable[str]) -> list[list[str]]:
    folded: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        folded.setdefault(name.casefold(), []).append(name)
    return [group for group in folded.values() if len(group) > 1]


def _joined(names: Collection[str], separators: Sequence[str]) -> tuple[str, list[str]]:
    """The character between the parts of composed labels, and these labels if there are many of them."""
    each = {joint: _compound_labels(names, joint) for joint in JOINTS if joint not in separators}
    joint = max(each, key=lambda joint: len(each[joint]), default=JOINTS[0])
    enough = max(FEWEST_JOINED, LEAST_JOINED * len(names))
    found = each.get(joint, [])
    return joint, found if len(found) >= enough else []


def _compound_labels(names: Iterable[str], joint: str) -> list[str]:
    """Labels of several parts, at least one of which occurs in another label too; numbers such as 1,5 do not count."""
    parts = {name: {part for part in map(str.strip, name.split(joint)) if part} for name in names}
    occurrences = Counter(part for own in parts.values() for part in own)
    return sorted(
        name
        for name, own in parts.items()
        if len(own) > 1
        and all(any(map(str.isalpha, part)) for part in own)
        and any(occurrences[part] > 1 for part in own)
    )


def _some(items: list[str]) -> str:
    return ", ".join(items[:EXAMPLES]) + (", ..." if len(items) > EXAMPLES else "")
