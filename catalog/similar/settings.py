"""Settings of a search: similarity space, weights, filter, limit and diversity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from catalog.filters.conditions import Condition
from catalog.similar.manifest import IndexManifest
from catalog.similar.spaces import DEFAULT_SPACE, SHARE, Measure, Space
from fashion.errors import SettingError

LIMIT = 10


class SearchOptions(TypedDict, total=False):
    """`SearchSettings` as optional keyword arguments."""

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
    """Settings of a search.

    Attributes:
        space: "embedding", "attributes" or "both", see `catalog.similar.spaces`.
        weights: of attribute groups; `catalog.similar.spaces.default_weights` for a group that is not named.
        share: weight of the embedding in "both", from 0 to 1.
        where: filter on the products to compare, as text (see `catalog.filters.where`) or parsed.
        limit: maximum number of matches.
        diversity: from 0 to 1, how much the matches should differ, see `catalog.similar.spaces.diverse`.
        exact: compare every product even if the index is approximate.
        duplicates: return every listing with near-identical photographs; otherwise only the first.

    Raises:
        SettingError: a limit below 1, or a diversity not between 0 and 1.
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
        """The similarity measure for an index. Raises SettingError for an unknown space or group."""
        return Measure(self.space, manifest.scales, manifest.taxonomy, self.weights, self.share)


def check_examples(like: Sequence[str], unlike: Sequence[str], settings: SearchSettings) -> None:
    """Check what is asked for a recommendation.

    Raises:
        SettingError: nothing is liked, a product is both liked and disliked, diversity is set, or a text is given in
            place of a list, whose letters would be ids.
    """
    for ids in (like, unlike):
        if isinstance(ids, str):
            raise SettingError(f"{ids!r} is no list of ids")
    if not like:
        raise SettingError("recommendations need at least one product that is liked")
    if both := sorted(set(like) & set(unlike)):
        raise SettingError(f"product {both[0]!r} is both liked and disliked")
    if settings.diversity:
        raise SettingError("recommendations do not support diversity; search does")
