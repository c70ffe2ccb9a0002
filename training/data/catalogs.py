"""One or several folders of labeled photographs opened as one data set: columns, names and labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fashion.errors import DataError
from fashion.spelling import check_groups
from fashion.taxonomy import Label, Taxonomy, imaterialist
from training.data.names import Names
from training.data.rules import Rules
from training.sources import load_taxonomy, open_folder, read_description
from training.sources.opening import DEFAULT_CACHE, open_negatives

Paths = str | Path | Sequence[str | Path]

NO_RULES = Rules()


@dataclass(frozen=True)
class Catalog:
    """A folder in the training format, with the new names of its columns and labels.

    Attributes:
        folder: its path.
        columns: the columns to read, with the group of each.
        names: new names of labels.
        rules: rules between groups.
        negative: whether its photographs show no product.
    """

    folder: Path
    columns: Mapping[str, str]
    names: Names
    rules: Rules = NO_RULES
    negative: bool = False

    @cached_property
    def _description(self) -> dict[str, Any]:
        return read_description(self.folder)

    @property
    def all_columns(self) -> list[str]:
        """All its columns, including those not read."""
        return list(self._description["groups"])

    @property
    def splits(self) -> Mapping[str, int]:
        """Number of rows by split."""
        return self._description["splits"]

    @cached_property
    def labels(self) -> dict[str, set[str]]:
        """The labels of its training rows by group."""
        return self._named(self._description["groups"])

    @cached_property
    def labels_outside_train(self) -> dict[str, set[str]]:
        """The labels found only outside the training split, by group."""
        return self._named(self._description["names_outside_train"])

    def cells(self, row: Mapping[str, Any]) -> dict[str, list[str] | None]:
        """A row's labels by group; None for a group that is not annotated."""
        cells: dict[str, list[str] | None] = {}
        for column, group in self.columns.items():
            found = row.get(column)
            named = None if found is None else [self.names.label(column, name) for name in found]
            # Two columns may be the same group: join their labels.
            cells[group] = named if cells.get(group) is None else [*(cells[group] or []), *(named or [])]
        return cells

    def not_annotated(self, taxonomy: Taxonomy) -> np.ndarray:
        """Labels that this catalog never has, bool (A,): a missing one does not mean no, so it is not annotated."""
        known = [
            label.name in self.labels.get(label.group, ())
            or label.name in self.labels_outside_train.get(label.group, ())
            for label in taxonomy.labels
        ]
        return ~np.array(known)

    def _named(self, names: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
        labels: dict[str, set[str]] = {}
        for column, group in self.columns.items():
            labels.setdefault(group, set()).update(self.names.label(column, name) for name in names.get(column, ()))
        return labels


def describe_paths(paths: Paths) -> str:
    """The folders of a data set as text."""
    return ", ".join([str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths])


def open_catalogs(
    paths: Paths,
    groups: Sequence[str] | None = None,
    cache: Path | str = DEFAULT_CACHE,
    names: Path | str | None = None,
    partly: bool = False,
    rules: Path | str | None = None,
) -> list[Catalog]:
    """Open all folders of a data set, importing them if necessary.

    Args:
        paths: one or several paths for `training.sources.open_folder`.
        groups: attribute groups to read, under their new names; None for all. If there are several folders, each may
            lack some.
        cache: the folder that keeps imports.
        names: a YAML file, see `training.data.names`.
        partly: ignore missing groups; each folder must have at least one.
        rules: a YAML file, see `training.data.rules`; the source groups of its derived labels are read too.

    Raises:
        DataError: a folder cannot be used or is given twice, or no folder has a group.
    """
    each = [paths] if isinstance(paths, str | Path) else list(paths)
    if not each:
        raise DataError("no data: give at least one folder with --data.path")
    map_of_names, map_of_rules = Names.load(names), Rules.load(rules)
    wanted = read_groups = None
    if groups is not None:  # by column name; a folder may use the old or the new one
        read_groups = list(dict.fromkeys([*groups, *map_of_rules.sources]))
        renamed = [column for column, group in map_of_names.groups.items() if group in read_groups]
        wanted = [*renamed, *read_groups]
    some = partly or len(each) > 1 or bool(map_of_names.groups) or map_of_rules != NO_RULES
    folders = [open_folder(path, wanted, cache, some) for path in each]
    for i, folder in enumerate(folders):
        if folder in folders[:i]:
            raise DataError(f"{each[i]} is given twice in the data")
    catalogs = []
    for folder in folders:
        column_groups = {column: map_of_names.group(column) for column in read_description(folder)["groups"]}
        read = {column: group for column, group in column_groups.items() if not read_groups or group in read_groups}
        catalogs.append(Catalog(folder, read, map_of_names, map_of_rules))
    _check_groups(catalogs, groups, partly)
    return catalogs


def open_negative_catalogs(paths: Sequence[str | Path], cache: Path | str = DEFAULT_CACHE) -> list[Catalog]:
    """Open folders of photographs that show no product, importing them if necessary.

    Raises:
        DataError: a folder cannot be used or is given twice.
    """
    catalogs = [Catalog(open_negatives(path, cache), {}, Names(), negative=True) for path in paths]
    for i, catalog in enumerate(catalogs):
        if catalog in catalogs[:i]:
            raise DataError(f"{paths[i]} is given twice in the negatives")
    return catalogs


def union_taxonomy(
    catalogs: Sequence[Catalog],
    groups: Sequence[str] | None = None,
    counts: Mapping[str, Mapping[str, int]] | None = None,
    least: int = 1,
) -> Taxonomy:
    """The labels of all training rows: groups in the order of `groups`, or of first appearance; names sorted.

    Args:
        catalogs: of products.
        groups: the groups to take; None for all.
        counts: training rows of each label by group, see `training.data.label_rows`; needed if labels are derived or
            `least` is above 1.
        least: labels with fewer training rows are left out.

    Raises:
        DataError: a group has no label in the training rows, or none often enough.
    """
    if counts is None and len(catalogs) == 1 and catalogs[0].names == Names():
        return load_taxonomy(catalogs[0].folder, groups)
    columns: dict[str, set[str]] = {group: set() for group in groups or ()}
    if counts is not None:
        for group, rows_of in counts.items():
            columns.setdefault(group, set()).update(name for name, rows in rows_of.items() if rows >= least)
    else:
        for catalog in catalogs:
            for group, labels in catalog.labels.items():
                columns.setdefault(group, set()).update(labels)
    if groups is not None:  # leave out source groups that were read only for derivation
        columns = {group: columns[group] for group in groups}
    empty = [group for group in groups or () if not columns[group]]
    if empty or not any(columns.values()):
        which = f"group {empty[0]!r}" if empty else "any group"
        often = f" with at least {least} rows (--data.min_photographs)" if least > 1 else ""
        raise DataError(f"no training row of {_list(catalogs)} has a label in {which}{often}")
    taxonomy = Taxonomy.from_columns(columns)
    return imaterialist() if set(taxonomy.labels) == set(imaterialist().labels) else taxonomy


def check_splits(catalogs: Sequence[Catalog], splits: Sequence[str]) -> None:
    """Check that every folder has these splits. Raises DataError if one is missing."""
    mend = {"train": "more rows", "val": "a val.csv or more rows", "test": "a test.csv, or choose another split"}
    for catalog in catalogs:
        for split in splits:
            if not catalog.splits.get(split):
                raise DataError(
                    f"{catalog.folder} has no {split} split, it has: {', '.join(catalog.splits)}; give its source "
                    f"{mend[split]}"
                )


def notes(
    catalogs: Sequence[Catalog], taxonomy: Taxonomy, rare: Mapping[Label, int] | None = None, least: int = 1
) -> list[str]:
    """Notes for the user: labels that cannot be learned, and names in the YAML files that are in none of the data.

    Args:
        catalogs: of products.
        taxonomy: the labels to learn.
        rare: labels left out because they have fewer than `least` training rows, with their number of rows.
        least: see `rare`.
    """
    lines = []
    if rare:
        each = ", ".join(f"{label.name!r} of {label.group} ({rows})" for label, rows in rare.items())
        lines.append(f"{len(rare)} labels have fewer than {least} training photographs and are left out: {each}")
    for which, where in (("labels", "of the training split"), ("labels_outside_train", "outside the training split")):
        pairs = [
            Label(group, name)
            for catalog in catalogs
            for group, names in getattr(catalog, which).items()
            if group in taxonomy.groups
            for name in sorted(names)
            if Label(group, name) not in (rare or ())
        ]
        left_out = [
            f"{name!r} of {group}" for group, name in dict.fromkeys(pairs) if (group, name) not in taxonomy.index
        ]
        if left_out:
            lines.append(f"{len(left_out)} labels {where} cannot be learned and are left out: {_some(left_out)}")
    old: dict[str, set[str]] = {}
    new: dict[str, set[str]] = {}
    for catalog in catalogs:
        for found_labels in (catalog.labels, catalog.labels_outside_train):
            for group, found in found_labels.items():
                new.setdefault(group, set()).update(found)
        description = read_description(catalog.folder)
        for names in (description["groups"], description["names_outside_train"]):
            for column, found in names.items():
                old.setdefault(column, set()).update(found)
    unknown = catalogs[0].names.unknown(old)
    if unknown:
        lines.append(f"{len(unknown)} of the names to change occur in no data folder: {', '.join(unknown)}")
    unknown = catalogs[0].rules.unknown(new)
    if unknown:
        lines.append(f"{len(unknown)} of the names in the rules occur in no data folder: {', '.join(unknown)}")
    return lines


def _check_groups(catalogs: Sequence[Catalog], groups: Sequence[str] | None, partly: bool) -> None:
    there = list(dict.fromkeys(catalog.names.group(c) for catalog in catalogs for c in catalog.all_columns))
    there += [group for group in catalogs[0].rules.derive if group not in there]
    if not partly:
        check_groups(_list(catalogs), groups or (), there)
    for catalog in catalogs:
        if not catalog.columns:
            raise DataError(
                f"{catalog.folder} has none of the groups {', '.join(groups or ())}; it has: "
                f"{', '.join(catalog.all_columns)}"
            )


def _list(catalogs: Sequence[Catalog]) -> str:
    return ", ".join(str(catalog.folder) for catalog in catalogs)


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:5]) + (", ..." if len(items) > 5 else "")
