"""Rules between label groups, read from a small YAML file: labels derived from others, and groups that do not apply.

derive:                    # groups to fill in where a row does not annotate them
  garment:
    from: article          # the source group; both by their new names, see `training.data.names`
    labels:
      Jeans: Pants         # a label or a list of labels; the other labels named in these rules are then absent
      Watches: []          # none of the group's labels
      Sweaters: {not: [Shoes, Hat]}           # these are absent; the others are unknown
      Tshirts: {one of: [T-Shirt, Polo]}      # one of these, and none of the others
applies:                   # learned from how often the training rows of a label annotate a group
  by: [article, garment]   # the deciding groups: the first one in which a row has labels decides
  groups: [neck, sleeve]   # the groups that get an output for whether they apply
  yes: 0.2                 # a group applies if at least this share of the rows is annotated,
  no: 0.01                 # does not if at most this share is; between the two it is unknown
  rows: 10                 # labels with fewer training rows decide nothing
  except:                  # by label of a deciding group: yes, no or unknown
    Watches: {neck: no}
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fashion.errors import DataError
from fashion.spelling import did_you_mean
from fashion.taxonomy import NO, NOT_ANNOTATED, YES
from training.data.yaml_files import read_yaml

Cells = Mapping[str, Sequence[str] | None]  # the labels of a row by group; None for a group that is not annotated

FORMS = "a label, a list of labels, {not: [labels]} or {one of: [labels]}"


@dataclass(frozen=True)
class Derived:
    """What the rules derive for one group of a product.

    Attributes:
        yes: labels that it has.
        no: labels that it does not have.
        only: the labels that are possible; None if not restricted.
        some: whether it has at least one of `only`.
    """

    yes: frozenset[str] = frozenset()
    no: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    some: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the product is known to have none of the group's labels."""
        return self.only is not None and not self.only

    def target(self, name: str) -> int:
        """Target of a label: 1 yes, 0 no, -1 unknown."""
        if name in self.yes:
            return YES
        return NO if name in self.no or (self.only is not None and name not in self.only) else NOT_ANNOTATED

    def __and__(self, other: "Derived") -> "Derived":
        """Combine two rules. If only one possible label is left for `some`, it becomes a `yes`.

        Empty if they contradict each other, since one of them is wrong.
        """
        only = self.only if other.only is None else other.only if self.only is None else self.only & other.only
        both = Derived(self.yes | other.yes, self.no | other.no, only, self.some or other.some)
        return both._concluded()

    def _concluded(self) -> "Derived":
        if self.yes & self.no or (self.only is not None and self.yes - self.only):
            return Derived()
        if self.yes or not self.some or self.only is None:
            return self
        left = self.only - self.no
        if not left:
            return Derived()
        return Derived(left, self.no, self.only, True) if len(left) == 1 else self


@dataclass(frozen=True)
class Derivation:
    """How the labels of one group follow from those of another.

    Attributes:
        source: the group they follow from.
        labels: by label of the source, what follows from it; nothing follows from missing labels.
    """

    source: str
    labels: Mapping[str, Derived]

    def __call__(self, names: Sequence[str]) -> Derived | None:
        """What follows from a row's labels of the source. If there are several, only their `yes` labels are used."""
        names = list(dict.fromkeys(names))  # two columns of one group may have the same label
        found = [self.labels[name] for name in names if name in self.labels]
        if len(names) == 1:
            return found[0] if found else None
        yes = frozenset[str]().union(*(each.yes for each in found))
        return Derived(yes) if yes else None

    @property
    def names(self) -> set[str]:
        """All labels of the derived group that the rules name."""
        return {name for each in self.labels.values() for name in (*each.yes, *each.no, *(each.only or ()))}


@dataclass(frozen=True)
class AppliesRule:
    """Which groups get a gate (an output for whether they apply), and how its targets follow from the training rows.

    Attributes:
        by: the deciding groups; the first one in which a row has labels decides.
        groups: the groups with a gate.
        yes: smallest share of annotated rows at which a group applies.
        no: largest share of annotated rows at which it does not apply.
        rows: labels with fewer training rows decide nothing.
        exceptions: by deciding label and group, a fixed target: 1 yes, 0 no, -1 unknown.
    """

    by: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    yes: float = 0.2
    no: float = 0.01
    rows: int = 10
    exceptions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """The rules of a file; empty by default.

    Attributes:
        derive: by group, how its labels follow from those of other groups.
        applies: which groups get a gate.
    """

    derive: Mapping[str, tuple[Derivation, ...]] = field(default_factory=dict)
    applies: AppliesRule = field(default_factory=AppliesRule)

    @classmethod
    def load(cls, path: Path | str | None) -> "Rules":
        """Read the file; None gives empty rules.

        Raises:
            DataError: it cannot be read or does not hold rules.
        """
        if path is None:
            return cls()
        content = read_yaml(path, "rules")
        parser = _RulesParser(path)
        content = parser.table(content, "the file", ("derive", "applies"))
        derive = parser.table(content.get("derive") or {}, "derive")
        return cls(
            {group: parser.derivations(group, rules) for group, rules in derive.items()},
            parser.applies(content["applies"]) if content.get("applies") else AppliesRule(),
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """The groups whose labels the rules read."""
        derived_from = [each.source for derivations in self.derive.values() for each in derivations]
        return tuple(dict.fromkeys([*derived_from, *self.applies.by]))

    def sources_of(self, groups: Iterable[str]) -> set[str]:
        """The groups that these groups are derived from."""
        return {each.source for group in groups for each in self.derive.get(group, ())}

    def derived(self, cells: Cells) -> dict[str, Derived]:
        """What is derived for the groups that a row does not annotate, by group."""
        found = {group: self._derived(group, cells) for group in self.derive if cells.get(group) is None}
        return {group: each for group, each in found.items() if each is not None}

    def _derived(self, group: str, cells: Cells) -> Derived | None:
        result = None
        for derivation in self.derive[group]:
            names = cells.get(derivation.source)
            each = derivation(names) if names else None
            if each is not None:
                result = each if result is None else result & each
            if result == Derived():  # a contradiction, which a further rule does not settle
                return None
        return result

    def unknown(self, labels: Mapping[str, Iterable[str]]) -> list[str]:
        """Groups and labels in the rules that are in none of the data, each with its closest match.

        Args:
            labels: the labels of the data by group, under their new names.
        """
        there = {group: set(names) for group, names in labels.items()}
        for group, derivations in self.derive.items():
            if group not in there:  # a derived group need not be in the data
                there[group] = {name for each in derivations for name in each.names}
        groups = dict.fromkeys([*self.sources, *self.applies.groups])
        unknown = [f"group {group!r}{did_you_mean(group, there)}" for group in groups if group not in there]
        for group, name in dict.fromkeys(self._named()):
            if group in there and name not in there[group]:
                unknown.append(f"{name!r} of {group}{did_you_mean(name, there[group])}")
        deciding = {name for group in self.applies.by for name in there.get(group, ())}
        unknown += [
            f"{name!r}{did_you_mean(name, deciding)}" for name in self.applies.exceptions if name not in deciding
        ]
        return unknown

    def _named(self) -> Iterator[tuple[str, str]]:
        for group, derivations in self.derive.items():
            for derivation in derivations:
                yield from ((derivation.source, name) for name in derivation.labels)
                yield from ((group, name) for name in sorted(derivation.names))


class _RulesParser:
    """Converts the parsed YAML to rules and checks it."""

    def __init__(self, path: Path | str) -> None:
        self.path = path

    def table(self, content: Any, where: str, keys: Sequence[str] | None = None) -> dict[str, Any]:
        """Check that `content` is a dict with string keys, all of them in `keys` if given."""
        if not isinstance(content, dict):
            raise self._error(f"{where} holds {content!r}; expected a table, see training/data/rules.py")
        for key in content:
            if keys is not None and key not in keys:
                raise self._error(f"{where} has {key!r}{did_you_mean(str(key), keys)}; it may have: {', '.join(keys)}")
            if not isinstance(key, str):
                raise self._error(f"{where} has the name {key!r}; quote names that YAML does not read as text")
        return content

    def derivations(self, group: str, rules: Any) -> tuple[Derivation, ...]:
        """Parse one table of `from` and `labels`, or a list of them."""
        where = f"derive {group}"
        tables = [
            self.table(each, where, ("from", "labels")) for each in (rules if isinstance(rules, list) else [rules])
        ]
        parsed = [
            (self._name(each.get("from"), f"{where}, from"), self._statements(where, each.get("labels")))
            for each in tables
        ]
        if any(source == group for source, _ in parsed):
            raise self._error(f"{where} follows from itself; name another group at from")
        derivations = [Derivation(source, labels) for source, labels in parsed]
        # Labels that no rule names stay unknown: the rules' author did not consider them.
        named = frozenset[str]().union(*(each.names for each in derivations))
        return tuple(
            Derivation(
                each.source,
                {
                    name: Derived(d.yes, named - d.yes) if d.only is None and d.yes else d
                    for name, d in each.labels.items()
                },
            )
            for each in derivations
        )

    def applies(self, content: Any) -> AppliesRule:
        # YAML parses yes and no as true and false.
        if isinstance(content, dict):
            content = {
                {True: "yes", False: "no"}.get(key, key) if isinstance(key, bool) else key: v
                for key, v in content.items()
            }
        content = self.table(content, "applies", ("by", "groups", "yes", "no", "rows", "except"))
        default = AppliesRule()
        yes, no, rows = (content.get(name, getattr(default, name)) for name in ("yes", "no", "rows"))
        shares = all(isinstance(share, int | float) and not isinstance(share, bool) for share in (yes, no))
        if not shares or not 0 <= no < yes <= 1:
            raise self._error(f"applies has yes {yes!r} and no {no!r}; expected shares, 0 <= no < yes <= 1")
        if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
            raise self._error(f"applies has rows {rows!r}; expected a number from 1 up")
        by, groups = (tuple(self.names(content.get(name), f"applies, {name}")) for name in ("by", "groups"))
        for name, given in (("by", by), ("groups", groups)):
            if not given or len(set(given)) < len(given):
                raise self._error(f"applies has {name} {list(given)}; expected one or more groups, each once")
        exceptions = self.table(content.get("except") or {}, "applies, except")
        return AppliesRule(by, groups, yes, no, rows, {n: self._exception(n, v, groups) for n, v in exceptions.items()})

    def _exception(self, name: str, content: Any, groups: Sequence[str]) -> dict[str, int]:
        verdicts = {True: YES, False: NO, "yes": YES, "no": NO, "unknown": NOT_ANNOTATED}
        where = f"applies, except {name}"
        for group, verdict in self.table(content, where, groups).items():
            if not isinstance(verdict, bool | str) or verdict not in verdicts:
                raise self._error(f"{where} has {group}: {verdict!r}; expected yes, no or unknown")
        return {group: verdicts[verdict] for group, verdict in content.items()}

    def _statements(self, where: str, content: Any) -> dict[str, Derived]:
        return {name: self._statement(f"{where}, {name}", value) for name, value in self.table(content, where).items()}

    def _statement(self, where: str, value: Any) -> Derived:
        if isinstance(value, str | list):
            names = frozenset(self.names(value, where))
            return Derived(names) if names else Derived(only=names)
        if isinstance(value, dict) and len(value) == 1:
            form, content = next(iter(value.items()))
            names = frozenset(self.names(content, where))
            if names and form == "not":
                return Derived(no=names)
            if names and form == "one of":
                return Derived(only=names, some=True)._concluded()
        raise self._error(f"{where} holds {value!r}; expected {FORMS}")

    def names(self, value: Any, where: str) -> list[str]:
        """Flatten a name or a list of names; YAML anchors produce nested lists."""
        if isinstance(value, list):
            return [name for each in value for name in self.names(each, where)]
        return [self._name(value, where)]

    def _name(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._error(
                f"{where} holds {value!r}, which is not a name; quote names that YAML does not read as text"
            )
        return value

    def _error(self, message: str) -> DataError:
        return DataError(f"{self.path}: {message}")
