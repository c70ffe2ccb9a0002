"""How a search is done: what counts, what is kept, how many are answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from catalog.filters.conditions import Condition
from catalog.similar.manifest import IndexManifest
from catalog.similar.spaces import DEFAULT_SPACE, SHARE, Measure, Space
from fashion.errors import SettingError

LIMIT = 10


class How(TypedDict, total=False):
    """The same as keyword arguments, each of which may be left out; see `SearchSettings`."""

    space: Space
    weights: Mapping[str, float]
    share: float
    where: str | Condition | None
    limit: int
    diversity: float
    exact: bool
    duplicates: bool


@dataclass(frozen=True)
class SearchSettings:
    """How a search is done.

    Attributes:
        space: "embedding", "attributes" or "both", see `catalog.similar.spaces`.
        weights: of attribute groups; 1 for a group that is not named.
        share: of the embedding in "both", from 0 to 1.
        where: a filter, as text (see `catalog.filters.where`) or read; only products that pass it are compared.
        limit: how many products are answered.
        diversity: from 0 to 1, how much they should differ from each other, see `catalog.similar.spaces.diverse`.
        exact: compare with every product, also where the index has graphs.
        duplicates: answer listings with near-identical photographs each; otherwise the first of them stands for all.

    Raises:
        SettingError: a limit below 1, or a diversity that is not between 0 and 1.
    """

    space: Space = DEFAULT_SPACE
    weights: Mapping[str, float] = field(default_factory=dict)
    share: float = SHARE
    where: str | Condition | None = None
    limit: int = LIMIT
    diversity: float = 0.0
    exact: bool = False
    duplicates: bool = False

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise SettingError(f"limit is {self.limit}; it must be 1 or more")
        if not 0 <= self.diversity <= 1:
            raise SettingError(f"diversity is {self.diversity:g}; it must be from 0 to 1")

    def measure(self, manifest: IndexManifest) -> Measure:
        """How products of an index are compared. Raises SettingError for what it does not know."""
        return Measure(self.space, manifest.scales, manifest.taxonomy, self.weights, self.share)
